import { presentedError } from '../presented.ts';
import { readBase64Der, unquoted } from './bare-base64.ts';
import { decodeBase64 } from './base64.ts';
import { derLengthError } from './der-length.ts';
import { BEGIN, END, readPem } from './pem-text.ts';
import { readPercentPem } from './percent.ts';
import { certificates, type Limits, type Reading } from './reading.ts';

// Producers with more than one coding, told apart by what a value begins with or holds, never by trying.

/** nginx: `$ssl_client_escaped_cert` is percent-encoded; in the older `$ssl_client_cert` Envoy leaves a tab for each newline. */
export const readNginx = (value: string, limits: Limits): Reading =>
  value.includes('%') ? readPercentPem(value, limits) : readPem(value, '\t', limits, 'the header');

/** Apache: `%{SSL_CLIENT_CERT}s` has a space for each newline; within `%{escape:…}` it is percent-encoded. */
export const readApache = (value: string, limits: Limits): Reading =>
  value.includes('%') ? readPercentPem(value, limits) : readPem(value, ' ', limits, 'the header');

/** HAProxy: `%[ssl_c_der,base64]`, in double quotes by `%{+Q}`, or with PEM's markers set around it by the rule. */
export function readHaproxy(value: string, limits: Limits): Reading {
  const text = unquoted(value);
  return text.startsWith(BEGIN) ? readPem(text, ' ', limits, 'the header') : readBase64Der(text);
}

/** F5: what the rule makes, base64 of DER or PEM with a space for each newline. */
export const readF5 = (value: string, limits: Limits): Reading =>
  value.startsWith(BEGIN) ? readPem(value, ' ', limits, 'the header') : readBase64Der(value);

/** Kong: base64 of DER, or percent-encoded PEM. PEM begins with a character that base64 does not have. */
export const readKong = (value: string, limits: Limits): Reading =>
  value.startsWith('-') ? readPercentPem(value, limits) : readBase64Der(value);

/** Base64 of `-----BEGIN `, whatever follows. DER begins with another byte (0x30), so the two can't be mistaken. */
const ENCODED_BEGIN = 'LS0tLS1CRUdJTi';

/**
 * WSO2's three codings of one certificate, told apart by what they are, not by trying: percent-encoded PEM (the only one
 * with `%`); BEGIN, base64 of the DER on one line, END; BEGIN, base64 of a whole PEM file, END (Choreo Connect's
 * documents show that one).
 */
export function readWso2(value: string, limits: Limits): Reading {
  if (value.includes('%')) return readPercentPem(value, limits);
  if (!value.startsWith(BEGIN) || !value.endsWith(END) || value.length < BEGIN.length + END.length) {
    return presentedError('header_coding_invalid', 'neither percent-encoded nor between PEM markers');
  }
  const bytes = decodeBase64(value.slice(BEGIN.length, -END.length));
  if (bytes === undefined) return presentedError('header_coding_invalid', 'not base64 between PEM markers');
  if (value.startsWith(ENCODED_BEGIN, BEGIN.length)) {
    return readPem(Buffer.from(bytes).toString('latin1'), '\n', limits, 'the PEM within');
  }
  return derLengthError(bytes, 'the header') ?? certificates([bytes]);
}
