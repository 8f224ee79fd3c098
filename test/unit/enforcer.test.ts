import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DenialCode } from '../../src/decision.ts';
import type { Snapshot } from '../../src/snapshot.ts';
import type { RequestParts } from '../support/attributes.ts';
import { authority, createAuthority, type Issued, selfSigned } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';

const root = await createAuthority({ subject: 'CN=Root' });
const issuing = await createAuthority({ subject: 'CN=Issuing', parent: root });
const partners = await createAuthority({ subject: 'CN=Partners', parent: root });
const elsewhere = await createAuthority({ subject: 'CN=Elsewhere' });
const impostor = await createAuthority({ subject: 'CN=Partners' });
const day = (text: string): Date => new Date(`${text}T00:00:00Z`);

const people = {
  acme: await issuing.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' }),
  globex: await issuing.issue({ subject: 'CN=globex', extendedKeyUsage: 'client' }),
  own: await selfSigned({ subject: 'CN=own' }),
  partner: await partners.issue({ subject: 'CN=partner', extendedKeyUsage: 'client' }),
  serverOnly: await partners.issue({ subject: 'CN=server', extendedKeyUsage: 'server' }),
  expired: await partners.issue({
    subject: 'CN=old',
    notBefore: day('2025-01-01'),
    notAfter: day('2026-01-01'),
  }),
  early: await partners.issue({
    subject: 'CN=new',
    notBefore: day('2027-01-01'),
    notAfter: day('2028-01-01'),
  }),
  stranger: await elsewhere.issue({ subject: 'CN=partner', extendedKeyUsage: 'client' }),
  impostors: await impostor.issue({ subject: 'CN=partner', extendedKeyUsage: 'client' }),
};
const signedByOwn = await authority(people.own, 'CN=own').issue({
  subject: 'CN=below',
  extendedKeyUsage: 'client',
});

const files: Record<string, string> = {
  'acme.pem': people.acme.pem,
  'globex.pem': people.globex.pem,
  'own.pem': people.own.pem,
  'partners.pem': partners.pem,
  'root.pem': root.pem,
  'elsewhere.pem': elsewhere.pem,
  'issuing.pem': issuing.pem,
};

const clients = `
[[clients]]
alias = "acme"
file = "acme.pem"
tier = "Gold"
[[clients]]
alias = "globex"
file = "globex.pem"
[[clients]]
alias = "own"
file = "own.pem"
[[clients]]
alias = "partners"
caFile = "partners.pem"
tier = "Silver"
[[apis]]
name = "must"
version = "1"
basePath = "/must"
aliases = ["acme", "own", "partners"]
[[apis]]
name = "may"
version = "1"
basePath = "/may"
mutualSSL = "optional"
aliases = ["acme"]
[[apis]]
name = "off"
version = "1"
basePath = "/off"
mutualSSL = "off"
`;

const snapshot = (before = ''): Snapshot => load(before + clients, files).snapshot;
const peerMode = snapshot();
const headerMode = snapshot(
  '[enforcer.security.mutualSSL]\nenableClientValidation = false\ntrustedSenders = ["10.0.0.0/8"]\n',
);
const withRoot = snapshot(
  '[router.downstream.tls]\ntrustedCertPath = "root.pem"\nintermediatesPath = "issuing.pem"\n',
);
const withElsewhere = snapshot('[router.downstream.tls]\ntrustedCertPath = "elsewhere.pem"\n');

const encoded = (who: Issued): string => encodeURIComponent(who.pem);
type Row = readonly [
  path: string,
  who: Issued | undefined,
  expected: DenialCode | 'allowed' | string,
  why: string,
];
const inPeerMode: readonly Row[] = [
  ['/must', people.acme, 'acme', 'exactly a bound certificate'],
  ['/must', people.own, 'own', 'a self-signed one, CA:TRUE and no EKU, as openssl req -x509 makes it'],
  ['/must', people.partner, 'partners', 'issued by a bound CA'],
  ['/must', undefined, 'certificate_missing', 'none'],
  ['/must', people.globex, 'certificate_not_bound', "another API's client"],
  ['/must', people.expired, 'certificate_expired', 'of a bound CA, but expired'],
  ['/must', people.early, 'certificate_not_yet_valid', 'of a bound CA, but not yet valid'],
  ['/must', people.serverOnly, 'extended_key_usage_not_client', 'of a bound CA, but for servers only'],
  ['/must', people.stranger, 'issuer_unknown', 'of a CA that nobody knows'],
  ['/must', people.impostors, 'signature_invalid', "of a CA that took a bound CA's name"],
  ['/must', signedByOwn, 'issuer_unknown', 'signed by a bound certificate, which is never an issuer'],
  ['/may', undefined, 'allowed', 'optional, none'],
  ['/may', people.acme, 'acme', 'optional, a bound one'],
  ['/may', people.partner, 'certificate_not_bound', 'optional, a wrong one'],
  ['/may', people.stranger, 'issuer_unknown', 'optional, an untrusted one'],
  ['/off', people.stranger, 'allowed', 'not looked at'],
  ['/none', people.acme, 'api_not_found', 'no such API'],
  ['/off/..;/must', people.acme, 'path_ambiguous', 'a path that can be read in two ways'],
];
for (const [path, who, expected, why] of inPeerMode) {
  test(`peer mode, ${path}: ${expected}: ${why}`, async () => {
    assert.equal(await outcome({ path, certificate: who && encoded(who) }, peerMode), expected);
  });
}

