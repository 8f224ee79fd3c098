import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Authority, KeyAlgorithm } from '../../support/certificate-authority.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { clientCertificate, type Gateway, newAuthority, startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const toml = `
[[apis]]
name = "all"
version = "1"
basePath = "/"
mutualSSL = "off"
backend = "https://BACKEND"
`;
let gateway: Gateway;
let strict: Gateway;
let none: Gateway;
let known: Authority;
let unknown: Authority;
before(async () => {
  if (!envoy) return;
  [known, unknown] = await Promise.all([newAuthority('CN=Known CA'), newAuthority('CN=Unknown CA')]);
  const start = (lines: string) =>
    startGateway(envoy.path, {
      toml: `[router.downstream.tls]\n${lines}\n${toml}`,
      files: { 'known.pem': known.pem },
    });
  [gateway, strict, none] = await Promise.all([
    start('minimumProtocolVersion = "TLS1_0"'),
    start('verifyInHandshake = true\ntrustedCertPath = "known.pem"\nmaximumProtocolVersion = "TLS1_2"'),
    start('mTLSAPIsEnabled = false\nminimumProtocolVersion = "TLS1_3"'),
  ]);
});
after(() => Promise.all([gateway, strict, none].map((each) => each?.stop())));

/** Whether the enforcer was given a certificate, at each of the three. */
async function given(
  at: Gateway,
  certificate?: Awaited<ReturnType<typeof clientCertificate>>,
): Promise<boolean> {
  at.authz.asked.length = 0;
  await at.served({ certificate });
  return at.authz.asked[0]!.source.certificate !== '';
}

const keys: readonly KeyAlgorithm[] = ['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA-2048'];
for (const key of keys) {
  test(`a client with a ${key} key is passed on, known or not`, { skip }, async () => {
    assert.equal(await given(gateway, await clientCertificate(known, key)), true);
    assert.equal(await given(gateway, await clientCertificate(unknown, key)), true);
  });
}

test('an expired certificate and none at all are passed on', { skip }, async () => {
  const past = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
  assert.equal(await given(gateway, await clientCertificate(known, 'P-256', past)), true);
  assert.equal(await given(gateway), false);
});

test('verifyInHandshake: what the CA did not issue fails in the handshake; none at all is passed on', {
  skip,
}, async () => {
  assert.equal(await given(strict, await clientCertificate(known)), true);
  assert.equal(await given(strict), false);
  const from = strict.envoy.lines.length;
  await assert.rejects(strict.send({ certificate: await clientCertificate(unknown) }), /unknown ca/);
  assert.match(
    await strict.envoy.line(/handshake_failure/, from),
    /"handshake_failure":".*CERTIFICATE_VERIFY_FAILED/,
  );
  assert.equal(
    strict.envoy.lines.filter((line) => line.includes('"client_address"') && !line.includes('"status"'))
      .length,
    1,
  );
});

test('mTLSAPIsEnabled = false: nobody is asked for a certificate', { skip }, async () => {
  assert.equal(await given(none, await clientCertificate(known)), false);
});

test('TLS 1.2 at least, whatever the file says; and not more than it says', { skip }, async () => {
  const protocol = async (at: Gateway, options: ConnectionOptions) => (await session(at, options)).protocol;
  assert.equal(await protocol(gateway, { maxVersion: 'TLSv1.2' }), 'TLSv1.2');
  assert.equal(await protocol(gateway, {}), 'TLSv1.3');
  assert.equal(await protocol(strict, {}), 'TLSv1.2');
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(protocol(gateway, old), /protocol version/);
  await assert.rejects(protocol(none, { maxVersion: 'TLSv1.2' }), /protocol version/);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: no session is resumed`, { skip }, async () => {
    const options = { minVersion: version, maxVersion: version };
    const first = await session(gateway, options);
    const again = await session(gateway, { ...options, ...(first.session && { session: first.session }) });
    assert.equal(again.reused, false);
  });
}

test('HTTP/2 and HTTP/1.1 are offered, in this order', { skip }, async () => {
  assert.equal((await session(gateway, { ALPNProtocols: ['http/1.1', 'h2'] })).alpn, 'h2');
  assert.equal((await session(gateway, { ALPNProtocols: ['http/1.1'] })).alpn, 'http/1.1');
});

/** Opens a connection, has one answer over it, so that session tickets would have come, and closes it. */
function session(at: Gateway, options: ConnectionOptions) {
  return new Promise<{
    protocol: string | null;
    alpn: TLSSocket['alpnProtocol'];
    reused: boolean;
    session: Buffer | undefined;
  }>((resolve, reject) => {
    const socket = connect({
      port: at.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: at.ca,
      ...options,
    });
    let ticket: Buffer | undefined;
    socket.on('session', (session) => {
      ticket = session;
    });
    socket.on('error', reject).setTimeout(10_000, () => socket.destroy(new Error('no answer in time')));
    socket.on('secureConnect', () => {
      const seen = {
        protocol: socket.getProtocol(),
        alpn: socket.alpnProtocol,
        reused: socket.isSessionReused(),
      };
      if (socket.alpnProtocol === 'h2') {
        socket.destroy();
        resolve({ ...seen, session: undefined });
        return;
      }
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      socket.resume().on('close', () => resolve({ ...seen, session: ticket ?? socket.getSession() }));
    });
  });
}
