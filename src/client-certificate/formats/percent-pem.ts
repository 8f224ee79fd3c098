import { presentedError } from '../presented.ts';
import { readPem, writePem } from './pem-text.ts';
import { percentDecode, percentEncode } from './percent-encoding.ts';
import type { Limits, Reading } from './reading.ts';

const FORM_ENCODED_BEGIN = '-----BEGIN+CERTIFICATE-----';

/**
 * Percent-encoded PEM; `+`, `/` and `=` may stand bare. Java's URLEncoder writes the space of the markers as `+` and a
 * real plus as %2B: the markers tell which of the two was at work, and then `+` is a space everywhere.
 */
export function readPercentPem(value: string, limits: Limits): Reading {
  const text = value.startsWith(FORM_ENCODED_BEGIN) ? value.replaceAll('+', '%20') : value;
  const pem = percentDecode(text);
  return pem === undefined
    ? presentedError('header_coding_invalid', 'not percent-encoded')
    : readPem(pem, '\n', limits, 'the header');
}

export const writePercentPem = (ders: readonly Uint8Array[]): string =>
  percentEncode(ders.map(writePem).join(''));
