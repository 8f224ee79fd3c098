import { randomBytes, randomInt } from 'node:crypto';
import { Attached } from '../../attached.ts';
import { Doorkeeper } from '../../doorkeeper.ts';
import { equalBytes } from '../der/der-values.ts';
import { type Certificate, CertificateError, readCertificate } from './certificate.ts';
import { type Offered, readNames } from './offered.ts';

/**
 * Certificates that were part of a valid path, with the bytes of the longest above them. Only these earn a place that
 * strangers can't take from them.
 */
const vouched = new Attached<Certificate, number>();

/** @param above what is kept alive by what was found of it */
export const vouchFor = (certificate: Certificate, above: readonly Certificate[] = []): void => {
  const bytes = above.reduce((sum, { der }) => sum + der.length, 0);
  vouched.set(certificate, Math.max(bytes, vouched.get(certificate) ?? 0));
  valid.admits(hashOf(certificate.der));
};

/** Bytes of the CAs above a certificate that don't count: most have some 3,000, and thousands of clients the same ones. */
const usualAbove = 8192;

/** Those that are not remembered. */
const passing = new Attached<Certificate, true>();

/**
 * Whether the certificate was read for this request alone, because it came for the first time: when it comes again, it
 * will be another object, and what is remembered of this one is remembered in vain.
 */
export const isPassing = (certificate: Certificate): boolean => passing.get(certificate) === true;

type Entry = {
  readonly hash: number;
  readonly der: Uint8Array;
  readonly read: Certificate | CertificateError;
  /** Since the last time that a place was needed. */
  used: boolean;
  /** As it was counted: its own bytes, and those above it beyond what is usual. */
  weight: number;
};

/** One part of the cache: entries by slot, oldest first, bounded by count and bytes. */
type Part = {
  /** An entry is in one of the `slots` that begin at its hash. */
  readonly entries: Map<number, Entry>;
  readonly maxEntries: number;
  readonly maxBytes: number;
  bytes: number;
};

/** How many readings found what, and what each part holds. */
type CacheState = {
  readonly readings: Readonly<Record<'known' | 'stranger' | 'unseen', number>>;
  readonly parts: Readonly<
    Record<'known' | 'stranger', { readonly entries: number; readonly bytes: number }>
  >;
};

/** So that nobody can fill one part of the hash's range. */
const seed = randomBytes(16);
/** Of all caches; each of its own, since a shadow's is asked for the same right after the one in force. */
const doorkeeper = new Doorkeeper();
/**
 * Of what proved to be in a valid path, in whichever cache: after a reload it is known at once. There strangers, who may
 * send thousands a second, can't take the place of a client who comes but now and then, before he comes for the second
 * time.
 */
const valid = new Doorkeeper();

/** Of certificates that fall on one hash, so many are kept. */
const slots = 8;

const part = (maxEntries: number, maxBytes: number): Part => ({
  entries: new Map(),
  maxEntries,
  maxBytes,
  bytes: 0,
});

/**
 * Certificates by their bytes, so that one that comes again is neither read nor, being the same object, validated
 * again. Two parts: what comes for the second time goes into `strangers`; what proves to be in a valid path moves on to
 * `known`, from where strangers can't push it out. What is only sent along goes there at once, or nowhere: strangers send
 * much of it, which would grow old in memory.
 */
export class CertificateCache {
  readonly #known: Part;
  readonly #strangers: Part;
  readonly #guest = doorkeeper.guest();
  /** Readings since it was made, by what they found. */
  readonly #readings: Record<'known' | 'stranger' | 'unseen', number> = { known: 0, stranger: 0, unseen: 0 };
  /** Of what was sent along with the certificate before, what was read as a whole. */
  readonly #readBefore: Entry[] = [];

  /** Bytes are limited to 2 KiB an entry on average; read, the worst certificates take some thirty times that. */
  constructor({ maxKnown = 16_384, maxStrangers = 1024 } = {}) {
    this.#known = part(maxKnown, maxKnown * 2048);
    this.#strangers = part(maxStrangers, maxStrangers * 2048);
  }

