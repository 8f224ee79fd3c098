import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import type { Header } from '../../src/attributes.ts';
import type { Provisioned } from '../../src/provision/provision.ts';
import type { RequestParts } from '../support/attributes.ts';
import { type Issued, selfSigned } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';

/** What gateways send that others configure, each as it is seen there. Through a real Envoy: test/e2e/own-xfcc.test.ts. */
let acme: Issued;
let other: Issued;
before(async () => {
  acme = await selfSigned({ subject: 'CN=acme', extendedKeyUsage: 'client' });
  other = await selfSigned({ subject: 'CN=other', extendedKeyUsage: 'client' });
});

const start = (mutualSSL: string): Provisioned =>
  load(
    `[enforcer.security.mutualSSL]
${mutualSSL}
[[clients]]
alias = "acme"
file = "acme.pem"
[[apis]]
name = "A"
version = "1"
basePath = "/a"
aliases = ["acme"]
`,
    { 'acme.pem': acme.pem },
  );

const xfcc = ({ der, pem }: Issued): Header => [
  'x-forwarded-client-cert',
  `Hash=${createHash('sha256').update(der).digest('hex')};Cert="${encodeURIComponent(pem)}"`,
];
/** Istio's, where the certificate comes in the Check. */
const names: Header = ['x-forwarded-client-cert', 'By=spiffe://cluster.local/ns/x;Hash=ab'];
const joined: Header = ['accept', 'a,b'];
const anybody =
  '[[enforcer.security.mutualSSL.sources]]\ntrustedSenders = ["0.0.0.0/0", "::/0"]\nformat = "xfcc"';

const rows: readonly [why: string, mutualSSL: string, parts: () => RequestParts, outcome: string][] = [
  ['Envoy Gateway as it is', 'peer = "xfcc"', () => ({ headers: [xfcc(acme), joined] }), 'acme'],
  ['Envoy Gateway without the key', '', () => ({ headers: [xfcc(acme)] }), 'certificate_missing'],
  [
    'Envoy Gateway, read as a load balancer’s',
    anybody,
    () => ({ headers: [xfcc(acme)] }),
    'certificate_missing',
  ],
  [
    'the same under its own name',
    `${anybody}\nheader = "x-forwarded-client-cert"`,
    () => ({ headers: [xfcc(acme)], headersAreRaw: true }),
    'certificate_missing',
  ],
  [
    'Istio with the EnvoyFilter',
    '',
    () => ({ certificate: encodeURIComponent(acme.pem), headers: [names, joined] }),
    'acme',
  ],
  [
    'Contour, which sends both',
    'peer = "xfcc"',
    () => ({ certificate: encodeURIComponent(acme.pem), headers: [xfcc(acme)] }),
    'acme',
  ],
  [
    'both, of two clients',
    'peer = "xfcc"',
    () => ({ certificate: encodeURIComponent(other.pem), headers: [xfcc(acme)] }),
    'peer_certificate_differs',
  ],
  [
    'one source among several',
    'peer = "xfcc"\n[[enforcer.security.mutualSSL.sources]]\nformat = "peer"',
    () => ({ headers: [xfcc(acme)] }),
    'acme',
  ],
];
for (const [why, mutualSSL, parts, expected] of rows) {
  test(`${why}: ${expected}`, async () => {
    const { snapshot } = start(mutualSSL);
    const sent = { path: '/a/x', source: '203.0.113.9', headersAreRaw: false, ...parts() };
    assert.equal(await outcome(sent, snapshot), expected);
  });
}

test('peer = "xfcc" is warned about, and its header kept from the backend', () => {
  const { warnings, snapshot } = start('peer = "xfcc"');
  const warning = warnings.find(({ key }) => key === 'enforcer.security.mutualSSL.peer');
  assert.match(warning?.message ?? '', /SANITIZE_SET.*anybody can pose as any client/);
  assert.ok(snapshot.answers.headersToRemove.includes('x-forwarded-client-cert'));
  assert.ok(!start('').warnings.some(({ message }) => message.includes('xfcc')));
});
