import type { Name } from '../certificate/name.ts';
import { type Element, elementAt, Fields, tags } from '../der/der.ts';
import { integerOctets, readTime } from '../der/der-values.ts';
import { CrlError } from './crl-error.ts';
import { readEntryExtensions } from './crl-extensions.ts';

export type RevokedEntry = {
  /** Milliseconds since the epoch. */
  readonly revocationDate: number;
  /** CRLReason, undefined where none is given. */
  readonly reasonCode: number | undefined;
};

/** In a delta CRL: no longer revoked (RFC 5280 5.3.1). */
export const removeFromCRL = 8;

/** From this entry on, those of this issuer: an indirect CRL speaks of several (RFC 5280 5.3.3). */
type Run = { readonly from: number; readonly issuerKey: string };

/** What a thread may hand to another: all but the CRL's own bytes. */
export type EntryIndex = {
  readonly count: number;
  readonly runs: readonly Run[];
  /** Where entries begin: open addressing by serial number; 0 is free, since no entry begins there. */
  readonly table: Uint32Array<ArrayBuffer>;
};

/**
 * The entries of a CRL, found in its own bytes: a list of a million takes 8 MB beside it, and finding one less than a
 * microsecond. Checking them is one pass, linear whatever they are; the index by serial number is made at the first
 * look-up, thus only of a list whose signature holds, since who writes entries chooses how they fall in it.
 */
export class RevokedEntries {
  readonly #bytes: Uint8Array;
  readonly #runs: readonly Run[];
  readonly count: number;
  #starts: Uint32Array | undefined;
  #table: Uint32Array<ArrayBuffer> | undefined;

  private constructor(
    bytes: Uint8Array,
    runs: readonly Run[],
    starts: Uint32Array | undefined,
    count: number,
  ) {
    this.#bytes = bytes;
    this.#runs = runs;
    this.#starts = starts;
    this.count = count;
  }

  static readonly none = (issuer: Name): RevokedEntries =>
    new RevokedEntries(new Uint8Array(0), [{ from: 0, issuerKey: issuer.key }], new Uint32Array(0), 0);

  /** @throws DerError, CrlError: an entry that is none, or that must be understood and is not */
  static read(list: Element, issuer: Name): RevokedEntries {
    const { starts, runs, count } = scan(list, issuer);
    return new RevokedEntries(list.bytes, runs, starts, count);
  }

  /** @param bytes the CRL's, of which this is the index */
  static indexed(bytes: Uint8Array, { count, runs, table }: EntryIndex): RevokedEntries {
    const entries = new RevokedEntries(bytes, runs, undefined, count);
    entries.#table = table;
    return entries;
  }

  get index(): EntryIndex {
    return { count: this.count, runs: this.#runs, table: this.#indexed() };
  }

  /**
   * @param issuerKey of the certificate's issuer
   * @param serialNumber as `Certificate.serialNumber` has it
   */
  find(issuerKey: string, serialNumber: string): RevokedEntry | undefined {
    if (this.count === 0) return undefined;
    const table = this.#indexed();
    const octets = serialOctets(serialNumber);
    const mask = table.length - 1;
    let found: RevokedEntry | undefined;
    for (let slot = slotOf(octets, 0, octets.length, mask); table[slot] !== 0; slot = (slot + 1) & mask) {
      const start = table[slot]!;
      if (!this.#hasSerial(start, octets) || this.#issuerAt(start) !== issuerKey) continue;
      const entry = readEntry(elementAt(this.#bytes, start));
      // Listed twice, it is revoked unless all say otherwise.
      if (entry.reasonCode !== removeFromCRL) return entry;
      found = entry;
    }
    return found;
  }

  #indexed(): Uint32Array<ArrayBuffer> {
    if (this.#table !== undefined) return this.#table;
    const starts = this.#starts ?? new Uint32Array(0);
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, this.count) * 2));
    const table = new Uint32Array(size);
    const bytes = this.#bytes;
    for (let i = 0; i < this.count; i++) {
      const start = starts[i]!;
      const serial = start + headerLength(bytes, start) + 2;
      let slot = slotOf(bytes, serial, serial + bytes[serial - 1]!, size - 1);
      while (table[slot] !== 0) slot = (slot + 1) & (size - 1);
      table[slot] = start;
    }
    this.#table = table;
    this.#starts = undefined;
    return table;
  }

  #hasSerial(start: number, octets: Uint8Array): boolean {
    const bytes = this.#bytes;
    const serial = start + headerLength(bytes, start) + 2;
    if (bytes[serial - 1] !== octets.length) return false;
    for (let i = 0; i < octets.length; i++) if (bytes[serial + i] !== octets[i]) return false;
    return true;
  }

  #issuerAt(start: number): string {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#runs[middle]!.from <= start) low = middle;
      else high = middle - 1;
    }
    return this.#runs[low]!.issuerKey;
  }
}

/** Where an entry's content begins, counted from the entry. */
const headerLength = (bytes: Uint8Array, start: number): number => {
  const first = bytes[start + 1]!;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
};

/** By the last four octets: CAs count serial numbers up, or draw them. */
function slotOf(bytes: Uint8Array, from: number, end: number, mask: number): number {
  let value = 0;
  for (let at = Math.max(from, end - 4); at < end; at++) value = (value << 8) | bytes[at]!;
  value = Math.imul(value ^ (value >>> 15), 0x9e3779b1);
  return (value ^ (value >>> 16)) & mask;
}

