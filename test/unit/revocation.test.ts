import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Certificate } from '../../src/pki/certificate/certificate.ts';
import { createCrlSet } from '../../src/pki/revocation/crl-set.ts';
import { now } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';
import { ca, certify, entity } from './pki/forge.ts';
import { crl } from './pki/revocation/crl-forge.ts';

/** Who is refused for being revoked, from config.toml to the decision. */

const pem = ({ der }: Certificate): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
const [root, policy, issuing] = [entity('Root'), entity('Policy CA'), entity('Issuing CA')];
const [rootCa, policyCa] = [certify(root, root, [ca()]), certify(root, policy, [ca()])];
const issuingCa = certify(policy, issuing, [ca()]);
const leaf = certify(issuing, entity('leaf'));
const files = {
  'root.pem': pem(rootCa),
  'policy.pem': pem(policyCa),
  'issuing.pem': pem(issuingCa),
  'leaf.pem': pem(leaf),
};
const clean = [crl(root), crl(policy), crl(issuing)];
const listed = [crl(root), crl(policy), crl(issuing, { revoked: [leaf.serialNumber] })];

const trusting = (what: string): string => `[router.downstream.tls]\n${what}\n`;
const rooted = trusting('trustedCertPath = "root.pem"\nintermediatesPath = "issuing.pem"');
const url = 'crlUrls = ["http://ca.test/ca.crl"]';
const general = `[enforcer.security.revocation]\n${url}\n`;
const own = (file: string, lines: string): string =>
  `[[enforcer.security.revocation.cas]]\ncaFile = "${file}.pem"\n${lines}\n`;
const client = (lines: string): string => `[[clients]]\nalias = "acme"\n${lines}\n`;
const api = '[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["acme"]\n';
const ofRoot = client('caFile = "policy.pem"');

const snapshotOf = (toml: string, crls: typeof clean) =>
  load(toml, files, now, { revocationKnowledge: { version: 1, crls: createCrlSet(crls) } }).snapshot;

describe('what a CA has of its own', () => {
  const [yes, no] = ['certificate_revoked', 'revocation_unknown'];
  const rows: readonly (readonly [what: string, toml: string, listed: string, nothingKnown: string])[] = [
    ['goes for what is two levels below it', rooted + own('policy', url) + ofRoot, yes, no],
    [
      'the same beside its caFile',
      rooted + client(`caFile = "policy.pem"\nrevocation = { mode = "hard-fail", ${url} }`),
      yes,
      no,
    ],
    [
      'the same, and off goes for all below it',
      rooted + general + own('policy', 'mode = "off"') + ofRoot,
      'acme',
      'acme',
    ],
    [
      'of several the nearest counts: one that looks, below one that does not',
      rooted + own('root', 'mode = "off"') + own('policy', url) + ofRoot,
      yes,
      no,
    ],
    [
      'of several the nearest counts: one that does not look, below one that does',
      rooted + own('policy', url) + own('issuing', 'mode = "off"') + ofRoot,
      'acme',
      'acme',
    ],
    [
      'goes for a file that a CA below it issued',
      trusting('intermediatesPath = "issuing.pem"') + own('policy', url) + client('file = "leaf.pem"'),
      yes,
      no,
    ],
    [
      'goes for what a CA below it issued that is trusted by itself',
      own('policy', url) + client('caFile = "issuing.pem"'),
      yes,
      no,
    ],
    [
      'takes nothing away from a CA below it that is trusted by itself',
      general + own('policy', 'mode = "off"') + client('caFile = "issuing.pem"'),
      yes,
      no,
    ],
  ];
  for (const [what, toml, whenListed, whenNothingKnown] of rows)
    it(what, async () => {
      const ask = (crls: typeof clean) =>
        outcome({ path: '/a', certificate: encodeURIComponent(pem(leaf)) }, snapshotOf(toml + api, crls));
      assert.equal(await ask(clean), 'acme', 'on no list');
      assert.equal(await ask(listed), whenListed, 'on a list');
      assert.equal(
        await ask([crl(root), crl(policy)]),
        whenNothingKnown,
        'nothing known of what its CA revoked',
      );
    });
});
