import { contentOf, DerError, type Element, tags } from './der.ts';

/** BOOLEAN: 00 or FF (X.690 11.1). */
export function readBoolean({ bytes, content, end }: Element): boolean {
  const value = bytes[content];
  if (end - content !== 1 || (value !== 0 && value !== 0xff)) throw new DerError('BOOLEAN: not 00 or FF');
  return value === 0xff;
}

/** Content of an INTEGER or ENUMERATED: at least one octet, no needless one (X.690 8.3.2). */
export function integerOctets(element: Element): Uint8Array {
  const octets = contentOf(element);
  const [first, second] = octets;
  if (first === undefined) throw new DerError('INTEGER: empty');
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new DerError('INTEGER: not the shortest');
  }
  return octets;
}

/** A count, such as pathLenConstraint; whatever is above 2^31 - 1 is told as that. */
export function readCount(element: Element): number {
  const octets = integerOctets(element);
  if (octets[0]! >= 0x80) throw new DerError('INTEGER: negative');
  if (octets.length > 4) return 0x7fffffff;
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

export type BitString = { readonly unusedBits: number; readonly octets: Uint8Array };

/** BIT STRING: unused bits are zero (X.690 11.2.1). */
export function readBitString(element: Element): BitString {
  const content = contentOf(element);
  const unusedBits = content[0];
  const octets = content.subarray(1);
  if (unusedBits === undefined || unusedBits > 7) throw new DerError('BIT STRING: unused bits');
  const last = octets.at(-1);
  if (last === undefined ? unusedBits !== 0 : (last & ((1 << unusedBits) - 1)) !== 0) {
    throw new DerError('BIT STRING: unused bits');
  }
  return { unusedBits, octets };
}

/** A BIT STRING that holds whole octets: keys and signatures. */
export function readBitStringOctets(element: Element): Uint8Array {
  const { unusedBits, octets } = readBitString(element);
  if (unusedBits !== 0) throw new DerError('BIT STRING: not whole octets');
  return octets;
}

/** Numbers of the bits that are set in a NamedBitList; bit 0 is the first. */
export function readNamedBits(element: Element): readonly number[] {
  const { octets } = readBitString(element);
  if (octets.length > 4) throw new DerError('BIT STRING: more bits than have names');
  const bits: number[] = [];
  octets.forEach((octet, i) => {
    for (let bit = 0; bit < 8; bit++) if ((octet & (0x80 >> bit)) !== 0) bits.push(i * 8 + bit);
  });
  return bits;
}

/** Arcs may be of any size (2.25 takes UUIDs), the whole may not: nobody needs more, and BigInt grows costly. */
const maxOidOctets = 128;

/** OBJECT IDENTIFIER, dotted. */
export function readOid(element: Element): string {
  const { bytes, content, end } = element;
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
  const isUtc = element.tag === tags.utcTime;
  if (!isUtc && element.tag !== tags.generalizedTime) throw new DerError('Time: neither of its two types');
  const digits = isUtc ? 12 : 14;
  const text = latin1(contentOf(element));
  if (text.length !== digits + 1 || !/^[0-9]+Z$/.test(text)) throw new DerError('Time: not YYMMDDHHMMSSZ');
  const full = isUtc ? (text < '5' ? `20${text}` : `19${text}`) : text;
  const field = (at: number) => Number(full.slice(at, at + 2));
  const year = Number(full.slice(0, 4));
  const [month, day, hour, minute, second] = [field(4), field(6), field(8), field(10), field(12)] as const;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // A date that does not exist comes out as another one.
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour;
  if (!exists || minute > 59 || second > 59) throw new DerError('Time: no such instant');
  return date.getTime();
}

/** ASCII only: IA5String and its kin. */
export function readAscii(element: Element): string {
  const content = contentOf(element);
  for (const octet of content) if (octet >= 0x80) throw new DerError('a string with other than ASCII');
  return latin1(content);
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0;
