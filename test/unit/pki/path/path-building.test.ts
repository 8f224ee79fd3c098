import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate } from '../../../../src/pki/certificate/certificate.ts';
import { readCertificate } from '../../../../src/pki/certificate/certificate.ts';
import { verifySignature } from '../../../../src/pki/certificate/signature.ts';
import type { PathPolicy } from '../../../../src/pki/path/path-options.ts';
import { type PathVerdict, validatePath } from '../../../../src/pki/path/path-validation.ts';
import { type Anchor, createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { now, selfSigned } from '../../../support/certificate-authority.ts';
import { explicit, name, oid, sequence } from '../der-writer.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  ca,
  certify,
  dayMs,
  dns,
  entity,
  extKeyUsage,
  generateEc,
  keyUsage,
  nameConstraints,
  serverAuth,
  subjectAltName,
  subjectKeyIdentifier,
  unknownCritical,
  validity,
} from '../forge.ts';
import { withSecondKey } from '../second-key.ts';

const [root, other, inter, leaf] = [entity('Root'), entity('Other'), entity('Intermediate'), entity('leaf')];
const rootCa = certify(root, root, [ca()]);
const otherCa = certify(other, other, [ca()]);
const expired = { validity: validity(now - 2 * dayMs, now - dayMs) };

const asCa = (certificate: Certificate): Anchor => ({ kind: 'ca', certificate });
const pinned = (certificate: Certificate): Anchor => ({ kind: 'pinned', certificate });

type Given = {
  readonly anchors?: readonly Anchor[];
  readonly known?: readonly Certificate[];
  readonly through?: readonly Certificate[];
  readonly policy?: Partial<PathPolicy>;
};

function verdict(end: Certificate, intermediates: readonly Certificate[], given: Given = {}): PathVerdict {
  const trustStore = createTrustStore({
    anchors: given.anchors ?? [asCa(rootCa)],
    ...(given.known && { intermediates: given.known }),
    ...(given.through && { through: given.through }),
  });
  return validatePath(end, { trustStore, intermediates, now, ...given.policy });
}

function code(...given: Parameters<typeof verdict>): string {
  const result = verdict(...given);
  return result.valid ? 'valid' : result.code;
}

const end = certify(inter, leaf);
const interByRoot = certify(root, inter, [ca()]);
const interByOther = certify(other, inter, [ca()]);

type Row = readonly [
  sentence: string,
  code: string,
  end: Certificate,
  intermediates: readonly Certificate[],
  given?: Given,
];

const impostor = entity('Intermediate');
const rekeyed = entity('Intermediate');
const lower = entity('Lower');
const lowerEnd = certify(lower, leaf);
const strangersEnd = certify(entity('Stranger'), leaf);

