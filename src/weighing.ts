import type { Security } from './apis/security.ts';
import type { DenialCode, VerifiedClient } from './decision.ts';
import type { TokenVerdict } from './oauth2/access-token.ts';
import type { Certificate } from './pki/certificate/certificate.ts';

/** What a request's certificate is worth to the API. */
export type CertificateVerdict =
  | { readonly kind: 'none'; readonly explain?: Explain }
  | { readonly kind: 'verified'; readonly client: VerifiedClient }
  | {
      readonly kind: 'wrong';
      readonly code: DenialCode;
      readonly detail: string;
      readonly explain?: Explain;
      /** As far as it could be read. */
      readonly certificate?: Certificate;
    };

/** More of the detail, which is worked out only where it is told. */
type Explain = () => string | undefined;
export type Reason = { readonly code: DenialCode; readonly detail: string; readonly explain?: Explain };

type Asked = Pick<Security, 'mutualSsl' | 'applicationSecurity' | 'optionalCertificate'>;

/** Whether the request is denied by its certificate alone, so that no token can mend it. */
export const isBeyondTokens = (
  { mutualSsl, optionalCertificate }: Omit<Asked, 'applicationSecurity'>,
  { kind }: CertificateVerdict,
): boolean =>
  mutualSsl === 'mandatory'
    ? kind !== 'verified'
    : kind === 'wrong' && optionalCertificate === 'reject-wrong';

/**
 * The truth table (docs/truth-tables.md): a mandatory factor must be verified; of two optional ones, at least one; an
 * optional one beside nothing may be left out. A token that is bound to another's certificate is refused in any case.
 *
 * @param token not looked at where the request is beyond tokens
 * @returns why the request is denied; undefined: it is not
 */
export function weigh(
  security: Asked,
  certificate: CertificateVerdict,
  token: TokenVerdict,
): Reason | undefined {
  const { mutualSsl, applicationSecurity } = security;
  if (certificate.kind !== 'verified' && isBeyondTokens(security, certificate))
    return certificate.kind === 'wrong' ? certificate : explained(certificateMissing, certificate);
  if (token.kind === 'stolen') return token;
  if (token.kind === 'verified' || applicationSecurity === 'off') return undefined;
  if (applicationSecurity === 'mandatory') return token.kind === 'wrong' ? token : tokenMissing;
  // From here the token is optional and none: it must not be the only thing that was asked for.
  if (mutualSsl !== 'optional' || certificate.kind === 'verified') return undefined;
  if (token.kind === 'wrong') return token;
  return certificate.kind === 'wrong' ? certificate : explained(credentialsMissing, certificate);
}

const explained = (reason: Reason, { explain }: { readonly explain?: Explain }): Reason =>
  explain === undefined ? reason : { ...reason, explain };

const certificateMissing: Reason = { code: 'certificate_missing', detail: 'no certificate came' };
const tokenMissing: Reason = { code: 'token_missing', detail: 'no access token came' };
const credentialsMissing: Reason = {
  code: 'credentials_missing',
  detail: 'neither a certificate nor an access token came',
};
