import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { Certificate } from '../../../../src/pki/certificate/certificate.ts';
import type { PathPolicy } from '../../../../src/pki/path/path-options.ts';
import { validatePath } from '../../../../src/pki/path/path-validation.ts';
import { createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { now } from '../../../support/certificate-authority.ts';
import { bits, bytes, der, explicit, extension, integer, name, oid, sequence } from '../der-writer.ts';
import {
  basicConstraints,
  ca,
  certify,
  clientAuth,
  dayMs,
  dns,
  entity,
  extKeyUsage,
  generateEc,
  keyUsage,
  mail,
  nameConstraints,
  nothing,
  type Scheme,
  serverAuth,
  subjectAltName,
  unknownCritical,
  validity,
} from '../forge.ts';

const [root, inter, leaf] = [entity('Root'), entity('Intermediate'), entity('leaf')];

/** Root, one intermediate and the leaf, each with what a row wants of it. */
type Parts = {
  readonly root?: readonly Uint8Array[];
  readonly inter?: readonly Uint8Array[];
  readonly leaf?: readonly Uint8Array[];
  readonly dates?: { readonly root?: Uint8Array; readonly inter?: Uint8Array; readonly leaf?: Uint8Array };
  readonly policy?: Partial<PathPolicy>;
  readonly at?: number;
};

function verdictOf({ dates = {}, policy, at = now, ...parts }: Parts): string {
  const dated = (date: Uint8Array | undefined) => (date === undefined ? {} : { validity: date });
  const anchor = certify(root, root, parts.root ?? [ca()], dated(dates.root));
  const middle = certify(root, inter, parts.inter ?? [ca()], dated(dates.inter));
  const end = certify(inter, leaf, parts.leaf ?? [], dated(dates.leaf));
  return told(end, [middle], anchor, policy, at);
}

function told(
  end: Certificate,
  intermediates: readonly Certificate[],
  anchor: Certificate,
  policy: Partial<PathPolicy> = {},
  at = now,
): string {
  const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: anchor }] });
  const verdict = validatePath(end, { trustStore, intermediates, now: at, ...policy });
  return verdict.valid ? 'valid' : verdict.code;
}

const anyPurpose = '2.5.29.37.0';
const serverPolicy: Partial<PathPolicy> = { purpose: 'server' };
const until = (end: number) => validity(now - dayMs, end);
const from = (start: number) => validity(start, now + dayMs);
const digitalSignature = keyUsage('80');
const keyEncipherment = keyUsage('20');
const keyAgreement = keyUsage('08');
const keyCertSign = keyUsage('04');
const cRLSign = keyUsage('02');

