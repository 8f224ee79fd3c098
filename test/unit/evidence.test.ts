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

test('nothing is waited for but the first look at a signature', async () => {
  const { snapshot } = load(api('applicationSecurity = "optional"'), files);
  const certificate = encodeURIComponent(acme.pem);
  const token = (text: string) => request({ path: '/n/x', headers: [['authorization', `Bearer ${text}`]] });
  const good = idp.token();
  const rows: readonly [what: string, request: Attributes, outcome: string][] = [
    ['a path that nobody has', request({ path: '/other' }), 'api_not_found'],
    ['no certificate', request({ path: '/n/x' }), 'certificate_missing'],
    [
      'one that is no certificate',
      request({ path: '/n/x', certificate: '%' }),
      'peer_certificate_unreadable',
    ],
    ['the first request of a certificate', request({ path: '/n/x', certificate }), 'allow'],
    ['its next one', request({ path: '/n/x', certificate }), 'allow'],
  ];
  for (const [what, attributes, outcome] of rows) {
    const decision = decide(attributes, snapshot, now);
    assert.ok(!(decision instanceof Promise), what);
    assert.equal(decision.outcome === 'deny' ? decision.code : decision.outcome, outcome, what);
  }
  const tokens = load(api('mutualSSL = "off"\napplicationSecurity = "mandatory"'), files).snapshot;
  assert.ok(decide(token(good), tokens, now) instanceof Promise, 'a signature that was never checked');
  assert.equal((await decide(token(good), tokens, now)).outcome, 'allow');
  assert.ok(!(decide(token(good), tokens, now) instanceof Promise), 'a signature that was found right');
  const forged = `${good.slice(0, -8)}AAAAAAAA`;
  assert.equal((await decide(token(forged), tokens, now)).outcome, 'deny');
  assert.ok(decide(token(forged), tokens, now) instanceof Promise, 'a wrong one is not remembered');
});

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

test('one certificate that two APIs know by two aliases, and a third by another tier: each is told its own', () => {
  const toml = `${['a', 'b', 'c'].map((alias) => `[[clients]]\nalias = "${alias}"\nfile = "acme.pem"\n${alias === 'c' ? 'tier = "Gold"\n' : ''}`).join('')}
${['a', 'b', 'c'].map((alias) => `[[apis]]\nname = "${alias}"\nversion = "1"\nbasePath = "/${alias}"\naliases = ["${alias}"]\n`).join('')}`;
  const { snapshot } = load(toml, files);
  const certificate = encodeURIComponent(acme.pem);
  for (let round = 0; round < 3; round++)
    for (const alias of ['a', 'b', 'c']) {
      const decision = decide(request({ path: `/${alias}/x`, certificate }), snapshot, now);
      assert.ok(!(decision instanceof Promise) && decision.outcome === 'allow');
      assert.deepEqual(
        [decision.client?.alias, decision.client?.tier],
        [alias, alias === 'c' ? 'Gold' : undefined],
      );
    }
});
