import { ReadingError } from '../provision/reading-process.ts';
import { AnotherTry } from './another-try.ts';
import {
  Configuration,
  type ConfigurationEvent,
  type ConfigurationOptions,
  type InForce,
} from './configuration.ts';
import { FileWatcher } from './file-watcher.ts';

type NextOptions = Pick<ConfigurationOptions, 'file' | 'env' | 'tell'>;

/**
 * A configuration that does not count yet, kept as the one that does: read beside the thread that decides, watched, in its
 * last good state. Other than that one it may be faulty from the beginning, and is tried again when its files change.
 */
export class NextConfiguration {
  readonly #options: NextOptions;
  readonly #watcher: FileWatcher;
  #configuration: Configuration;
  #state: 'starting' | 'faulty' | 'started' = 'starting';
  #isGood = true;
  #isWatched = true;
  /** It was asked for again during its start. */
  #isAskedAgain = false;
  #isClosed = false;
  readonly #again = new AnotherTry(() => {
    // Somebody else may have asked meanwhile; one that was started reads again by itself.
    if (this.#state !== 'started') this.#startAgain();
  });
  #starting: Promise<void>;

  /** @param options told of its first state, too, good or not */
  constructor(options: NextOptions) {
    this.#options = options;
    this.#watcher = new FileWatcher(
      () => this.#reread(),
      () => {},
    );
    this.#configuration = this.#made();
    this.#starting = this.#start();
  }

  get file(): string {
    return this.#options.file;
  }

  /** undefined: there is none that is good, or its files are just being read. */
  get inForce(): InForce | undefined {
    return this.#state === 'started' && !this.#configuration.isReading
      ? this.#configuration.inForce
      : undefined;
  }

  /** What its files say. */
  get isGood(): boolean {
    return this.#isGood;
  }

  watch(isWanted: boolean): void {
    this.#isWatched = isWanted;
    if (this.#state !== 'starting') this.#watch();
  }

  reload(): void {
    this.#again.asked();
    if (this.#state === 'started') this.#configuration.reload();
    else this.#startAgain();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watcher.close();
    this.#again.close();
    await this.#configuration.close();
    await this.#starting;
  }

  #reread(): void {
    this.#again.asked();
    if (this.#state === 'started') this.#configuration.reread();
    else this.#startAgain();
  }

  #startAgain(): void {
    if (this.#state === 'starting') {
      this.#isAskedAgain = true;
      return;
    }
    this.#state = 'starting';
    this.#configuration = this.#made();
    this.#starting = this.#start();
  }

  #made(): Configuration {
    return new Configuration({ ...this.#options, isBeside: true, tell: (event) => this.#tell(event) });
  }

  async #start(): Promise<void> {
    const configuration = this.#configuration;
    try {
      const started = await configuration.start();
      if (this.#isClosed) return await configuration.close();
      this.#state = 'ok' in started ? 'started' : 'faulty';
      if ('ok' in started)
        this.#tell({ kind: 'in-force', loaded: started.ok, reading: configuration.isReading, changes: [] });
      else this.#tell({ kind: 'refused', problems: started.problems });
    } catch (error) {
      if (this.#isClosed) return;
      this.#state = 'faulty';
      if (error instanceof ReadingError) this.#again.wait();
      this.#tell({ kind: 'refused-whole', reason: (error as Error).message });
    }
    const isAskedAgain = this.#isAskedAgain;
    this.#isAskedAgain = false;
    if (isAskedAgain) this.reload();
  }

  #tell(event: ConfigurationEvent): void {
    if (this.#isClosed) return;
    if (event.kind !== 'feed') {
      this.#isGood =
        (event.kind === 'in-force' || event.kind === 'unchanged') && !this.#configuration.isRefused;
      this.#watch();
    }
    this.#options.tell(event);
  }

  #watch(): void {
    const { read } = this.#configuration;
    // Where not even the reading came to an end, its own file is to be looked for.
    const watched = read.size > 0 ? read : new Map([[this.file, '']]);
    this.#watcher.watch(this.#isWatched ? watched : new Map());
  }
}
