import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError, type Values } from '../../../src/commands/command.ts';
import { askedFor } from '../../../src/commands/explain-request.ts';
import { FileProblem } from '../../../src/documents/files.ts';
import { createAuthority, now } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { opensslPkcs12 } from '../../support/key-stores.ts';
import { codec } from '../../support/plain-codec.ts';
import { thumb } from '../pki/forge.ts';

const ca = await createAuthority({ subject: 'CN=CA' });
const leaf = await ca.issue({ subject: 'CN=leaf' });
const check = {
  attributes: {
    source: { address: { socket_address: { address: '10.0.0.1' } }, certificate: 'x' },
    request: {
      http: { method: 'GET', path: '/a', host: 'h', scheme: 'https', headers: { 'x-a': 'b' } },
    },
    context_extensions: { name: 'n' },
  },
};
const wire = codec.requestSerialize(check);
const frame = Buffer.alloc(5);
frame.writeUInt32BE(wire.length, 1);
const files: Readonly<Record<string, string | Uint8Array>> = {
  'check.json': JSON.stringify(check),
  'camel.json': JSON.stringify(check)
    .replace('socket_address', 'socketAddress')
    .replace('context_e', 'contextE'),
  'inner.json': JSON.stringify(check.attributes),
  'check.bin': wire,
  'check.grpc': Buffer.concat([frame, wire]),
  'other.json': '{"a": 1}',
  'list.json': '{"attributes": []}',
  'number.json': '{"attributes": {"request": {"http": {"method": 1}}}}',
  'half.json': '{"attributes": ',
  'junk.bin': Buffer.from([0xff, 0xff, 0xff]),
  'empty.pem': '',
  'key.pem': leaf.privateKeyPem,
  'leaf.pem': `${leaf.privateKeyPem}${leaf.pem}${ca.pem}`,
  'ca.pem': ca.pem,
  token: 'Bearer a.b.c\n',
};
const read = (path: string): Uint8Array => {
  const content = files[path];
  if (content === undefined) throw new FileProblem('does not exist');
  return Buffer.from(content);
};
const { snapshot } = load(
  `[[apis]]
name = "A"
version = "1"
basePath = "/a"
mutualSSL = "off"
[[apis.operations]]
path = "/x/{id}.pdf"
methods = ["PUT"]
`,
  {},
);
const attributesOf = (values: Values) => askedFor(values, read, now).attributesIn(snapshot);

for (const name of ['check.json', 'camel.json', 'inner.json', 'check.bin', 'check.grpc']) {
  test(`a captured CheckRequest, ${name}`, () => {
    const { source, http, contextExtensions } = attributesOf({ check: name });
    assert.deepEqual(source, { address: '10.0.0.1', certificate: 'x' });
    assert.deepEqual([http.method, http.path, http.host, ...http.headers], ['GET', '/a', 'h', ['x-a', 'b']]);
    assert.equal(contextExtensions.get('name'), 'n');
  });
}

const places: readonly [values: Values, method: string, scheme: string, host: string, path: string][] = [
  [{ url: '/a/../b?c' }, 'GET', 'https', 'localhost', '/a/../b?c'],
  [{ url: 'http://H.test:81/a%2Fb#c', method: 'post' }, 'POST', 'http', 'H.test:81', '/a%2Fb'],
  [{ url: 'https://h.test' }, 'GET', 'https', 'h.test', '/'],
  [{ api: 'A:1' }, 'PUT', 'https', 'localhost', '/a/x/x.pdf'],
];
for (const [values, method, scheme, host, path] of places) {
  test(`where ${JSON.stringify(values)} is, as it was written`, () => {
    const { http } = attributesOf(values);
    assert.deepEqual([http.method, http.scheme, http.host, http.path], [method, scheme, host, path]);
  });
}

test("a client's PEM with its key and its CA: the certificate over TLS, the CA behind it, no key", () => {
  const { source, http } = attributesOf({ url: '/a', cert: 'leaf.pem', token: '@token', header: ['X-A: b'] });
  assert.equal(source.certificate, encodeURIComponent(leaf.pem));
  const headers = [...http.headers];
  assert.deepEqual(
    headers.map(([name]) => name),
    ['x-a', 'authorization', 'x-forwarded-client-cert'],
  );
  assert.deepEqual(headers[1], ['authorization', 'Bearer a.b.c']);
  assert.ok(headers[2]![1].includes(encodeURIComponent(ca.pem)));
});

test('PKCS#12: the certificate of its key, by the password of a file', () => {
  const stores = { 'leaf.p12': opensslPkcs12(leaf, 'leaf', 'geheim'), password: 'geheim\n', wrong: 'no' };
  const ask = (password: string) =>
    askedFor(
      { url: '/a', cert: 'leaf.p12', 'password-file': password },
      (path) => Buffer.from(stores[path as keyof typeof stores]),
      now,
    ).attributesIn(snapshot);
  assert.equal(ask('password').source.certificate, encodeURIComponent(leaf.pem));
  assert.throws(() => ask('wrong'), /--cert leaf\.p12 .*; write it into a file, and --password-file FILE/);
});

const line = (fields: object): string =>
  JSON.stringify({ type: 'decision', time: '2026-06-01T00:00:00.000Z', outcome: 'allow', ...fields });
