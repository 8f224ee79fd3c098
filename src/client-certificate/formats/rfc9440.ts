import { type PresentedError, presentedError } from '../presented.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { derLengthError } from './der-length.ts';
import { certificates, type Limits, type Reading } from './reading.ts';

/**
 * RFC 9440: Client-Cert is a Structured Field Item (RFC 9651), Client-Cert-Chain a List; both of Byte Sequences that
 * hold DER. Parameters are allowed by the grammar, mean nothing here and are skipped.
 */
export function readClientCert(value: string, limits: Limits): Reading {
  const list = readByteSequences(value, limits.certificates, 'the header');
  if (list.kind === 'error') return list;
  // RFC 9440 2.2: Client-Cert is one item, never a list.
  return list.ders.length === 1 ? list : presentedError('header_is_list', 'a list of byte sequences');
}

export const readClientCertChain = (value: string, limits: Limits): Reading =>
  readByteSequences(value, limits.certificates - 1, 'the chain');

/** White space around the members of a list is SP or HTAB, at the ends SP only (RFC 9651 4.2). */
function readByteSequences(value: string, most: number, where: string): Reading {
  const ders: Uint8Array[] = [];
  let at = skipSpaces(value, 0);
  for (;;) {
    const start = at + 1;
    const end = value[at] === ':' ? value.indexOf(':', start) : -1;
    if (end === -1) return notStructured(where, at);
    if (ders.length === most) return presentedError('too_many_certificates', `${where}: more than ${most}`);
    const der = decodePadded(value.slice(start, end));
    if (der === undefined) return notStructured(where, start);
    const error = derLengthError(der, `${where}, certificate ${ders.length + 1}`);
    if (error !== undefined) return error;
    ders.push(der);
    at = skipParameters(value, end + 1);
    if (skipSpaces(value, at) === value.length) return certificates(ders);
    at = skipWhiteSpace(value, at);
    if (value[at] !== ',') return notStructured(where, at);
    at = skipWhiteSpace(value, at + 1);
  }
}

/** RFC 9651 4.2.7: a parser SHOULD take Base64 without its padding; all else is exact. */
const decodePadded = (text: string): Uint8Array | undefined =>
  decodeBase64(text.length % 4 === 0 ? text : text.padEnd(text.length + 4 - (text.length % 4), '='));

/** `;key` or `;key=bare-item`, RFC 9651 3.1.2 and 3.3: decimal, integer, string, token, bytes, boolean, date, display string. */
const parameter =
  /; *[a-z*][a-z0-9_.*-]*(?:=(?:-?\d{1,12}\.\d{1,3}|-?\d{1,15}|"(?:[ !#-[\]-~]|\\["\\])*"|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*|:[A-Za-z0-9+/=]*:|\?[01]|@-?\d{1,15}|%"(?:[ !#$&-~]|%[0-9a-f]{2})*"))?/y;

function skipParameters(value: string, from: number): number {
  let at = from;
  while (value[at] === ';') {
    parameter.lastIndex = at;
    if (!parameter.test(value)) return at;
    at = parameter.lastIndex;
  }
  return at;
}

function skipSpaces(value: string, from: number): number {
  let at = from;
  while (value[at] === ' ') at++;
  return at;
}

function skipWhiteSpace(value: string, from: number): number {
  let at = from;
  while (value[at] === ' ' || value[at] === '\t') at++;
  return at;
}

const notStructured = (where: string, at: number): PresentedError =>
  presentedError('header_coding_invalid', `${where}: no byte sequence of RFC 9440 at character ${at + 1}`);

export const writeClientCert = (der: Uint8Array): string => `:${encodeBase64(der)}:`;
export const writeClientCertChain = (ders: readonly Uint8Array[]): string =>
  ders.map(writeClientCert).join(', ');