/** Content of the INTEGER of which `serialText` makes this. */
export function serialOctets(text: string): Uint8Array {
  if (!text.startsWith('-')) {
    const octets = Buffer.from(text, 'hex');
    return octets[0]! < 0x80 ? octets : Buffer.concat([Uint8Array.of(0), octets]);
  }
  const magnitude = BigInt(`0x${text.slice(1)}`);
  let octets = 1;
  while (1n << BigInt(8 * octets - 1) < magnitude) octets++;
  const value = BigInt.asUintN(8 * octets, -magnitude).toString(16);
  return Buffer.from(value.padStart(2 * octets, '0'), 'hex');
}

/** An entry without certificateIssuer has that of the entry before it, the first one the CRL's (RFC 5280 5.3.3). */
function scan(list: Element, issuer: Name): { starts: Uint32Array; runs: Run[]; count: number } {
  const { bytes, end } = list;
  const runs: Run[] = [{ from: list.content, issuerKey: issuer.key }];
  let starts = new Uint32Array(1024);
  let count = 0;
  for (let at = list.content; at < end; count++) {
    if (count === starts.length) {
      const grown = new Uint32Array(2 * count);
      grown.set(starts);
      starts = grown;
    }
    starts[count] = at;
    const plain = endOfPlain(bytes, at, end);
    if (plain !== undefined) {
      at = plain;
      continue;
    }
    const element = elementAt(bytes, at, end);
    const issuerKey = checkEntry(element);
    if (issuerKey !== undefined) runs.push({ from: at, issuerKey });
    at = element.end;
  }
  return { starts, runs, count };
}

/** `reasonCode` as every CA writes it: SEQUENCE { SEQUENCE { OID 2.5.29.21, OCTET STRING { ENUMERATED of one octet } } }. */
const reasonExtension = Buffer.from('300c300a0603551d1504030a01', 'hex');

/**
 * Where an entry ends that has nothing but a serial number, a UTCTime and perhaps a reason: nearly all do, and reading
 * them one by one into elements would take seconds.
 *
 * @returns undefined: not such a one, or not well made, which `checkEntry` then says
 */
function endOfPlain(bytes: Uint8Array, at: number, end: number): number | undefined {
  const length = bytes[at + 1]!;
  const last = at + 2 + length;
  if (bytes[at] !== tags.sequence || length >= 0x80 || last > end) return undefined;
  const serialLength = bytes[at + 3]!;
  const time = at + 4 + serialLength;
  if (bytes[at + 2] !== tags.integer || serialLength === 0 || serialLength > 21 || time + 15 > last)
    return undefined;
  const first = bytes[at + 4]!;
  const second = bytes[at + 5]!;
  if (serialLength > 1 && (first === 0 ? second < 0x80 : first === 0xff && second >= 0x80)) return undefined;
  if (bytes[time] !== tags.utcTime || bytes[time + 1] !== 13 || bytes[time + 14] !== 0x5a) return undefined;
  if (!isDate(bytes, time + 2)) return undefined;
  const rest = time + 15;
  if (rest === last) return last;
  if (last - rest !== reasonExtension.length + 1) return undefined;
  for (let i = 0; i < reasonExtension.length; i++)
    if (bytes[rest + i] !== reasonExtension[i]) return undefined;
  return bytes[last - 1]! < 0x80 ? last : undefined;
}

/** Whether YYMMDDHHMMSS is one that every month has; other dates are read with care. */
function isDate(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 12; i++) if (bytes[at + i]! - 0x30 > 9 || bytes[at + i]! < 0x30) return false;
  const two = (i: number): number => (bytes[at + i]! - 0x30) * 10 + bytes[at + i + 1]! - 0x30;
  const [month, day] = [two(2), two(4)];
  return month >= 1 && month <= 12 && day >= 1 && day <= 28 && two(6) < 24 && two(8) < 60 && two(10) < 60;
}

type Parts = { readonly time: Element; readonly extensions: Element | undefined };

/** @throws DerError */
function partsOf(entry: Element): Parts {
  if (entry.tag !== tags.sequence) throw new CrlError('crl_malformed', 'revokedCertificates: no entry');
  const fields = new Fields(entry);
  const octets = integerOctets(fields.next(tags.integer, 'userCertificate'));
  // Longer than any serial number may be (RFC 5280 4.1.2.2), and than the index takes.
  if (octets.length > 127) throw new CrlError('crl_malformed', 'userCertificate: too long');
  const time = fields.any('revocationDate');
  const extensions = fields.optional(tags.sequence);
  fields.finish('revokedCertificates');
  return { time, extensions };
}

/** @returns key of the issuer that it names @throws DerError, CrlError */
function checkEntry(entry: Element): string | undefined {
  const { time, extensions } = partsOf(entry);
  readTime(time);
  if (extensions === undefined) return undefined;
  const { certificateIssuer } = readEntryExtensions(extensions);
  if (certificateIssuer === undefined) return undefined;
  const directory = certificateIssuer.find((name) => name.form === 'directoryName');
  if (directory === undefined) throw new CrlError('crl_extension_malformed', 'certificateIssuer: no name');
  return directory.name.key;
}

function readEntry(entry: Element): RevokedEntry {
  const { time, extensions } = partsOf(entry);
  return {
    revocationDate: readTime(time),
    reasonCode: extensions && readEntryExtensions(extensions).reasonCode,
  };
}