const rows: readonly Row[] = [
  ['an intermediate that was sent along', 'valid', end, [interByRoot]],
  ['an intermediate that is known', 'valid', end, [], { known: [interByRoot] }],
  ['no intermediate', 'issuer_unknown', end, []],
  ['the same intermediate three times', 'valid', end, [interByRoot, interByRoot], { known: [interByRoot] }],
  ['an intermediate as anchor', 'valid', end, [], { anchors: [asCa(interByRoot)] }],
  ['an anchor sent along as well', 'valid', end, [interByRoot, rootCa]],
  ['anchors of another', 'issuer_unknown', end, [interByRoot], { anchors: [asCa(otherCa)] }],
  ['no anchors at all', 'issuer_unknown', end, [interByRoot], { anchors: [] }],
  [
    'a root that was sent along is no anchor',
    'issuer_unknown',
    end,
    [interByRoot, rootCa],
    { anchors: [asCa(otherCa)] },
  ],
  ['a stranger', 'issuer_unknown', strangersEnd, [interByRoot]],

  [
    'cross-signed, the other way leads on',
    'valid',
    end,
    [interByRoot, interByOther],
    { anchors: [asCa(otherCa)] },
  ],
  [
    'cross-signed, one way has expired',
    'valid',
    end,
    [interByOther, certify(root, inter, [ca()], expired)],
    { anchors: [asCa(rootCa), asCa(otherCa)] },
  ],
  [
    'cross-signed, one way is for servers only',
    'valid',
    end,
    [interByOther, certify(root, inter, [ca(), extKeyUsage(serverAuth)])],
    { anchors: [asCa(rootCa), asCa(otherCa)] },
  ],
  [
    'cross-signed, one way excludes the name',
    'valid',
    end,
    [interByOther, certify(root, inter, [ca(), nameConstraints([], [explicit(4, name('CN=leaf'))])])],
    { anchors: [asCa(rootCa), asCa(otherCa)] },
  ],
  [
    'issued anew, the old one has expired',
    'valid',
    end,
    [certify(root, inter, [ca()], expired), interByRoot],
  ],
  ['issued anew, the old one was no CA', 'valid', end, [certify(root, inter), interByRoot]],
  [
    're-keyed: the name of one, the key of another',
    'valid',
    certify(rekeyed, leaf),
    [interByRoot, certify(root, rekeyed, [ca()])],
  ],
  ['an impostor of the same name beside', 'valid', end, [certify(impostor, impostor, [ca()]), interByRoot]],
  ['an impostor of the same name alone', 'signature_invalid', end, [certify(root, impostor, [ca()])]],
  [
    'an identifier that points at the wrong key',
    'valid',
    certify(inter, leaf, [authorityKeyIdentifier('aa')]),
    [certify(root, inter, [ca(), subjectKeyIdentifier('bb')])],
  ],
  [
    'two CAs that certify each other',
    'issuer_unknown',
    end,
    [certify(other, inter, [ca()]), certify(inter, other, [ca()])],
  ],
  [
    'two CAs that certify each other, with a way out',
    'valid',
    end,
    [certify(other, inter, [ca()]), certify(inter, other, [ca()]), certify(root, other, [ca()])],
  ],
  ['a CA that certifies itself', 'issuer_unknown', end, [certify(inter, inter, [ca()])]],

  ["another client's certificate as issuer", 'issuer_not_ca', lowerEnd, [certify(root, lower)]],
  [
    "another client's certificate as issuer, that says it is none",
    'issuer_not_ca',
    lowerEnd,
    [certify(root, lower, [basicConstraints(false)])],
  ],

  ['the anchor itself', 'valid', rootCa, []],
  ['a pinned certificate', 'valid', end, [], { anchors: [pinned(end)] }],
  ['a pinned one is no issuer', 'issuer_unknown', end, [], { anchors: [pinned(interByRoot)] }],
  [
    'a pinned one is no issuer, though known as an intermediate',
    'issuer_unknown',
    end,
    [interByRoot],
    { anchors: [pinned(rootCa)] },
  ],
  [
    'the same name and key as a pinned one are not enough',
    'issuer_unknown',
    certify(inter, leaf),
    [],
    { anchors: [pinned(end)] },
  ],
  ['a pinned one that has expired', 'certificate_expired', ...withPin([], expired)],
  ['a pinned one for servers', 'extended_key_usage_not_client', ...withPin([extKeyUsage(serverAuth)])],
  [
    'a pinned one with an unknown critical extension',
    'certificate_critical_extension_unknown',
    ...withPin([unknownCritical]),
  ],
  ['a pinned one with keyCertSign that is no CA', 'valid', ...withPin([keyUsage('04')])],
  ['a pinned CA', 'valid', ...withPin([ca(0)])],

  ['through the CA that it must come from', 'valid', end, [interByRoot], { through: [interByRoot] }],
  ['through it, which nobody sent', 'valid', end, [], { through: [interByRoot] }],
  [
    'through it, issued anew',
    'valid',
    end,
    [interByRoot],
    { through: [certify(root, inter, [ca()], expired)] },
  ],
  ['through it as the anchor', 'valid', end, [interByRoot], { through: [rootCa] }],
  ['not through it', 'path_not_through_issuer', end, [interByRoot], { through: [otherCa] }],
  [
    'through one of its name but another key',
    'path_not_through_issuer',
    end,
    [interByRoot],
    { through: [certify(root, impostor, [ca()])] },
  ],
  ['through it, but it leads to no anchor', 'issuer_unknown', end, [], { through: [interByOther] }],
  [
    'the leaf is not what it was issued under',
    'path_not_through_issuer',
    certify(root, inter, [ca()]),
    [],
    { through: [interByRoot] },
  ],
  ['through nothing at all', 'path_not_through_issuer', end, [interByRoot], { through: [] }],

  // The most telling of several failures: the order of the table in failures.ts.
  [
    'expired rather than unknown',
    'issuer_expired',
    end,
    [certify(root, inter, [ca()], expired), interByOther],
  ],
  [
    'expired rather than wrongly signed',
    'issuer_expired',
    end,
    [certify(root, impostor, [ca()]), certify(root, inter, [ca()], expired)],
  ],
  [
    'wrongly signed rather than unknown',
    'signature_invalid',
    end,
    [certify(root, impostor, [ca()]), interByOther],
  ],
  [
    'whatever is wrong with what leads nowhere',
    'issuer_unknown',
    end,
    [certify(root, impostor, [ca()]), certify(root, inter, [ca()], expired), interByOther],
    { anchors: [] },
  ],
  [
    'expired rather than no CA',
    'issuer_expired',
    end,
    [certify(root, inter), certify(root, inter, [ca()], expired)],
  ],
];

