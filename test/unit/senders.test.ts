import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestParts } from '../support/attributes.ts';
import { createAuthority, type Issued, now, selfSigned } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';
import { bits, sequence } from './pki/der-writer.ts';
import { ca, certify, dayMs, defaultScheme, entity, signBytes, validity } from './pki/forge.ts';

/** Who may send a certificate header, from config.toml to the decision. */
const clientsCa = await createAuthority({ subject: 'CN=Clients' });
const balancersCa = await createAuthority({ subject: 'CN=Balancers' });
const acme = await clientsCa.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const balancer = await balancersCa.issue({ subject: 'CN=lb', extendedKeyUsage: 'client' });
const expired = await balancersCa.issue({
  subject: 'CN=old',
  notBefore: new Date('2025-01-01'),
  notAfter: new Date('2026-01-01'),
});
const server = await balancersCa.issue({ subject: 'CN=server', extendedKeyUsage: 'server' });
const own = await selfSigned({ subject: 'CN=own' });
const files = {
  'acme.pem': acme.pem,
  'lb-ca.pem': balancersCa.pem,
  'other-ca.pem': clientsCa.pem,
  'lb.pem': balancer.pem,
  'own.pem': own.pem,
};
const apis = `
[[clients]]
alias = "acme"
file = "acme.pem"
[[apis]]
name = "must"
version = "1"
basePath = "/must"
aliases = ["acme"]
[[apis]]
name = "may"
version = "1"
basePath = "/may"
mutualSSL = "optional"
aliases = ["acme"]
`;
const sender = (lines: string): string => `[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\n${lines}\n`;
const mutualSSL = (lines: string): string =>
  `[enforcer.security.mutualSSL]\nenableClientValidation = false\n${lines}\n`;
const call = (toml: string, parts: RequestParts): Promise<string> =>
  outcome(
    { path: '/must', headers: [['x-wso2-client-certificate', encoded(acme)]], ...parts },
    load(toml + apis, files).snapshot,
  );
const encoded = ({ pem }: Issued): string => encodeURIComponent(pem);

const byAlias = 'trustedSenders = ["alias:lb"]';
const rows: readonly [why: string, toml: string, from: Issued | undefined, expected: string][] = [
  ['a sender that is exactly a file', mutualSSL(byAlias) + sender('file = "lb.pem"'), balancer, 'acme'],
  ['a self-signed one', mutualSSL(byAlias) + sender('file = "own.pem"'), own, 'acme'],
  ['whoever its CA issued', mutualSSL(byAlias) + sender('caFile = "lb-ca.pem"'), balancer, 'acme'],
  ['an expired one', mutualSSL(byAlias) + sender('caFile = "lb-ca.pem"'), expired, 'header_sender_untrusted'],
  [
    'one for servers only',
    mutualSSL(byAlias) + sender('caFile = "lb-ca.pem"'),
    server,
    'header_sender_untrusted',
  ],
  [
    'no certificate',
    mutualSSL(byAlias) + sender('caFile = "lb-ca.pem"'),
    undefined,
    'header_sender_untrusted',
  ],
  ['a client', mutualSSL(byAlias) + sender('caFile = "lb-ca.pem"'), acme, 'header_sender_untrusted'],
  [
    'with senderCaPath, a file that leads up to it',
    mutualSSL(`${byAlias}\nsenderCaPath = "lb-ca.pem"`) + sender('file = "lb.pem"'),
    balancer,
    'acme',
  ],
  [
    'with senderCaPath, a file that does not',
    mutualSSL(`${byAlias}\nsenderCaPath = "other-ca.pem"`) + sender('file = "lb.pem"'),
    balancer,
    'header_sender_untrusted',
  ],
  [
    'with senderCaPath, a caFile that does not',
    mutualSSL(`${byAlias}\nsenderCaPath = "other-ca.pem"`) + sender('caFile = "lb-ca.pem"'),
    balancer,
    'header_sender_untrusted',
  ],
];
for (const [why, toml, from, expected] of rows) {
  test(`${why}: ${expected}`, async () => {
    assert.equal(await call(toml, { source: '192.0.2.1', certificate: from && encoded(from) }), expected);
  });
}

test('a sender that fits one source by address and another by certificate is denied', async () => {
  const toml = `
[[enforcer.security.mutualSSL.sources]]
format = "auto"
trustedSenders = ["192.0.2.0/24"]
[[enforcer.security.mutualSSL.sources]]
format = "rfc9440"
trustedSenders = ["alias:lb"]
[[enforcer.security.mutualSSL.sources]]
format = "peer"
${sender('file = "lb.pem"')}`;
  assert.equal(await call(toml, { source: '192.0.2.1', certificate: encoded(balancer) }), 'sender_ambiguous');
  assert.equal(await call(toml, { source: '192.0.2.1' }), 'acme');
  assert.equal(
    await call(toml, { source: '198.51.100.1', certificate: encoded(balancer) }),
    'certificate_missing',
    'its own header is another',
  );
  assert.equal(
    await call(toml, { source: '198.51.100.1', certificate: encoded(acme) }),
    'acme',
    'everyone else is a peer',
  );
});

