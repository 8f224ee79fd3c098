import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCertificateFile } from '../../../../src/pki/containers/certificate-file.ts';
import { createAuthority, selfSigned } from '../../../support/certificate-authority.ts';
import { makeJks, missing, opensslPkcs12 } from '../../../support/key-stores.ts';
import { der, oid, sequence, utf8 } from '../der-writer.ts';

const a = await selfSigned({ subject: 'CN=a' });
const b = await createAuthority({ subject: 'CN=b' });
const noOpenssl = missing('openssl', 'apt-get install openssl');

/** The certificates by name, or what is wrong. */
function read(content: string | Uint8Array): string {
  const file = readCertificateFile(content);
  if (!file.ok) return file.problem;
  const names = file.certificates.map(
    ({ der, line }) =>
      `${Buffer.compare(der, a.der) === 0 ? 'a' : Buffer.compare(der, b.der) === 0 ? 'b' : '?'}:${line}`,
  );
  return [...names, ...file.faults].join(' ');
}

const base64 = Buffer.from(a.der).toString('base64');
const utf16le = Buffer.from(a.pem, 'utf16le');
const block = (label: string, ...parts: readonly Uint8Array[]): string =>
  `-----BEGIN ${label}-----\n${Buffer.concat(parts).toString('base64')}\n-----END ${label}-----\n`;

const clientAuth = oid('1.3.6.1.5.5.7.3.2');
const serverAuth = oid('1.3.6.1.5.5.7.3.1');
const settings = (...fields: readonly Uint8Array[]): string =>
  block('TRUSTED CERTIFICATE', a.der, sequence(...fields));
const rejected =
  "has a certificate (line 1) that OpenSSL's trust settings behind it reject for TLS clients; without them: openssl x509 -in FILE -out FILE.pem";

const readable: readonly [sentence: string, content: string | Uint8Array, found: string][] = [
  ['PEM', a.pem, 'a:1'],
  ['PEM as bytes', Buffer.from(a.pem), 'a:1'],
  ['DER', a.der, 'a:1'],
  ['base64 without armour', base64.replace(/.{64}/g, '$&\n'), 'a:1'],
  ['base64 of PEM', Buffer.from(a.pem).toString('base64'), 'a:1'],
  ['UTF-16 as PowerShell writes it', Buffer.concat([Buffer.from('fffe', 'hex'), utf16le]), 'a:1'],
  [
    'UTF-16, the other byte first',
    Buffer.concat([Buffer.from('feff', 'hex'), Buffer.from(utf16le).swap16()]),
    'a:1',
  ],
  ['UTF-16 without a mark', utf16le, 'a:1'],
  ['UTF-16 without a mark, the other byte first', Buffer.from(utf16le).swap16(), 'a:1'],
  ['Latin-1 around', Buffer.from(`Zo\xeb\n${a.pem}`, 'latin1'), 'a:2'],
  ['the same certificate twice', a.pem + a.pem, 'a:1'],
  ['two certificates', a.pem + b.pem, `a:1 b:${a.pem.split('\n').length}`],
  ['dividers between', `---------- Acme ----------\n${a.pem}--------------------\n`, 'a:2'],
  ['a CRL beside it', block('X509 CRL', Buffer.from('3000', 'hex')) + a.pem, 'a:4'],
  [
    'parameters with headers beside it',
    `-----BEGIN EC PARAMETERS-----\nA: b\n\nBg==\n-----END EC PARAMETERS-----\n${a.pem}`,
    'a:6',
  ],
  ['X509 CERTIFICATE', a.pem.replaceAll('CERTIFICATE', 'X509 CERTIFICATE'), 'a:1'],
  ['TRUSTED CERTIFICATE without settings', block('TRUSTED CERTIFICATE', a.der), 'a:1'],
  ['with an alias only', settings(utf8('acme')), 'a:1'],
  ['trusted for TLS clients', settings(sequence(serverAuth, clientAuth)), 'a:1'],
  ['trusted for anything', settings(sequence(oid('2.5.29.37.0'))), 'a:1'],
  ['rejected for TLS servers only', settings(der(0xa0, serverAuth)), 'a:1'],
  ['rejected for TLS clients', settings(der(0xa0, clientAuth)), rejected],
  ['rejected for anything', settings(der(0xa0, oid('2.5.29.37.0'))), rejected],
  ['trusted, and rejected after all', settings(sequence(clientAuth), der(0xa0, clientAuth)), rejected],
  [
    'trusted for something else only, which OpenSSL takes for a refusal',
    settings(sequence(serverAuth)),
    rejected,
  ],
  [
    'settings that can not be read',
    block('TRUSTED CERTIFICATE', a.der, Buffer.from('0500', 'hex')),
    rejected,
  ],
];
for (const [sentence, content, found] of readable)
  test(`read: ${sentence}`, () => assert.equal(read(content), found));

