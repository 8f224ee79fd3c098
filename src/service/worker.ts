import type { ChildProcess } from 'node:child_process';
import type { Log } from '../observability/log.ts';
import { isScrapeAnswer, type ScrapeAnswer, type Watched } from './scrapes.ts';
import type { Serving } from './serve.ts';
import { awaitSignsOfLife, isSignOfLife } from './sign-of-life.ts';

export type WorkerOptions = {
  readonly number: number;
  /** Starts it, with a channel on which it says when it serves. */
  readonly spawn: (worker: number) => ChildProcess;
  readonly onServing: (serving: Serving) => void;
  readonly log: () => Log;
  /** Milliseconds: one that serves and says nothing for so long is killed. undefined: it is left to Envoy to notice. */
  readonly patience?: number | undefined;
};

/** What came of a start: it serves, or ended with this exit code. */
export type Start = 'serving' | number;

/** Milliseconds. */
const shortestPause = 100;
const longestPause = 30_000;
/** Who served this long before it ended begins again with the shortest pause. */
const provenAfter = 60_000;
/** For ending, beyond its own drain time: after that it hangs. */
const endsWithin = 5_000;

/** sysexits(3): a fault of ours, as whatever kills a process that is just starting; and no process to be had. */
const [software, osError] = [70, 71];

/** One of several processes: started again whenever it ends, until it is told to stop. */
export class Worker {
  readonly #options: WorkerOptions;
  #child: ChildProcess | undefined;
  #serving: Serving | undefined;
  #next = Promise.withResolvers<Start>();
  #isRenewing = false;
  #isStopping = false;
  #mustReload = false;
  #starts = 0;
  #pause = shortestPause;
  #wake: () => void = () => {};

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  get watched(): Watched {
    const serving = this.#serving === undefined ? undefined : this.#child;
    return { number: this.#options.number, serving, starts: this.#starts };
  }

  /** What comes of the start in hand, or, if it serves already, of the next. */
  get next(): Promise<Start> {
    return this.#next.promise;
  }

  /** Returns once it is stopped. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      const started = performance.now();
      const how = await this.#once();
      // Whoever waited for this start may want no other.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#isStopping) return;
      if (this.#isRenewing) {
        this.#isRenewing = false;
        continue;
      }
      if (performance.now() - started > provenAfter) this.#pause = shortestPause;
      this.#options.log().error('a worker ended, and is started again', {
        ...how,
        worker: this.#options.number,
        inSeconds: this.#pause / 1000,
      });
      await this.#sleep(this.#pause);
      this.#pause = Math.min(2 * this.#pause, longestPause);
    }
  }

  /** Ends it in good order and starts it again, with the code and the configuration that are there by now. */
  async renew(): Promise<Start> {
    // One that is just starting may have read the old ones.
    if (this.#child !== undefined && this.#serving === undefined) await this.next;
    if (this.#isStopping) return 0;
    this.#isRenewing = this.#child !== undefined;
    this.#end('SIGTERM');
    this.#wake();
    return this.next;
  }

  /** Reads its configuration again; one that waits for its next start is started at once: the error may be mended. */
  reload(): void {
    // Before it serves, the signal could end it.
    if (this.#serving === undefined) this.#mustReload = true;
    else this.#child?.kill('SIGHUP');
    this.#wake();
  }

  stop(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#isStopping = true;
    this.#end(signal);
    this.#wake();
  }

  /** From its start to its end. */
  #once(): Promise<{ readonly code: number | undefined; readonly signal: string | undefined }> {
    const { number, spawn, onServing, log, patience } = this.#options;
    this.#mustReload = false;
    this.#starts++;
    let child: ChildProcess;
    try {
      child = spawn(number);
    } catch (error) {
      // Most of what the system may lack comes as an event; for want of memory Node throws.
      log().error(`a worker can't be started: ${(error as Error).message}`, { worker: number });
      this.#settle(osError);
      return Promise.resolve({ code: osError, signal: undefined });
    }
    this.#child = child;
    child.on('message', (message: Serving | ScrapeAnswer) => {
      // What it said last may come after its end.
      if (isScrapeAnswer(message) || isSignOfLife(message) || this.#child !== child) return;
      const isStart = this.#serving === undefined;
      this.#serving = message;
      onServing(message);
      if (!isStart) return;
      this.#settle('serving');
      if (patience !== undefined)
        awaitSignsOfLife(child, patience, () => {
          log().error('a worker hangs, and is killed', { worker: number, silentForSeconds: patience / 1000 });
          child.kill('SIGKILL');
        });
      if (this.#mustReload) child.kill('SIGHUP');
    });
    return new Promise((resolve) => {
      const ended = (code: number | null, signal: string | null): void => {
        this.#child = undefined;
        const isStart = this.#serving === undefined;
        this.#serving = undefined;
        if (isStart) this.#settle(code ?? software);
        resolve({ code: code ?? undefined, signal: signal ?? undefined });
      };
      child.once('exit', ended);
      child.once('error', (error) => {
        log().error(`a worker can't be started: ${error.message}`, { worker: number });
        if (child.pid === undefined) ended(null, null);
      });
    });
  }

  #settle(start: Start): void {
    const { resolve } = this.#next;
    this.#next = Promise.withResolvers();
    resolve(start);
  }

  #end(signal: 'SIGTERM' | 'SIGKILL'): void {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    const most = (this.#serving?.drainsWithinSeconds ?? 0) * 1000 + endsWithin;
    const timer = setTimeout(() => child.kill('SIGKILL'), most);
    child.once('exit', () => clearTimeout(timer));
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
