import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createAuthority, type Issued } from '../support/certificate-authority.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-renewal-'));
after(() => rmSync(folder, { recursive: true }));
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const port = await freePort();
const configure = (more: string): void =>
  put(
    'config.toml',
    `[enforcer.reload]\nwatch = false\n[enforcer.authService]\nport = ${port}\ncertPath = "s.pem"\nkeyPath = "s.key"\n${more}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
  );
const putPair = ({ pem, privateKeyPem }: Issued): void => {
  put('s.pem', pem);
  put('s.key', privateKeyPem);
};

const servers = await createAuthority({ subject: 'CN=servers' });
const [firstPair, secondPair, thirdPair] = await Promise.all(
  [1, 2, 3].map((i) => servers.issue({ subject: 'CN=enforcer', serialNumber: `0${i}` })),
);
const [firstCa, secondCa] = await Promise.all(
  ['CN=first', 'CN=second'].map((subject) => createAuthority({ subject })),
);
const [ofFirst, ofSecond] = await Promise.all(
  [firstCa!, secondCa!].map((ca) => ca.issue({ subject: 'CN=envoy', extendedKeyUsage: 'client' })),
);

const trusting = (client: Issued | undefined): ConnectionOptions => ({
  ca: servers.pem,
  checkServerIdentity: () => undefined,
  ALPNProtocols: ['h2'],
  ...(client && { cert: client.pem, key: client.privateKeyPem }),
});

type Met = { readonly serial: string; readonly ticket: Buffer | undefined };

/** Connects as Envoy does, until the server speaks HTTP/2; undefined: it does not let us in. */
async function meet(client: Issued | undefined, resumed?: Buffer): Promise<Met | undefined> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ...trusting(client),
    ...(resumed && { session: resumed }),
  });
  let ticket: Buffer | undefined;
  socket.on('session', (session: Buffer) => (ticket = session));
  const isIn = await new Promise<boolean>((resolve) => {
    socket.on('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('data', () => resolve(true));
  });
  if (!isIn) return undefined;
  const { serialNumber } = socket.getPeerCertificate();
  assert.equal(socket.isSessionReused(), false, 'no session of before is taken up');
  socket.destroy();
  return { serial: serialNumber, ticket };
}
const serialFor = async (client: Issued | undefined): Promise<string | undefined> =>
  (await meet(client))?.serial;

test('other TLS files count for new connections, those there are stay, and wrong ones change nothing', async () => {
  putPair(firstPair!);
  put('ca.pem', firstCa!.pem);
  configure('clientCaPath = "ca.pem"');
  const enforcer = await EnforcerProcess.start(join(folder, 'config.toml'));
  try {
    const there = connect(`https://127.0.0.1:${port}`, trusting(ofFirst));
    await once(there, 'remoteSettings');
    const before = (await meet(ofFirst))!;
    assert.equal(before.serial, '01');
    assert.equal(await serialFor(ofSecond), undefined);

    putPair(secondPair!);
    put('ca.pem', secondCa!.pem);
    assert.equal(await enforcer.reload(), 'reloaded');
    await enforcer.line(/new connections get the new TLS files/);
    assert.equal(await serialFor(ofSecond), '02');
    assert.equal(await serialFor(ofFirst), undefined);
    assert.notEqual(before.ticket, undefined);
    assert.equal(await meet(ofFirst, before.ticket), undefined, 'nor by a session of before');
    await new Promise<void>((resolve, reject) =>
      there.ping((error) => (error === null ? resolve() : reject(error))),
    );

    put('s.pem', thirdPair!.pem);
    assert.equal(await enforcer.reload(), 'refused', 'a key of another certificate');
    assert.equal(await serialFor(ofSecond), '02');
    putPair(thirdPair!);
    put('ca.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    assert.equal(await enforcer.reload(), 'refused', 'no CA');
    assert.equal(await serialFor(ofSecond), '02');

    configure('');
    const from = enforcer.lines.length;
    assert.equal(await enforcer.reload(), 'reloaded');
    await enforcer.line(/\[enforcer\.authService\] changed: .* restart/, from);
    assert.equal(await serialFor(ofSecond), '03', 'the certificate counts');
    assert.equal(await serialFor(undefined), undefined, 'and nobody gets in who did not before');
    assert.equal(await serialFor(ofFirst), undefined);
    there.destroy();
  } finally {
    await enforcer.stop();
  }
});

test('with reflection it says that a restart is needed', async () => {
  putPair(firstPair!);
  configure('reflection = true');
  const enforcer = await EnforcerProcess.start(join(folder, 'config.toml'));
  try {
    putPair(secondPair!);
    assert.equal(await enforcer.reload(), 'reloaded');
    await enforcer.line(/with reflection = true they are read at start only, so restart/);
    assert.equal(await serialFor(undefined), '01');
  } finally {
    await enforcer.stop();
  }
});
