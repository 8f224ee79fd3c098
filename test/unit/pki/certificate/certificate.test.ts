import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateError, readCertificate } from '../../../../src/pki/certificate/certificate.ts';
import { formatName } from '../../../../src/pki/certificate/name.ts';
import { createAuthority, selfSigned } from '../../../support/certificate-authority.ts';
import {
  bits,
  boolean,
  bytes,
  der,
  explicit,
  extension,
  integer,
  name,
  octets,
  oid,
  printable,
  sequence,
  set,
  utf8,
} from '../der-writer.ts';
import {
  type CertificateParts,
  ca,
  dns,
  extensions,
  forgeDer,
  nothing,
  subjectAltName,
  thumb,
} from '../forge.ts';

function codeOf(bytes: Uint8Array): string {
  try {
    readCertificate(bytes);
    return 'read';
  } catch (error) {
    assert.ok(error instanceof CertificateError, String(error));
    return error.code;
  }
}

type Row = readonly [sentence: string, parts: Partial<CertificateParts>, code: string];

const utc = (text: string) => der(0x17, Buffer.from(text));
const generalized = (text: string) => der(0x18, Buffer.from(text));
const good = utc('260101000000Z');
const san = (...names: readonly Uint8Array[]) => ({ extensions: extensions(subjectAltName(...names)) });
const only = (id: string, value: Uint8Array) => ({ extensions: extensions(extension(id, value)) });

const key = (algorithm: string, hex: string, ...parameters: readonly Uint8Array[]) => ({
  subjectPublicKeyInfo: sequence(sequence(oid(algorithm), ...parameters), bits(bytes(hex))),
});

