import type { Soon } from '../soon.ts';

/** Of all time, at most. */
const share = 0.1;
/** Milliseconds that may be saved up, for when many come at once. */
const store = 50;
/** Milliseconds: a Check that comes meanwhile waits no longer, unless for one that takes longer by itself. */
const slice = 0.2;
/** So many wait at most; each may hold 60 KB of headers. */
const longest = 256;

type SpareTimeOptions<T> = {
  /** Must not throw. */
  readonly work: (item: T) => Soon<void>;
  /** So many were left out: there was no time for them. */
  readonly leftOut: (items: number) => void;
  /** Milliseconds that passed. */
  readonly clock?: () => number;
};

/**
 * Work for whose end nobody waits, on the thread that everybody waits for: one after the other, in a later turn of the
 * event loop, within a tenth of all time. What is beyond that is left out at once, so that nothing piles up.
 */
export class SpareTime<T> {
  readonly #options: SpareTimeOptions<T>;
  readonly #clock: () => number;
  readonly #waiting: T[] = [];
  #isAtWork = false;
  /** Milliseconds that may be used. */
  #left = store;
  #at: number;

  constructor(options: SpareTimeOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#at = this.#clock();
  }

  add(item: T): void {
    if (this.#waiting.length >= longest) {
      this.#options.leftOut(1);
      return;
    }
    this.#waiting.push(item);
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    // Node sends what was written before it comes to this.
    setImmediate(() => void this.#work());
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const began = this.#clock();
      this.#left = Math.min(store, this.#left + (began - this.#at) * share);
      this.#at = began;
      if (this.#left <= 0) {
        this.#options.leftOut(this.#waiting.length);
        this.#waiting.length = 0;
        break;
      }
      do {
        const done = this.#options.work(this.#waiting.shift()!);
        if (done instanceof Promise) await done;
      } while (this.#waiting.length > 0 && this.#clock() - began < slice);
      this.#left -= this.#clock() - began;
      await new Promise((resume) => setImmediate(resume));
    }
    this.#isAtWork = false;
  }
}
