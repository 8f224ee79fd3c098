import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { headerValues } from '../../../src/attributes.ts';
import { knownCertificateHeaders } from '../../../src/client-certificate/formats/table.ts';
import { RECEIVED_XFCC, XFCC } from '../../../src/client-certificate/formats/xfcc.ts';
import type { ClientCertificate } from '../../support/client.ts';
import { asksAt } from '../../support/envoy.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { clientCertificate, type Gateway, newAuthority, seenHeader, startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const api = (name: string, mutualSSL: string) => `[[apis]]
name = "${name}"
version = "1"
basePath = "/${name}"
mutualSSL = "${mutualSSL}"
backend = "https://BACKEND"`;
const toml = (allowHeaderOverPlaintext: boolean) => `
[enforcer.security.mutualSSL]
certificateHeader = "X-My-Certificate"
allowHeaderOverPlaintext = ${allowHeaderOverPlaintext}
${api('mandatory', 'mandatory')}
${api('optional', 'optional')}
${api('off', 'off')}
${api('off/inner', 'mandatory')}
${api('listed', 'off')}
operations = [{ path = "/*", methods = ["GET", "POST"] }]`;

let gateway: Gateway;
let client: ClientCertificate;
before(async () => {
  if (!envoy) return;
  gateway = await startGateway(envoy.path, { toml: toml(false), plain: true });
  client = await clientCertificate(await newAuthority('CN=Some CA'));
});
after(() => gateway?.stop());

const identity = [
  'x-client-cert-alias',
  'x-client-cert-tier',
  'x-client-cert-sha256',
  'x-client-cert-subject',
];
const spellings = (name: string) => [
  name,
  name.toUpperCase(),
  name.replaceAll('-', '_'),
  name.replace('-', '_'),
  name.replace(/-([^-]*)$/, '_$1'),
  name.replaceAll('-', '.'),
  name.replace('-', '~'),
];
const forged = (names: readonly string[]) => names.map((name) => [name, 'forged'] as const);

for (const plain of [false, true]) {
  for (const path of plain ? ['/optional', '/off'] : ['/mandatory', '/optional', '/off']) {
    for (const protocol of ['http/1.1', 'h2'] as const) {
      if (plain && protocol === 'h2') continue;
      test(`forged identity headers, in any spelling, reach nobody: ${plain ? 'plain' : 'TLS'} ${path} ${protocol}`, {
        skip,
      }, async () => {
        gateway.authz.asked.length = 0;
        const names = identity.flatMap(spellings);
        const headers = forged(
          protocol === 'h2' ? [...new Set(names.map((name) => name.toLowerCase()))] : names,
        );
        const seen = await gateway.served({ plain, path, protocol, headers });
        const { http } = gateway.authz.asked[0]!;
        for (const [name, value] of [...seen.headers, ...http.headers])
          assert.notEqual(value, 'forged', name);
      });
    }
  }
}

test("other users' headers with underscores are not lost", { skip }, async () => {
  const seen = await gateway.served({
    path: '/off',
    headers: [
      ['my_own_header', 'kept'],
      ['x_client_cert_aliases', 'kept'],
    ],
  });
  assert.deepEqual(seenHeader(seen, 'my_own_header'), ['kept']);
  assert.deepEqual(seenHeader(seen, 'x_client_cert_aliases'), ['kept']);
});

const overrides: readonly [path: string, header: string, seen: boolean, why: string][] = [
  ['/listed/a', 'x-http-method-override', false, 'an operation is judged by the method of the request'],
  ['/listed/a', 'X-HTTP-Method', false, 'however it is called'],
  ['/listed/a', 'X-Method-Override', false, 'and written'],
  ['/listed/a', 'x_http_method_override', false, 'as CGI reads it'],
  ['/off', 'x.http.method', false, 'nobody means it so'],
  ['/off', 'x-http-method-override', true, 'whatever the method, it was judged alike'],
  ['/off', 'X-Original-URL', false, 'the path was judged, not this one'],
  ['/listed/a', 'x-rewrite-url', false, 'however it is called'],
  ['/mandatory', 'x_original_url', false, 'and written'],
  ['/off', 'x-original-url-of-mine', true, 'a longer name is another'],
];
for (const [path, header, reaches, why] of overrides) {
  test(`${header} at ${path} ${reaches ? 'reaches' : 'does not reach'} the backend: ${why}`, {
    skip,
  }, async () => {
    const seen = await gateway.served({ path, method: 'POST', headers: [[header, 'DELETE']] });
    assert.deepEqual(
      seen.headers.filter(([, value]) => value === 'DELETE'),
      reaches ? [[header, 'DELETE']] : [],
    );
  });
}

test('what the enforcer says of the client reaches the backend, whatever the client said, and once', {
  skip,
}, async () => {
  const { authz } = gateway;
  const { script } = authz;
  authz.script = () => ({ allow: true, set: { 'x-client-cert-alias': 'acme' } });
  for (const headers of [
    [],
    forged(['x-client-cert-alias', 'X-Client-Cert-Alias', 'x_client_cert_alias']),
    [['connection', 'x-client-cert-alias, close'] as const],
    [['connection', 'close, X-Client-Cert-Alias'] as const, ...forged(['x-client-cert-alias'])],
  ]) {
    const seen = await gateway.served({ path: '/mandatory', headers });
    const all = seen.headers.filter(([name]) => /^x.client.cert.alias$/.test(name));
    assert.deepEqual(all, [['x-client-cert-alias', 'acme']], JSON.stringify(headers));
  }
  authz.script = script;
});

const certificateHeaders = [...knownCertificateHeaders, 'x-my-certificate'].filter(
  // Envoy's own, both: what the client sends under these names is never seen.
  (name) => name !== XFCC && name !== RECEIVED_XFCC,
);

for (const name of certificateHeaders) {
  test(`${name} is seen by the enforcer, and not by the backend`, { skip }, async () => {
    gateway.authz.asked.length = 0;
    const values = ['one', 'two'];
    const seen = await gateway.served({
      path: '/off',
      headers: values.map((value) => [name, value] as const),
    });
    assert.deepEqual(headerValues(gateway.authz.asked[0]!, name), values);
    assert.deepEqual(seenHeader(seen, name), []);
  });

  test(`${name} with _ or another sign for - is seen by nobody`, { skip }, async () => {
    const others = spellings(name).filter((other) => !certificateHeaders.includes(other.toLowerCase()));
    gateway.authz.asked.length = 0;
    const seen = await gateway.served({ path: '/off', headers: forged(others) });
    for (const [key, value] of [...seen.headers, ...gateway.authz.asked[0]!.http.headers])
      assert.notEqual(value, 'forged', key);
  });
}

for (const name of ['$WSCC', '$WSRU', '$wsra', 'CF-Cert-Verified'])
  test(`${name}, which speaks of a client, is not seen by the backend`, { skip }, async () => {
    const seen = await gateway.served({ path: '/off', headers: forged([name]) });
    assert.deepEqual(seenHeader(seen, name.toLowerCase()), []);
  });

test('the enforcer gets what it reads and no more, and the backend gets all of it', { skip }, async () => {
  gateway.authz.asked.length = 0;
  const secrets = [
    ['cookie', 'session=secret'],
    ['x-api-key', 'secret'],
    ['accept', '*/*'],
  ] as const;
  const read = [
    ['authorization', 'Basic YTpi'],
    ['content-type', 'text/plain'],
    ['soapaction', 'a'],
    ['x_api_key', 'may be taken for another'],
  ] as const;
  const seen = await gateway.served({ path: '/off', headers: [...secrets, ...read] });
  const headers = [...gateway.authz.asked[0]!.http.headers];
  for (const [name, value] of secrets) {
    assert.ok(!headers.some(([sent]) => sent === name), name);
    assert.deepEqual(seenHeader(seen, name), [value]);
  }
  for (const [name, value] of read) {
    assert.deepEqual(headerValues(gateway.authz.asked[0]!, name), [value]);
    assert.deepEqual(seenHeader(seen, name), [value]);
  }
  assert.deepEqual(
    headers.map(([name]) => name).filter((name) => name.startsWith(':')),
    [],
    'what a request is said to be stands in fields of its own',
  );
  assert.equal(headerValues(gateway.authz.asked[0]!, 'x-request-id').length, 1);
});

test('a header under a name that Envoy was not told of is the enforcer’s to remove', { skip }, async () => {
  const { authz } = gateway;
  const { script } = authz;
  authz.script = () => ({ allow: true, remove: ['x-renamed-since'] });
  const seen = await gateway.served({
    path: '/off',
    headers: forged(['x-renamed-since', 'X-Renamed-Since']),
  });
  assert.deepEqual(seenHeader(seen, 'x-renamed-since'), []);
  authz.script = script;
});

const outbound = [
  'x-my-certificate',
  'x-wso2-client-certificate',
  'client-cert',
  'x-forwarded-client-cert',
  'x-renamed-since',
];
for (const name of outbound) {
  test(`the enforcer can write ${name} for the backend, and no other comes with it`, { skip }, async () => {
    const { authz } = gateway;
    const { script } = authz;
    const names = [...certificateHeaders, XFCC, RECEIVED_XFCC];
    authz.script = () => ({
      allow: true,
      set: { [name]: 'verified' },
      remove: names.filter((other) => other !== name),
      metadata: { outbound: name },
    });
    const headers = forged([...names, ...names.map((other) => other.replaceAll('-', '_')), name]);
    const seen = await gateway.served({ path: '/optional', certificate: client, headers });
    assert.deepEqual(seenHeader(seen, name), ['verified']);
    for (const [key, value] of seen.headers) assert.notEqual(value, 'forged', key);
    authz.script = script;
  });
}

test('a certificate header that the enforcer sets without saying so goes no further', { skip }, async () => {
  const { authz } = gateway;
  const { script } = authz;
  authz.script = () => ({ allow: true, set: { 'client-cert': 'of unknown origin' } });
  assert.deepEqual(seenHeader(await gateway.served({ path: '/off' }), 'client-cert'), []);
  authz.script = script;
});

test('XFCC: ours with the chain for the enforcer, the client’s for nobody, none for the backend', {
  skip,
}, async () => {
  for (const certificate of [client, undefined]) {
    for (const headers of [
      forged(['x-forwarded-client-cert', 'X-Forwarded-Client-Cert']),
      [['connection', 'close, x-forwarded-client-cert'] as const],
    ]) {
      gateway.authz.asked.length = 0;
      const seen = await gateway.served({ path: '/off', certificate, headers });
      assert.deepEqual(seenHeader(seen, 'x-forwarded-client-cert'), []);
      const [asked] = gateway.authz.asked;
      const values = headerValues(asked!, 'x-forwarded-client-cert');
      if (certificate === undefined) assert.deepEqual(values, []);
      else assert.match(values.join(), /^(By=[^;,"]*;)?Hash=[0-9a-f]{64};Chain="[^"]*"$/);
      assert.equal(asked!.source.certificate !== '', certificate !== undefined);
    }
  }
});

test('the scheme, the sender and Envoy’s own headers are not the client’s to choose', { skip }, async () => {
  gateway.authz.asked.length = 0;
  const headers = [
    ['x-forwarded-proto', 'https'],
    ['x-envoy-upstream-rq-timeout-ms', '1'],
    ['x-envoy-original-path', '/x'],
    ['x-envoy-internal', 'true'],
    ['x-envoy-max-retries', '9'],
    ['x-envoy-attempt-count', '9'],
    ['x-request-id', 'forged-id'],
  ] as const;
  // A request with x-forwarded-for is never internal to Envoy: the one without it is the harder case.
  for (const also of [[], [['x-forwarded-for', '10.20.0.1']]] as const) {
    gateway.authz.asked.length = 0;
    const seen = await gateway.served({ plain: true, path: '/off', headers: [...headers, ...also] });
    const [asked] = gateway.authz.asked;
    assert.equal(asked!.http.scheme, 'http');
    assert.equal(asked!.source.address, '127.0.0.1');
    for (const name of [
      ...['x-envoy-upstream-rq-timeout-ms', 'x-envoy-internal', 'x-envoy-max-retries'],
      'x-envoy-attempt-count',
    ])
      assert.deepEqual(seenHeader(seen, name), [], name);
    assert.deepEqual(seenHeader(seen, 'x-envoy-original-path'), ['/off']);
    assert.notDeepEqual(seenHeader(seen, 'x-request-id'), ['forged-id']);
  }
});

test('the plain listener says that it is plain, and serves no mandatory API', { skip }, async () => {
  const routes = [
    ['/off', 200],
    ['/optional', 200],
    ['/mandatory', 403],
    ['/off/inner', 403],
    ['/off/inner/x', 403],
    ['/off/innermost', 200],
    ['/none', 404],
  ] as const;
  for (const [path, expected] of routes) {
    gateway.authz.asked.length = 0;
    const { status } = await gateway.send({ plain: true, path });
    assert.equal(status, expected, path);
    assert.equal(gateway.authz.asked[0]!.contextExtensions.get('listener'), 'plain', path);
  }
  gateway.authz.asked.length = 0;
  await gateway.send({ path: '/mandatory' });
  assert.equal(gateway.authz.asked[0]!.contextExtensions.get('listener'), undefined);
});

test('the plain listener removes certificate headers before anybody sees them', { skip }, async () => {
  for (const name of [...certificateHeaders, 'x-forwarded-client-cert']) {
    gateway.authz.asked.length = 0;
    const seen = await gateway.served({ plain: true, path: '/off', headers: forged(spellings(name)) });
    for (const [key, value] of [...seen.headers, ...gateway.authz.asked[0]!.http.headers])
      assert.notEqual(value, 'forged', key);
  }
});

test('allowHeaderOverPlaintext: it leaves them to the enforcer, and serves mandatory APIs', {
  skip,
}, async () => {
  const open = await startGateway(envoy!.path, { toml: toml(true), plain: true });
  try {
    const seen = await open.served({
      plain: true,
      path: '/mandatory',
      headers: forged(['x-my-certificate', 'x_my_certificate', 'x-forwarded-client-cert']),
    });
    const [asked] = open.authz.asked;
    assert.deepEqual(headerValues(asked!, 'x-my-certificate'), ['forged']);
    assert.deepEqual(headerValues(asked!, 'x_my_certificate'), []);
    assert.deepEqual(headerValues(asked!, 'x-forwarded-client-cert'), []);
    assert.equal(asked!.contextExtensions.get('listener'), 'plain');
    for (const [name, value] of seen.headers) assert.notEqual(value, 'forged', name);
  } finally {
    await open.stop();
  }
});

test('a Check comes with no headers of its own that nobody reads', { skip }, async () => {
  const names: string[][] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    if (headers[':path'] === '/envoy.service.auth.v3.Authorization/Check') names.push(Object.keys(headers));
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '13' },
      { endStream: true },
    );
    stream.resume();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const asked = await startGateway(envoy!.path, {
    toml: toml(false),
    editEnvoy: asksAt(port),
  });
  try {
    assert.equal((await asked.send({ path: '/off/x' })).status, 503);
    assert.deepEqual([...new Set(names.flat())].sort(), [
      ':authority',
      ':method',
      ':path',
      ':scheme',
      'content-type',
      'grpc-timeout',
      'te',
      // How long each of its attempts may take: Envoy adds it in any case.
      'x-envoy-expected-rq-timeout-ms',
    ]);
  } finally {
    await asked.stop();
    for (const session of sessions) session.destroy();
    server.close();
  }
});
