import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { GrpcJsServer } from '../../src/ext-authz/grpc-js-lane.ts';
import { GrpcServer, type ServerTls } from '../../src/grpc/server.ts';
import { openControl, type Status } from '../../src/service/control-socket.ts';
import { openMetricsPort } from '../../src/service/metrics-port.ts';
import { selfSigned } from '../support/certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'accept-errors-'));
after(() => rmSync(folder, { recursive: true }));
const { pem: certificatePem, privateKeyPem } = await selfSigned();

type Close = () => Promise<void>;
const grpc = async (tls?: ServerTls): Promise<Close> => {
  const server = new GrpcServer({ methods: new Map(), maxMessageBytes: 1024, onError: assert.ifError });
  await server.listen({ host: '127.0.0.1', port: 0 }, tls);
  return () => server.close();
};

/** Whatever listens in this process, and how to close it. */
const table: readonly (readonly [name: string, open: () => Promise<Close>])[] = [
  ['gRPC in clear text', () => grpc()],
  ['gRPC over TLS', () => grpc({ certificatePem, privateKeyPem, clientCaPem: undefined })],
  [
    'gRPC with reflection',
    async () => {
      const server = new GrpcJsServer({ methods: new Map(), maxMessageBytes: 1024 });
      await server.listen({ host: '127.0.0.1', port: 0 });
      return () => server.close();
    },
  ],
  ['the control socket', () => openControl(join(folder, 'control.sock'), async () => ({}) as Status)],
  [
    'the metrics port',
    async () => {
      const source = { page: async function* () {}, unready: () => undefined };
      return (await openMetricsPort({ address: '127.0.0.1', port: 0 }, source)).close;
    },
  ],
];

for (const [name, open] of table)
  test(`a connection that the kernel can't hand over ends no process: ${name}`, async (t) => {
    const { mock } = t.mock.method(Server.prototype, 'listen');
    const close = await open();
    try {
      const server = mock.calls[0]!.this as Server;
      // As node:net says what accept(2) says: without a listener an 'error' is thrown, out of the event loop.
      for (const code of ['ENFILE', 'ENOBUFS', 'ENOMEM'])
        assert.equal(server.emit('error', Object.assign(new Error(`accept ${code}`), { code })), true);
      assert.ok(server.listening);
    } finally {
      await close();
    }
  });
