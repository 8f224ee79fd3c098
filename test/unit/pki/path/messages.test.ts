import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate } from '../../../../src/pki/certificate/certificate.ts';
import { validatePath } from '../../../../src/pki/path/path-validation.ts';
import { createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { now } from '../../../support/certificate-authority.ts';
import { bits, bytes, der, explicit, extension, integer, name, oid, sequence } from '../der-writer.ts';
import {
  ca,
  certify,
  defaultScheme,
  dns,
  entity,
  generateEc,
  nameConstraints,
  subjectAltName,
} from '../forge.ts';

/** What an operator reads at night: what is wrong, never only the name of something that is accepted elsewhere. */

const [root, leaf] = [entity('Root'), entity('leaf')];
const plainRoot = certify(root, root, [ca()]);

function told(end: Certificate, anchor = plainRoot, intermediates: readonly Certificate[] = []): string {
  const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: anchor }] });
  const verdict = validatePath(end, { trustStore, intermediates, now });
  return verdict.valid ? 'valid' : `${verdict.code}: ${verdict.detail}`;
}

const rsa = '1.2.840.113549.1.1.1';
const ec = '1.2.840.10045.2.1';
const asn1Null = bytes('0500');
const rsaKey = (modulus: bigint, exponent: bigint): Uint8Array =>
  sequence(sequence(oid(rsa), asn1Null), bits(sequence(integer(modulus), integer(exponent))));
const modulus = (size: bigint): bigint => 2n ** (size - 1n) + 1n;
const point = bits(bytes(`04${'11'.repeat(64)}`));

const keys: readonly (readonly [sentence: string, spki: Uint8Array, why: string])[] = [
  ['RSA that is too long', rsaKey(modulus(16384n), 65537n), 'RSA of 16384 bits, more than 8192'],
  ['RSA that is a little too long', rsaKey(modulus(9000n), 65537n), 'RSA of 9000 bits, more than 8192'],
  [
    'RSA with a long exponent',
    rsaKey(modulus(2048n), 2n ** 32n + 15n),
    'RSA with an exponent of 33 bits, more than 32',
  ],
  [
    'RSA with a longer exponent',
    rsaKey(modulus(2048n), 2n ** 63n + 1n),
    'RSA with an exponent of 64 bits, more than 32',
  ],
  ['RSA with exponent 1', rsaKey(modulus(2048n), 1n), 'RSA with an exponent that is even or 1'],
  ['RSA with an even exponent', rsaKey(modulus(2048n), 65536n), 'RSA with an exponent that is even or 1'],
  [
    'explicit curve parameters',
    sequence(sequence(oid(ec), sequence(integer(1))), point),
    'EC with explicit curve parameters; RFC 5480 2.1.1 wants the name of a curve',
  ],
  ['no curve', sequence(sequence(oid(ec)), point), 'EC without a curve'],
  ['another curve', sequence(sequence(oid(ec), oid('1.3.132.0.33')), point), 'EC on the curve 1.3.132.0.33'],
  ['another algorithm', sequence(sequence(oid('1.2.3.4')), point), 'the algorithm 1.2.3.4'],
];
for (const [sentence, subjectPublicKeyInfo, why] of keys) {
  test(`a key of ${sentence} is named, the client's and a CA's`, () => {
    assert.equal(
      told(certify(root, leaf, [], { subjectPublicKeyInfo })),
      `key_unsupported: CN=leaf has a key of ${why}`,
    );
    assert.equal(
      told(certify(root, leaf), certify(root, root, [ca()], { subjectPublicKeyInfo })),
      `issuer_key_unsupported: CN=Root has a key of ${why}`,
    );
  });
}

const pkcs1 = '1.2.840.113549.1.1';
const sha = (last: number): Uint8Array => sequence(oid(`2.16.840.1.101.3.4.2.${last}`));
const mgf1 = (last: number): Uint8Array => sequence(oid(`${pkcs1}.8`), sha(last));
const pss = (...fields: readonly Uint8Array[]): Uint8Array =>
  sequence(oid(`${pkcs1}.10`), sequence(...fields));