  /** The bytes may be changed afterwards: a copy is kept. A certificate that can't be read is returned as its error. */
  read(der: Uint8Array): Certificate | CertificateError {
    const hash = hashOf(der);
    const known = find(this.#known, hash, der);
    if (known !== undefined) {
      known.used = true;
      this.#readings.known++;
      this.#weigh(known);
      return known.read;
    }
    const stranger = find(this.#strangers, hash, der);
    if (stranger !== undefined) {
      stranger.used = true;
      this.#readings.stranger++;
      if (isVouched(stranger)) this.#promote(stranger);
      return stranger.read;
    }
    this.#readings.unseen++;
    const entry = readEntry(hash, der);
    if (valid.knows(hash) || doorkeeper.admits(hash ^ this.#guest)) this.#add(this.#strangers, entry);
    else if (!(entry.read instanceof CertificateError)) passing.set(entry.read, true);
    return entry.read;
  }

  /** For those who watch it. */
  get state(): CacheState {
    const { entries: known, bytes: knownBytes } = this.#known;
    const { entries: strangers, bytes: strangerBytes } = this.#strangers;
    return {
      readings: this.#readings,
      parts: {
        known: { entries: known.size, bytes: knownBytes },
        stranger: { entries: strangers.size, bytes: strangerBytes },
      },
    };
  }

  /**
   * What was sent along with a certificate. Of one that is not remembered the names are read, and the rest once a path
   * may lead through it; it is remembered once one that is valid did. One that can't be read is left out: it can't
   * complete a path, and the others still may.
   */
  offered(ders: readonly Uint8Array[]): readonly Offered[] {
    if (this.#readBefore.length > 0)
      for (const entry of this.#readBefore.splice(0)) if (isVouched(entry)) this.#add(this.#known, entry);
    if (ders.length === 0) return none;
    return ders.map((der) => this.#offered(der)).filter((offered) => offered !== undefined);
  }

  #offered(der: Uint8Array): Offered | undefined {
    const hash = hashOf(der);
    const isRemembered =
      find(this.#known, hash, der) !== undefined || find(this.#strangers, hash, der) !== undefined;
    if (isRemembered) return readable(this.read(der));
    return readNames(der, () => {
      this.#readings.unseen++;
      const entry = readEntry(hash, der);
      this.#readBefore.push(entry);
      return readable(entry.read);
    });
  }

  #add(into: Part, entry: Entry): void {
    if (entry.der.length > into.maxBytes / 4) return;
    const slot = slotFor(into, entry.hash);
    const rival = into.entries.get(slot);
    if (rival !== undefined) {
      drop(into, slot, rival);
      if (into === this.#strangers && isVouched(rival)) this.#add(this.#known, rival);
    }
    entry.weight = weightOf(entry);
    into.entries.set(slot, entry);
    into.bytes += entry.weight;
    while (into.entries.size > into.maxEntries || into.bytes > into.maxBytes) this.#makeRoom(into);
  }

  /** Another request may have found it a path with more above it. */
  #weigh(known: Entry): void {
    const more = weightOf(known) - known.weight;
    if (more === 0) return;
    known.weight += more;
    this.#known.bytes += more;
    while (this.#known.bytes > this.#known.maxBytes) this.#makeRoom(this.#known);
  }

  /** Second chance: what was used since the last round goes to the end of the line. */
  #makeRoom(into: Part): void {
    for (const [slot, entry] of into.entries) {
      drop(into, slot, entry);
      if (into === this.#strangers && isVouched(entry)) {
        entry.used = false;
        this.#add(this.#known, entry);
        return;
      }
      if (!entry.used) return;
      entry.used = false;
      into.entries.set(slot, entry);
      into.bytes += entry.weight;
    }
  }

  #promote(entry: Entry): void {
    for (let slot = entry.hash; slot < entry.hash + slots; slot++)
      if (this.#strangers.entries.get(slot) === entry) drop(this.#strangers, slot, entry);
    entry.used = false;
    this.#add(this.#known, entry);
  }
}

/**
 * The tail of a certificate is its signature, and as good as random: a hash of it alone tells them apart. But anybody
 * can write another's tail behind what he likes. So there are some slots for each hash, and where all are taken the new
 * one gets one by chance: who sends forgeries costs the owner a reading now and then, and can't keep him out.
 */
function hashOf(der: Uint8Array): number {
  let hash = der.length ^ seed[0]!;
  const from = Math.max(0, der.length - 16);
  for (let at = from; at < der.length; at++) {
    hash = Math.imul(hash ^ der[at]! ^ (seed[at - from]! << 8), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

const none: readonly Offered[] = [];

function find({ entries }: Part, hash: number, der: Uint8Array): Entry | undefined {
  for (let slot = hash; slot < hash + slots; slot++) {
    const entry = entries.get(slot);
    if (entry !== undefined && equalBytes(entry.der, der)) return entry;
  }
  return undefined;
}

function slotFor({ entries }: Part, hash: number): number {
  for (let slot = hash; slot < hash + slots; slot++) if (!entries.has(slot)) return slot;
  return hash + randomInt(slots);
}

function drop(from: Part, slot: number, entry: Entry): void {
  from.entries.delete(slot);
  from.bytes -= entry.weight;
}

const readable = (read: Certificate | CertificateError): Certificate | undefined =>
  read instanceof CertificateError ? undefined : read;

const aboveOf = ({ read }: Entry): number | undefined =>
  read instanceof CertificateError ? undefined : vouched.get(read);

const isVouched = (entry: Entry): boolean => aboveOf(entry) !== undefined;

const weightOf = (entry: Entry): number => entry.der.length + Math.max(0, (aboveOf(entry) ?? 0) - usualAbove);

function readEntry(hash: number, der: Uint8Array): Entry {
  try {
    const read = readCertificate(der);
    return { hash, der: read.der, read, used: false, weight: 0 };
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return { hash, der: new Uint8Array(der), read: error, used: false, weight: 0 };
  }
}
