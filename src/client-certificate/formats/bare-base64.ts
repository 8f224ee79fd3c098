import { type PresentedError, presentedError } from '../presented.ts';
import { decodeBase64 } from './base64.ts';
import { derLengthError, splitDer } from './der-length.ts';
import { readPem } from './pem-text.ts';
import { percentDecode } from './percent.ts';
import { certificates, type Limits, type Reading } from './reading.ts';

/** Base64 of one DER certificate, nothing around it. */
export function readBase64Der(value: string): Reading {
  const bytes = decodeBase64(value);
  return bytes === undefined
    ? notBase64('the header')
    : (derLengthError(bytes, 'the header') ?? certificates([bytes]));
}

/** Base64 of a PEM file. */
export function readBase64Pem(value: string, limits: Limits): Reading {
  const bytes = decodeBase64(value);
  return bytes === undefined
    ? notBase64('the header')
    : readPem(Buffer.from(bytes).toString('latin1'), '\n', limits, 'the PEM within');
}

/** HAProxy: `%[ssl_c_chain_der,base64]`, the DER of all certificates but the leaf end to end. */
export function readHaproxyChain(value: string, limits: Limits): Reading {
  const bytes = decodeBase64(unquoted(value));
  if (bytes === undefined) return notBase64('the chain');
  const ders = splitDer(bytes, 'the chain', limits.certificates - 1);
  return 'kind' in ders ? ders : certificates(ders);
}

export const unquoted = (value: string): string =>
  value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;

/** Traefik: base64 of each certificate, leaf first, joined by commas; v2.8 to v2.9.1 percent-encoded that again. */
export function readTraefik(value: string, limits: Limits): Reading {
  const text = percentDecode(value);
  if (text === undefined) return notBase64('the header');
  const members = text.split(',', limits.certificates + 1);
  if (members.length > limits.certificates) {
    return presentedError('too_many_certificates', `more than ${limits.certificates}`);
  }
  const ders: Uint8Array[] = [];
  for (const [index, member] of members.entries()) {
    const where = `certificate ${index + 1}`;
    const der = decodeBase64(member);
    const error = der === undefined ? notBase64(where) : derLengthError(der, where);
    if (error !== undefined) return error;
    ders.push(der!);
  }
  return certificates(ders);
}

const notBase64 = (where: string): PresentedError =>
  presentedError('header_coding_invalid', `${where} is not base64`);