const algorithms: readonly (readonly [sentence: string, algorithm: Uint8Array, why: string])[] = [
  [
    'ECDSA with NULL',
    sequence(oid('1.2.840.10045.4.3.2'), asn1Null),
    'ecdsa-with-SHA256, with parameters, which RFC 5758 3.2 forbids',
  ],
  [
    'Ed25519 with NULL',
    sequence(oid('1.3.101.112'), asn1Null),
    'ed25519, with parameters, which RFC 8410 3 forbids',
  ],
  [
    'RSA with a number',
    sequence(oid(`${pkcs1}.11`), integer(1)),
    'RSA and sha256, with parameters other than NULL',
  ],
  ['RSASSA-PSS without parameters', sequence(oid(`${pkcs1}.10`)), 'RSASSA-PSS without parameters'],
  [
    'RSASSA-PSS with two hashes',
    pss(explicit(0, sha(1)), explicit(1, mgf1(3))),
    'RSASSA-PSS with sha256, whose mask has sha512; both must be the same hash',
  ],
  [
    'RSASSA-PSS with a strange hash',
    pss(explicit(0, sha(9)), explicit(1, mgf1(1))),
    'RSASSA-PSS with a hash that is not accepted',
  ],
  [
    'RSASSA-PSS with an endless salt',
    pss(explicit(0, sha(1)), explicit(1, mgf1(1)), explicit(2, integer(600))),
    'RSASSA-PSS with a salt of 600 octets, more than 512',
  ],
  ['an unknown one', sequence(oid('1.2.3.4')), 'the algorithm 1.2.3.4'],
];
for (const [sentence, algorithm, why] of algorithms) {
  test(`a signature by ${sentence} is named`, () => {
    const signer = entity('Root', generateEc(), { ...defaultScheme, algorithm });
    assert.equal(
      told(certify(signer, leaf)),
      `signature_algorithm_unsupported: CN=leaf is signed with ${why}`,
    );
  });
}

const host = certify(root, leaf, [subjectAltName(dns('host.example.com'))]);
const constrained = (permitted: readonly Uint8Array[], excluded: readonly Uint8Array[] = []): Certificate =>
  certify(root, root, [ca(), nameConstraints(permitted, excluded)]);

const constraints: readonly (readonly [sentence: string, anchor: Certificate, why: string])[] = [
  [
    'permitted, with a leading dot',
    constrained([dns('.example.com')]),
    'name_constraint_unsupported: dNSName "host.example.com" in CN=leaf, by the permitted dNSName ".example.com" of CN=Root',
  ],
  [
    'excluded, with a leading dot',
    constrained([], [dns('.evil.example')]),
    'name_constraint_unsupported: dNSName "host.example.com" in CN=leaf, by the excluded dNSName ".evil.example" of CN=Root',
  ],
  [
    'excluded',
    constrained([], [dns('example.com')]),
    'name_excluded: dNSName "host.example.com" in CN=leaf, by the excluded dNSName "example.com" of CN=Root',
  ],
  [
    'none of those permitted',
    constrained([dns('a.test'), dns('b.test')]),
    'name_not_permitted: dNSName "host.example.com" in CN=leaf, by the permitted dNSName "a.test", dNSName "b.test" of CN=Root',
  ],
  [
    'a subject that is not permitted',
    constrained([explicit(4, name('O=Acme'))]),
    'name_not_permitted: directoryName "CN=leaf" in CN=leaf, by the permitted directoryName "O=Acme" of CN=Root',
  ],
];
for (const [sentence, anchor, why] of constraints)
  test(`the constraint is named: ${sentence}`, () => assert.equal(told(host, anchor), why));

const cps = '1.3.6.1.5.5.7.2.1';
const notice = '1.3.6.1.5.5.7.2.2';
const policies = (isCritical: boolean, ...qualifiers: readonly Uint8Array[]): Uint8Array =>
  extension(
    '2.5.29.32',
    sequence(
      sequence(oid('1.3.6.1.4.1.99999.1'), ...(qualifiers.length > 0 ? [sequence(...qualifiers)] : [])),
    ),
    isCritical,
  );
const qualifier = (id: string): Uint8Array => sequence(oid(id), der(0x16, Buffer.from('x')));

const qualified: readonly (readonly [sentence: string, policies: Uint8Array, isRefused: boolean])[] = [
  ['critical, without qualifiers', policies(true), false],
  ['critical, with the qualifiers of RFC 5280', policies(true, qualifier(cps), qualifier(notice)), false],
  ['critical, with another qualifier', policies(true, qualifier('1.2.3.4')), true],
  [
    'critical, with another qualifier behind a known one',
    policies(true, qualifier(cps), qualifier('1.2.3.4')),
    true,
  ],
  ['critical, with a qualifier that is none', policies(true, asn1Null), true],
  ['with another qualifier, not critical', policies(false, qualifier('1.2.3.4')), false],
  ['with a qualifier that is none, not critical', policies(false, asn1Null), false],
];
for (const [sentence, extensionOf, isRefused] of qualified) {
  test(`certificate policies ${sentence}: ${isRefused ? 'refused' : 'valid'}, in each certificate of the path`, () => {
    const inter = entity('Intermediate');
    const places = (at: number) => (at === 0 ? [extensionOf] : []);
    for (const [at, code] of ['certificate', 'issuer', 'issuer'].entries()) {
      const end = certify(inter, leaf, places(at));
      const between = certify(root, inter, [ca(), ...places(at - 1)]);
      const anchor = certify(root, root, [ca(), ...places(at - 2)]);
      const result = told(end, anchor, [between]);
      if (isRefused)
        assert.match(result, new RegExp(`^${code}_critical_extension_unknown: .* with the qualifier `));
      else assert.equal(result, 'valid');
    }
  });
}
