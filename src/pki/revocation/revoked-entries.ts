import { randomFillSync } from 'node:crypto';
import type { Name } from '../certificate/name.ts';
import { type Element, elementAt } from '../der/der.ts';
import {
  checkEntry,
  endOfPlain,
  type RevokedEntry,
  readEntry,
  removeFromCRL,
  serialAt,
} from './crl-entry.ts';
import { CrlError } from './crl-error.ts';

/** What a thread may hand to another: all but the CRL's own bytes. */
export type EntryIndex = {
  readonly count: number;
  /** Their keys; `runs` has places among them. */
  readonly issuers: readonly string[];
  /** In pairs, where an entry begins and whose those from it on are: an indirect CRL speaks of several (RFC 5280 5.3.3). */
  readonly runs: Uint32Array<ArrayBuffer>;
  /** Open addressing by issuer and serial number. In each slot eight bits of the hash, never 0; 0: it is free. */
  readonly marks: Uint8Array<ArrayBuffer>;
  /** In the same slot, where the entry begins. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** What `hashOf` hashes by. */
  readonly spread: Uint32Array<SharedArrayBuffer>;
};

/** With the zero before the twenty octets of RFC 5280 4.1.2.2: what has more is no certificate's. */
const longestSerial = 21;
/** Characters of the keys of all issuers: the thread that decides has to take them in. */
const mostOfIssuers = 1024 * 1024;

/**
 * Drawn once a thread: who chooses serial numbers can't choose where they fall. With simple tabulation hashing a look-up
 * takes a constant number of steps whatever they are (Pătraşcu, Thorup: The Power of Simple Tabulation Hashing, 2012).
 */
const ownSpread = new Uint32Array(new SharedArrayBuffer(4 * 256 * longestSerial));
ownSpread.set(randomFillSync(new Uint32Array(ownSpread.length)));

function hashOf(bytes: Uint8Array, from: number, end: number, spread: EntryIndex['spread']): number {
  let hash = 0;
  for (let at = from, row = 0; at < end; at++, row += 256) hash ^= spread[row + bytes[at]!]!;
  return hash;
}

/** Of one serial number of many issuers. */
const hashOfIssuer = (issuer: number): number => Math.imul(issuer, 0x9e3779b1);
const slotOf = (hash: number, size: number): number => Math.floor(((hash >>> 0) / 2 ** 32) * size);
const markOf = (hash: number): number => hash & 0xff || 0xff;
const next = (slot: number, size: number): number => (slot + 1 === size ? 0 : slot + 1);

/**
 * The entries of a CRL, found in its own bytes: a list of a million takes 8 MB beside it. Checking them is one pass; the
 * index by serial number is made at the first look-up, thus only of a list whose signature holds.
 */
export class RevokedEntries {
  readonly #bytes: Uint8Array;
  readonly #issuers: ReadonlyMap<string, number>;
  /** The index, or what it will be made of. */
  #entries: EntryIndex | Scan;

  private constructor(bytes: Uint8Array, entries: EntryIndex | Scan) {
    this.#bytes = bytes;
    this.#entries = entries;
    this.#issuers = new Map(entries.issuers.map((key, at) => [key, at]));
  }

  static none(issuer: Name): RevokedEntries {
    const listed = new Uint32Array(0);
    const runs = new Uint32Array(0);
    return new RevokedEntries(new Uint8Array(0), { count: 0, issuers: [issuer.key], runs, listed });
  }

  /** @throws DerError, CrlError: an entry that is none, or that must be understood and is not */
  static read(list: Element, issuer: Name): RevokedEntries {
    return new RevokedEntries(list.bytes, scan(list, issuer));
  }

  /** @param bytes the CRL's, of which this is the index */
  static indexed(bytes: Uint8Array, index: EntryIndex): RevokedEntries {
    return new RevokedEntries(bytes, index);
  }

  get count(): number {
    return this.#entries.count;
  }

