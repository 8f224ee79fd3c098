import { randomBytes } from 'node:crypto';
import { equalBytes } from '../der/der-values.ts';
import { type Certificate, CertificateError, readCertificate } from './certificate.ts';

/** Certificates that were part of a valid path. Only these earn a place that strangers can't take from them. */
const vouched = new WeakSet<Certificate>();

export const vouchFor = (certificate: Certificate): void => {
  vouched.add(certificate);
};

type Entry = {
  readonly der: Uint8Array;
  readonly read: Certificate | CertificateError;
  /** Since the last time that a place was needed. */
  used: boolean;
};

/** One part of the cache: entries by hash, oldest first, bounded by count and bytes. */
type Part = {
  readonly entries: Map<number, Entry>;
  readonly maxEntries: number;
  readonly maxBytes: number;
  bytes: number;
};

const part = (maxEntries: number, maxBytes: number): Part => ({
  entries: new Map(),
  maxEntries,
  maxBytes,
  bytes: 0,
});

/**
 * Certificates by their bytes, so that one that comes again is neither read nor, being the same object, validated
 * again. Two parts: whatever comes goes into `strangers`; what proves to be in a valid path moves on to `known`, from
 * where strangers can't push it out.
 */
export class CertificateCache {
  readonly #known: Part;
  readonly #strangers: Part;
  /** So that nobody can choose certificates that fall on one hash. */
  readonly #seed = randomBytes(16);

  /** Bytes are limited to 2 KiB an entry on average; read, the worst certificates take some thirty times that. */
  constructor({ maxKnown = 16_384, maxStrangers = 1024 } = {}) {
    this.#known = part(maxKnown, maxKnown * 2048);
    this.#strangers = part(maxStrangers, maxStrangers * 2048);
  }

  /** The bytes may be changed afterwards: a copy is kept. A certificate that can't be read is returned as its error. */
  read(der: Uint8Array): Certificate | CertificateError {
    const hash = this.#hashOf(der);
    const known = this.#known.entries.get(hash);
    if (known !== undefined && equalBytes(known.der, der)) {
      known.used = true;
      return known.read;
    }
    const stranger = this.#strangers.entries.get(hash);
    if (stranger !== undefined && equalBytes(stranger.der, der)) {
      stranger.used = true;
      if (isVouched(stranger)) this.#promote(hash, stranger);
      return stranger.read;
    }
    const entry = readEntry(der);
    // Where two fall on one hash, the later one goes uncached among strangers.
    if (stranger === undefined) this.#add(this.#strangers, hash, entry);
    return entry.read;
  }

  /** Those that can be read: one that can't can't complete a path, and the rest still may. */
  readable(ders: readonly Uint8Array[]): readonly Certificate[] {
    return ders
      .map((der) => this.read(der))
      .filter((read): read is Certificate => !(read instanceof CertificateError));
  }

  /** The tail of a certificate is its signature, and as good as random: a hash of it alone tells them apart. */
  #hashOf(der: Uint8Array): number {
    let hash = der.length ^ this.#seed[0]!;
    const from = Math.max(0, der.length - 16);
    for (let at = from; at < der.length; at++) {
      hash = Math.imul(hash ^ der[at]! ^ (this.#seed[at - from]! << 8), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #add(into: Part, hash: number, entry: Entry): void {
    if (entry.der.length > into.maxBytes / 4) return;
    const rival = into.entries.get(hash);
    if (rival !== undefined) drop(into, hash, rival);
    into.entries.set(hash, entry);
    into.bytes += entry.der.length;
    while (into.entries.size > into.maxEntries || into.bytes > into.maxBytes) this.#makePlace(into);
  }

  /** Second chance: what was used since the last round goes to the end of the line. */
  #makePlace(into: Part): void {
    for (const [hash, entry] of into.entries) {
      drop(into, hash, entry);
      if (into === this.#strangers && isVouched(entry)) {
        entry.used = false;
        this.#add(this.#known, hash, entry);
        return;
      }
      if (!entry.used) return;
      entry.used = false;
      into.entries.set(hash, entry);
      into.bytes += entry.der.length;
    }
  }

  #promote(hash: number, entry: Entry): void {
    drop(this.#strangers, hash, entry);
    entry.used = false;
    this.#add(this.#known, hash, entry);
  }
}

function drop(from: Part, hash: number, entry: Entry): void {
  from.entries.delete(hash);
  from.bytes -= entry.der.length;
}

const isVouched = ({ read }: Entry): boolean => !(read instanceof CertificateError) && vouched.has(read);

function readEntry(der: Uint8Array): Entry {
  try {
    const read = readCertificate(der);
    return { der: read.der, read, used: false };
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return { der: new Uint8Array(der), read: error, used: false };
  }
}