const pkcs8 = Buffer.from(a.privateKeyPem.replace(/-----.*-----|\s/g, ''), 'base64');
const encrypted = block('RSA PRIVATE KEY', Buffer.alloc(9)).replace(
  '\n',
  '\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n',
);
const told: readonly [sentence: string, content: string | Uint8Array, why: RegExp][] = [
  ['nothing', '', /^is empty; it needs a PEM certificate$/],
  ['blanks', Buffer.from(' \n'), /^is empty/],
  [
    'other text',
    'hello',
    /^has no certificate in it; it needs a block from "-----BEGIN CERTIFICATE-----" to its END$/,
  ],
  [
    'a BEGIN with four dashes',
    a.pem.replace('-----\n', '----\n'),
    /^has no certificate in it.*; line 1 looks like a part of one$/,
  ],
  ['dashes of a word processor', a.pem.replaceAll('-----', '–––––'), /line 1 looks like a part of one$/],
  ['a certificate that was cut off', a.pem.slice(0, 200), /^is no PEM text \(line 1\): a BEGIN has no END$/],
  [
    'a private key beside it',
    a.pem + a.privateKeyPem,
    /^has a private key in it \(line \d+\); take it out, /,
  ],
  [
    'a key in the older encrypted form',
    a.pem + encrypted,
    /^has a private key in it \(line \d+\); take it out, /,
  ],
  ['a key that was cut off', a.pem + a.privateKeyPem.slice(0, 60), /^has a private key in it; take it out, /],
  ['a private key in DER', pkcs8, /^has a private key in it; take it out, /],
  ['a private key in base64', pkcs8.toString('base64'), /^has a private key in it; /],
  [
    'a private key that calls itself a certificate',
    block('CERTIFICATE', pkcs8),
    /line 1\) that has a private key in it/,
  ],
  ['a public key', block('PUBLIC KEY', Buffer.alloc(9)), /^is a public key without a certificate/],
  ['a CRL alone', block('X509 CRL', Buffer.alloc(9)), /^is a revocation list \(CRL\)/],
  ['JKS', makeJks([['a', a.der]], 'changeit'), /^is a Java key store; .*keytool -exportcert -rfc/],
  ['an OpenSSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@here\n', /^is an OpenSSH public key/],
  ['what openssl prints', 'Certificate:\n    Data:\n        Version: 3 (0x2)\n', /leave -noout out$/],
  ['a header’s value', encodeURIComponent(a.pem), /^is a percent-encoded certificate/],
  [
    'hex',
    Buffer.from(a.der).toString('hex').replace(/.{60}/g, '$&\n'),
    /^is a certificate in hex; .*xxd -r -p/,
  ],
  ['a page of a proxy', '<!DOCTYPE html>\n<title>503</title>\n', /^is a page of HTML/],
  ['a ZIP archive', Buffer.from('504b03041400', 'hex'), /^is an archive/],
  ['gzip', Buffer.from('1f8b0800', 'hex'), /^is an archive/],
  [
    'PKCS#7 in base64 without armour',
    Buffer.from('308006092a864886f70d010702a0803080', 'hex').toString('base64'),
    /^is PKCS#7 .*; before that, since the file is base64 of it: base64 -d$/,
  ],
  ['PKCS#7 in BER', Buffer.from('308006092a864886f70d010702a0803080', 'hex'), /^is PKCS#7 \(\.p7b\)/],
  ['PKCS#12 in BER', Buffer.from('3080020103308006092a864886f70d010701a0', 'hex'), /^is PKCS#12/],
];
for (const [sentence, content, why] of told)
  test(`told: ${sentence}`, () => assert.match(read(content), why));

const made: readonly [sentence: string, args: readonly string[], why: RegExp][] = [
  ['a request', ['req', '-new', '-key', 'k.pem', '-subj', '/CN=a'], /^is a certificate request \(CSR\)/],
  [
    'a request in DER',
    ['req', '-new', '-key', 'k.pem', '-subj', '/CN=a', '-outform', 'DER'],
    /^is a certificate request \(CSR\)/,
  ],
  [
    'PKCS#7',
    ['crl2pkcs7', '-nocrl', '-certfile', 'c.pem'],
    /^is PKCS#7.*openssl pkcs7 -inform PEM -in FILE -print_certs/,
  ],
  [
    'PKCS#7 in DER',
    ['crl2pkcs7', '-nocrl', '-certfile', 'c.pem', '-outform', 'DER'],
    /^is PKCS#7.*-inform DER/,
  ],
  ['a public key in DER', ['pkey', '-in', 'k.pem', '-pubout', '-outform', 'DER'], /^is a public key/],
  ['an EC key in DER', ['ec', '-in', 'k.pem', '-outform', 'DER'], /^has a private key in it/],
  [
    'an encrypted key in DER',
    ['pkcs8', '-topk8', '-in', 'k.pem', '-outform', 'DER', '-passout', 'pass:secret'],
    /^has a private key in it/,
  ],
];
for (const [sentence, args, why] of made) {
  test(`told, as openssl writes it: ${sentence}`, { skip: noOpenssl }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'certificate-file-'));
    try {
      writeFileSync(join(folder, 'c.pem'), a.pem);
      writeFileSync(join(folder, 'k.pem'), a.privateKeyPem);
      execFileSync('openssl', [...args, '-out', 'out'], { cwd: folder, stdio: 'pipe' });
      assert.match(read(readFileSync(join(folder, 'out'))), why);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test('told: PKCS#12', { skip: noOpenssl }, () =>
  assert.match(
    read(opensslPkcs12(a, 'a', 'secret')),
    /^is PKCS#12.*openssl pkcs12 -in FILE -clcerts -nokeys/,
  ),
);

test('no key material is in any message', () => {
  for (const [, content] of told) assert.ok(!read(content).includes(pkcs8.toString('base64').slice(0, 20)));
});