const rows: readonly (readonly [sentence: string, parts: Parts, code: string])[] = [
  ['a plain path', {}, 'valid'],

  // 6.1.3 (a)(2)
  ['the leaf in its last second', { dates: { leaf: until(now) }, at: now + 999 }, 'valid'],
  ['the leaf one second past it', { dates: { leaf: until(now) }, at: now + 1000 }, 'certificate_expired'],
  ['the leaf in its first second', { dates: { leaf: from(now) } }, 'valid'],
  [
    'the leaf one millisecond before it',
    { dates: { leaf: from(now) }, at: now - 1 },
    'certificate_not_yet_valid',
  ],
  ['the intermediate in its last second', { dates: { inter: until(now) }, at: now + 999 }, 'valid'],
  ['the intermediate one second past it', { dates: { inter: until(now) }, at: now + 1000 }, 'issuer_expired'],
  [
    'the intermediate before its first second',
    { dates: { inter: from(now) }, at: now - 1 },
    'issuer_not_yet_valid',
  ],
  ['the anchor in its last second', { dates: { root: until(now) } }, 'valid'],
  ['the anchor one second past it', { dates: { root: until(now) }, at: now + 1000 }, 'issuer_expired'],

  // 6.1.4 (k), (n), 4.2.1.9
  ['an intermediate without basicConstraints', { inter: [] }, 'issuer_not_ca'],
  ['an intermediate that is no CA', { inter: [basicConstraints(false)] }, 'issuer_not_ca'],
  ['an anchor without basicConstraints', { root: [] }, 'issuer_not_ca'],
  ['an intermediate that may sign certificates', { inter: [ca(), keyCertSign] }, 'valid'],
  ['an intermediate that may sign CRLs only', { inter: [ca(), cRLSign] }, 'issuer_key_usage_not_cert_sign'],
  ['an anchor that may sign CRLs only', { root: [ca(), cRLSign] }, 'issuer_key_usage_not_cert_sign'],
  ['a leaf that is a CA', { leaf: [ca()] }, 'valid'],
  ['a leaf with keyCertSign that is no CA', { leaf: [keyUsage('84')] }, 'key_usage_without_ca'],
  [
    'a leaf with name constraints that is no CA',
    { leaf: [nameConstraints([dns('a')])] },
    'name_constraints_without_ca',
  ],

  // 6.1.4 (l), (m)
  ['as many intermediates as the anchor allows', { root: [ca(1)] }, 'valid'],
  ['one intermediate where the anchor allows none', { root: [ca(0)] }, 'path_length_exceeded'],
  ['no intermediate below one that allows none', { inter: [ca(0)] }, 'valid'],
  ['a CA as leaf below one that allows no CA', { inter: [ca(0)], leaf: [ca()] }, 'valid'],
  [
    'a pathLenConstraint beyond all numbers',
    { root: [extension('2.5.29.19', sequence(bytes('0101ff'), integer(2n ** 99n)))] },
    'valid',
  ],

  // 4.2.1.3, 4.2.1.12
  ['clientAuth', { leaf: [extKeyUsage(clientAuth)] }, 'valid'],
  ['clientAuth among others', { leaf: [extKeyUsage(serverAuth, clientAuth)] }, 'valid'],
  ['serverAuth only', { leaf: [extKeyUsage(serverAuth)] }, 'extended_key_usage_not_client'],
  ['anyExtendedKeyUsage', { leaf: [extKeyUsage(anyPurpose)] }, 'extended_key_usage_not_client'],
  [
    'anyExtendedKeyUsage, by option',
    { leaf: [extKeyUsage(anyPurpose)], policy: { anyExtendedKeyUsage: true } },
    'valid',
  ],
  [
    'an intermediate for servers only',
    { inter: [ca(), extKeyUsage(serverAuth)] },
    'issuer_extended_key_usage',
  ],
  ['an intermediate for any purpose', { inter: [ca(), extKeyUsage(anyPurpose)] }, 'valid'],
  ['an anchor for servers only', { root: [ca(), extKeyUsage(serverAuth)] }, 'issuer_extended_key_usage'],
  ['a server, for servers', { leaf: [extKeyUsage(serverAuth)], policy: serverPolicy }, 'valid'],
  [
    'a client, for servers',
    { leaf: [extKeyUsage(clientAuth)], policy: serverPolicy },
    'extended_key_usage_not_server',
  ],
  [
    'a code signer, for any purpose',
    { leaf: [extKeyUsage('1.3.6.1.5.5.7.3.3')], policy: { purpose: 'any' } },
    'valid',
  ],
  ['digitalSignature', { leaf: [digitalSignature] }, 'valid'],
  ['keyAgreement', { leaf: [keyAgreement] }, 'valid'],
  ['keyEncipherment only', { leaf: [keyEncipherment] }, 'key_usage_not_client'],
  ['keyEncipherment only, for servers', { leaf: [keyEncipherment], policy: serverPolicy }, 'valid'],

  // 6.1.4 (o), 6.1.5 (f)
  [
    'an unknown critical extension in the leaf',
    { leaf: [unknownCritical] },
    'certificate_critical_extension_unknown',
  ],
  ['an unknown extension in the leaf', { leaf: [extension('1.2.3.4.5', nothing)] }, 'valid'],
  [
    'an unknown critical extension in an intermediate',
    { inter: [ca(), unknownCritical] },
    'issuer_critical_extension_unknown',
  ],
  [
    'an unknown critical extension in the anchor',
    { root: [ca(), unknownCritical] },
    'issuer_critical_extension_unknown',
  ],
  [
    'a critical subjectKeyIdentifier',
    { leaf: [extension('2.5.29.14', der(4, bytes('01')), true)] },
    'certificate_critical_extension_unknown',
  ],

  // 6.1.3 (b), (c)
  [
    'a permitted name',
    { inter: [ca(), nameConstraints([dns('example.com')])], leaf: [subjectAltName(dns('a.example.com'))] },
    'valid',
  ],
  [
    'a name that is not permitted',
    { inter: [ca(), nameConstraints([dns('example.com')])], leaf: [subjectAltName(dns('a.example.net'))] },
    'name_not_permitted',
  ],
  [
    'an excluded name',
    {
      inter: [ca(), nameConstraints([], [dns('example.com')])],
      leaf: [subjectAltName(dns('a.example.com'))],
    },
    'name_excluded',
  ],
  [
    'a name that the anchor does not permit',
    { root: [ca(), nameConstraints([dns('example.com')])], leaf: [subjectAltName(dns('a.example.net'))] },
    'name_not_permitted',
  ],
  [
    'permitted by one CA, not by the other',
    {
      root: [ca(), nameConstraints([dns('example.com')])],
      inter: [ca(), nameConstraints([dns('example.net')])],
      leaf: [subjectAltName(dns('example.net'))],
    },
    'name_not_permitted',
  ],
  [
    'constraints on another form',
    { inter: [ca(), nameConstraints([mail('example.com')])], leaf: [subjectAltName(dns('a'))] },
    'valid',
  ],
  [
    'a subject that is not permitted',
    { inter: [ca(), nameConstraints([explicit(4, name('O=Example'))])] },
    'name_not_permitted',
  ],
  ['a permitted subject', { inter: [ca(), nameConstraints([explicit(4, name('CN=leaf'))])] }, 'valid'],
  [
    'an intermediate whose subject is excluded',
    { root: [ca(), nameConstraints([], [explicit(4, name('CN=Intermediate'))])] },
    'name_excluded',
  ],
  [
    'a constraint on a form that is not understood, with such a name',
    { inter: [ca(), nameConstraints([], [otherName()])], leaf: [subjectAltName(otherName())] },
    'name_constraint_unsupported',
  ],
  [
    'a constraint on a form that is not understood, without such a name',
    { inter: [ca(), nameConstraints([], [otherName()])] },
    'valid',
  ],
  [
    'constraints without the critical bit',
    {
      inter: [ca(), uncritical(nameConstraints([dns('example.com')]))],
      leaf: [subjectAltName(dns('a.example.net'))],
    },
    'name_not_permitted',
  ],
  [
    'more comparisons than the budget',
    {
      inter: [ca(), nameConstraints([dns('a'), dns('b')])],
      leaf: [subjectAltName(dns('b'))],
      policy: { maxNameComparisons: 1 },
    },
    'name_constraints_too_many',
  ],
  [
    'as many comparisons as the budget',
    {
      inter: [ca(), nameConstraints([dns('a'), dns('b')])],
      leaf: [subjectAltName(dns('b'))],
      policy: { maxNameComparisons: 2 },
    },
    'valid',
  ],

  // Budgets
  ['as deep as allowed', { policy: { maxIntermediates: 1 } }, 'valid'],
  ['deeper than allowed', { policy: { maxIntermediates: 0 } }, 'path_too_deep'],
  ['as many signature checks as allowed', { policy: { maxSignatureChecks: 2 } }, 'valid'],
  ['more signature checks than allowed', { policy: { maxSignatureChecks: 1 } }, 'path_search_exhausted'],
];