const rows: readonly Row[] = [
  ['a plain one', {}, 'read'],
  ['version 1', { version: nothing }, 'read'],
  ['version 2', { version: explicit(0, integer(1)) }, 'read'],
  ['version 1 written out', { version: explicit(0, integer(0)) }, 'certificate_version_unsupported'],
  ['version 4', { version: explicit(0, integer(3)) }, 'certificate_version_unsupported'],
  [
    'version 2 with extensions',
    { version: explicit(0, integer(1)), extensions: extensions(ca()) },
    'certificate_version_too_low',
  ],
  [
    'no version, with extensions',
    { version: nothing, extensions: extensions(ca()) },
    'certificate_version_too_low',
  ],
  ['a serial number of zero', { serialNumber: integer(0) }, 'read'],
  ['a negative serial number', { serialNumber: integer(-5) }, 'read'],
  ['a serial number of 20 octets', { serialNumber: integer(2n ** 159n - 1n) }, 'read'],
  ['a serial number of 20 octets and a zero before', { serialNumber: integer(2n ** 159n) }, 'read'],
  ['a serial number of 21 octets', { serialNumber: integer(2n ** 160n) }, 'certificate_serial_malformed'],
  [
    'a serial number with a needless zero',
    { serialNumber: bytes('02020007') },
    'certificate_serial_malformed',
  ],
  ['a serial number without octets', { serialNumber: bytes('0200') }, 'certificate_serial_malformed'],
  [
    'two signature algorithms',
    { signature: sequence(oid('1.2.840.10045.4.3.3')) },
    'certificate_algorithms_differ',
  ],
  ['no issuer', { issuer: sequence() }, 'certificate_issuer_empty'],
  ['no subject', { subject: sequence() }, 'read'],
  ['an RDN without attributes', { subject: sequence(set()) }, 'certificate_malformed'],
  [
    'UTF-8 that is none',
    { subject: sequence(set(sequence(oid('2.5.4.3'), der(0x0c, bytes('ff'))))) },
    'certificate_malformed',
  ],
  ['UTCTime', { validity: sequence(good, utc('491231235959Z')) }, 'read'],
  ['GeneralizedTime', { validity: sequence(good, generalized('20500101000000Z')) }, 'read'],
  ['GeneralizedTime before 2050', { validity: sequence(generalized('20260101000000Z'), good) }, 'read'],
  ['the end of time', { validity: sequence(good, generalized('99991231235959Z')) }, 'read'],
  [
    'UTCTime without seconds',
    { validity: sequence(utc('2601010000Z'), good) },
    'certificate_validity_malformed',
  ],
  [
    'UTCTime with an offset',
    { validity: sequence(utc('260101000000+0000'), good) },
    'certificate_validity_malformed',
  ],
  [
    'a fraction of a second',
    { validity: sequence(generalized('20260101000000.5Z'), good) },
    'certificate_validity_malformed',
  ],
  ['30 February', { validity: sequence(utc('260230000000Z'), good) }, 'certificate_validity_malformed'],
  [
    '29 February of no leap year',
    { validity: sequence(utc('270229000000Z'), good) },
    'certificate_validity_malformed',
  ],
  ['29 February', { validity: sequence(utc('280229000000Z'), good) }, 'read'],
  ['hour 24', { validity: sequence(utc('260101240000Z'), good) }, 'certificate_validity_malformed'],
  ['second 60', { validity: sequence(utc('260101000060Z'), good) }, 'certificate_validity_malformed'],
  ['month 0', { validity: sequence(utc('260001000000Z'), good) }, 'certificate_validity_malformed'],
  ['an INTEGER for a date', { validity: sequence(integer(1), good) }, 'certificate_validity_malformed'],
  [
    'a key cut short',
    { subjectPublicKeyInfo: sequence(sequence(oid('1.2.840.10045.2.1')), bits(bytes('00'), 1)) },
    'certificate_key_malformed',
  ],
  [
    'an RSA key that is none',
    { subjectPublicKeyInfo: sequence(sequence(oid('1.2.840.113549.1.1.1')), bits(bytes('00'))) },
    'certificate_key_malformed',
  ],
  [
    'an EC point of no length',
    key('1.2.840.10045.2.1', '04', oid('1.2.840.10045.3.1.7')),
    'certificate_key_malformed',
  ],
  [
    'an EC point cut short',
    key('1.2.840.10045.2.1', `04${'11'.repeat(63)}`, oid('1.2.840.10045.3.1.7')),
    'certificate_key_malformed',
  ],
  [
    'a compressed EC point',
    key('1.2.840.10045.2.1', `02${'11'.repeat(32)}`, oid('1.2.840.10045.3.1.7')),
    'read',
  ],
  ['an EC key of no named curve', key('1.2.840.10045.2.1', '04', sequence()), 'read'],
  [
    'an Ed25519 key with parameters',
    key('1.3.101.112', '11'.repeat(32), bytes('0500')),
    'certificate_key_malformed',
  ],
  ['an Ed25519 key cut short', key('1.3.101.112', '11'.repeat(31)), 'certificate_key_malformed'],
  ['a key of an unknown algorithm', key('1.2.3', '11'), 'read'],
  ['an extension twice', { extensions: extensions(ca(), ca()) }, 'certificate_extension_duplicate'],
  [
    'an unknown extension twice',
    { extensions: extensions(extension('1.2.3', nothing), extension('1.2.3', nothing)) },
    'certificate_extension_duplicate',
  ],
  ['no extension in the list', { extensions: explicit(3, sequence()) }, 'certificate_malformed'],
  [
    'two lists of extensions',
    { extensions: explicit(3, sequence(ca()), sequence(ca())) },
    'certificate_malformed',
  ],
  [
    'critical FALSE written out',
    { extensions: extensions(sequence(oid('1.2.3'), boolean(false), octets(nothing))) },
    'read',
  ],
  [
    'critical that is neither',
    { extensions: extensions(sequence(oid('1.2.3'), bytes('010101'), octets(nothing))) },
    'certificate_malformed',
  ],
  [
    'a field too many in an extension',
    { extensions: extensions(sequence(oid('1.2.3'), octets(nothing), integer(1))) },
    'certificate_malformed',
  ],
  [
    'unique identifiers',
    { extensions: Buffer.concat([der(0x81, bytes('00aa')), der(0x82, bytes('00bb'))]) },
    'read',
  ],
  [
    'unique identifiers in version 1',
    { version: nothing, extensions: der(0x81, bytes('00aa')) },
    'certificate_malformed',
  ],
  ['bytes after the end', { tail: bytes('0500') }, 'certificate_malformed'],
  ['basicConstraints with FALSE written out', only('2.5.29.19', sequence(boolean(false))), 'read'],
  [
    'basicConstraints with bytes after',
    only('2.5.29.19', bytes('3000 00')),
    'certificate_extension_malformed',
  ],
  [
    'a negative pathLenConstraint',
    only('2.5.29.19', sequence(boolean(true), integer(-1))),
    'certificate_extension_malformed',
  ],
  ['a huge pathLenConstraint', only('2.5.29.19', sequence(boolean(true), integer(2n ** 70n))), 'read'],
  ['keyUsage without bits', only('2.5.29.15', bits(nothing)), 'certificate_extension_malformed'],
  [
    'keyUsage with a bit that has no name',
    only('2.5.29.15', bits(bytes('8040'), 6)),
    'certificate_extension_malformed',
  ],
  [
    'keyUsage with unused bits set',
    only('2.5.29.15', bits(bytes('ff'), 3)),
    'certificate_extension_malformed',
  ],
  ['no purpose in extKeyUsage', only('2.5.29.37', sequence()), 'certificate_extension_malformed'],
  ['a string in extKeyUsage', only('2.5.29.37', sequence(utf8('x'))), 'certificate_extension_malformed'],
  ['no name in subjectAltName', san(), 'certificate_extension_malformed'],
  ['a DNS name beyond ASCII', san(dns('b\u00fccher.example')), 'certificate_extension_malformed'],
  ['an address of five octets', san(der(0x87, bytes('0102030405'))), 'certificate_extension_malformed'],
  ['an address of 16 octets', san(der(0x87, bytes('00'.repeat(16)))), 'read'],
  [
    'alternative names of all forms',
    san(
      explicit(0, oid('1.2.3'), explicit(0, integer(1))),
      explicit(3),
      explicit(5),
      der(0x88, bytes('2a03')),
      explicit(4, name('CN=a')),
    ),
    'read',
  ],
  ['an otherName without a type', san(explicit(0)), 'certificate_extension_malformed'],
  ['a directoryName that is no name', san(explicit(4, integer(1))), 'certificate_extension_malformed'],
  [
    'two directoryNames in one',
    san(explicit(4, name('CN=a'), name('CN=b'))),
    'certificate_extension_malformed',
  ],
  [
    'a subject in an odd string type',
    { subject: sequence(set(sequence(oid('2.5.4.3'), der(0x1c, bytes('00000061'))))) },
    'read',
  ],
  [
    'a subject with half a character',
    { subject: sequence(set(sequence(oid('2.5.4.3'), der(0x1e, bytes('0061ff'))))) },
    'certificate_malformed',
  ],
  [
    'a subject with half a surrogate',
    { subject: sequence(set(sequence(oid('2.5.4.3'), der(0x1e, bytes('d800'))))) },
    'certificate_malformed',
  ],
  [
    'a subject in TeletexString',
    { subject: sequence(set(sequence(oid('2.5.4.3'), der(0x14, bytes('e4'))))) },
    'read',
  ],
  [
    'a subject in PrintableString beyond ASCII',
    { subject: sequence(set(sequence(oid('2.5.4.3'), der(0x13, bytes('e4'))))) },
    'certificate_malformed',
  ],
  ['a subject that is no SEQUENCE', { subject: set() }, 'certificate_malformed'],
  [
    'an RDN that is no SET',
    { subject: sequence(sequence(sequence(oid('2.5.4.3'), utf8('a')))) },
    'certificate_malformed',
  ],
  ['a general name of no form', san(der(0x89, bytes('00'))), 'certificate_extension_malformed'],
  ['nameConstraints without constraints', only('2.5.29.30', sequence()), 'certificate_extension_malformed'],
  [
    'nameConstraints with an empty list',
    only('2.5.29.30', sequence(explicit(0))),
    'certificate_extension_malformed',
  ],
  [
    'a policy twice',
    only('2.5.29.32', sequence(sequence(oid('1.2.3')), sequence(oid('1.2.3')))),
    'certificate_extension_malformed',
  ],
  ['no policy mapping', only('2.5.29.33', sequence()), 'certificate_extension_malformed'],
  ['policyConstraints without constraints', only('2.5.29.36', sequence()), 'certificate_extension_malformed'],
  ['a negative inhibitAnyPolicy', only('2.5.29.54', integer(-1)), 'certificate_extension_malformed'],
  [
    'an authority by serial number only',
    only('2.5.29.35', sequence(der(0x82, bytes('07')))),
    'certificate_extension_malformed',
  ],
  [
    'a distribution point with reasons only',
    only('2.5.29.31', sequence(sequence(der(0x81, bytes('0640'))))),
    'certificate_extension_malformed',
  ],
  [
    'authorityInfoAccess that is none',
    only('1.3.6.1.5.5.7.1.1', bytes('30ff')),
    'certificate_extension_malformed',
  ],
  [
    'an OID with a needless octet',
    { extensions: extensions(sequence(bytes('06032a8001'), octets(nothing))) },
    'certificate_malformed',
  ],
  [
    'an OID cut off',
    { extensions: extensions(sequence(bytes('06022a81'), octets(nothing))) },
    'certificate_malformed',
  ],
  [
    'an OID with a UUID in it',
    { extensions: extensions(extension('2.25.340282366920938463463374607431768211455', nothing)) },
    'read',
  ],
];

