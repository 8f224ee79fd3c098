import { atMost } from './deadline.ts';
import type { FeedEvent, FeedKind } from './feed-event.ts';

/** Milliseconds. */
export type FeedTimes = {
  /** Between reads, while all goes well. */
  readonly every: number;
  /** After a failure; doubled at each further one, up to `longestRetry`. */
  readonly retry: number;
  /** `every` unless given. */
  readonly longestRetry?: number;
  /** After a `CostlyError`, also where `refresh` asks for it; as after any failure unless given. */
  readonly costlyRetry?: number;
  /** Least time between reads that `refresh` asks for: a flood of bogus tokens must not become one of requests. */
  readonly onDemand: number;
  /** A read that takes longer has failed, whatever it waits for. */
  readonly within: number;
};

export type FeedSource<T> = {
  readonly feed: FeedKind;
  /** Where from, without password and query. */
  readonly from: string;
  /** May throw; need not end, for nobody waits longer than `within`. undefined: it is as it was before. */
  readonly read: (request: FeedRequest<T>) => Promise<Reading<T> | undefined>;
  /** What is at hand: asked once, when the feed is made, and known from then on. undefined: nothing usable. */
  readonly known?: () => Reading<T> | undefined;
  /**
   * What an earlier process kept: asked once, before the first read, where nothing is known. undefined: nothing usable.
   * later: not by this clock, which may be behind, and why: asked again before the next read.
   */
  readonly stored?: () => Promise<Reading<T> | { readonly later: string } | undefined>;
  /** A value is there that was not when the feed was made, and is another one than before. */
  readonly onChange?: (value: T, before: T | undefined) => void;
  readonly close?: () => Promise<void>;
};

export type FeedRequest<T> = {
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
  readonly before: T | undefined;
  /** For a source that is told of changes: reads again after so many milliseconds, unless it does sooner. */
  readonly readIn: (milliseconds: number) => void;
};

export type Reading<T> = {
  readonly value: T;
  /** Equal for what is equal: the value of before stays then, as the very same. */
  readonly version: string;
  readonly count: number;
  /** What of it can't be read, and is as good as not there. */
  readonly faults?: readonly string[];
  readonly unused?: readonly string[];
  /** Milliseconds since the epoch: it says itself when it will be out of date. */
  readonly outdatedFrom?: number | undefined;
  /** false: another version, which tells people nothing new. */
  readonly isNews?: boolean;
};

/** Milliseconds that the first read waits for what is on disk. */
const storedWithin = 10_000;

/** A read that failed at the cost of those who wait for theirs (`costlyRetry`). */
export class CostlyError extends Error {
  override readonly name = 'CostlyError';
}

/** How it goes, for people. */
export type FeedState = {
  readonly feed: FeedKind;
  readonly from: string;
  /** Milliseconds since the epoch, when the last good read began; undefined: none yet. */
  readonly readAt: number | undefined;
  readonly outdatedFrom: number | undefined;
  readonly count: number;
  /** Of the last good read. */
  readonly faults: readonly string[];
  readonly reads: number;
  /** In a row. */
  readonly failures: number;
  readonly lastError: string | undefined;
};

/**
 * What is read from the network ahead of those who need it, again and again: nobody waits for it, one read at a time,
 * each bounded in time, less often while it fails, and the last good value stays.
 */
export class Feed<T> {
  readonly #source: FeedSource<T>;
  readonly #tell: (event: FeedEvent) => void;
  #times: FeedTimes;
  #latest: (Reading<T> & { readonly at: number; readonly readAt: number }) | undefined;
  #reads = 0;
  #failures = 0;
  #lastError: string | undefined;
  #stored: Promise<void> | undefined;
  /** That what was kept counts only later was told. */
  #toldLater = false;
  /** That the last good value is out of date was told. */
  #toldLapse = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Of reads that `refresh` asks for. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  /** Ends the read that runs. */
  #giveUp: (why: Error) => void = () => {};
  #closed = false;

  constructor(source: FeedSource<T>, tell: (event: FeedEvent) => void, times: FeedTimes) {
    this.#source = source;
    this.#tell = tell;
    this.#times = times;
    const known = source.known?.();
    if (known !== undefined) this.#latest = { ...known, at: performance.now(), readAt: Date.now() };
  }

  /** The last good value, the same until there is another; undefined: none yet. */
  get latest(): T | undefined {
    return this.#latest?.value;
  }