function otherName(): Uint8Array {
  return explicit(0, oid('1.2.3'), explicit(0, integer(1)));
}

/** The same extension, not critical. */
function uncritical(critical: Uint8Array): Uint8Array {
  const at = Buffer.from(critical).indexOf(bytes('0101ff'));
  const body = Buffer.concat([critical.subarray(2, at), critical.subarray(at + 3)]);
  return der(0x30, body);
}

for (const [sentence, parts, code] of rows) {
  test(`${sentence}: ${code}`, () => assert.equal(verdictOf(parts), code));
}

test('a leaf without a subject needs critical alternative names', () => {
  const anchor = certify(root, root, [ca()]);
  const subject = { subject: sequence() };
  assert.equal(told(certify(root, leaf, [subjectAltName(dns('a'))], subject), [], anchor), 'valid');
  assert.equal(told(certify(root, leaf, [], subject), [], anchor), 'certificate_subject_missing');
  const names = [uncritical(subjectAltName(dns('a')))];
  assert.equal(told(certify(root, leaf, names, subject), [], anchor), 'certificate_subject_missing');
});

test("the subject's e-mail address is constrained where subjectAltName has none", () => {
  const anchor = certify(root, root, [ca(), nameConstraints([mail('example.com')])]);
  const subject = { subject: name('CN=leaf', 'emailAddress=a@example.net') };
  assert.equal(told(certify(root, leaf, [], subject), [], anchor), 'name_not_permitted');
  const names = [subjectAltName(mail('a@example.com'))];
  assert.equal(told(certify(root, leaf, names, subject), [], anchor), 'valid');
});

