import type { PublishedKeys } from '../oauth2/issuer-keys.ts';
import { parseJwks } from '../oauth2/jwks.ts';
import { fetchJwks } from './fetch-jwks.ts';

export type JwksAddress = {
  readonly url: string;
  /** Trusted for it in place of the system's CAs. */
  readonly caPem: string | undefined;
};

export type FeedEvent =
  | {
      readonly kind: 'fetched';
      readonly url: string;
      readonly keys: number;
      readonly unused: readonly string[];
    }
  | {
      readonly kind: 'failed';
      readonly url: string;
      readonly reason: string;
      readonly keepsLastGood: boolean;
    };

/** Milliseconds. */
export type FeedTimes = {
  /** Between fetches, while all goes well. */
  readonly every: number;
  /** After a failure; doubled at each further one, up to `every`. */
  readonly retry: number;
  /** Least time between fetches that an unknown key asks for: a flood of bogus tokens must not become one of requests. */
  readonly onDemand: number;
};

const usual: FeedTimes = { every: 300_000, retry: 1_000, onDemand: 10_000 };

/** An issuer's published keys, fetched ahead: no Check waits for them, and the last good ones are kept. */
export class JwksFeed implements PublishedKeys {
  readonly #address: JwksAddress;
  readonly #times: FeedTimes;
  readonly #tell: (event: FeedEvent) => void;
  readonly #closing = new AbortController();
  #keys: readonly unknown[] | undefined;
  #text: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #asked = -Infinity;
  #failures = 0;

  constructor(address: JwksAddress, tell: (event: FeedEvent) => void, times: FeedTimes = usual) {
    this.#address = address;
    this.#tell = tell;
    this.#times = times;
  }

  jwks(): readonly unknown[] | undefined {
    return this.#keys;
  }

  /** Fetches now, and from now on ahead. Resolves when this fetch is over, well or not; never rejects. */
  start(): Promise<void> {
    this.#running ??= this.#fetch().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  refresh(): void {
    const now = performance.now();
    if (this.#closing.signal.aborted || this.#running || now - this.#asked < this.#times.onDemand) return;
    void this.start();
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #fetch(): Promise<void> {
    clearTimeout(this.#timer);
    this.#asked = performance.now();
    const { url, caPem } = this.#address;
    try {
      const text = await fetchJwks(url, caPem, this.#closing.signal);
      const read = parseJwks(text);
      if (typeof read === 'string') throw new Error(`what it sent ${read}`);
      // The same text is the same set: nothing is imported anew.
      if (text !== this.#text || this.#failures > 0)
        this.#tell({
          kind: 'fetched',
          url,
          keys: read.keys.length - read.unused.length,
          unused: read.unused,
        });
      if (text !== this.#text) [this.#text, this.#keys] = [text, read.keys];
      this.#failures = 0;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#failures++;
      // One line when it begins to fail; the next when it works again.
      if (this.#failures === 1)
        this.#tell({
          kind: 'failed',
          url,
          reason: (error as Error).message,
          keepsLastGood: this.#keys !== undefined,
        });
    }
    if (this.#closing.signal.aborted) return;
    const { every, retry } = this.#times;
    const pause =
      this.#failures === 0 ? every : Math.min(every, retry * 2 ** Math.min(this.#failures - 1, 20));
    this.#timer = setTimeout(() => void this.start(), pause);
    this.#timer.unref();
  }
}

/** One feed an address, kept over reloads: an issuer that is down during a reload keeps its last good keys. */
export class JwksFeeds {
  readonly #feeds = new Map<string, JwksFeed>();
  readonly #tell: (event: FeedEvent) => void;
  readonly #times: FeedTimes | undefined;

  constructor(tell: (event: FeedEvent) => void = () => {}, times?: FeedTimes) {
    this.#tell = tell;
    this.#times = times;
  }

  /** Not started yet where it is new. */
  at(address: JwksAddress): JwksFeed {
    const key = JSON.stringify([address.url, address.caPem]);
    const feed = this.#feeds.get(key) ?? new JwksFeed(address, this.#tell, this.#times);
    this.#feeds.set(key, feed);
    return feed;
  }

  /**
   * Starts those that have no keys yet.
   * @returns when their first fetch is over, well or not, or after so many milliseconds
   */
  async start(wanted: readonly JwksFeed[], longest: number): Promise<void> {
    const starting = wanted.filter((feed) => feed.jwks() === undefined).map((feed) => feed.start());
    if (starting.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, longest);
    });
    await Promise.race([Promise.all(starting), enough]);
    clearTimeout(timer);
  }

  /** Closes all others. */
  keepOnly(wanted: readonly JwksFeed[]): void {
    for (const [key, feed] of this.#feeds) {
      if (wanted.includes(feed)) continue;
      feed.close();
      this.#feeds.delete(key);
    }
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
  }
}
