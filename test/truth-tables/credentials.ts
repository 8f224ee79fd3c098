import type { Header } from '../../src/attributes.ts';
import { type Authority, now, selfSigned } from '../support/certificate-authority.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';
import type { CertificateCase, TokenCase } from './table.ts';

/**
 * Certificates and tokens for each case, and the configuration that knows them. Certificates come in a header, since no
 * TLS client can send a malformed one.
 *
 * @param at milliseconds since the epoch, whole seconds: when they are sent
 * @param dates of the certificates that are valid
 */
export async function makeCredentials(
  authority: Authority,
  at: number = now,
  dates: { readonly notBefore?: Date; readonly notAfter?: Date } = {},
) {
  const acme = await authority.issue({ subject: 'CN=acme', ...dates });
  const year = 365 * 86_400_000;
  const certificates: Record<CertificateCase, string | undefined> = {
    none: undefined,
    valid: acme.pem,
    unbound: (await authority.issue({ subject: 'CN=globex', ...dates })).pem,
    untrusted: (await selfSigned({ subject: 'CN=stranger', ...dates })).pem,
    malformed: '-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n',
    expired: (
      await authority.issue({
        subject: 'CN=acme',
        notBefore: new Date(at - 2 * year),
        notAfter: new Date(at - year),
      })
    ).pem,
  };
  const idp = createTokenIssuer(at);
  const elsewhere = Buffer.alloc(32, 7).toString('base64url');
  const tokens: Record<TokenCase, string | undefined> = {
    none: undefined,
    valid: idp.token(),
    invalid: createTokenIssuer(at).token(),
    expired: idp.token({ exp: at / 1000 - 60 }),
    'wrong scope': idp.token({ scope: 'catalogue:read' }),
    'bound elsewhere': idp.token({ cnf: { 'x5t#S256': elsewhere } }),
  };
  return {
    at,
    files: { 'ca.pem': authority.pem, 'acme.pem': acme.pem, 'jwks.json': idp.jwks },
    toml: `[enforcer.security.mutualSSL]
enableClientValidation = false
certificateHeader = "X-WSO2-CLIENT-CERTIFICATE"
trustedSenders = ["10.0.0.1", "127.0.0.1"]
[router.downstream.tls]
mTLSAPIsEnabled = true
trustedCertPath = "ca.pem"
[[enforcer.security.tokenService]]
name = "idp"
issuer = "${idp.issuer}"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
`,
    certificateHeader: (which: CertificateCase): readonly Header[] => {
      const pem = certificates[which];
      return pem === undefined ? [] : [['x-wso2-client-certificate', encodeURIComponent(pem)]];
    },
    authorization: (which: TokenCase): readonly Header[] => {
      const token = tokens[which];
      return token === undefined ? [] : [['authorization', `Bearer ${token}`]];
    },
  };
}
