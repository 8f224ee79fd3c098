import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../../support/certificate-authority.ts';
import { load, outcome } from '../../support/enforcer.ts';

const ca = await createAuthority({ subject: 'CN=CA' });
const acme = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const globex = await ca.issue({ subject: 'CN=globex', extendedKeyUsage: 'client' });
const files = { 'acme.pem': acme.pem, 'globex.pem': globex.pem };

const toml = (unlisted: string): string => `
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "globex"
file = "globex.pem"
[[apis]]
name = "shop"
version = "1"
basePath = "/shop"
aliases = ["acme"]
${unlisted}
[[apis.operations]]
path = "/orders/{id}"
methods = ["GET", "PUT"]
[[apis.operations]]
path = "/orders/{id}"
methods = ["DELETE"]
aliases = ["globex"]
[[apis.operations]]
path = "/orders/mine"
[[apis.operations]]
path = "/orders"
methods = ["POST"]
mutualSSL = "optional"
[[apis.operations]]
path = "/catalogue/*"
methods = ["GET"]
mutualSSL = "off"
[[apis.operations]]
path = "/catalogue/secret"
`;
const strict = load(toml(''), files).snapshot;
const open = load(toml('unlistedOperations = "api"'), files).snapshot;

type Who = 'acme' | 'globex' | 'nobody';
const certificates: Record<Who, string> = {
  acme: encodeURIComponent(acme.pem),
  globex: encodeURIComponent(globex.pem),
  nobody: '',
};
const call = (method: string, path: string, who: Who, snapshot = strict): Promise<string> =>
  outcome({ method, path, certificate: certificates[who] }, snapshot);

const rows: readonly [method: string, path: string, who: Who, expected: string, why: string][] = [
  ['GET', '/shop/orders/7', 'acme', 'acme', "an operation under the API's own security"],
  ['HEAD', '/shop/orders/7', 'acme', 'acme', 'HEAD is GET'],
  ['GET', '/shop/orders/7/', 'acme', 'acme', 'a trailing slash is ignored'],
  ['GET', '/shop/orders/7?x=1', 'acme', 'acme', 'a query is no path'],
  ['GET', '/shop/orders/7', 'nobody', 'certificate_missing', 'and without a certificate'],
  ['DELETE', '/shop/orders/7', 'acme', 'certificate_not_bound', 'aliases of its own'],
  ['DELETE', '/shop/orders/7', 'globex', 'globex', 'which admit another'],
  ['PATCH', '/shop/orders/7', 'acme', 'method_not_allowed', 'no operation there has the method'],
  [
    'DELETE',
    '/shop/orders/mine',
    'globex',
    'certificate_not_bound',
    'the most specific path decides, for all methods',
  ],
  [
    'DELETE',
    '/shop/orders/m%69ne',
    'globex',
    'certificate_not_bound',
    'segments are decoded before they are compared',
  ],
  ['POST', '/shop/orders', 'nobody', 'allowed', 'optional where the API is mandatory'],
  ['POST', '/shop/orders', 'globex', 'certificate_not_bound', 'and a wrong one refused'],
  ['GET', '/shop/orders', 'nobody', 'method_not_allowed', 'but by its own methods only'],
  ['GET', '/shop/catalogue/a/b', 'nobody', 'allowed', 'off, and everything below'],
  ['GET', '/shop/catalogue', 'nobody', 'allowed', 'an open end may be empty'],
  ['POST', '/shop/catalogue/a', 'acme', 'method_not_allowed', 'off is off for its methods only'],
  [
    'GET',
    '/shop/catalogue/secret',
    'nobody',
    'certificate_missing',
    'a literal is more specific than an open end',
  ],
  ['GET', '/shop/catalogue/s%65cret', 'nobody', 'certificate_missing', 'however it is written'],
  ['GET', '/shop/catalogue/secret;x', 'nobody', 'path_ambiguous', 'a backend may read ;x as nothing'],
  ['GET', '/shop/catalogue/secret%3Bx', 'nobody', 'path_ambiguous', 'encoded, too'],
  ['GET', '/shop/catalogue/%zz', 'nobody', 'path_ambiguous', 'a broken escape'],
  ['GET', '/shop/nothing', 'acme', 'operation_not_found', 'not listed'],
  ['GET', '/shop', 'acme', 'operation_not_found', 'nor is the base path itself'],
  ['GET', '/shop/orders//', 'acme', 'path_ambiguous', 'an empty segment'],
];
for (const [method, path, who, expected, why] of rows) {
  test(`${method} ${path} by ${who}: ${expected}: ${why}`, async () =>
    assert.equal(await call(method, path, who), expected));
}

test('unlistedOperations = "api": what is not listed has the API\'s own security', async () => {
  assert.equal(await call('GET', '/shop/nothing', 'acme', open), 'acme');
  assert.equal(await call('GET', '/shop/nothing', 'nobody', open), 'certificate_missing');
  assert.equal(await call('PATCH', '/shop/orders/7', 'acme', open), 'method_not_allowed');
});

test('a route that names the API does not bring another path in', async () => {
  const parts = {
    method: 'GET',
    path: '/elsewhere/catalogue/a',
    contextExtensions: { name: 'shop', version: '1' },
  };
  assert.equal(await outcome(parts, strict), 'operation_not_found');
});

test('two operations for one path and method are an error, whatever their parameters are called', async () => {
  const twice = `${toml('')}[[apis.operations]]\npath = "/orders/{other}/"\nmethods = ["PUT"]\n`;
  assert.throws(
    () => load(twice, files),
    /apis\[0\]\.operations\[6\]\.path: found "\/orders\/\{other\}\/", which an operation before \("\/orders\/\{id\}"\) has already/,
  );
});

test('a mandatory operation bound to no alias is an error', async () => {
  const unbound = toml('').replace('aliases = ["acme"]\n\n', '').replace('aliases = ["acme"]', '');
  assert.throws(
    () => load(unbound, files),
    /apis\[0\]\.operations\[0\]: "shop \/orders\/\{id\}" needs a certificate but is bound to no alias/,
  );
});
