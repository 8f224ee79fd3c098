import { presentedError } from '../presented.ts';
import { readEscapedPem } from './escaped-pem.ts';
import { checkedLengths, readPem, writePem } from './pem-text.ts';
import type { Limits, Reading } from './reading.ts';

/**
 * Percent-decoding (RFC 3986 2.1), and nothing else: `+` stays `+`, since load balancers leave it bare in base64.
 * White space can't stand in a percent-encoded text: where there is some, it was another coding.
 *
 * @returns undefined for a broken escape, escapes that are no UTF-8, or bare white space
 */
export function percentDecode(text: string): string | undefined {
  if (/\s/.test(text)) return undefined;
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** All but RFC 3986's unreserved characters as %XX, as Envoy and nginx write PEM. For ASCII only. */
export const percentEncode = (text: string): string => encodeURIComponent(text);

const FORM_ENCODED_BEGIN = '-----BEGIN+CERTIFICATE-----';

/**
 * Percent-encoded PEM; `+`, `/` and `=` may stand bare. Java's URLEncoder writes the space of the markers as `+` and a
 * real plus as %2B: the markers tell which of the two was at work, and then `+` is a space everywhere.
 */
export function readPercentPem(value: string, limits: Limits): Reading {
  const ders = readEscapedPem(value, limits.certificates);
  if (ders !== undefined) return checkedLengths(ders, 'the header');
  const text = value.startsWith(FORM_ENCODED_BEGIN) ? value.replaceAll('+', '%20') : value;
  const pem = percentDecode(text);
  return pem === undefined
    ? presentedError('header_coding_invalid', 'not percent-encoded')
    : readPem(pem, '\n', limits, 'the header');
}

export const writePercentPem = (ders: readonly Uint8Array[]): string =>
  percentEncode(ders.map(writePem).join(''));