function withPin(
  list: readonly Uint8Array[],
  parts: Parameters<typeof certify>[3] = {},
): [Certificate, readonly Certificate[], Given] {
  const certificate = certify(leaf, leaf, list, parts);
  return [certificate, [], { anchors: [pinned(certificate)] }];
}

for (const [sentence, expected, leafCertificate, intermediates, given] of rows) {
  test(`${sentence}: ${expected}`, () => {
    assert.equal(code(leafCertificate, intermediates, given), expected);
    assert.equal(code(leafCertificate, intermediates.toReversed(), given), expected, 'in reverse order');
  });
}

test('a valid path is told whole', () => {
  const result = verdict(end, [interByOther, interByRoot]);
  assert.ok(result.valid);
  assert.deepEqual(
    result.path.map(({ sha256 }) => sha256),
    [end.sha256, interByRoot.sha256],
  );
  assert.equal(result.anchor.sha256, rootCa.sha256);
});

test('a failure tells where it is and what is wrong', () => {
  const result = verdict(end, [
    certify(root, inter, [ca()], { validity: validity(0, Date.UTC(2026, 0, 2)) }),
  ]);
  assert.ok(!result.valid);
  assert.equal(result.at, 1);
  assert.equal(result.detail, 'CN=Intermediate expired on 2026-01-02T00:00:00Z');
});

test('a certificate by openssl req -x509 is valid where it is pinned and where it is an anchor', async () => {
  const certificate = readCertificate((await selfSigned({ subject: 'CN=acme' })).der);
  assert.equal(code(certificate, [], { anchors: [pinned(certificate)] }), 'valid');
  assert.equal(code(certificate, [], { anchors: [asCa(certificate)] }), 'valid');
  assert.equal(code(certificate, [], {}), 'issuer_unknown');
});

/**
 * Rows of CAs, all of one name, each certified by each of the next row, and the last row by one that is called as the
 * anchor is.
 */
function hostile(
  width: number,
  depth: number,
): { readonly bundle: readonly Certificate[]; readonly end: Certificate } {
  const levels = Array.from({ length: depth }, () => Array.from({ length: width }, () => entity('Evil')));
  const bundle = levels
    .slice(1)
    .flatMap((issuers, i) =>
      issuers.flatMap((issuer) => levels[i]!.map((subject) => certify(issuer, subject, [ca()]))),
    );
  const pretender = entity('Root');
  const top = levels.at(-1)!.map((subject) => certify(pretender, subject, [ca()]));
  return { bundle: [...bundle, ...top], end: certify(levels[0]![0]!, leaf) };
}

test('a bundle made to be searched for ever is given up within the budget', () => {
  const { bundle, end } = hostile(4, 5);
  assert.equal(code(end, bundle), 'path_search_exhausted');
  assert.equal(code(end, bundle.toReversed()), 'path_search_exhausted');
});

test('signature checks count by what they cost', () => {
  const scheme = { algorithm: sequence(oid('1.2.840.10045.4.3.4')), hash: 'sha512' };
  const slow = entity('Slow', generateEc('P-521'), scheme);
  const given = (maxSignatureChecks: number): Given => ({
    anchors: [asCa(certify(slow, slow, [ca()]))],
    policy: { maxSignatureChecks },
  });
  assert.equal(code(certify(slow, leaf), [], given(12)), 'valid');
  assert.equal(code(certify(slow, leaf), [], given(11)), 'path_search_exhausted');
});

test('names and constraints by the thousand are given up within the budget', () => {
  const names = Array.from({ length: 1500 }, (_, i) => dns(`a${i}.example`));
  const constrained = certify(root, inter, [ca(), nameConstraints([], names)]);
  const result = verdict(
    certify(inter, leaf, [subjectAltName(...names.map((_, i) => dns(`b${i}.example`)))]),
    [constrained],
  );
  assert.ok(!result.valid);
  assert.equal(result.code, 'name_constraints_too_many');
});

test('a second key that fits a signature shuts nobody out: not the one who offers it, and no one after him', () => {
  const policyCa = entity('Policy');
  const policyByRoot = certify(root, policyCa, [ca(), subjectAltName(dns('policy.example'))]);
  const below = certify(policyCa, inter, [ca()]);
  const second = withSecondKey(below, policyCa);
  const forged = certify(entity('Root'), second, [ca()]);
  assert.ok(Buffer.compare(forged.der, policyByRoot.der) < 0, 'the forged one is tried first');
  assert.equal(verifySignature(below, forged.subjectPublicKey), true, 'its key fits');
  assert.equal(code(end, [below, forged]), 'signature_invalid');
  assert.equal(code(end, [below, forged, policyByRoot]), 'valid');
  assert.equal(code(certify(inter, entity('next')), [below, policyByRoot]), 'valid');
});
