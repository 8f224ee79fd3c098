import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findApi } from '../../../src/apis/api-index.ts';
import { madeFor } from '../../../src/apis/made-for.ts';
import { callGrpc, send } from '../../support/client.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { type Gateway, startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** name, hosts, base path, backend's path */
const apis: readonly [name: string, hosts: string[], basePath: string, backendPath: string | undefined][] = [
  ['pets', ['*'], '/pets', '/v2'],
  ['pets-eu', ['*'], '/pets/eu', '/eu'],
  ['same', ['*'], '/same', '/same'],
  ['to-root', ['*'], '/to-root', ''],
  ['to-root-slash', ['*'], '/to.root+slash', '/'],
  ['deep', ['*'], '/deep', '/a/b/c/'],
  ['no-backend', ['*'], '/no-backend', undefined],
  ['greeter', ['*'], '/demo.Greeter', '/demo.Greeter'],
  ['orders', ['api.example.com'], '/orders', '/orders'],
  ['wild', ['*.example.com'], '/wild', '/wild'],
  ['deeper', ['*.EU.example.com'], '/wild', '/deeper'],
  ['root', ['root.example.com'], '/', '/everything'],
  ['root-to-root', ['rr.example.com'], '/', ''],
  ['quoted', ['*'], "/it's($1)", '/\\\\1'],
];
const toml = apis
  .map(([name, hosts, basePath, path]) => {
    const backend = path === undefined ? '' : `backend = "https://BACKEND${path}"`;
    return `[[apis]]
name = "${name}"
version = "1"
mutualSSL = "off"
hosts = ${JSON.stringify(hosts)}
basePath = ${JSON.stringify(basePath)}
${backend}`;
  })
  .join('\n');

let gateway: Gateway;
before(async () => {
  if (envoy) gateway = await startGateway(envoy.path, { toml });
});
after(() => gateway?.stop());