  /** Milliseconds since the last good read began. */
  get age(): number {
    return performance.now() - (this.#latest?.at ?? Number.NEGATIVE_INFINITY);
  }

  get state(): FeedState {
    const { feed, from } = this.#source;
    const { readAt, outdatedFrom, count = 0, faults = [] } = this.#latest ?? {};
    const [reads, failures, lastError] = [this.#reads, this.#failures, this.#lastError];
    return { feed, from, readAt, outdatedFrom, count, faults, reads, failures, lastError };
  }

  /** From the next read on. */
  set every(milliseconds: number) {
    this.#times = { ...this.#times, every: milliseconds };
  }

  /** Reads now, and from now on by itself. Resolves when this read, or one that runs already, is over, well or not; never rejects. */
  start(): Promise<void> {
    return this.#begin();
  }

  #begin(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** As `start`, by a read that begins no earlier than this call: one that runs already may have passed over a change. */
  startAnew(): Promise<void> {
    if (this.#running === undefined) return this.#begin();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  /** Something is wanted that the last good value does not have. Returns at once. */
  refresh(): void {
    const earliest = Math.max(this.#notBefore, this.#askedAt + this.#times.onDemand);
    this.#readIn(Math.max(0, earliest - performance.now()));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#giveUp(new Error('closed'));
    await this.#source.close?.();
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
    if (this.#source.stored !== undefined && this.#latest === undefined) {
      this.#stored ??= this.#readStored();
      // A disk may hang, too: then the source is asked all the same, and what was kept counts once it is there.
      await atMost(Math.min(storedWithin, this.#times.within), this.#stored);
      if (this.#closed) return;
    }
    const at = performance.now();
    this.#askedAt = at;
    const { feed, from } = this.#source;
    const { every, retry, longestRetry = every, costlyRetry } = this.#times;
    try {
      this.#reads++;
      const reading = (await this.#readInTime()) ?? this.#latest;
      if (reading === undefined) throw new Error('it says that nothing changed, and sent nothing before');
      const isOther = this.#take(reading, at);
      const changed = isOther && reading.isNews !== false;
      const failures = this.#failures;
      this.#failures = 0;
      this.#lastError = undefined;
      const { count, faults = [], outdatedFrom } = reading;
      const unused = [...faults, ...(reading.unused ?? [])];
      const end = outdatedFrom === undefined ? {} : { outdatedFrom };
      const lapsed = !isOther && this.#lapses() && { lapsed: true };
      this.#tell({ feed, from, kind: 'read', changed, failures, count, unused, ...end, ...lapsed });
    } catch (error) {
      if (this.#closed) return;
      this.#fail((error as Error).message);
      if (error instanceof CostlyError && costlyRetry !== undefined) {
        this.#notBefore = performance.now() + costlyRetry;
        this.#readIn(costlyRetry);
        return;
      }
    }
    this.#readIn(
      this.#failures === 0 ? every : Math.min(longestRetry, retry * 2 ** Math.min(this.#failures - 1, 20)),
    );
  }

  #take(reading: Reading<T>, at: number): boolean {
    const changed = reading.version !== this.#latest?.version;
    const before = this.#latest?.value;
    const value = changed ? reading.value : before!;
    this.#latest = { ...reading, value, at, readAt: Date.now() };
    if (!changed) return false;
    this.#toldLapse = false;
    this.#source.onChange?.(value, before);
    return true;
  }

  #fail(reason: string): void {
    const { feed, from } = this.#source;
    this.#failures++;
    this.#lastError = reason;
    const [failures, keepsLastGood] = [this.#failures, this.#latest !== undefined];
    this.#tell({ feed, from, kind: 'failed', reason, failures, keepsLastGood, lapsed: this.#lapses() });
  }

  /** Once: the last good value has become out of date. */
  #lapses(): boolean {
    const { outdatedFrom } = this.#latest ?? {};
    const lapsed = !this.#toldLapse && outdatedFrom !== undefined && outdatedFrom <= Date.now();
    this.#toldLapse ||= lapsed;
    return lapsed;
  }

  async #readStored(): Promise<void> {
    const reading = await this.#source.stored?.().catch(() => undefined);
    if (reading === undefined || this.#closed || this.#latest !== undefined) return;
    if (!('later' in reading)) {
      this.#take(reading, performance.now());
      return;
    }
    this.#stored = undefined;
    const { feed, from } = this.#source;
    if (!this.#toldLater) this.#tell({ feed, from, kind: 'not-yet', reason: reading.later });
    this.#toldLater = true;
  }

  /** A source is made of other people's events, and one that never comes must not hold the feed for ever. */
  async #readInTime(): Promise<Reading<T> | undefined> {
    const abort = new AbortController();
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    this.#giveUp = (why) => {
      reject(why);
      abort.abort(why);
    };
    const { within } = this.#times;
    const timer = setTimeout(
      () => this.#giveUp(new Error(`no whole answer within ${within / 1000} s`)),
      within,
    );
    try {
      const read = this.#source.read({
        signal: abort.signal,
        before: this.latest,
        readIn: (milliseconds) => this.#readIn(milliseconds),
      });
      return await Promise.race([read, givenUp]);
    } finally {
      clearTimeout(timer);
    }
  }

  #readIn(milliseconds: number): void {
    const due = performance.now() + milliseconds;
    if (this.#closed || this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.startAnew(), milliseconds);
    this.#timer.unref();
  }
}