const record = [
  line({
    requestId: 'r-1',
    outcome: 'deny',
    reason: 'certificate_expired',
    method: 'GET',
    host: 'h',
    path: '/a',
  }),
  'no JSON, r-1',
  line({ requestId: 'r-2', outcome: 'deny', method: 'PUT', host: 'h', path: '/b', source: '10.0.0.9' }),
  line({ requestId: 'r-22', traceId: 't-1', outcome: 'allow', path: '/t' }),
  line({ requestId: 'r-3', sha256: thumb(leaf.der), outcome: 'deny', reason: 'issuer_unknown', path: '/c' }),
  '{"type": "other", "requestId": "r-4"}',
  line({ requestId: 'r-6', outcome: undefined, path: '/c' }),
  line({ type: 'shadow', requestId: 'r-5', outcome: 'allow', path: '/s', next: { outcome: 'deny' } }),
].join('\n');
const replay = (reference: string, more: Values = {}) =>
  askedFor(
    { audit: 'audit.log', ...more },
    (path) => Buffer.from(path === 'audit.log' ? record : files[path]!),
    now,
    reference,
  );

test('a line is read once, however often it has the text: whoever wrote a path chose how often', (t) => {
  const { mock } = t.mock.method(JSON, 'parse');
  const audit = [line({ requestId: 'r' }), line({ requestId: 'x', path: `/${'r'.repeat(10_000)}` })].join(
    '\n',
  );
  const { logged } = askedFor({ audit }, (text) => Buffer.from(text), now, 'r');
  assert.equal(logged?.requestId, 'r');
  assert.equal(mock.callCount(), 2);
});

for (const time of [undefined, 'yesterday', '2026-13-45'])
  test(`a line of the time ${time}: nobody is told what would be decided in 1970`, () => {
    const audit = line({ requestId: 'r', path: '/a', time });
    const ask = (more: Values) => askedFor({ audit, ...more }, () => Buffer.from(audit), now, 'r');
    assert.throws(() => ask({}), {
      name: 'UsageError',
      message: /^--audit .* does not say when that was; add --at TIME$/,
    });
    assert.equal(ask({ at: '2026-06-01T00:00:00Z' }).now, Date.UTC(2026, 5, 1));
  });

test('another certificate than the one of that request is told', () => {
  const other = { cert: 'ca.pem' };
  assert.throws(
    () => replay('r-3', other).attributesIn(snapshot),
    /^UsageError: --cert is another certificate than/,
  );
});

test('a request of the record of decisions, again, at its time', () => {
  const { http, source } = replay('r-2').attributesIn(snapshot);
  assert.deepEqual([http.method, http.host, http.path, source.address], ['PUT', 'h', '/b', '10.0.0.9']);
  assert.equal(replay('r-2').now, Date.UTC(2026, 5, 1));
  assert.equal(replay('r-1').logged?.reason, 'certificate_expired');
  assert.equal(replay('t-1').attributesIn(snapshot).http.path, '/t');
  // What the next configuration says differently has a line where the decision itself has none.
  assert.equal(replay('r-5').attributesIn(snapshot).http.path, '/s');
  const given = replay('r-3', { cert: 'leaf.pem' }).attributesIn(snapshot);
  assert.equal(given.source.certificate, encodeURIComponent(leaf.pem));
});

for (const [reference, says] of [
  ['r-9', /^--audit audit\.log has no decision about "r-9"$/],
  ['r-4', /^--audit audit\.log has no decision about "r-4"$/],
  ['r-6', /^--audit audit\.log has no decision about "r-6"$/],
  [
    'r-3',
    /^it came with a certificate \(SHA-256 [0-9a-f]{64}\) that is in no file here; add --cert FILE \(logged: deny issuer_unknown/,
  ],
] as const) {
  test(`${reference} can not be asked again, and what to do`, () => {
    assert.throws(() => replay(reference).attributesIn(snapshot), { name: 'UsageError', message: says });
  });
}

const wrongs: readonly [values: Values, says: RegExp][] = [
  [{}, /^explain needs --url URL or --api NAME:VERSION, or --check FILE, or a denial's code$/],
  [{ url: '/a', api: 'A:1' }, /^explain needs --url URL or --api/],
  [{ url: 'ftp://h/a' }, /^--url is no URL and no path; write https:/],
  [{ api: 'B:1' }, /^no API is called "B:1"; did you mean "A:1"\?$/],
  [{ url: '/a', cert: 'none.pem' }, /^--cert none\.pem does not exist$/],
  [{ url: '/a', cert: 'empty.pem' }, /^--cert empty\.pem is empty/],
  [{ url: '/a', cert: 'key.pem' }, /^--cert key\.pem has no certificate in it$/],
  [{ url: '/a', chain: ['leaf.pem'] }, /^--chain needs --cert$/],
  [
    { url: '/a', from: '10.0.0.0/8' },
    /^--from is "10\.0\.0\.0\/8"; write an address as 192\.0\.2\.7 or 2001:/,
  ],
  [{ url: '/a', at: 'tomorrow' }, /^--at is "tomorrow"; write a time as 2026-06-01T12:00:00Z$/],
  [{ url: '/a', header: ['s3cret'] }, /^--header needs a name, a colon and a value, as in [^3]+$/],
  [{ check: 'check.json', url: '/a' }, /^--check has all of the request: leave out --url$/],
  [{ check: 'other.json' }, /^--check other\.json has no attributes\.request\.http: it is no CheckRequest$/],
  [{ check: 'list.json' }, /^--check list\.json has attributes that is no object$/],
  [{ check: 'number.json' }, /^--check number\.json has method that is no text$/],
  [{ check: 'half.json' }, /^--check half\.json is no JSON$/],
  [{ check: 'junk.bin' }, /^--check junk\.bin is no CheckRequest, neither as JSON nor as on the wire$/],
];
for (const [values, says] of wrongs) {
  test(`${JSON.stringify(values)}: wrong usage, and what to write`, () => {
    assert.throws(
      () => attributesOf(values),
      (error: unknown) => error instanceof UsageError && says.test(error.message),
    );
  });
}
