import type { PresentedChain, PresentedError } from '../presented.ts';
import type { Reading } from './reading.ts';

/** Characters of text that a generation may hold: some 2,000 certificates. */
const generationLength = 4_000_000;

type Entry<T> = { readonly text: string; readonly beside: string; readonly reading: T };

/**
 * Remembers what a value was read as: a client's next request brings the same text, and decoding costs more than finding
 * it. For one source only, since the same text may be something else in another format. The same text gives the same
 * `Uint8Array`s, so that later caches can go by identity.
 *
 * Two generations: what is asked for again survives a flood of strangers. Errors are not kept.
 */
export class ReadingCache<T extends Reading | PresentedChain = Reading> {
  #length = 0;
  #young = new Map<string, Entry<T>>();
  #old = new Map<string, Entry<T>>();

  /**
   * @param read called if the text is not known; its answer depends on nothing but the text, and the one beside it
   * @param beside a second one: of each text, what it was read as with the last of these is kept
   */
  get(text: string, read: (text: string) => T, beside = ''): T {
    const key = keyOf(text);
    const young = this.#young.get(key);
    if (young?.text === text && young.beside === beside) return young.reading;
    const old = this.#old.get(key);
    const reading = old?.text === text && old.beside === beside ? old.reading : read(text);
    if (reading.kind !== 'error') this.#keep(key, { text, beside, reading });
    return reading;
  }

  #keep(key: string, entry: Entry<T>): void {
    const length = entry.text.length + entry.beside.length;
    if (this.#length + length > generationLength) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#length = 0;
    }
    this.#young.set(key, entry);
    this.#length += length;
  }
}

/**
 * Texts that come again are mostly the same string (`ext-authz/known-texts.ts`), whose hash is known. Of long ones a
 * sample, of a certificate's beginning, where its serial number is, and of the end, where its signature is (or its
 * issuer's): those with the same sample displace each other, which costs a decoding and nothing else.
 */
const keyOf = (text: string): string =>
  text.length <= 16_000 ? text : text.slice(40, 80) + text.slice(-90, -50) + text.length;

/** One for the header or certificate, one for the chain besides it; and for what both together are. */
export type ReadingCaches = {
  readonly leaf: ReadingCache;
  readonly chain: ReadingCache;
  readonly both: ReadingCache<PresentedChain | PresentedError>;
};

export const readingCaches = (): ReadingCaches => ({
  leaf: new ReadingCache(),
  chain: new ReadingCache(),
  both: new ReadingCache(),
});
