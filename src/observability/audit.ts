import type { Attributes } from '../attributes.ts';
import { type Denial, denials } from '../decision.ts';
import { formatName } from '../pki/certificate/name.ts';

/** What the log says of one denial: enough to act on, no header's value, no query (it may hold a token). */
export function auditDenial(attributes: Attributes, denial: Denial) {
  const { http, source } = attributes;
  const { level, sentence } = denials[denial.code];
  return {
    level,
    message: `denied: ${sentence}`,
    fields: {
      code: denial.code,
      detail: denial.detail,
      api: denial.api?.name,
      apiVersion: denial.api?.version,
      method: shortened(http.method),
      host: shortened(withoutUserInfo(http.host)),
      path: shortened(http.path.split('?', 1)[0]!),
      source: source.address,
      subject: denial.certificate && shortened(formatName(denial.certificate.subject)),
      serial: denial.certificate?.serialNumber,
      sha256: denial.certificate?.sha256,
    },
  } as const;
}

/** What stands before the last `@` of an authority may be a password. */
const withoutUserInfo = (host: string): string => host.replace(/^.*@/s, '…@');

const shortened = (text: string): string => (text.length > 256 ? `${text.slice(0, 253)}...` : text);