  get index(): EntryIndex {
    if ('listed' in this.#entries) this.#entries = indexOf(this.#bytes, this.#entries);
    return this.#entries;
  }

  /**
   * @param issuerKey of the certificate's issuer
   * @param serial as `Certificate.serialOctets` has it
   * @returns where the entry is, for `at`; undefined: not listed
   */
  find(issuerKey: string, serial: Uint8Array): number | undefined {
    const issuer = this.#issuers.get(issuerKey);
    if (issuer === undefined || this.count === 0) return undefined;
    const { marks, starts, spread, runs } = this.index;
    const hash = hashOfIssuer(issuer) ^ hashOf(serial, 0, serial.length, spread);
    const mark = markOf(hash);
    for (let slot = slotOf(hash, marks.length); marks[slot] !== 0; slot = next(slot, marks.length)) {
      // Of those that are not meant hardly one is looked at in the list itself, which is in no processor's cache.
      if (marks[slot] !== mark) continue;
      const start = starts[slot]!;
      if (hasSerial(this.#bytes, start, serial) && issuerAt(runs, start) === issuer) return start;
    }
    return undefined;
  }

  /** The entry that `find` found. */
  at(start: number): RevokedEntry {
    return readEntry(this.#bytes, start);
  }
}

type Scan = Pick<EntryIndex, 'count' | 'issuers' | 'runs'> & {
  /** Where entries begin. */
  readonly listed: Uint32Array;
};

/** An entry without certificateIssuer has that of the entry before it, the first one the CRL's (RFC 5280 5.3.3). */
function scan(list: Element, issuer: Name): Scan {
  const { bytes, end } = list;
  const issuers = new Map([[issuer.key, 0]]);
  const runs = [list.content, 0];
  let named = 0;
  let listed = new Uint32Array(1024);
  let count = 0;
  for (let at = list.content; at < end; count++) {
    if (count === listed.length) {
      const grown = new Uint32Array(2 * count);
      grown.set(listed);
      listed = grown;
    }
    listed[count] = at;
    const plain = endOfPlain(bytes, at, end);
    if (plain !== undefined) {
      at = plain;
      continue;
    }
    const element = elementAt(bytes, at, end);
    const key = checkEntry(element);
    if (key !== undefined) {
      const known = issuers.get(key) ?? issuers.size;
      if (known === issuers.size) named += key.length;
      if (named > mostOfIssuers)
        throw new CrlError(
          'crl_too_large',
          `its certificateIssuers have more than ${mostOfIssuers} characters`,
        );
      issuers.set(key, known);
      runs.push(at, known);
    }
    at = element.end;
  }
  return { count, issuers: [...issuers.keys()], runs: Uint32Array.from(runs), listed };
}

function indexOf(bytes: Uint8Array, { listed, count, issuers, runs }: Scan): EntryIndex {
  // At least one stays free, at which a look-up ends.
  const size = Math.ceil(1.5 * count) + 1;
  const [marks, starts] = [new Uint8Array(size), new Uint32Array(size)];
  for (let i = 0, run = 0; i < count; i++) {
    const start = listed[i]!;
    while (run + 2 < runs.length && runs[run + 2]! <= start) run += 2;
    const issuer = runs[run + 1]!;
    const serial = serialAt(bytes, start);
    const length = bytes[serial - 1]!;
    if (length > longestSerial) continue;
    const hash = hashOfIssuer(issuer) ^ hashOf(bytes, serial, serial + length, ownSpread);
    const mark = markOf(hash);
    const isTwin = (other: number): boolean =>
      sameSerial(bytes, other, start) && issuerAt(runs, other) === issuer;
    let slot = slotOf(hash, size);
    while (marks[slot] !== 0 && !(marks[slot] === mark && isTwin(starts[slot]!))) slot = next(slot, size);
    // Listed twice, it is revoked unless all say otherwise.
    if (marks[slot] !== 0 && readEntry(bytes, starts[slot]!).reasonCode !== removeFromCRL) continue;
    marks[slot] = mark;
    starts[slot] = start;
  }
  return { count, issuers, runs, marks, starts, spread: ownSpread };
}

function hasSerial(bytes: Uint8Array, start: number, serial: Uint8Array): boolean {
  const from = serialAt(bytes, start);
  const { length } = serial;
  if (bytes[from - 1] !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== serial[i]) return false;
  return true;
}

function sameSerial(bytes: Uint8Array, one: number, other: number): boolean {
  const [a, b] = [serialAt(bytes, one), serialAt(bytes, other)];
  for (let i = -1; i < bytes[a - 1]!; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

/** The run that it is in: the last one that does not begin behind it. */
function issuerAt(runs: EntryIndex['runs'], start: number): number {
  let low = 0;
  let high = runs.length / 2 - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (runs[2 * middle]! <= start) low = middle;
    else high = middle - 1;
  }
  return runs[2 * low + 1]!;
}
