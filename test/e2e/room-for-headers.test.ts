import 'reflect-metadata';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Extension } from '@peculiar/x509';
import type { Header } from '../../src/attributes.ts';
import { peerLimits } from '../../src/client-certificate/formats/reading.ts';
import { type Issued, selfSigned } from '../support/certificate-authority.ts';
import type { ClientCertificate } from '../support/client.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, peerMode, type Sent } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const day = 86_400_000;
const times = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 30 * day) };
const withNames = (count: number): Promise<Issued> =>
  selfSigned({
    subject: 'CN=many names',
    ...times,
    subjectAltNames: Array.from(
      { length: count },
      (_, i) => `host-${String(i).padStart(6, '0')}.clients.example.org`,
    ),
  });
/** Base64 of it is slashes, each of which is %2F in a header. */
const ofSlashes = (bytes: number): Promise<Issued> =>
  selfSigned({
    subject: 'CN=slashes',
    ...times,
    extensions: [new Extension('1.3.6.1.4.1.99999.1', false, new Uint8Array(bytes).fill(0xff))],
  });
const certificateOf = ({ pem, privateKeyPem }: Issued): ClientCertificate => ({
  certificatePem: pem,
  privateKeyPem,
});
const entry = ({ pem }: Issued) => `\n[[clients]]\nalias = "acme"\ntier = "Gold"\npem = '''\n${pem}'''\n`;
const headers = (count: number): readonly Header[] =>
  Array.from({ length: count }, (_, i) => [`x-h${i}`, 'v']);

/** Envoy counts what it and the enforcer add against the client's own limits, and answers 500 beyond them. */
describe('what Envoy and the enforcer add takes nothing from what a client may send', { skip }, () => {
  let gateway: Gateway;
  let large: Issued;
  let largest: Issued;
  before(async () => {
    if (!envoy) return;
    large = await withNames(1_000);
    largest = await withNames(2_000);
    gateway = await Gateway.start(envoy, {
      edit: (toml) => toml + entry(large) + entry(largest),
    });
  });
  after(() => gateway?.stop());

  const rows: readonly (readonly [string, () => Sent])[] = [
    ['nearly 100 headers', () => ({ certificate: 'acme', headers: headers(98) })],
    ['nearly 100 headers, h2', () => ({ certificate: 'acme', protocol: 'h2', headers: headers(94) })],
    [
      'nearly 60 KiB of headers',
      () => ({ certificate: 'acme', headers: [['x-large', 'x'.repeat(59 * 1024)]] }),
    ],
    ['a certificate with 1,000 names', () => ({ certificate: certificateOf(large) })],
    ['one with 2,000 names (90 KB of PEM)', () => ({ certificate: certificateOf(largest) })],
  ];
  for (const [name, sent] of rows) test(name, async () => assert.equal(await gateway.verdict(sent()), '200'));
});

test('the longest certificate that we read, told to the backend, and nearly 60 KiB of headers are no 500', {
  skip,
}, async () => {
  const longest = await ofSlashes(40_150);
  assert.ok(peerLimits.certificateLength - encodeURIComponent(longest.pem).length < 1_000);
  const gateway = await Gateway.start(envoy!, {
    mutualSSL: [...peerMode, 'enableOutboundCertificateHeader = true', 'outboundFormat = "percent-pem"'],
    edit: (toml) => toml + entry(longest),
  });
  try {
    const sent = {
      certificate: certificateOf(longest),
      headers: [['x-large', 'x'.repeat(59 * 1024)]],
    } as const;
    // The backend's own answer: nghttp2 takes no header of more than 64 KiB, and gives up the connection.
    assert.equal(await gateway.verdict(sent), '503');
  } finally {
    await gateway.stop();
  }
});
