import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { preparePki } from '../../demo/pki.ts';
import type { Holder } from '../../demo/requests.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, petstore } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

let gateway: Gateway;
const servers: Server[] = [];
/** Paths of the upgrades that a backend was asked for, and the headers of the last. */
const upgrades: string[] = [];
let seen: IncomingHttpHeaders;

/** Whatever is asked for is upgraded, and what then comes is sent back. */
async function echo(server: Server): Promise<Server> {
  server.on('upgrade', ({ url, headers }, socket: Socket) => {
    upgrades.push(url!);
    seen = headers;
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('error', () => {}).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}
const answer: RequestListener = (request, response) => response.end(`${request.method} ${request.url}`);
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const api = (scheme: string, server: Server): string => `
[[apis]]
name = "${scheme}"
version = "1"
basePath = "/${scheme}"
aliases = ["acme"]
backend = "${scheme}://127.0.0.1:${portOf(server)}/chat"
operations = [{ path = "/room", methods = ["GET"] }, { path = "/board", methods = ["POST"] }]
`;

before(async () => {
  if (!envoy) return;
  const folder = mkdtempSync(join(tmpdir(), 'web-socket-'));
  const { certificatePem: cert, privateKeyPem: key } = (await preparePki(folder)).backend;
  const [plain, secured] = [
    await echo(createServer(answer)),
    await echo(createSecureServer({ cert, key }, answer)),
  ];
  servers.push(plain, secured);
  const apis = api('ws', plain) + api('wss', secured);
  gateway = await Gateway.start(envoy, { folder, edit: (toml) => toml + apis });
});
after(async () => {
  await gateway?.stop();
  for (const server of servers) server.close();
});

/** Asks for an upgrade; the answer's head, and the connection. */
async function upgrade(
  path: string,
  holder?: Holder,
  connection = 'Upgrade',
): Promise<{ head: string; socket: TLSSocket }> {
  const client = holder && gateway.pki.clients[holder];
  const socket = connect({
    host: '127.0.0.1',
    port: gateway.stack.ports.router,
    ca: gateway.pki.routerCaPem,
    servername: 'localhost',
    ALPNProtocols: ['http/1.1'],
    ...(client && { cert: client.certificatePem, key: client.privateKeyPem }),
  });
  socket.on('error', () => {});
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  let head = '';
  while (!head.includes('\r\n\r\n')) head += String((await once(socket, 'data'))[0]);
  return { head, socket };
}

const verdictOf = (head: string): string =>
  [/^HTTP\/1.1 (\d+)/.exec(head)?.[1], /^x-mtls-reason: (.*)\r$/m.exec(head)?.[1]].filter(Boolean).join(' ');

const refused: readonly [path: string, holder: Holder | undefined, verdict: string, why: string][] = [
  ['/ws/room', undefined, '401 certificate_missing', 'nobody'],
  ['/wss/room', 'stranger', '401 issuer_unknown', 'a stranger'],
  ['/wss/room', 'globex', '401 certificate_not_bound', "another API's client"],
  ['/ws/board', 'acme', '405 method_not_allowed', 'an upgrade is the GET that it is'],
  ['/ws/cellar', 'acme', '404 operation_not_found', 'nothing is there'],
  [petstore, 'acme', '403', 'the API has no WebSocket, which Envoy says by itself'],
];
for (const [path, holder, verdict, why] of refused) {
  test(`an upgrade at ${path} by ${holder ?? 'nobody'} is ${verdict}: ${why}`, { skip }, async () => {
    upgrades.length = 0;
    const { head, socket } = await upgrade(path, holder);
    socket.destroy();
    assert.equal(verdictOf(head), verdict);
    assert.deepEqual(upgrades, [], 'no backend was asked');
  });
}

for (const scheme of ['ws', 'wss']) {
  test(`${scheme}:// as backend: the right client is upgraded, and bytes go both ways`, {
    skip,
  }, async () => {
    upgrades.length = 0;
    const { head, socket } = await upgrade(`/${scheme}/room`, 'acme');
    assert.equal(verdictOf(head), '101');
    assert.deepEqual(upgrades, ['/chat/room']);
    socket.write('no HTTP');
    assert.equal(String((await once(socket, 'data'))[0]), 'no HTTP');
    socket.destroy();
  });

  test(`${scheme}:// as backend: an upgrade names no header as one that a proxy on the way may drop`, {
    skip,
  }, async () => {
    const connection = 'keep-alive, Upgrade, X-Client-Cert-Alias\r\nConnection: x-client-cert-subject';
    const { head, socket } = await upgrade(`/${scheme}/room`, 'acme', connection);
    socket.destroy();
    assert.equal(verdictOf(head), '101');
    assert.deepEqual([seen.connection, seen['x-client-cert-alias']], ['Upgrade', 'acme']);
  });

  test(`${scheme}:// as backend: a request without an upgrade is a request like any`, { skip }, async () => {
    const { status, body } = await gateway.answer({ path: `/${scheme}/room`, certificate: 'acme' });
    assert.deepEqual([status, body], [200, 'GET /chat/room']);
  });
}