test("a stranger's header where none is needed: ignored, or refused by rejectUntrustedHeader", async () => {
  const senders = 'trustedSenders = ["10.0.0.0/8"]';
  const parts = { path: '/may', source: '192.0.2.1' };
  assert.equal(await call(mutualSSL(senders), parts), 'allowed');
  assert.equal(
    await call(mutualSSL(`${senders}\nrejectUntrustedHeader = true`), parts),
    'header_sender_untrusted',
  );
});

test('a format with commas of its own needs the headers apart, as encode_raw_headers sends them', async () => {
  const toml = mutualSSL('trustedSenders = ["10.0.0.0/8"]\ncertificateFormat = "traefik"');
  const der = Buffer.from(acme.der).toString('base64');
  const headers = [['x-forwarded-tls-client-cert', der]] as const;
  assert.equal(await call(toml, { source: '10.0.0.1', headers }), 'acme');
  assert.equal(
    await call(toml, { source: '10.0.0.1', headers, headersAreRaw: false }),
    'raw_headers_required',
  );
});

describe('a sender that is none now, whose CA the clients have as well, is no client', () => {
  const ended = { validity: validity(now - 9 * dayMs, now - dayMs) };
  const [root, lbCa, stranger] = [entity('Root'), entity('LB CA'), entity('LB CA')];
  const between = certify(root, lbCa, [ca()]);
  const lb = certify(lbCa, entity('lb'));
  const sub = entity('Sub CA');
  const belowSub = certify(sub, entity('lb 2'));
  const subCa = certify(lbCa, sub, [ca()]);
  const lbAnew = sequence(
    lb.tbs,
    lb.signatureAlgorithm.der,
    bits(signBytes(lb.tbs, lbCa.keys, defaultScheme)),
  );
  const ofRoot = certify(root, entity('client'));
  const ofLbCa = certify(lbCa, entity('client'));
  const strangerCa = certify(root, stranger, [ca()]);
  const ofStranger = certify(stranger, entity('client'));
  const pem = (...ders: readonly Uint8Array[]): string =>
    ders
      .map(
        (der) =>
          `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`,
      )
      .join('');
  const files = {
    'root.pem': pem(certify(root, root, [ca()]).der),
    'root-ended.pem': pem(certify(root, root, [ca()], ended).der),
    'lb-ca.pem': pem(between.der),
    'lb-ca-ended.pem': pem(certify(root, lbCa, [ca()], ended).der),
    'other.pem': pem(certify(stranger, stranger, [ca()]).der),
    'lb.pem': pem(lb.der),
    'between.pem': pem(between.der, subCa.der, strangerCa.der),
  };
  const toml = (sender: string, more = ''): string => `
[router.downstream.tls]
intermediatesPath = "between.pem"
[enforcer.security.mutualSSL]
${more}
[[enforcer.security.mutualSSL.senders]]
alias = "lb"
${sender}
[[enforcer.security.mutualSSL.sources]]
format = "auto"
trustedSenders = ["alias:lb"]
[[enforcer.security.mutualSSL.sources]]
format = "peer"
[[clients]]
alias = "staff"
caFile = "root.pem"
[[apis]]
name = "own"
version = "1"
basePath = "/own"
aliases = ["staff"]
`;
  const [file, none, untrusted] = ['file = "lb.pem"', 'certificate_missing', 'header_sender_untrusted'];
  const endedCa = 'caFile = "lb-ca-ended.pem"';
  for (const [why, written, from, expected] of [
    ['all is well', toml(file), lb.der, none],
    ['it leaves out what intermediatesPath has', toml(file, 'senderCaPath = "root.pem"'), lb.der, none],
    ['the same by its CA', toml('caFile = "lb-ca.pem"', 'senderCaPath = "root.pem"'), belowSub.der, none],
    ['senderCaPath has ended', toml(file, 'senderCaPath = "root-ended.pem"'), lb.der, untrusted],
    ['senderCaPath is another', toml(file, 'senderCaPath = "other.pem"'), lb.der, untrusted],
    ['the signature of its file was written anew', toml(file), lbAnew, untrusted],
    ['its CA has ended', toml(endedCa), lb.der, untrusted],
    ['its CA has ended, and issued its issuer', toml(endedCa), belowSub.der, untrusted],
    [
      'its CA leads up to no CA of senderCaPath',
      toml('caFile = "lb-ca.pem"', 'senderCaPath = "other.pem"'),
      lb.der,
      untrusted,
    ],
    ['but a client is that the same CA issued as a sender’s file', toml(file), ofLbCa.der, 'staff'],
    ['and one of the CA above', toml(endedCa), ofRoot.der, 'staff'],
    ['and one of another CA of that name', toml(endedCa), ofStranger.der, 'staff'],
  ] as const)
    test(`${why}: ${expected}`, async () => {
      const parts = { path: '/own', certificate: encodeURIComponent(pem(from)) };
      assert.equal(await outcome(parts, load(written, files).snapshot), expected);
    });
});
