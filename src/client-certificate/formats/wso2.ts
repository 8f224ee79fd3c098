import { presentedError } from '../presented.ts';
import { decodeBase64 } from './base64.ts';
import { derLengthError } from './der-length.ts';
import { BEGIN, END, readPem } from './pem-text.ts';
import { readPercentPem } from './percent-pem.ts';
import { certificates, type Limits, type Reading } from './reading.ts';

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
