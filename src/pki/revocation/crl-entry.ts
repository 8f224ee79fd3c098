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

/** Bytes of one entry; of a list without its entries, its name, scope and other extensions: whoever decides reads them whole. */
export const mostAtOnce = 16 * 1024;

/** In a delta CRL: no longer revoked (RFC 5280 5.3.1). */
export const removeFromCRL = 8;

/** Where the content of an entry's serial number begins, and the octet before is its length. */
export const serialAt = (bytes: Uint8Array, start: number): number => {
  const first = bytes[start + 1]!;
  return start + (first < 0x80 ? 2 : 2 + (first & 0x7f)) + 2;
};

/** `reasonCode` as every CA writes it: SEQUENCE { SEQUENCE { OID 2.5.29.21, OCTET STRING { ENUMERATED of one octet } } }. */
const reasonExtension = Buffer.from('300c300a0603551d1504030a01', 'hex');

/**
 * Where an entry ends that has nothing but a serial number, a UTCTime and perhaps a reason: nearly all do, and reading
 * them one by one into elements would take seconds.
 *
 * @returns undefined: not such a one, or not well made, which `checkEntry` then says
 */
export function endOfPlain(bytes: Uint8Array, at: number, end: number): number | undefined {
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
export function checkEntry(entry: Element): string | undefined {
  if (entry.end - entry.start > mostAtOnce)
    throw new CrlError('crl_too_large', `an entry of more than ${mostAtOnce} bytes`);
  const { time, extensions } = partsOf(entry);
  readTime(time);
  if (extensions === undefined) return undefined;
  const { certificateIssuer } = readEntryExtensions(extensions);
  if (certificateIssuer === undefined) return undefined;
  const directory = certificateIssuer.find((name) => name.form === 'directoryName');
  if (directory === undefined) throw new CrlError('crl_extension_malformed', 'certificateIssuer: no name');
  return directory.name.key;
}

/** The entry that begins there, which was checked before. */
export function readEntry(bytes: Uint8Array, start: number): RevokedEntry {
  const { time, extensions } = partsOf(elementAt(bytes, start));
  return {
    revocationDate: readTime(time),
    reasonCode: extensions && readEntryExtensions(extensions).reasonCode,
  };
}
