import { Doorkeeper } from '../../doorkeeper.ts';
import type { PresentedChain, PresentedError } from '../presented.ts';
import { type Certificates, certificates, type Reading } from './reading.ts';

/** Characters of text that a generation of all caches together may hold: some 6,000 certificates. */
const generationLength = 12_000_000;

type Entry<T> = { readonly text: string; readonly beside: string; readonly reading: T };

/**
 * Remembers what a value was read as: a client's next request brings the same text, and decoding costs more than finding
 * it. For one source only, since the same text may be something else in another format. The same text gives the same
 * `Uint8Array`s, so that later caches can go by identity.
 *
 * Two generations, those of all caches as one, since each API may have sources of its own: what is asked for again survives
 * a flood of strangers. Kept is what comes for the second time; errors are not.
 */
export class ReadingCache<T extends Reading | PresentedChain = Reading> {
  readonly #guest = doorkeeper.guest();

  /**
   * @param read called if the text is not known; its answer depends on nothing but the text, and the one beside it
   * @param beside a second one: of each text, what it was read as with the last of these is kept
   */
  get(text: string, read: (text: string) => T, beside = ''): T {
    const key = keyOf(text);
    const fresh = young.get(this)?.get(key);
    if (fresh?.text === text && fresh.beside === beside) return fresh.reading as T;
    const before = old.get(this)?.get(key);
    let reading = before?.text === text && before.beside === beside ? (before.reading as T) : undefined;
    if (reading === undefined) {
      reading = read(text);
      if (
        reading.kind === 'error' ||
        (before === undefined && !doorkeeper.admits(sampleOf(text) ^ sampleOf(beside) ^ this.#guest))
      )
        return reading;
      reading = unpooled(reading) as T;
    }
    keep(this, key, { text, beside, reading });
    return reading;
  }
}

/** A few bytes of Node's pool keep all 64 KiB of it, in which most are of strangers' certificates. */
function unpooled(reading: Certificates | PresentedChain): Certificates | PresentedChain {
  return reading.kind === 'chain'
    ? { ...reading, leaf: own(reading.leaf), intermediates: reading.intermediates.map(own) }
    : certificates(reading.ders.map(own));
}

function own(bytes: Uint8Array): Uint8Array {
  if (bytes.length === bytes.buffer.byteLength) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

type Generation = WeakMap<object, Map<string, Entry<Reading | PresentedChain>>>;
let young: Generation = new WeakMap();
let old: Generation = new WeakMap();
let youngLength = 0;

function keep(cache: object, key: string, entry: Entry<Reading | PresentedChain>): void {
  const length = entry.text.length + entry.beside.length;
  if (youngLength + length > generationLength) {
    old = young;
    young = new WeakMap();
    youngLength = 0;
  }
  const entries = young.get(cache) ?? new Map<string, Entry<Reading | PresentedChain>>();
  young.set(cache, entries.set(key, entry));
  youngLength += length;
}

/**
 * Texts that come again are mostly the same string (`ext-authz/known-texts.ts`), whose hash is known. Of long ones a
 * sample, of a certificate's beginning, where its serial number is, and of the end, where its signature is (or its
 * issuer's): those with the same sample displace each other, which costs a decoding and nothing else.
 */
const keyOf = (text: string): string =>
  text.length <= 16_000 ? text : text.slice(40, 80) + text.slice(-90, -50) + text.length;

/** Of all caches, as their generations are. */
const doorkeeper = new Doorkeeper();
const samples = 32;

/** A hash of some characters, spread over the text. */
function sampleOf(text: string): number {
  const { length } = text;
  const step = length <= samples ? 1 : (length / samples) | 0;
  let hash = length;
  for (let at = 0; at < length; at += step) hash = Math.imul(hash ^ text.charCodeAt(at), 0x9e3779b1);
  return hash;
}

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
