import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { metricsTrouble, openMetricsPort } from '../../src/service/metrics-port.ts';
import { freePort } from '../support/free-port.ts';
import { textOf } from '../support/text-of.ts';

let unready: string | undefined;
let pageOf = async function* (): AsyncGenerator<string> {
  yield 'a 1\n';
};
const own = { address: '127.0.0.1', port: await freePort() };
const port = await openMetricsPort(own, { page: () => pageOf(), unready: () => unready });
after(() => port.close());

type Answer = { readonly status: number; readonly type: string | undefined; readonly body: string };
const get = (path: string, method = 'GET', headers = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request({ ...own, host: own.address, path, method, headers, agent: false }, (answer) =>
      textOf(answer.setEncoding('utf8')).then(
        (body) => resolve({ status: answer.statusCode!, type: answer.headers['content-type'], body }),
        reject,
      ),
    );
    sent.on('error', reject);
    sent.end();
  });

/** What comes back for bytes, until the other side closes. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(own.port, own.address);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(parts).toString();
}

for (const [what, path, method, status, body] of [
  ['the page', '/metrics', 'GET', 200, 'a 1\n'],
  ['a query is not looked at', '/metrics?name[]=x', 'GET', 200, 'a 1\n'],
  ['HEAD has no body', '/metrics', 'HEAD', 200, ''],
  ['it lives', '/healthz', 'GET', 200, 'ok\n'],
  ['it is ready', '/readyz', 'GET', 200, 'ok\n'],
  ['nothing else is there', '/', 'GET', 404, 'there are /metrics, /healthz, /readyz\n'],
  ['nor below them', '/metrics/x', 'GET', 404, 'there are /metrics, /healthz, /readyz\n'],
  ['nor by dots', '/x/../metrics', 'GET', 404, 'there are /metrics, /healthz, /readyz\n'],
  ['nothing can be changed', '/metrics', 'POST', 405, 'GET only\n'],
  ['by no method', '/readyz', 'DELETE', 405, 'GET only\n'],
] as const)
  test(`${what}: ${method} ${path} is ${status}`, async () => {
    const answer = await get(path, method);
    assert.deepEqual({ status: answer.status, body: answer.body }, { status, body });
    const isPage = status === 200 && path.startsWith('/metrics');
    assert.equal(answer.type, `text/plain; ${isPage ? 'version=0.0.4; ' : ''}charset=utf-8`);
  });

for (const accept of [
  'application/openmetrics-text; version=1.0.0',
  'application/openmetrics-text;q=0.5, text/plain;q=0.9',
  ',;=,q=;version=,"',
  'application/openmetrics-text;q=1e999;q=;version=',
  'a/b,'.repeat(1_900),
])
  test(`one of two formats is written, whatever is accepted: ${accept.slice(0, 60)}`, async () => {
    const { status, type, body } = await get('/metrics', 'GET', { accept });
    assert.equal(status, 200);
    assert.equal(body, 'a 1\n');
    const isOpenMetrics = accept.endsWith('1.0.0');
    const expected = isOpenMetrics
      ? 'application/openmetrics-text; version=1.0.0'
      : 'text/plain; version=0.0.4';
    assert.equal(type, `${expected}; charset=utf-8`);
  });

test('who is not ready says why, and lives', async () => {
  unready = 'stopping';
  assert.deepEqual((await get('/readyz')).status, 503);
  assert.equal((await get('/readyz')).body, 'stopping\n');
  assert.equal((await get('/healthz')).status, 200);
  unready = undefined;
});

for (const [what, bytes, answer] of [
  ['a body', 'GET /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nabcde', /^HTTP\/1\.1 400 /],
  [
    'a body in chunks',
    'GET /metrics HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n',
    /^HTTP\/1\.1 400 /,
  ],
  [
    'headers of 16 KiB',
    `GET /metrics HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(16_384)}\r\n\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
  ['what is no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001', /^HTTP\/1\.1 400 /],
  ['no host', 'GET /metrics HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
  [
    'two lengths',
    'GET /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n',
    /^HTTP\/1\.1 400 /,
  ],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n', /^$/],
  [
    'an upgrade',
    'GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n',
    /^HTTP\/1\.1 200 /,
  ],
] as const)
  test(`the port is hung up on, and goes on: ${what}`, { timeout: 20_000 }, async () => {
    assert.match(await raw(bytes), answer);
    assert.equal((await get('/healthz')).status, 200);
  });

test('who sends its headers byte by byte, or nothing, is hung up on', { timeout: 30_000 }, async () => {
  assert.deepEqual(await Promise.all(['GET /metrics HTTP/1.1\r\nho', ''].map(raw)), ['', '']);
});

for (const [what, behind] of [
  ['in one go', 'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n'],
  ['and no lines end as they should', 'GET /healthz HTTP/1.1\nhost: a\n\n'],
] as const)
  test(`thousands of requests on one connection, ${what}: one is answered, the others are not read`, async () => {
    const answers = await raw(`GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n${behind.repeat(10_000)}`);
    assert.equal(answers.match(/HTTP\/1\.1 /g)?.length, 1);
  });

test('a page of megabytes comes whole, however it is read', async () => {
  const line = `a ${'1'.repeat(1_000)}\n`;
  const before = pageOf;
  pageOf = async function* () {
    for (let i = 0; i < 5_000; i++) yield line;
  };
  assert.equal((await get('/metrics')).body.length, 5_000 * line.length);
  pageOf = before;
});

test('more than four pages at once are refused; who goes in the middle of one makes room', async () => {
  const going = Promise.withResolvers<void>();
  let begun = 0;
  pageOf = async function* () {
    begun++;
    yield 'a 1\n';
    await going.promise;
    yield 'b 1\n';
  };
  const sockets = Array.from({ length: 4 }, () => connect(own.port, own.address));
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.write('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(socket, 'data');
  }
  assert.equal(begun, 4);
  const refused = await get('/metrics');
  assert.deepEqual(refused.status, 503);
  assert.equal((await get('/healthz')).status, 200);
  for (const socket of sockets) socket.destroy();
  going.resolve();
  // Until the server has heard that they went.
  while ((await get('/metrics')).status !== 200);
});

test('a fault on the way ends the answer, so that half a page is not taken for a whole one', async () => {
  pageOf = async function* () {
    yield 'a 1\n';
    throw new Error('a fault of ours');
  };
  await assert.rejects(get('/metrics'), { code: 'ECONNRESET' });
  assert.equal((await get('/healthz')).status, 200);
});

for (const [error, address, told] of [
  [
    { code: 'EADDRINUSE' },
    '127.0.0.1',
    'enforcer.metrics.port: another process listens on 127.0.0.1:9464 already; stop it, or write another port',
  ],
  [
    { code: 'EACCES' },
    '127.0.0.1',
    'enforcer.metrics.port: this user may not listen on 127.0.0.1:9464; write a port of 1024 or more',
  ],
  [
    { code: 'EADDRNOTAVAIL' },
    '192.0.2.1',
    'enforcer.metrics.address: this machine has no address 192.0.2.1; write one that it has, or 127.0.0.1',
  ],
] as const)
  test(`can't listen: ${error.code} is told with what to write`, () =>
    assert.equal(metricsTrouble(Object.assign(new Error('x'), error), { address, port: 9464 }), told));
