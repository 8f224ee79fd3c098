import type { Reading } from './reading.ts';

/** Characters of text that a generation may hold: some 2,000 certificates. */
const generationLength = 4_000_000;

type Entry = { readonly text: string; readonly reading: Reading };

/**
 * Remembers what a value was read as: a client's next request brings the same text, and decoding costs more than finding
 * it. For one source only, since the same text may be something else in another format. The same text gives the same
 * `Uint8Array`s, so that later caches can go by identity.
 *
 * Found by a sample and then compared as a whole: hashing all of it would cost as much as most decoders. Texts with the
 * same sample displace each other, which costs a decoding and nothing else. Two generations: what is asked for again
 * survives a flood of strangers. Errors are not kept.
 */
export class ReadingCache {
  #length = 0;
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();

  /** @param read called if the text is not known; its answer depends on nothing but the text */
  get(text: string, read: (text: string) => Reading): Reading {
    const key = sample(text);
    const young = this.#young.get(key);
    if (young?.text === text) return young.reading;
    const old = this.#old.get(key);
    const reading = old?.text === text ? old.reading : read(text);
    if (reading.kind !== 'error') this.#keep(key, { text, reading });
    return reading;
  }

  #keep(key: string, entry: Entry): void {
    if (this.#length + entry.text.length > generationLength) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#length = 0;
    }
    this.#young.set(key, entry);
    this.#length += entry.text.length;
  }
}

/** Of a certificate's beginning, where its serial number is, and of the end, where its signature is (or its issuer's). */
const sample = (text: string): string => text.slice(40, 80) + text.slice(-90, -50) + text.length;

/** One for the header or certificate, one for the chain besides it. */
export type ReadingCaches = { readonly leaf: ReadingCache; readonly chain: ReadingCache };

export const readingCaches = (): ReadingCaches => ({ leaf: new ReadingCache(), chain: new ReadingCache() });
