import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, createServer, type Http2Server, type SecureServerOptions } from 'node:http2';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createAuthority, type Issued } from '../support/certificate-authority.ts';
import { patient } from '../support/envoy.ts';
import { freePort } from '../support/free-port.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();
const folder = mkdtempSync(join(tmpdir(), 'rate-limit-tls-'));
const ca = await createAuthority({ subject: 'CN=Limits CA' });
const another = await createAuthority({ subject: 'CN=Limits CA' });
const ownName = { subject: 'CN=limits', subjectAltNames: ['127.0.0.1'] } as const;
const past = { notBefore: new Date('2025-01-01'), notAfter: new Date('2025-06-01') };
const router = await ca.issue({ subject: 'CN=router' });
for (const [name, text] of [
  ['ca.pem', ca.pem],
  ['router.pem', router.pem],
  ['router.key', router.privateKeyPem],
] as const)
  writeFileSync(join(folder, name), text);

let gateway: Gateway;
let port: number;
before(async () => {
  if (skip !== false) return;
  port = await freePort();
  const table = `[router.rateLimit]\nservice = "127.0.0.1:${port}"\ntrustedCertPath = "${folder}/ca.pem"\ncertPath = "${folder}/router.pem"\nkeyPath = "${folder}/router.key"\n\n`;
  gateway = await Gateway.start(envoy!, {
    editEnvoy: patient,
    edit: (toml) =>
      toml
        .replace('[router.keystore]', `${table}$&`)
        .replace('[[apis]]', '[[tiers]]\nname = "Silver"\nrequests = 1000\nper = "day"\n\n$&'),
  });
});
after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

/** Somebody who listens where the rate limit service should, and says of every request that it is one too many. */
async function impostor(
  made: Http2Server,
): Promise<{ asked: string[]; tried: Promise<unknown>; close: () => Promise<void> }> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const tried = Promise.withResolvers<void>();
  made.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => tried.resolve());
  });
  made.on('sessionError', () => {}).on('tlsClientError', () => {});
  made.on('stream', (stream) => {
    const { authorized } = stream.session!.socket as TLSSocket;
    asked.push(authorized === true ? 'by the router' : 'by somebody');
    stream.on('error', () => {});
    stream.resume();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    // RateLimitResponse { overall_code: OVER_LIMIT }
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, 0x02]));
    tried.resolve();
  });
  made.listen(port, '127.0.0.1');
  await once(made, 'listening');
  return {
    asked,
    tried: tried.promise,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      made.close();
      await once(made, 'close');
    },
  };
}

const secure = ({ pem, privateKeyPem }: Issued, more: SecureServerOptions = {}): Http2Server =>
  createSecureServer({
    cert: pem,
    key: privateKeyPem,
    ca: ca.pem,
    requestCert: true,
    rejectUnauthorized: true,
    ...more,
  });

const services: readonly [sentence: string, server: () => Promise<Http2Server>, status: 200 | 429][] = [
  ['the service: it is believed, and told who asks', async () => secure(await ca.issue(ownName)), 429],
  ['another CA of the same name', async () => secure(await another.issue(ownName)), 200],
  [
    'another host of the same CA',
    async () =>
      secure(
        await ca.issue({ subject: 'CN=127.0.0.1', subjectAltNames: ['127.0.0.2', '127.0.0.1.example.com'] }),
      ),
    200,
  ],
  ['a certificate that has ended', async () => secure(await ca.issue({ ...ownName, ...past })), 200],
  [
    'a certificate for clients alone',
    async () => secure(await ca.issue({ ...ownName, extendedKeyUsage: 'client' })),
    200,
  ],
  [
    'TLS 1.1',
    async () =>
      secure(await ca.issue(ownName), {
        minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      }),
    200,
  ],
  ['clear text', async () => createServer(), 200],
];
for (const [sentence, server, status] of services)
  test(`where Envoy asks for limits there is ${sentence}: ${status}`, { skip, timeout: 60_000 }, async () => {
    const there = await impostor(await server());
    try {
      let answer = await gateway.answer({ certificate: 'partner' });
      for (let isTried = false; !isTried; answer = await gateway.answer({ certificate: 'partner' }))
        isTried = await Promise.race([
          there.tried.then(() => true),
          new Promise<false>((next) => setImmediate(next, false)),
        ]);
      assert.equal(answer.status, status);
      assert.equal(there.asked.includes('by the router'), status === 429);
      if (status === 200) assert.deepEqual(there.asked, []);
    } finally {
      await there.close();
    }
  });