for (const [sentence, parts, code] of rows) {
  test(`${sentence}: ${code}`, () => assert.equal(codeOf(forgeDer(parts)), code));
}

const wholes: readonly (readonly [sentence: string, bytes: Uint8Array])[] = [
  ['nothing', nothing],
  ['one octet', bytes('30')],
  ['a SET', bytes('3100')],
  ['an empty SEQUENCE', bytes('3000')],
  ['an indefinite length', bytes('3080 0000')],
  ['a length in more octets than it needs', bytes('308101 00')],
  ['a length beyond the end', bytes('3003 0101')],
  ['a length of four octets', bytes('308400000000')],
  ['a tag of two octets', bytes('1f8100')],
  ['PEM', Buffer.from('-----BEGIN CERTIFICATE-----')],
];

for (const [sentence, whole] of wholes) {
  test(`${sentence} is no certificate`, () => assert.equal(codeOf(whole), 'certificate_malformed'));
}

test('what is read is what was issued', async () => {
  const root = await createAuthority({ subject: 'CN=Root, O=Example', pathLength: 1 });
  const issued = await root.issue({
    subject: 'CN=client',
    extendedKeyUsage: 'client',
    serialNumber: '0a0b0c',
    subjectAltNames: ['a.example', '192.0.2.1', 'a@b.example', 'https://c.example/d'],
  });
  const [ca, leaf] = [readCertificate(root.der), readCertificate(issued.der)];
  assert.equal(formatName(leaf.issuer), 'O=Example,CN=Root');
  assert.equal(leaf.serialNumber, '0A0B0C');
  assert.equal(leaf.sha256, thumb(issued.der));
  assert.equal(leaf.isCa, false);
  assert.deepEqual([...leaf.keyUsage!], ['digitalSignature']);
  assert.deepEqual(
    leaf.values.subjectAltName?.map(({ form }) => form),
    ['dNSName', 'iPAddress', 'rfc822Name', 'uniformResourceIdentifier'],
  );
  assert.equal(leaf.publicKey?.asymmetricKeyType, 'ec');
  assert.equal(leaf.isSelfSigned(), false);
  assert.equal(ca.isSelfSigned(), true);
  assert.deepEqual(ca.values.basicConstraints, { cA: true, pathLenConstraint: 1 });
});

