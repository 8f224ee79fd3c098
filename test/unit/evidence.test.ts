import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attributes } from '../../src/attributes.ts';
import { decide } from '../../src/enforcer.ts';
import { request } from '../support/attributes.ts';
import { createAuthority, now } from '../support/certificate-authority.ts';
import { load } from '../support/enforcer.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';

const idp = createTokenIssuer(now);
const authority = await createAuthority({ subject: 'CN=CA' });
const acme = await authority.issue({ subject: 'CN=acme' });
const thumbprint = Buffer.from(await crypto.subtle.digest('SHA-256', new Uint8Array(acme.der)));
const api = (lines: string): string => `[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
[[apis]]
name = "n"
version = "1"
basePath = "/n"
aliases = ["acme"]
${lines}
`;
const files = { 'jwks.json': idp.jwks, 'acme.pem': acme.pem };

/** How often the request's certificate and its headers were looked at. */
async function looks(lines: string, cnf: object | undefined) {
  const { snapshot } = load(api(lines), files);
  const token = idp.token({ cnf });
  const { source, http, contextExtensions } = request({
    path: '/n/x',
    certificate: encodeURIComponent(acme.pem),
    headers: [['authorization', `Bearer ${token}`]],
  });
  const seen = { certificate: 0, headers: 0 };
  const attributes: Attributes = {
    source: {
      ...source,
      get certificate() {
        seen.certificate++;
        return source.certificate;
      },
    },
    http: {
      ...http,
      get headers() {
        seen.headers++;
        return http.headers;
      },
    },
    contextExtensions,
  };
  const { outcome } = await decide(attributes, snapshot, now);
  return { outcome, ...seen };
}

test('a certificate that is the client and what its token is bound to is read once, and so is the token', async () => {
  const alone = await looks('applicationSecurity = "off"', undefined);
  const both = await looks('applicationSecurity = "mandatory"', {
    'x5t#S256': thumbprint.toString('base64url'),
  });
  assert.equal(both.outcome, 'allow');
  assert.ok(alone.certificate > 0);
  assert.equal(both.certificate, alone.certificate);
  const tokenOnly = await looks('mutualSSL = "off"\napplicationSecurity = "mandatory"', undefined);
  assert.deepEqual(tokenOnly, { outcome: 'allow', certificate: 0, headers: 1 });
});