test('self-issued intermediates are free of pathLenConstraint and name constraints, a self-issued leaf is not', () => {
  const constraints = nameConstraints([], [explicit(4, name('CN=Intermediate'))]);
  const anchor = certify(root, root, [ca(1)]);
  const constrained = certify(root, inter, [ca(0), constraints]);
  const rekeyed = entity('Intermediate');
  const selfIssued = certify(inter, rekeyed, [ca()]);
  assert.equal(told(certify(rekeyed, leaf), [constrained, selfIssued], anchor), 'valid');
  assert.equal(
    told(certify(rekeyed, entity('Intermediate')), [constrained, selfIssued], anchor),
    'name_excluded',
  );
});

const pss = (hash: string, oidOfHash: string, saltLength: number, maskHash = oidOfHash): Scheme => ({
  algorithm: sequence(
    oid('1.2.840.113549.1.1.10'),
    sequence(
      explicit(0, sequence(oid(oidOfHash))),
      explicit(1, sequence(oid('1.2.840.113549.1.1.8'), sequence(oid(maskHash)))),
      explicit(2, integer(saltLength)),
    ),
  ),
  hash,
  saltLength,
});
const plain = (dotted: string, hash: string | null, ...parameters: Uint8Array[]): Scheme => ({
  algorithm: sequence(oid(dotted), ...parameters),
  hash,
});
const asn1Null = bytes('0500');
const rsaKeys = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
const rsa2048 = rsaKeys(2048);
const rsa1024 = rsaKeys(1024);
const rsaPssKeys = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
const sha256 = '2.16.840.1.101.3.4.2.1';
const sha512 = '2.16.840.1.101.3.4.2.3';
const pkcs1 = '1.2.840.113549.1.1';

const signatures: readonly (readonly [
  sentence: string,
  keys: ReturnType<typeof generateEc>,
  scheme: Scheme,
  code: string,
  policy?: Partial<PathPolicy>,
])[] = [
  ['ECDSA P-256', generateEc('P-256'), plain('1.2.840.10045.4.3.2', 'sha256'), 'valid'],
  ['ECDSA P-384', generateEc('P-384'), plain('1.2.840.10045.4.3.3', 'sha384'), 'valid'],
  ['ECDSA P-521', generateEc('P-521'), plain('1.2.840.10045.4.3.4', 'sha512'), 'valid'],
  ['ECDSA P-256 with SHA-512', generateEc('P-256'), plain('1.2.840.10045.4.3.4', 'sha512'), 'valid'],
  [
    'ECDSA with a NULL',
    generateEc(),
    plain('1.2.840.10045.4.3.2', 'sha256', asn1Null),
    'signature_algorithm_unsupported',
  ],
  [
    'ECDSA on secp256k1',
    generateEc('secp256k1'),
    plain('1.2.840.10045.4.3.2', 'sha256'),
    'issuer_key_unsupported',
  ],
  ['ECDSA with SHA-1', generateEc(), plain('1.2.840.10045.4.1', 'sha1'), 'signature_algorithm_weak'],
  ['Ed25519', generateKeyPairSync('ed25519'), plain('1.3.101.112', null), 'valid'],
  ['Ed448', generateKeyPairSync('ed448'), plain('1.3.101.113', null), 'valid'],
  ['RSA', rsa2048, plain(`${pkcs1}.11`, 'sha256', asn1Null), 'valid'],
  ['RSA without parameters', rsa2048, plain(`${pkcs1}.11`, 'sha256'), 'valid'],
  [
    'RSA with other parameters',
    rsa2048,
    plain(`${pkcs1}.11`, 'sha256', integer(1)),
    'signature_algorithm_unsupported',
  ],
  ['RSA with SHA-384', rsa2048, plain(`${pkcs1}.12`, 'sha384', asn1Null), 'valid'],
  ['RSA with SHA-512', rsa2048, plain(`${pkcs1}.13`, 'sha512', asn1Null), 'valid'],
  ['RSA with SHA-1', rsa2048, plain(`${pkcs1}.5`, 'sha1', asn1Null), 'signature_algorithm_weak'],
  [
    'RSA with SHA-1, by option',
    rsa2048,
    plain(`${pkcs1}.5`, 'sha1', asn1Null),
    'valid',
    { weakAlgorithms: { sha1: true, md5: false, minRsaBits: 2048 } },
  ],
  ['RSA with MD5', rsa2048, plain(`${pkcs1}.4`, 'md5', asn1Null), 'signature_algorithm_weak'],
  [
    'RSA with MD5, by option',
    rsa2048,
    plain(`${pkcs1}.4`, 'md5', asn1Null),
    'valid',
    { weakAlgorithms: { sha1: false, md5: true, minRsaBits: 2048 } },
  ],
  ['RSA of 1024 bits', rsa1024, plain(`${pkcs1}.11`, 'sha256', asn1Null), 'issuer_key_too_weak'],
  [
    'RSA of 1024 bits, by option',
    rsa1024,
    plain(`${pkcs1}.11`, 'sha256', asn1Null),
    'valid',
    { weakAlgorithms: { sha1: false, md5: false, minRsaBits: 1024 } },
  ],
  ['RSA-PSS', rsa2048, pss('sha256', sha256, 32), 'valid'],
  ['RSA-PSS with another salt', rsa2048, pss('sha512', sha512, 20), 'valid'],
  ['RSA-PSS by a key for it', rsaPssKeys, pss('sha256', sha256, 32), 'valid'],
  ['RSA-PSS with SHA-1', rsa2048, pss('sha1', '1.3.14.3.2.26', 20), 'signature_algorithm_weak'],
  [
    'RSA-PSS with another hash for the mask',
    rsa2048,
    pss('sha256', sha256, 32, sha512),
    'signature_algorithm_unsupported',
  ],
  [
    'RSA-PSS that names another salt length',
    rsa2048,
    { ...pss('sha256', sha256, 32), saltLength: 20 },
    'signature_invalid',
  ],
  [
    'RSA-PSS without parameters',
    rsa2048,
    { ...pss('sha256', sha256, 32), algorithm: sequence(oid(`${pkcs1}.10`)) },
    'signature_algorithm_unsupported',
  ],
  ['RSA called ECDSA', rsa2048, plain('1.2.840.10045.4.3.2', 'sha256'), 'signature_invalid'],
];

