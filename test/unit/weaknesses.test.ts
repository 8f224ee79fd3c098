import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../src/enforcer.ts';
import { writeCheckResponse } from '../../src/ext-authz/check-response.ts';
import { request } from '../support/attributes.ts';
import {
  authority,
  createAuthority,
  type Issued,
  now,
  selfSigned,
} from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';

/**
 * The known weaknesses of the five WSO2 systems. Each is a request that one of them lets in, or a way in which one of
 * them breaks. What only shows through a real Envoy is in test/e2e/forgeries.test.ts and main-job.test.ts.
 */

const ca = await createAuthority({ subject: 'CN=Clients' });
const acme = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const globex = await ca.issue({ subject: 'CN=globex', extendedKeyUsage: 'client' });
const balancerCa = await createAuthority({ subject: 'CN=Balancers' });
const balancer = await balancerCa.issue({ subject: 'CN=lb', extendedKeyUsage: 'client' });
const files = {
  'ca.pem': ca.pem,
  'acme.pem': acme.pem,
  'globex.pem': globex.pem,
  'lb-ca.pem': balancerCa.pem,
  'lb.pem': balancer.pem,
};

const clients = `
[[clients]]
alias = "acme"
file = "acme.pem"
tier = "Gold"
[[clients]]
alias = "globex"
file = "globex.pem"
[[apis]]
name = "must"
version = "1"
basePath = "/must"
aliases = ["Acme"]
[[apis]]
name = "may"
version = "1"
basePath = "/may"
mutualSSL = "optional"
aliases = ["acme"]
`;
const headerMode = (senders: string): string =>
  `[enforcer.security.mutualSSL]\nenableClientValidation = false\n${senders}\n`;
const byAlias = `${headerMode('trustedSenders = ["alias:lb"]')}[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\ncaFile = "lb-ca.pem"\n`;
const peer = load(clients, files).snapshot;
const fromBalancer = load(byAlias + clients, files).snapshot;
const byAddress = load(headerMode('trustedSenders = ["10.0.0.0/8"]') + clients, files).snapshot;

const encoded = ({ pem }: Issued): string => encodeURIComponent(pem);
const header = (value: string) => [['x-wso2-client-certificate', value]] as const;

test('a malformed certificate is refused, whatever else the request has, mandatory or optional', async () => {
  const headers = [
    ...header('-----BEGIN CERTIFICATE-----MIIB-----END CERTIFICATE-----'),
    ['authorization', 'Bearer x'],
  ] as const;
  for (const path of ['/must', '/may']) {
    assert.equal(await outcome({ path, headers, source: '10.0.0.1' }, byAddress), 'certificate_not_der');
  }
});

test("the load balancer's certificate, found good for sending a header, is never good as a client's", async () => {
  const viaHeader = { path: '/must', certificate: encoded(balancer), headers: header(encoded(acme)) };
  assert.equal(await outcome(viaHeader, fromBalancer), 'acme');
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(balancer) }, fromBalancer),
    'certificate_missing',
  );
  assert.equal(
    await outcome(
      { path: '/must', certificate: encoded(balancer), headers: header(encoded(balancer)) },
      fromBalancer,
    ),
    'issuer_unknown',
  );
});

test("a client that is trusted as a client can't pass on another client's certificate", async () => {
  const parts = { path: '/must', certificate: encoded(globex), headers: header(encoded(acme)) };
  assert.equal(await outcome(parts, fromBalancer), 'header_sender_untrusted');
  assert.equal(await outcome(parts, peer), 'certificate_not_bound');
});

test('a public certificate is no credential on plain HTTP, nor from an unknown sender', async () => {
  const parts = { path: '/must', headers: header(encoded(acme)) };
  assert.equal(
    await outcome({ ...parts, source: '10.0.0.1', scheme: 'http' }, byAddress),
    'header_over_plaintext',
  );
  assert.equal(await outcome({ ...parts, source: '203.0.113.9' }, byAddress), 'header_sender_untrusted');
  assert.throws(() => load(headerMode('') + clients, files), /a header proves nothing by itself/);
});

test('expiry and extended key usage of an exactly bound certificate are checked, at each request', async () => {
  const server = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'server' });
  const { snapshot } = load(clients, { ...files, 'acme.pem': server.pem });
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(server) }, snapshot),
    'extended_key_usage_not_client',
  );
  assert.equal(await outcome({ path: '/must', certificate: encoded(acme) }, peer, Date.UTC(2035, 0)), 'acme');
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(acme) }, peer, Date.UTC(2037, 0)),
    'certificate_expired',
  );
});

test("an issuer's name alone proves nothing, nor does a signature by a certificate that is no CA", async () => {
  const toml = clients.replace('file = "acme.pem"', 'caFile = "ca.pem"');
  const { snapshot } = load(toml, files);
  const impostor = await createAuthority({ subject: 'CN=Clients' });
  const substring = await createAuthority({ subject: 'CN=Clients, O=Evil' });
  const byImpostor = await impostor.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
  const bySubstring = await substring.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
  const byLeaf = await authority(acme, 'CN=acme').issue({ subject: 'CN=below', extendedKeyUsage: 'client' });
  assert.equal(await outcome({ path: '/must', certificate: encoded(acme) }, snapshot), 'acme');
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(byImpostor) }, snapshot),
    'signature_invalid',
  );
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(bySubstring) }, snapshot),
    'issuer_unknown',
  );
  assert.equal(await outcome({ path: '/must', certificate: encoded(byLeaf) }, snapshot), 'issuer_unknown');
});

