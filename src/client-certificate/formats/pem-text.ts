import { type PresentedError, presentedError } from '../presented.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { derLengthError } from './der-length.ts';
import { certificates, type Limits, type Reading } from './reading.ts';

export const BEGIN = '-----BEGIN CERTIFICATE-----';
export const END = '-----END CERTIFICATE-----';

/** What stands for PEM's line ends: themselves, or what a producer makes of them to fit a header. */
type LineEnd = '\n' | ' ' | '\t';

/**
 * PEM (RFC 7468) with certificates only and nothing around them. Lines may be of any length, one line included.
 *
 * @param lineEnd the only white space allowed (`\r` before it too, if it is `\n`)
 */
export function readPem(text: string, lineEnd: LineEnd, limits: Limits, where: string): Reading {
  const ders: Uint8Array[] = [];
  let at = 0;
  while (at < text.length) {
    if (!text.startsWith(BEGIN, at)) return notPem(where);
    const end = text.indexOf(END, at + BEGIN.length);
    if (end === -1) return notPem(where);
    if (ders.length === limits.certificates) {
      return presentedError('too_many_certificates', `${where}: more than ${limits.certificates}`);
    }
    const der = readBody(text.slice(at + BEGIN.length, end), lineEnd, where);
    if (!(der instanceof Uint8Array)) return der;
    ders.push(der);
    at = skipLineEnds(text, end + END.length, lineEnd);
  }
  return ders.length > 0 ? certificates(ders) : notPem(where);
}

/** Each must be as long as it says. */
export function checkedLengths(ders: readonly Uint8Array[], where: string): Reading {
  for (const der of ders) {
    const error = derLengthError(der, where);
    if (error !== undefined) return error;
  }
  return certificates(ders);
}

/** Base64 of DER, cut into lines. */
function readBody(body: string, lineEnd: LineEnd, where: string): Uint8Array | PresentedError {
  let base64 = body.replaceAll(lineEnd, '');
  if (lineEnd === '\n') base64 = base64.replaceAll('\r', '');
  const der = decodeBase64(base64);
  const error = der === undefined ? notPem(where) : derLengthError(der, where);
  if (error === undefined) return der!;
  return lineEnd === ' ' && plusesLost(body)
    ? presentedError('plus_signs_lost', `${where}: spaces inside the lines of the PEM`)
    : error;
}

/** Spaces that end lines stand 64 (PEM) or 76 (MIME) characters apart; those that were `+` stand anywhere. */
function plusesLost(body: string): boolean {
  const lines = body.trim().split(' ');
  return lines.slice(0, -1).some((line) => line.length !== 64 && line.length !== 76);
}

function skipLineEnds(text: string, from: number, lineEnd: LineEnd): number {
  let at = from;
  while (text[at] === lineEnd || (lineEnd === '\n' && text[at] === '\r')) at++;
  return at;
}

const notPem = (where: string): PresentedError =>
  presentedError('header_coding_invalid', `${where}: not PEM with certificates only`);

/** RFC 7468: lines of 64 characters. */
export function writePem(der: Uint8Array): string {
  const base64 = encodeBase64(der);
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += 64) lines.push(base64.slice(at, at + 64));
  return `${BEGIN}\n${lines.join('\n')}\n${END}\n`;
}
