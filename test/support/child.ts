import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * Starts "$@" in its own place, with a leash: when our end of standard input closes, for whatever reason (SIGKILL
 * too), the process is killed. Nothing that a test or the demo started outlives it.
 */
const leash = 'exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null';

const stopTimeoutMs = 15_000;

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A program that runs until it is stopped, and what it wrote. */
export class Child {
  readonly name: string;
  /** Lines of standard output and standard error, oldest first. */
  readonly lines: string[] = [];
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #gone = false;

  constructor(
    name: string,
    command: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ) {
    this.name = name;
    this.#process = spawn('/bin/sh', ['-c', leash, name, ...command], {
      ...options,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // Ctrl-C in a terminal is for whoever started it, to stop it in good order
    });
    this.#process.stdin!.on('error', () => {}); // it may be gone before we are
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit) => {
        this.#gone = true;
        this.#process.stdin!.destroy();
        this.#wake();
        resolve(exit);
      };
      this.#process.once('error', (error) => {
        this.lines.push(error.message);
        end({ code: -1, signal: null });
      });
      this.#process.once('close', (code, signal) => end({ code, signal }));
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  get running(): boolean {
    return !this.#gone;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /**
   * The first line from `from` on (an index of `lines`) that fits, waiting for it.
   *
   * @throws Error with the last lines when the process ends, or the time is up, without one
   */
  async line(pattern: RegExp, from = 0, timeoutMs = 20_000): Promise<string> {
    let next = from;
    const found = await this.#until(() => {
      for (; next < this.lines.length; next++) if (pattern.test(this.lines[next]!)) return this.lines[next];
      return undefined;
    }, timeoutMs);
    if (found !== undefined) return found;
    throw new Error(
      `${this.name} ${this.#gone ? 'ended' : `said nothing for ${timeoutMs} ms`} without ${pattern}\n${this.tail()}`,
    );
  }

  /** Stops it by SIGTERM, by SIGKILL if that takes too long. */
  async stop(): Promise<Exit> {
    if (!this.#gone) this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), stopTimeoutMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map((line) => `  ${this.name}: ${line}`)
      .join('\n');
  }

  /** What `look` finds, asked again at each line and at the end; undefined when the process or the time is over. */
  #until<T>(look: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const attempt = () => {
        const found = look();
        if (found !== undefined || this.#gone) finish(found);
      };
      const finish = (found: T | undefined) => {
        clearTimeout(timer);
        this.#listeners.delete(attempt);
        resolve(found);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#listeners.add(attempt);
      attempt();
    });
  }

  #wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
