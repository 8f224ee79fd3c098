import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { askHealth } from '../../../src/ext-authz/health-client.ts';
import { ClientCertificateTables } from '../../../src/feeds/api-manager-table.ts';
import type { FeedEvent } from '../../../src/feeds/feed-event.ts';
import { JwksFeed } from '../../../src/feeds/jwks.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

/** What a peer does that is broken, slow or hostile: whoever waits for it stops waiting, and asks again. */
const sockets = new Set<Socket>();
after(() => {
  for (const socket of sockets) socket.destroy();
});

async function serverOf(answer: (socket: Socket, data: Buffer) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => answer(socket, data));
  }).listen(0, '127.0.0.1');
  after(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Once, each time the socket can take more. */
const forEver =
  (bytes: string) =>
  (socket: Socket): void => {
    const write = (): void => {
      while (socket.write(bytes));
      socket.once('drain', write);
    };
    write();
  };

/** Short only for what never answers: on a machine that is busy the others take their time. */
const withinOf = (reason: RegExp): number => (/no whole answer/.test(reason.source) ? 200 : 10_000);

const close = (socket: Socket): unknown => socket.end();
const reset = (socket: Socket): unknown => socket.resetAndDestroy();
const junk = (socket: Socket): unknown => socket.end('\x00\x01garbage\r\n\r\n');
const silence = (): void => {};

const ok = 'HTTP/1.1 200 OK\r\n';
const overHttp: readonly [what: string, answer: (socket: Socket) => unknown, reason: RegExp][] = [
  [
    'a 101',
    (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    /^it answered 101$/,
  ],
  ['a 101 without Upgrade', (socket) => socket.write('HTTP/1.1 101 Nothing\r\n\r\n'), /no whole answer|101/],
  ['a connection that is closed', close, /^socket hang up$/],
  ['a connection that is reset', reset, /ECONNRESET/],
  ['junk', junk, /^Parse Error/],
  ['silence', silence, /^no whole answer within 0\.2 s$/],
  ['103 for ever', forEver('HTTP/1.1 103 Early Hints\r\n\r\n'), /^it sent more than 16 interim answers/],
  [
    'a body in crumbs',
    (socket) => {
      socket.write(`${ok}Transfer-Encoding: chunked\r\n\r\n`);
      forEver('1\r\n{\r\n')(socket);
    },
    /^it sent its answer in crumbs$/,
  ],
  ['a header without end', forEver('HTTP/1.1 200 OK\r\nx: '), /^Parse Error|hang up|no whole answer/],
  [
    'a body that is promised',
    (socket) => socket.write(`${ok}Content-Length: 99\r\n\r\n{"keys":`),
    /^no whole answer/,
  ],
  [
    'a body that is too short',
    (socket) => socket.end(`${ok}Content-Length: 99\r\n\r\n{"keys":`),
    /hang up|aborted/,
  ],
  [
    'half a chunk',
    (socket) => socket.end(`${ok}Transfer-Encoding: chunked\r\n\r\nffff\r\n{"ke`),
    /hang up|aborted/,
  ],
  [
    'a body without end',
    (socket) => {
      socket.write(`${ok}\r\n`);
      forEver('x'.repeat(65_536))(socket);
    },
    /more than 1048576/,
  ],
  ['two answers', (socket) => socket.end(`${ok}Content-Length: 2\r\n\r\n{}`.repeat(2)), /is no JWK Set/],
];
const keys = createTokenIssuer(0, { kid: 'new' }).jwks;
const good = `${ok}Content-Length: ${keys.length}\r\nConnection: close\r\n\r\n${keys}`;

for (const [what, answer, reason] of overHttp) {
  test(`JWKS: after ${what} it is told, and the issuer is asked again by itself`, {
    timeout: 10_000,
  }, async () => {
    const asked: string[] = [];
    const port = await serverOf((socket) => {
      asked.push('');
      if (asked.length === 1) answer(socket);
      else socket.end(good);
    });
    const events: FeedEvent[] = [];
    const read = Promise.withResolvers<void>();
    const feed = new JwksFeed(
      { url: `http://127.0.0.1:${port}/jwks`, caPem: undefined },
      (event) => {
        events.push(event);
        if (event.kind === 'read') read.resolve();
      },
      { retry: 1, within: withinOf(reason) },
    );
    await feed.start();
    const [first] = events;
    assert.ok(first?.kind === 'failed', JSON.stringify(first));
    assert.match(first.reason, reason);
    await read.promise;
    assert.partialDeepStrictEqual(feed.jwks(), [{ kid: 'new' }]);
    await feed.close();
  });
}

test('JWKS: of a server that speaks no TLS it says so', async () => {
  const port = await serverOf((socket) => socket.end(good));
  const events: FeedEvent[] = [];
  const feed = new JwksFeed({ url: `https://127.0.0.1:${port}/jwks`, caPem: undefined }, (event) =>
    events.push(event),
  );
  await feed.start();
  await feed.close();
  assert.partialDeepStrictEqual(events, [
    { kind: 'failed', reason: 'no TLS is spoken there; write the port that has https' },
  ]);
});

const isStartup = (data: Buffer): boolean => data.length > 8 && data.readInt32BE(4) === 196_608;
/** AuthenticationOk, ReadyForQuery. */
const welcome = Buffer.from('520000000800000000' + '5a0000000549', 'hex');
const overPostgres: readonly [
  what: string,
  answer: (socket: Socket, data: Buffer) => unknown,
  reason: RegExp,
][] = [
  ['is closed', close, /terminated/],
  ['is reset', reset, /ECONNRESET/],
  ['says nothing', silence, /^no whole answer within 0\.2 s$/],
  [
    'asks for a password for ever',
    (socket) => forEver('R\0\0\0\x08\0\0\0\x03')(socket),
    /^no whole answer|./,
  ],
  [
    'answers no query',
    (socket, data) => isStartup(data) && socket.write(welcome),
    /^no whole answer within 0\.2 s$/,
  ],
  [
    'is closed in a query',
    (socket, data) => (isStartup(data) ? socket.write(welcome) : socket.end()),
    /terminated/,
  ],
];
for (const [what, answer, reason] of overPostgres) {
  test(`database that ${what}: told, and neither a start nor the end waits for it`, {
    timeout: 10_000,
  }, async () => {
    const port = await serverOf(answer);
    const events: FeedEvent[] = [];
    const tables = new ClientCertificateTables((event) => events.push(event), {
      within: withinOf(reason),
      retry: 3_600_000,
    });
    const rows = await tables.use([{ url: `postgres://a:b@127.0.0.1:${port}/c`, every: 3_600_000 }]);
    assert.equal(rows.size, 0);
    const [first] = events;
    assert.ok(first?.kind === 'failed', JSON.stringify(first));
    assert.match(first.reason, reason);
    await tables.close();
  });
}

for (const [what, answer, reason] of [
  ['closes', close, 'what listens there speaks no gRPC without TLS ('],
  ['resets', reset, 'what listens there speaks no gRPC without TLS ('],
  ['talks junk', junk, 'what listens there speaks no gRPC without TLS ('],
  ['says nothing', silence, 'no answer within 0.1 s'],
] as const) {
  test(`health: of a service that ${what} it says so in time, and where it asked`, {
    timeout: 10_000,
  }, async () => {
    const port = await serverOf(answer);
    const milliseconds = reason.startsWith('no answer') ? 100 : 5_000;
    const trouble = await askHealth({ address: '0.0.0.0', port, tls: undefined }, milliseconds);
    assert.ok(trouble?.startsWith(`127.0.0.1:${port}: ${reason}`), trouble);
  });
}
