import { atMost } from './deadline.ts';
import type { Feed, FeedState } from './feed.ts';

type AnyFeed = Pick<Feed<unknown>, 'latest' | 'state' | 'start' | 'startAnew' | 'close'>;

/**
 * One feed an address, kept over reloads with its last good value. A configuration that may yet be refused only adds to
 * it and reads; what it does not want is closed by `keepOnly`, once it is in force.
 */
export class FeedPool<Address, F extends AnyFeed> {
  readonly #feeds = new Map<string, F>();
  readonly #keyOf: (address: Address) => string;
  readonly #create: (address: Address) => F;

  constructor(keyOf: (address: Address) => string, create: (address: Address) => F) {
    this.#keyOf = keyOf;
    this.#create = create;
  }

  get states(): readonly FeedState[] {
    return [...this.#feeds.values()].map(({ state }) => state);
  }

  /** Not started yet where it is new. */
  at(address: Address): F {
    const key = this.#keyOf(address);
    const feed = this.#feeds.get(key) ?? this.#create(address);
    this.#feeds.set(key, feed);
    return feed;
  }

  /**
   * Starts those that have nothing yet.
   *
   * @param anew what the others have was read for less than is wanted now: they read again
   * @returns when their first read is over, well or not, or after so many milliseconds
   */
  async start(wanted: readonly F[], longest: number, anew = false): Promise<void> {
    const starting = anew
      ? wanted.map((feed) => feed.startAnew())
      : wanted.filter((feed) => feed.latest === undefined).map((feed) => feed.start());
    if (starting.length > 0) await atMost(longest, Promise.all(starting));
  }

  /** Closes all others. */
  async keepOnly(wanted: readonly F[]): Promise<void> {
    const closing = [...this.#feeds].filter(([, feed]) => !wanted.includes(feed));
    for (const [key] of closing) this.#feeds.delete(key);
    await Promise.all(closing.map(([, feed]) => feed.close()));
  }

  close(): Promise<void> {
    return this.keepOnly([]);
  }
}
