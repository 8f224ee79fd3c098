import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readText } from '../../src/documents/files.ts';
import { readCertificate } from '../../src/pki/certificate/certificate.ts';
import { createEffort } from '../../src/pki/path/effort.ts';
import { PathValidator } from '../../src/pki/path/path-validator.ts';
import { createTrustStore } from '../../src/pki/path/trust-store.ts';
import { createAuthority, now } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';
import { twinOf } from './pki/second-key.ts';

/** Ways around the enforcer that a review found, and that are closed. */

const ca = await createAuthority({ subject: 'CN=Partner CA' });
const encoded = (pem: string): string => encodeURIComponent(pem);
const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;

const fired = await ca.issue({ subject: 'CN=fired' });
const own = readCertificate(fired.der);
const twin = twinOf(own).der;
const fingerprint = own.sha256;

for (const [how, entry] of [
  ['file', 'file = "fired.pem"'],
  ['fingerprints', `fingerprints = ["${fingerprint}"]`],
] as const) {
  test(`a certificate that is switched off by ${how} stays out with its ECDSA signature turned round`, async () => {
    const toml = `[[clients]]\nalias = "partners"\ncaFile = "ca.pem"\n[[clients]]\nalias = "fired"\n${entry}\ndisabled = true\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["partners"]\n`;
    const { snapshot } = load(toml, { 'ca.pem': ca.pem, 'fired.pem': fired.pem });
    const by = (pem: string) => outcome({ path: '/a', certificate: encoded(pem) }, snapshot);
    assert.equal(await by(fired.pem), 'alias_disabled');
    assert.equal(await by(pemOf(twin)), 'alias_disabled');
    assert.equal(await by((await ca.issue({ subject: 'CN=other' })).pem), 'partners');
  });
}

test('a twin is no exact certificate: it is not admitted as one', async () => {
  const toml =
    '[[clients]]\nalias = "one"\nfile = "fired.pem"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["one"]\n';
  const { snapshot } = load(toml, { 'fired.pem': fired.pem });
  assert.equal(await outcome({ path: '/a', certificate: encoded(fired.pem) }, snapshot), 'one');
  assert.equal(await outcome({ path: '/a', certificate: encoded(pemOf(twin)) }, snapshot), 'issuer_unknown');
});

test('a CA that is switched off counts whatever intermediates the client leaves out', async () => {
  const root = await createAuthority({ subject: 'CN=Root' });
  const sub = await createAuthority({ subject: 'CN=Sub', parent: root });
  const leaf = await sub.issue({ subject: 'CN=x' });
  const toml =
    '[[clients]]\nalias = "sub"\ncaFile = "sub.pem"\n[[clients]]\nalias = "all"\ncaFile = "root.pem"\ndisabled = true\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["sub"]\n';
  const { snapshot } = load(toml, { 'sub.pem': sub.pem, 'root.pem': root.pem });
  assert.equal(await outcome({ path: '/a', certificate: encoded(leaf.pem) }, snapshot), 'alias_disabled');
});

const nested = load(
  `[[clients]]
alias = "p"
caFile = "ca.pem"
[[apis]]
name = "shop"
version = "1"
basePath = "/shop"
mutualSSL = "off"
[[apis]]
name = "admin"
version = "1"
basePath = "/shop/admin"
aliases = ["p"]
[[apis]]
name = "ops"
version = "1"
basePath = "/ops"
mutualSSL = "off"
aliases = ["p"]
[[apis.operations]]
path = "/report/{id}.pdf"
mutualSSL = "mandatory"
[[apis.operations]]
path = "/report/*"
[[apis]]
name = "public"
version = "1"
hosts = ["public.example.com"]
basePath = "/"
mutualSSL = "off"
[[apis]]
name = "rest"
version = "1"
basePath = "/"
aliases = ["p"]
`,
  { 'ca.pem': ca.pem },
).snapshot;

const paths: readonly [path: string, expected: string, why: string][] = [
  ['/shop/admin/users', 'certificate_missing', 'the API below, as it is written'],
  ['/shop/%61dmin/users', 'path_ambiguous', 'a letter encoded without need is the same letter'],
  ['/shop/admin;x/users', 'path_ambiguous', 'a parameter that some backends drop'],
  ['/shop/admin%3bx/users', 'path_ambiguous', 'encoded, too'],
  [
    '/shop/;/admin/users',
    'path_ambiguous',
    'nothing but a parameter is no segment, where slashes are merged',
  ],
  ['/shop/;a=b/%3b/admin', 'path_ambiguous', 'nor several'],
  ['/;/shop/admin/users', 'path_ambiguous', 'nor at the front'],
  ['/shop/%61dmin;a=%/users', 'path_ambiguous', 'beside what is no escape'],
  ['/shop/%61dmin;a=%FF/users', 'path_ambiguous', 'beside what is no UTF-8'],
  ['/shop/%61dmin%3ba=%f/users', 'path_ambiguous', 'all of it at once'],
  ['/shop/;jsessionid=1', 'allowed', 'as servlets write it'],
  ['/shop/100%25/x;a=%FF', 'allowed', 'what stays in its API need be no UTF-8'],
  ['/shop/100%/x', 'path_ambiguous', 'but a % that begins no escape is read by each in a way of his own'],
  ['/shop/caf%C3%A9;v=1', 'allowed', 'what stays in its API may be encoded as it likes'],
  ['/ops/report/7.pdf', 'certificate_missing', 'text behind a {name} counts'],
  ['/ops/report/.pdf', 'allowed', 'a {name} stands for at least one character'],
  ['/ops/report/7.txt', 'allowed', 'another ending is another operation'],
];
for (const [path, expected, why] of paths) {
  test(`${path}: ${expected}: ${why}`, async () => assert.equal(await outcome({ path }, nested), expected));
}