test('a certificate that only says that it is its own issuer is not self-signed', async () => {
  const one = await createAuthority({ subject: 'CN=Same' });
  const other = await one.issue({ subject: 'CN=Same' });
  const read = readCertificate(other.der);
  assert.equal(read.isSelfIssued, true);
  assert.equal(read.isSelfSigned(), false);
});

test('a certificate keeps its bytes, whatever becomes of those that it was read from', async () => {
  const { der } = await selfSigned();
  const buffer = Buffer.from(der);
  const certificate = readCertificate(buffer);
  buffer.fill(0);
  assert.deepEqual(certificate.der, new Uint8Array(der));
  assert.equal(certificate.sha256, thumb(der));
});

const serials: readonly (readonly [value: number | bigint, text: string])[] = [
  [0, '00'],
  [7, '07'],
  [255, 'FF'],
  [-1, '-01'],
  [-255, '-FF'],
  [-256, '-0100'],
];
for (const [value, text] of serials) {
  test(`the serial number ${value} is shown as ${text}`, () =>
    assert.equal(readCertificate(forgeDer({ serialNumber: integer(value) })).serialNumber, text));
}

test('issuer and subject are one name whatever string type and case they are written in', () => {
  const one = readCertificate(
    forgeDer({ issuer: name('CN=A'), subject: sequence(set(sequence(oid('2.5.4.3'), printable('a')))) }),
  );
  assert.equal(one.isSelfIssued, true);
});
