import { type PresentedError, presentedError } from '../presented.ts';

/** Tag of SEQUENCE, which every certificate is (RFC 5280 4.1). */
const SEQUENCE = 0x30;

/**
 * Splits DER elements laid end to end. Each must be a SEQUENCE whose own length, in its one DER form (X.690 10.1),
 * ends inside the bytes; the last ends where they end. Parsers that stop at the first element's end would take two
 * different byte strings for one certificate.
 *
 * @param where for the log: what the bytes are
 * @param most how many there may be
 */
export function splitDer(
  bytes: Uint8Array,
  where: string,
  most: number,
): readonly Uint8Array[] | PresentedError {
  const elements: Uint8Array[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = elementEnd(bytes, start);
    if (end === undefined) {
      return start === 0
        ? presentedError('certificate_not_der', `${where}: not a DER SEQUENCE`)
        : presentedError('certificate_trailing_bytes', `${where}: bytes after the DER that are no SEQUENCE`);
    }
    if (end > bytes.length) {
      return presentedError('certificate_truncated', `${where}: ${end - bytes.length} bytes are missing`);
    }
    if (elements.length === most)
      return presentedError('too_many_certificates', `${where}: more than ${most}`);
    elements.push(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    start = end;
  }
  return elements.length > 0 ? elements : presentedError('certificate_not_der', `${where}: empty`);
}

/** Undefined if the bytes are one certificate exactly, as far as its length tells. */
export function derLengthError(bytes: Uint8Array, where: string): PresentedError | undefined {
  const end = elementEnd(bytes, 0);
  if (end === undefined) return presentedError('certificate_not_der', `${where}: not a DER SEQUENCE`);
  if (end > bytes.length) {
    return presentedError('certificate_truncated', `${where}: ${end - bytes.length} bytes are missing`);
  }
  return end === bytes.length
    ? undefined
    : presentedError('certificate_trailing_bytes', `${where}: ${bytes.length - end} bytes after the DER`);
}

/** Where the SEQUENCE at `start` ends by its own account; undefined if none begins there. */
function elementEnd(bytes: Uint8Array, start: number): number | undefined {
  if (bytes[start] !== SEQUENCE) return undefined;
  const first = bytes[start + 1];
  if (first === undefined) return undefined;
  if (first < 0x80) return start + 2 + first;
  const count = first & 0x7f;
  // 0: indefinite, which is BER only. Four bytes and more: beyond any limit of ours.
  if (count === 0 || count > 3) return undefined;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const byte = bytes[start + 2 + i];
    if (byte === undefined) return undefined;
    length = length * 256 + byte;
  }
  // DER has one form for a length: the shortest.
  if (length < 0x80 || bytes[start + 2] === 0) return undefined;
  return start + 2 + count + length;
}
