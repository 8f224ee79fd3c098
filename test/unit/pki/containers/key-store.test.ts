import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { readKeyStore } from '../../../../src/pki/containers/key-store.ts';
import { KeyStoreError } from '../../../../src/pki/containers/key-store-entry.ts';
import { selfSigned } from '../../../support/certificate-authority.ts';
import {
  keytoolStore,
  makeJks,
  missing,
  noKeytool,
  opensslPkcs12,
  opensslSigned,
} from '../../../support/key-stores.ts';

const ec = await selfSigned({ subject: 'CN=ec' });
const rsa = await selfSigned({ subject: 'CN=rsa', keyAlgorithm: 'RSA-2048' });
const noOpenssl = missing('openssl', 'apt-get install openssl');
const hex = (der: Uint8Array): string => Buffer.from(der).toString('hex');

function read(bytes: Uint8Array, password = 'ballerina'): string[] | string {
  try {
    return readKeyStore(bytes, password).map(
      ({ alias, kind, der }) =>
        `${alias} ${kind} ${hex(der) === hex(ec.der) ? 'ec' : hex(der) === hex(rsa.der) ? 'rsa' : '?'}`,
    );
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error;
    return error.code;
  }
}

for (const [name, made] of [
  ['ec', ec],
  ['rsa', rsa],
] as const) {
  for (const flags of [[], ['-legacy']]) {
    const how = `openssl ${flags.join(' ') || 'of today'}, ${name}`;
    test(`PKCS#12 by ${how}: a certificate by itself, byte for byte`, { skip: noOpenssl }, () => {
      const bytes = opensslPkcs12({ pem: made.pem }, 'Ballerina', 'ballerina', ...flags);
      assert.deepEqual(read(bytes), [`Ballerina trusted ${name}`]);
      assert.equal(read(bytes, 'wrong'), 'wrong_password');
    });
    test(`PKCS#12 by ${how}: with its key`, { skip: noOpenssl }, () => {
      assert.deepEqual(read(opensslPkcs12(made, 'Own Key', 'ballerina', ...flags)), [
        `Own Key private-key ${name}`,
      ]);
    });
  }
}