const any = 'any.test';
/** What is asked for, which API the route names, what the backend gets; a number: the status instead. */
const table: readonly [
  host: string,
  path: string,
  api: string | undefined,
  backend: string | number,
  why: string,
][] = [
  [any, '/pets', 'pets', '/v2', 'the base path itself'],
  [any, '/pets/', 'pets', '/v2/', 'a slash behind it'],
  [any, '/pets/7', 'pets', '/v2/7', 'below it'],
  [any, '/pets/7?x=%2F..//&y', 'pets', '/v2/7?x=%2F..//&y', 'a query is kept as it is'],
  [any, '/pets?x=1', 'pets', '/v2?x=1', 'a query behind the base path itself'],
  [any, '/pets/eu/7', 'pets-eu', '/eu/7', 'the longest base path wins'],
  [any, '/pets/europe', 'pets', '/v2/europe', 'and on whole segments'],
  [any, '/petshop', undefined, 404, 'whole segments only'],
  [any, '/Pets', undefined, 404, 'case matters in a path'],
  [any, '/', undefined, 404, 'nothing at the root'],
  [any, '/none/at/all', undefined, 404, 'no such base path'],
  [any, '/same/x', 'same', '/same/x', 'base path and backend path are the same'],
  [any, '/to-root', 'to-root', '/', 'a backend without a path'],
  [any, '/to-root/', 'to-root', '/', 'the same, with a slash'],
  [any, '/to-root/x/y?z', 'to-root', '/x/y?z', 'never two slashes'],
  [any, '/to-root?z=1', 'to-root', '/?z=1', 'nor a query that gets lost'],
  [any, '/to.root+slash/x', 'to-root-slash', '/x', "a base path is no pattern; the backend's path is /"],
  [any, '/toXroot+slash/x', undefined, 404, 'its dot is a dot'],
  [any, '/deep/x', 'deep', '/a/b/c/x', 'a slash at the end of the backend path counts for nothing'],
  [any, "/it's($1)/x", 'quoted', '//1/x', 'signs that mean something to a pattern'],
  [any, '/no-backend/x', 'no-backend', 503, 'an API without a backend is asked about, and then not there'],
  ['api.example.com', '/orders', 'orders', '/orders', 'an exact host'],
  ['API.EXAMPLE.COM:8443', '/orders', 'orders', '/orders', 'in upper case, with a port'],
  ['api.example.com.', '/orders', 'orders', '/orders', 'with a dot at the end'],
  ['Api.Example.Com.:8443', '/orders', 'orders', '/orders', 'with all of them'],
  ['api.example.com', '/pets', undefined, 404, 'a host with APIs of its own never falls on to those of *'],
  ['api.example.com', '/wild', undefined, 404, 'nor to those of a wildcard'],
  ['b.example.com', '/wild', 'wild', '/wild', 'a wildcard'],
  ['a.b.example.com:1', '/wild/x', 'wild', '/wild/x', 'stands for several labels'],
  ['example.com', '/wild', undefined, 404, 'but not for none'],
  ['example.com', '/pets', 'pets', '/v2', 'such a host has none of its own, and is any'],
  ['a.eu.example.com', '/wild/x', 'deeper', '/deeper/x', 'the longest wildcard wins'],
  ['a.eu.example.com', '/pets', undefined, 404, 'and does not fall on'],
  ['.example.com', '/wild', undefined, 404, 'an empty label is none'],
  ['*.example.com', '/wild', 'wild', '/wild', 'a literal wildcard is a host like any'],
  ['*', '/pets', 'pets', '/v2', 'and so is a literal star'],
  ['root.example.com', '/', 'root', '/everything/', 'an API at the root'],
  ['root.example.com', '/x?y', 'root', '/everything/x?y', 'has all paths of its host'],
  ['rr.example.com', '/', 'root-to-root', '/', 'from root to root'],
  ['rr.example.com', '/x/y', 'root-to-root', '/x/y', 'and below'],
  // One path for Envoy, enforcer and backend: what has one meaning is brought to it, the rest is refused with a reason.
  [any, '/pets/../same/x', 'same', '/same/x', 'dot segments are resolved before anybody looks'],
  [any, '/pets/%2e%2E/same/x', 'same', '/same/x', 'encoded ones too'],
  [any, '/pets/./7', 'pets', '/v2/7', 'single ones too'],
  [any, '//pets//7', 'pets', '/v2/7', 'empty segments are merged'],
  [any, '/none/../pets/eu/../7', 'pets', '/v2/7', 'all of them'],
  [any, '/../../pets', 'pets', '/v2', 'nothing is above the root'],
  [any, '/pets/..;/same', 'same', '/same', 'path parameters on dots, which some servers resolve: Envoy does'],
  [any, '/pets/..%3B/same', 'pets', 400, 'encoded, it does not'],
  [any, '/pets/%2e%2e;/same', 'pets', 400, 'nor behind encoded dots'],
  [any, '/pets%2Fx', undefined, 400, 'an encoded slash'],
  [any, '/pets/x%2f..%2f..%2fsame', 'pets', 400, 'encoded slashes and dots'],
  [any, '/pets/x%5C..%5Csame', 'pets', 400, 'encoded backslashes'],
  [any, '/%70ets/%41%7e', 'pets', '/v2/A~', 'encoded letters are decoded, for all'],
  [any, '/pets\\..\\same', 'same', '/same', 'backslashes are slashes, for all'],
  [any, '/pets/%2500%252e', 'pets', '/v2/%2500%252e', 'nothing is decoded twice'],
];

for (const [host, path, api, backend, why] of table) {
  test(`${host}${path} -> ${api ?? 'none'}, ${backend}: ${why}`, { skip }, async () => {
    const { authz } = gateway;
    authz.asked.length = 0;
    const answer = await gateway.send({ host, path });
    assert.equal(authz.asked.length, 1, 'the enforcer is asked, once');
    const [asked] = authz.asked;
    assert.equal(asked!.contextExtensions.get('name'), api);
    if (typeof backend === 'number') {
      assert.equal(answer.status, backend);
      const reason = { 400: 'path_ambiguous', 404: 'api_not_found' }[backend];
      assert.equal(answer.headers['x-mtls-reason'], reason);
    } else {
      assert.equal(answer.status, 200, answer.body);
      assert.equal(JSON.parse(answer.body).path, backend);
    }
    if (backend !== 400) {
      const byPath = findApi({ ...asked!, contextExtensions: new Map() }, gateway.apis);
      assert.equal(byPath?.name, api, 'without the route, enforcer and Envoy find the same');
    }
  });
}

