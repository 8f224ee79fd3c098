import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Header } from '../../src/attributes.ts';
import { type Issued, selfSigned } from '../support/certificate-authority.ts';
import type { ClientCertificate } from '../support/client.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, type Sent } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const day = 86_400_000;
const withNames = (count: number): Promise<Issued> =>
  selfSigned({
    subject: 'CN=many names',
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + 30 * day),
    subjectAltNames: Array.from(
      { length: count },
      (_, i) => `host-${String(i).padStart(6, '0')}.clients.example.org`,
    ),
  });
const certificateOf = ({ pem, privateKeyPem }: Issued): ClientCertificate => ({
  certificatePem: pem,
  privateKeyPem,
});
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
    const entry = ({ pem }: Issued) => `\n[[clients]]\nalias = "acme"\ntier = "Gold"\npem = '''\n${pem}'''\n`;
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