/** Legal encodings of an RSA certificate that a library writes otherwise than it read them. */
const encodings: readonly [sentence: string, flags: readonly string[]][] = [
  ['PKCS #1 v1.5', []],
  [
    'PSS with the default salt, left out',
    ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20'],
  ],
  [
    'PSS with SHA-1 for all, all left out',
    ['-sha1', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20'],
  ],
  [
    'PSS with a salt as long as the hash',
    ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'],
  ],
  ['PSS with SHA-512', ['-sha512', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:-1']],
  [
    'PSS with another hash in its mask',
    ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20', '-sigopt', 'rsa_mgf1_md:sha1'],
  ],
  ['a key for PSS only', []],
];
for (const [sentence, flags] of encodings) {
  test(`PKCS#12, byte for byte: ${sentence}`, { skip: noOpenssl }, () => {
    const pem = opensslSigned(sentence.startsWith('a key for PSS') ? 'rsa-pss' : 'rsa:2048', ...flags);
    const written = Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64');
    for (const legacy of [[], ['-legacy']]) {
      const [entry] = readKeyStore(opensslPkcs12({ pem }, 'acme', 'ballerina', ...legacy), 'ballerina');
      assert.equal(hex(entry!.der), hex(written));
    }
  });
}

test('PKCS#12: whatever lies in a bag comes out as it lies there', { skip: noOpenssl }, () => {
  const store = opensslPkcs12({ pem: ec.pem }, 'x', 'ballerina', '-nomac', '-certpbe', 'NONE');
  const at = store.indexOf(Buffer.from(ec.der));
  assert.notEqual(at, -1);
  // BER's longer length, which no DER writer would keep; the certificate loses a byte of its end for it.
  const ber = Buffer.concat([Buffer.from('3083000', 'hex').subarray(0, 3), ec.der]).subarray(
    0,
    ec.der.length,
  );
  const changed = Buffer.concat([store.subarray(0, at), ber, store.subarray(at + ber.length)]);
  assert.equal(hex(readKeyStore(changed, '')[0]!.der), hex(ber));
});

test('PKCS#12: a password beyond ASCII', { skip: noOpenssl }, () => {
  assert.deepEqual(read(opensslPkcs12({ pem: ec.pem }, 'x', 'pässwörd'), 'pässwörd'), ['x trusted ec']);
});

for (const type of ['PKCS12', 'JKS'] as const) {
  test(`${type} by keytool`, { skip: noKeytool }, () => {
    const bytes = keytoolStore(type, { Acme: rsa.pem, globex: ec.pem }, 'ballerina');
    assert.deepEqual([...read(bytes)].map((line) => line.toLowerCase()).sort(), [
      'acme trusted rsa',
      'globex trusted ec',
    ]);
    assert.equal(read(bytes, 'wrong'), 'wrong_password');
  });
}

const jks = makeJks(
  [
    ['acme', ec.der],
    ['key', rsa.der, 'private-key'],
  ],
  'ballerina',
);
test('JKS made by hand', () => assert.deepEqual(read(jks), ['acme trusted ec', 'key private-key rsa']));

const hostile: readonly [why: string, bytes: Uint8Array, code: string][] = [
  ['nothing', new Uint8Array(), 'not_a_key_store'],
  ['a PEM file', Buffer.from(ec.pem), 'not_a_key_store'],
  ['a certificate', ec.der, 'not_a_key_store'],
  ['JCEKS', Buffer.from('cececece00000002', 'hex'), 'unsupported_encryption'],
  ['a JKS that was cut', jks.subarray(0, jks.length - 30), 'wrong_password'],
  [
    'a JKS with one bit turned',
    Buffer.from(jks.map((byte, i) => (i === 40 ? byte ^ 1 : byte))),
    'wrong_password',
  ],
  ['a JKS that says it has millions', signed('feedfeed00000002ffffffff'), 'too_costly'],
  [
    'a JKS whose certificate is longer than the file',
    signed('feedfeed0000000200000001000000020001610000000000000000000158ffffffff'),
    'not_a_key_store',
  ],
  ['a JKS of another version', signed('feedfeed0000000900000000'), 'not_a_key_store'],
];
for (const [why, bytes, code] of hostile) {
  test(`${code}: ${why}`, () => assert.equal(read(bytes), code));
}

test('a PKCS#12 that asks for hours of work is refused at once', { skip: noOpenssl, timeout: 5_000 }, () => {
  const bytes = opensslPkcs12({ pem: ec.pem }, 'x', 'ballerina', '-iter', '2048');
  // The MAC's count, two octets, is the last INTEGER of the file: there is room for a larger one in its place only.
  const at = bytes.lastIndexOf(Buffer.from([0x02, 0x02, 0x08, 0x00]));
  const huge = Buffer.concat([bytes.subarray(0, at), Buffer.from([0x02, 0x04, 0x7f, 0xff, 0xff, 0xff])]);
  for (const offset of [2]) huge.writeUInt16BE(huge.length - 4, offset);
  const result = read(huge);
  assert.ok(result === 'too_costly' || result === 'not_a_key_store', String(result));
});

test('too_costly: hours of work asked for behind the MAC', { skip: noOpenssl, timeout: 5_000 }, () => {
  const bytes = opensslPkcs12({ pem: ec.pem }, 'x', 'ballerina', '-nomac', '-iter', '8388607');
  assert.equal(read(bytes), 'too_costly');
});

function signed(body: string): Buffer {
  const bytes = Buffer.from(body, 'hex');
  const digest = createHash('sha1')
    .update(Buffer.from('ballerina', 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(bytes)
    .digest();
  return Buffer.concat([bytes, digest]);
}