test('peer mode never reads the header, whoever sends it', async () => {
  const headers = [['x-wso2-client-certificate', encoded(people.acme)]] as const;
  assert.equal(
    await outcome({ path: '/must', headers, source: '10.0.0.1' }, peerMode),
    'certificate_missing',
  );
  assert.equal(
    await outcome({ path: '/must', headers, certificate: encoded(people.globex) }, peerMode),
    'certificate_not_bound',
  );
});

test('header mode never reads the peer', async () => {
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(people.acme), source: '10.0.0.1' }, headerMode),
    'certificate_missing',
  );
});

const oneLine = (who: Issued): string => who.pem.replaceAll('\n', '');
const wholePem = (who: Issued): string =>
  `-----BEGIN CERTIFICATE-----${Buffer.from(who.pem).toString('base64')}-----END CERTIFICATE-----`;
for (const [coding, write] of Object.entries({
  'percent-encoded': encoded,
  'one-line': oneLine,
  'base64 of PEM': wholePem,
})) {
  test(`header mode reads WSO2's ${coding} form from a trusted sender`, async () => {
    const headers = [['x-wso2-client-certificate', write(people.acme)]] as const;
    assert.equal(await outcome({ path: '/must', headers, source: '10.0.0.1' }, headerMode), 'acme');
  });
}

const acmeHeader = [['x-wso2-client-certificate', encoded(people.acme)]] as const;
const inHeaderMode: readonly [parts: RequestParts, expected: string, why: string][] = [
  [
    { path: '/must', headers: acmeHeader, source: '192.0.2.1' },
    'header_sender_untrusted',
    'an untrusted sender',
  ],
  [
    { path: '/may', headers: acmeHeader, source: '192.0.2.1' },
    'allowed',
    'an untrusted sender where it is optional: ignored, no client',
  ],
  [
    { path: '/must', headers: acmeHeader, source: undefined },
    'header_sender_untrusted',
    'a sender without an address',
  ],
  [
    { path: '/must', headers: acmeHeader, source: '10.0.0.1', scheme: 'http' },
    'header_over_plaintext',
    'plain HTTP',
  ],
  [
    {
      path: '/must',
      headers: acmeHeader,
      source: '10.0.0.1',
      contextExtensions: { name: 'must', version: '1', listener: 'plain' },
    },
    'header_over_plaintext',
    'the plain listener',
  ],
  [
    { path: '/must', headers: [['x-wso2-client-certificate', 'junk']], source: '10.0.0.1' },
    'header_coding_invalid',
    'junk',
  ],
  [
    { path: '/must', headers: [...acmeHeader, ...acmeHeader], source: '10.0.0.1' },
    'header_repeated',
    'twice',
  ],
  [
    { path: '/must', headers: [['x_wso2_client_certificate', encoded(people.acme)]], source: '10.0.0.1' },
    'certificate_missing',
    'another name',
  ],
  [{ path: '/must', source: '10.0.0.1' }, 'certificate_missing', 'no header'],
];
for (const [parts, expected, why] of inHeaderMode) {
  test(`header mode: ${expected}: ${why}`, async () =>
    assert.equal(await outcome(parts, headerMode), expected));
}

const underTrustedCertPath: readonly [who: Issued, of: Snapshot, expected: string, why: string][] = [
  [people.acme, withRoot, 'acme', 'an exact certificate whose path ends at the root'],
  [people.partner, withRoot, 'partners', 'through a bound CA to the root'],
  [people.own, withRoot, 'own', 'a self-signed one is exempt'],
  [people.globex, withRoot, 'certificate_not_bound', 'trusted, but not bound here'],
  [people.acme, withElsewhere, 'issuer_unknown', 'bound, but its path ends elsewhere'],
  [people.partner, withElsewhere, 'issuer_unknown', 'of a bound CA, whose path ends elsewhere'],
  [people.own, withElsewhere, 'own', 'a self-signed one is exempt here too'],
  [people.stranger, withElsewhere, 'certificate_not_bound', 'trusted, but bound to nothing'],
];
for (const [who, of, expected, why] of underTrustedCertPath) {
  test(`with trustedCertPath: ${expected}: ${why}`, async () => {
    assert.equal(await outcome({ path: '/must', certificate: encoded(who) }, of), expected);
  });
}

test('a verdict ends with the certificate, cached or not: valid at the last second, expired one later', async () => {
  const end = day('2036-01-01').getTime();
  assert.equal(await outcome({ path: '/must', certificate: encoded(people.acme) }, peerMode, end), 'acme');
  assert.equal(
    await outcome({ path: '/must', certificate: encoded(people.acme) }, peerMode, end + 1000),
    'certificate_expired',
  );
});