test('a bad percent escape is a denial, and the next request is answered', async () => {
  assert.equal(
    await outcome({ path: '/must', headers: header('%-----BEGIN%ZZ'), source: '10.0.0.1' }, byAddress),
    'header_coding_invalid',
  );
  assert.equal(
    await outcome({ path: '/must', headers: header(encoded(acme)), source: '10.0.0.1' }, byAddress),
    'acme',
  );
});

test('what was decided for one API, alias or hour is not taken for another', async () => {
  const names = await selfSigned({ subject: 'CN=n' });
  const toml = `
[[clients]]
alias = "a"
file = "n.pem"
[[apis]]
name = "x:1"
version = "2"
basePath = "/one"
aliases = ["a"]
[[apis]]
name = "x"
version = "1:2"
basePath = "/two"
mutualSSL = "off"
`;
  const { snapshot } = load(toml, { 'n.pem': names.pem });
  const byName = (name: string, version: string) =>
    outcome({ contextExtensions: { name, version } }, snapshot);
  assert.deepEqual([await byName('x:1', '2'), await byName('x', '1:2')], ['certificate_missing', 'allowed']);
  assert.equal(await outcome({ path: '/must', certificate: encoded(acme) }, peer, Date.UTC(2030, 0)), 'acme');
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(acme) }, peer, Date.UTC(2036, 5)),
    'certificate_expired',
  );
});

test('nothing that a request carries skips a mandatory certificate', async () => {
  const headers = [
    ['internal-key', 'x'],
    ['apikey', 'x'],
    ['authorization', 'Bearer x'],
    ['x-client-cert-alias', 'acme'],
  ] as const;
  for (const method of ['GET', 'OPTIONS', 'HEAD', 'TRACE']) {
    assert.equal(await outcome({ path: '/must', method, headers }, peer), 'certificate_missing');
  }
});

test('aliases are found whatever their case, and keep their tier', async () => {
  const { snapshot } = load(clients, files);
  const [must] = snapshot.apis.apis;
  assert.deepEqual(
    [...(must?.security.clients.exact.values() ?? [])].flat().map(({ alias, tier }) => [alias, tier]),
    [['acme', 'Gold']],
  );
});

const idp = createTokenIssuer(now);
const secured = load(
  `[[enforcer.security.tokenService]]
name = "idp"
issuer = "${idp.issuer}"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
${headerMode('trustedSenders = ["10.0.0.0/8"]')}${clients}
[[apis]]
name = "both"
version = "1"
basePath = "/both"
aliases = ["acme"]
applicationSecurity = "mandatory"
[[apis.operations]]
path = "/health"
secured = false
[[apis.operations]]
path = "/orders"
[[apis]]
name = "tls"
version = "1"
basePath = "/tls"
aliases = ["acme", "globex"]
[[apis.operations]]
path = "/orders"
methods = ["GET"]
[[apis.operations]]
path = "/orders"
methods = ["DELETE"]
aliases = ["acme"]
[[apis]]
name = "scoped"
version = "1"
basePath = "/scoped"
aliases = ["acme"]
[[apis.operations]]
path = "/read"
[[apis.operations]]
path = "/write"
applicationSecurity = "mandatory"
scopes = ["orders:write"]
`,
  { ...files, 'jwks.json': idp.jwks },
).snapshot;
const bearer = ['authorization', `Bearer ${idp.token()}`] as const;
const from = (path: string, value: string, ...more: (readonly [string, string])[]) => ({
  path,
  headers: [...header(value), ...more],
  source: '10.0.0.1',
});

test('a malformed certificate beside a valid token, where both are mandatory', async () => {
  const cut = '-----BEGIN CERTIFICATE-----MIIB-----END CERTIFICATE-----';
  assert.equal(await outcome(from('/both/orders', cut, bearer), secured), 'certificate_not_der');
  assert.equal(await outcome(from('/both/orders', encoded(acme), bearer), secured), 'acme');
});

test('where security is switched off for a resource, the client’s own certificate header is still removed', async () => {
  const { answers } = secured;
  const response = writeCheckResponse(
    await decide(request(from('/both/health', encoded(acme))), secured, now),
    answers,
    header('x'),
  );
  assert.ok(response.ok_response?.headers_to_remove.includes('x-wso2-client-certificate'));
});

test('a resource whose security is off asks for no token, and still for the mandatory certificate', async () => {
  assert.equal(await outcome(from('/both/health', encoded(acme)), secured), 'acme');
  assert.equal(
    await outcome({ path: '/both/health', headers: [bearer], source: '10.0.0.1' }, secured),
    'certificate_missing',
  );
});

test('an API behind mutual TLS alone keeps methods, aliases and scopes by resource', async () => {
  const call = (path: string, method: string, who: Issued, ...more: (readonly [string, string])[]) =>
    outcome({ ...from(path, encoded(who), ...more), method }, secured);
  assert.equal(await call('/tls/orders', 'GET', globex), 'globex');
  assert.equal(await call('/tls/orders', 'DELETE', globex), 'certificate_not_bound');
  assert.equal(await call('/tls/orders', 'DELETE', acme), 'acme');
  assert.equal(await call('/tls/orders', 'PUT', acme), 'method_not_allowed');
  assert.equal(await call('/scoped/read', 'GET', acme), 'acme');
  assert.equal(await call('/scoped/write', 'GET', acme), 'token_missing');
  assert.equal(await call('/scoped/write', 'GET', acme, bearer), 'token_scope_missing');
});