for (const [sentence, keys, scheme, code, policy] of signatures) {
  test(`a certificate signed with ${sentence}: ${code}`, () => {
    const issuer = entity('Signer', keys, scheme);
    assert.equal(told(certify(issuer, leaf), [], certify(issuer, issuer, [ca()]), policy), code);
  });
}

const leafKeys: readonly (readonly [sentence: string, keys: ReturnType<typeof generateEc>, code: string])[] =
  [
    ['RSA of 2048 bits', rsa2048, 'valid'],
    ['RSA of 1024 bits', rsa1024, 'key_too_weak'],
    ['Ed25519', generateKeyPairSync('ed25519'), 'valid'],
    ['secp256k1', generateEc('secp256k1'), 'key_unsupported'],
    ['X25519', generateKeyPairSync('x25519'), 'key_unsupported'],
  ];

for (const [sentence, keys, code] of leafKeys) {
  test(`a leaf with a key of ${sentence}: ${code}`, () =>
    assert.equal(told(certify(root, entity('leaf', keys)), [], certify(root, root, [ca()])), code));
}

test('a point that is not on its curve signs nothing', () => {
  const spki = sequence(
    sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')),
    bits(bytes(`04${'11'.repeat(64)}`)),
  );
  const anchor = certify(root, root, [ca()], { subjectPublicKeyInfo: spki });
  assert.equal(told(certify(root, leaf), [], anchor), 'signature_invalid');
});

test('a key that its own parameters forbid to use so signs nothing', () => {
  const keys = generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    hashAlgorithm: 'sha512',
    mgf1HashAlgorithm: 'sha512',
  });
  const signer = entity('Signer', rsa2048, pss('sha256', sha256, 32));
  const anchor = certify(root, entity('Signer', keys), [ca()]);
  assert.equal(told(certify(signer, leaf), [], anchor), 'signature_invalid');
});

test('an RSA exponent that would cost hours is refused unread', () => {
  const rsaKey = sequence(integer(2n ** 2047n + 1n), integer(2n ** 2040n + 1n));
  const spki = sequence(sequence(oid(`${pkcs1}.1`), asn1Null), bits(rsaKey));
  assert.equal(
    told(certify(root, leaf, [], { subjectPublicKeyInfo: spki }), [], certify(root, root, [ca()])),
    'key_unsupported',
  );
});

test('a certificate without an end (RFC 5280 4.1.2.5)', () => {
  assert.equal(
    verdictOf({ dates: { leaf: validity(now - dayMs, Date.UTC(9999, 11, 31, 23, 59, 59)) } }),
    'valid',
  );
});
