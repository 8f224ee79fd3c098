import { contentOf, DerError, type Element, tags } from './der.ts';
import { Repeated } from './repeated.ts';

/** BOOLEAN: 00 or FF (X.690 11.1). */
export function readBoolean({ bytes, content, end }: Element): boolean {
  const value = bytes[content];
  if (end - content !== 1 || (value !== 0 && value !== 0xff)) throw new DerError('BOOLEAN: not 00 or FF');
  return value === 0xff;
}

/** Content of an INTEGER or ENUMERATED: at least one octet, no needless one (X.690 8.3.2). */
export function integerOctets(element: Element): Uint8Array {
  checkInteger(element);
  return contentOf(element);
}

/** @throws DerError: it is none, see `integerOctets` */
export function checkInteger({ bytes, content, end }: Element): void {
  if (content === end) throw new DerError('INTEGER: empty');
  const first = bytes[content]!;
  const isNext = end - content > 1 && bytes[content + 1]! >= 0x80;
  if (end - content > 1 && ((first === 0 && !isNext) || (first === 0xff && isNext)))
    throw new DerError('INTEGER: not the shortest');
}

/** A count, such as pathLenConstraint; whatever is above 2^31 - 1 is told as that. */
export function readCount(element: Element): number {
  checkInteger(element);
  const { bytes, content, end } = element;
  if (bytes[content]! >= 0x80) throw new DerError('INTEGER: negative');
  return end - content > 4 ? 0x7fffffff : bytes.readUIntBE(content, end - content);
}

/** BIT STRING: unused bits are zero (X.690 11.2.1). */
export function checkBitString({ bytes, content, end }: Element): void {
  const unusedBits = bytes[content];
  if (content === end || unusedBits === undefined || unusedBits > 7)
    throw new DerError('BIT STRING: unused bits');
  const isZero = end - content === 1 ? unusedBits === 0 : (bytes[end - 1]! & ((1 << unusedBits) - 1)) === 0;
  if (!isZero) throw new DerError('BIT STRING: unused bits');
}

/** A BIT STRING that holds whole octets, as keys and signatures are: those octets as the content. */
export function wholeOctetsOf(element: Element): Element {
  checkBitString(element);
  const { bytes, tag, start, content, end } = element;
  if (bytes[content] !== 0) throw new DerError('BIT STRING: not whole octets');
  return { bytes, tag, start, content: content + 1, end };
}

export const readBitStringOctets = (element: Element): Uint8Array => contentOf(wholeOctetsOf(element));

/** A NamedBitList as a mask in which bit 0 is the lowest. */
export function readNamedBits(element: Element): number {
  checkBitString(element);
  const { bytes, content, end } = element;
  if (end - content > 5) throw new DerError('BIT STRING: more bits than have names');
  let mask = 0;
  for (let bit = 0; bit < 8 * (end - content - 1); bit++)
    if ((bytes[content + 1 + (bit >> 3)]! & (0x80 >> (bit & 7))) !== 0) mask |= 1 << bit;
  return mask >>> 0;
}

/** Arcs may be of any size (2.25 takes UUIDs), the whole may not: nobody needs more, and BigInt grows costly. */
const maxOidOctets = 128;

/** OBJECT IDENTIFIER, dotted. */
export const readOid = (element: Element): string => oids.of(element);

const oids = new Repeated(readArcs, { places: 1024, longest: 32 });

function readArcs({ bytes, content, end }: Element): string {
  if (end === content || end - content > maxOidOctets || bytes[end - 1]! >= 0x80) {
    throw new DerError('OBJECT IDENTIFIER: empty, cut off or too long');
  }
  let text = '';
  let arc = 0;
  let wide: bigint | undefined;
  let fresh = true;
  for (let at = content; at < end; at++) {
    const octet = bytes[at]!;
    if (fresh && octet === 0x80) throw new DerError('OBJECT IDENTIFIER: an arc is not the shortest');
    fresh = octet < 0x80;
    if (wide === undefined && arc > 0xffffffffff) wide = BigInt(arc);
    if (wide === undefined) arc = arc * 128 + (octet & 0x7f);
    else wide = wide * 128n + BigInt(octet & 0x7f);
    if (!fresh) continue;
    text += text === '' ? firstArcs(wide ?? arc) : `.${wide ?? arc}`;
    arc = 0;
    wide = undefined;
  }
  return text;
}

/** The first octets hold two arcs (X.690 8.19.4). */
function firstArcs(joined: number | bigint): string {
  if (joined < 40) return `0.${joined}`;
  if (joined < 80) return `1.${Number(joined) - 40}`;
  return `2.${typeof joined === 'bigint' ? joined - 80n : joined - 80}`;
}

/**
 * Time (RFC 5280 4.1.2.5): UTCTime or GeneralizedTime, in Zulu, with seconds and without fractions. A GeneralizedTime
 * before 2050 binds the CA, not us: PKITS 4.2.4 wants it read.
 *
 * @returns milliseconds since the epoch
 */
export function readTime(element: Element): number {
  const { bytes, tag, content, end } = element;
  const isUtc = tag === tags.utcTime;
  if (!isUtc && tag !== tags.generalizedTime) throw new DerError('Time: neither of its two types');
  const begin = isUtc ? content : content + 2;
  if (end - begin !== 13 || bytes[end - 1] !== 0x5a) throw new DerError('Time: not YYMMDDHHMMSSZ');
  const short = twoDigits(bytes, begin);
  const year = isUtc ? (short < 50 ? 2000 : 1900) + short : twoDigits(bytes, content) * 100 + short;
  const month = twoDigits(bytes, begin + 2);
  const day = twoDigits(bytes, begin + 4);
  const hour = twoDigits(bytes, begin + 6);
  const minute = twoDigits(bytes, begin + 8);
  const second = twoDigits(bytes, begin + 10);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const exists = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(month, isLeap);
  if (!exists || hour > 23 || minute > 59 || second > 59) throw new DerError('Time: no such instant');
  return (((daysUntil(year, month, isLeap) + day - 1) * 24 + hour) * 60 + minute) * 60_000 + second * 1000;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30;
  const ones = bytes[at + 1]! - 0x30;
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw new DerError('Time: not YYMMDDHHMMSSZ');
  return tens * 10 + ones;
}

/** Days of a year that is none of a leap, before each month and after the last. */
const daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365] as const;

const daysIn = (month: number, isLeap: boolean): number =>
  month === 2 && isLeap ? 29 : daysBefore[month]! - daysBefore[month - 1]!;

/** From 1970 to the first of the month (proleptic Gregorian, as JavaScript's Date). Date takes six times as long. */
function daysUntil(year: number, month: number, isLeap: boolean): number {
  const last = year - 1;
  const leapDays = Math.floor(last / 4) - Math.floor(last / 100) + Math.floor(last / 400);
  return last * 365 + leapDays - 719_162 + daysBefore[month - 1]! + (isLeap && month > 2 ? 1 : 0);
}

/** ASCII only: IA5String and its kin. */
export function readAscii(element: Element): string {
  if (!isAscii(element)) throw new DerError('a string with other than ASCII');
  return latin1(element);
}

export function isAscii({ bytes, content, end }: Element): boolean {
  for (let at = content; at < end; at++) if (bytes[at]! >= 0x80) return false;
  return true;
}

/** The content, an octet a character. */
export const latin1 = ({ bytes, content, end }: Element): string => bytes.toString('latin1', content, end);

export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0;