test('a route that names the API is held to the same', async () => {
  const contextExtensions = { name: 'shop', version: '1', basePath: '/shop', vHost: '*' };
  assert.equal(await outcome({ path: '/shop/x', contextExtensions }, nested), 'allowed');
  assert.equal(await outcome({ path: '/shop/admin;x', contextExtensions }, nested), 'path_ambiguous');
});

const hosts: readonly [host: string, expected: string][] = [
  ['public.example.com', 'allowed'],
  ['public.example.com.:443', 'allowed'],
  ['public.example.com:x', 'api_not_found'],
  ['public.example.com:443:x', 'api_not_found'],
  ['public.example.com:@other.example.com', 'api_not_found'],
  ['public.example.com:+443', 'api_not_found'],
  ['[::1]:443', 'certificate_missing'],
];
for (const [host, expected] of hosts) {
  test(`Host: ${host}: ${expected}, as Envoy has it`, async () =>
    assert.equal(await outcome({ path: '/x', host }, nested), expected));
}

test('other spaces than the one of ASCII are letters of a name', async () => {
  const toml =
    '[[clients]]\nalias = "acme"\ncaFile = "ca.pem"\nsubject = { CN = "acme" }\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["acme"]\n';
  const { snapshot } = load(toml, { 'ca.pem': ca.pem });
  for (const space of ['\u00a0', '\u3000', '\u2003']) {
    const { pem } = await ca.issue({ subject: `CN=${space}acme` });
    assert.equal(await outcome({ path: '/a', certificate: encoded(pem) }, snapshot), 'certificate_not_bound');
  }
});

test('a rule of no attributes, and a path with two names in a segment, are errors', () => {
  const api = (lines: string): string =>
    `[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["x"]\n${lines}`;
  assert.throws(
    () => load(`[[clients]]\nalias = "x"\ncaFile = "ca.pem"\nsubject = {}\n${api('')}`, { 'ca.pem': ca.pem }),
    /clients\[0\]\.subject: found \{\}; write at least one attribute|write a name/,
  );
  assert.throws(
    () =>
      load(
        `[[clients]]\nalias = "x"\ncaFile = "ca.pem"\n${api('[[apis.operations]]\npath = "/{a}-{b}"\n')}`,
        { 'ca.pem': ca.pem },
      ),
    /apis\[0\]\.operations\[0\]\.path: found .* one \{name\} a segment at most/,
  );
});

test('one leaf offered with ever other intermediates is searched once for each', () => {
  const leaf = readCertificate(fired.der);
  const validator = new PathValidator(createTrustStore({ anchors: [] }), { maxSignatureChecks: 0 });
  const [one, two] = [[readCertificate(ca.der)], [leaf]];
  const first = validator.validate({ leaf, intermediates: one, now, effort: createEffort() });
  const second = validator.validate({ leaf, intermediates: two, now, effort: createEffort() });
  assert.equal(validator.validate({ leaf, intermediates: one, now, effort: createEffort() }), first);
  assert.equal(validator.validate({ leaf, intermediates: two, now, effort: createEffort() }), second);
});

const senders: readonly [written: string, warned: boolean][] = [
  ['"10.20.0.0/16"', false],
  ['"0.0.0.0/0"', true],
  ['"::ffff:0:0/96"', true],
  ['"0.0.0.0/1", "128.0.0.0/1"', true],
  ['"2000::/3"', true],
];
for (const [written, warned] of senders) {
  test(`trustedSenders = [${written}] is ${warned ? 'everybody, and warned about' : 'fine'}`, () => {
    const toml = `[enforcer.security.mutualSSL]\nenableClientValidation = false\ntrustedSenders = [${written}]\n`;
    const warnings = load(toml, {}).warnings.filter(({ message }) =>
      message.includes('whoever reaches the router'),
    );
    assert.equal(warnings.length, warned ? 1 : 0);
  });
}

test('a name of thousands of parts is an error, and no minutes of work', () => {
  assert.throws(() => load(`[router${'.a'.repeat(2000)}]\n`, {}), /a name of 2001 parts/);
});

test('HEAD may be listed apart from GET, and opens HEAD alone', async () => {
  const toml = (methods: string): string =>
    `[[clients]]\nalias = "p"\ncaFile = "ca.pem"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["p"]\n[[apis.operations]]\npath = "/x"\nmethods = ["HEAD"]\nmutualSSL = "off"\n${methods}`;
  const { snapshot } = load(toml(''), { 'ca.pem': ca.pem });
  assert.equal(await outcome({ path: '/a/x', method: 'HEAD' }, snapshot), 'allowed');
  assert.equal(await outcome({ path: '/a/x', method: 'GET' }, snapshot), 'method_not_allowed');
  const both = load(toml('[[apis.operations]]\npath = "/x"\nmethods = ["GET"]\n'), { 'ca.pem': ca.pem });
  assert.equal(await outcome({ path: '/a/x', method: 'GET' }, both.snapshot), 'certificate_missing');
  assert.equal(await outcome({ path: '/a/x', method: 'HEAD' }, both.snapshot), 'allowed');
});

test('a file without size or end is read to a bound', () => {
  assert.throws(
    () => readText('/proc/self/pagemap'),
    /has more than 16777216 bytes|can not be read|does not exist/,
  );
});