test('paths that Envoy itself refuses reach neither enforcer nor backend', { skip }, async () => {
  for (const path of ['/pets/%00', '/pets/x#y']) {
    gateway.authz.asked.length = 0;
    assert.equal((await gateway.send({ path })).status, 400, path);
    assert.equal(gateway.authz.asked.length, 0, path);
  }
});

test('the route says which API it is, to the letter', { skip }, async () => {
  gateway.authz.asked.length = 0;
  await gateway.send({ host: 'A.eu.example.com', path: '/wild/x' });
  assert.deepEqual(Object.fromEntries(gateway.authz.asked[0]!.contextExtensions), {
    name: 'deeper',
    version: '1',
    basePath: '/wild',
    vHost: '*.eu.example.com',
    madeFor: madeFor(undefined, `https://127.0.0.1:${gateway.backend.port}/deeper`),
  });
});

test('the backend is called by its own name, and by HTTP/2', { skip }, async () => {
  const seen = await gateway.served({ host: any, path: '/pets' });
  assert.equal(seen.httpVersion, '2.0');
  const authority = seen.headers.find(([name]) => name === 'host');
  assert.ok(authority === undefined || authority[1] === `127.0.0.1:${gateway.backend.port}`);
});

test('HTTP/2 from end to end, and gRPC', { skip }, async () => {
  assert.equal((await gateway.send({ path: '/pets/7', protocol: 'h2' })).status, 200);
  const ok = await callGrpc({ port: gateway.port, ca: gateway.ca, path: '/demo.Greeter/SayHello' });
  assert.equal(ok.headers['grpc-status'], '0');
  const none = await callGrpc({ port: gateway.port, ca: gateway.ca, path: '/none.Greeter/SayHello' });
  assert.equal(none.headers['grpc-status'], '12');
  assert.equal(none.headers['x-mtls-reason'], 'api_not_found');
});

test('the access log says who and why, in JSON, without the query', { skip }, async () => {
  const from = gateway.envoy.lines.length;
  await gateway.send({ host: any, path: '/pets/log?token=secret' });
  await gateway.send({ host: any, path: '/none/log"}' });
  const line = await gateway.envoy.line(/"path":"\/pets\/log"/, from); // Envoy writes its log every ten seconds
  const { api, version, status } = JSON.parse(line);
  assert.deepEqual([api, version, status], ['pets', '1', 200]);
  assert.ok(!line.includes('secret'));
  assert.equal(JSON.parse(await gateway.envoy.line(/none\/log/, from)).reason, 'api_not_found');
});

test('nor with a password in its host', { skip }, async () => {
  for (const name of ['pets', 'none']) {
    const from = gateway.envoy.lines.length;
    await gateway.send({ host: 'user:secret@any.test', path: `/${name}/at` });
    const line = await gateway.envoy.line(new RegExp(`"path":"/${name}/at"`), from);
    assert.equal(JSON.parse(line).host, '…@');
    assert.ok(!line.includes('secret'), line);
  }
});

test('Envoy finds nothing to warn about', { skip }, () => {
  assert.deepEqual(
    gateway.envoy.lines.filter((line) => /\[(warning|error|critical)\]/.test(line)),
    [],
  );
});

test('admin is on loopback only', { skip }, () => {
  assert.match(gateway.envoy.admin, /^127\.0\.0\.1:/);
});

test('a slow enforcer is asked once, and waited for', { skip }, async () => {
  const { authz } = gateway;
  const { script } = authz;
  authz.asked.length = 0;
  authz.script = async (attributes) => {
    await new Promise((resolve) => setTimeout(resolve, 120));
    return script(attributes);
  };
  assert.equal((await gateway.send({ path: '/pets' })).status, 200);
  assert.equal(authz.asked.length, 1);
  authz.script = script;
});

test('an enforcer that is gone admits nobody', { skip }, async () => {
  gateway.authz.stop();
  const { status } = await send({ port: gateway.port, ca: gateway.ca, path: '/pets' });
  assert.equal(status, 503);
});
