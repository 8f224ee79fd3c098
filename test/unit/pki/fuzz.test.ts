import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Certificate,
  CertificateError,
  readCertificate,
} from '../../../src/pki/certificate/certificate.ts';
import { formatName } from '../../../src/pki/certificate/name.ts';
import { parseNameText } from '../../../src/pki/certificate/name-text.ts';
import { readCertificateFile } from '../../../src/pki/containers/certificate-file.ts';
import { readCrlFile } from '../../../src/pki/containers/crl-file.ts';
import { readKeyStore } from '../../../src/pki/containers/key-store.ts';
import { KeyStoreError } from '../../../src/pki/containers/key-store-entry.ts';
import { PemError, parsePem } from '../../../src/pki/containers/pem.ts';
import { validatePath } from '../../../src/pki/path/path-validation.ts';
import { type Anchor, createTrustStore } from '../../../src/pki/path/trust-store.ts';
import { crlUrlsOf, ocspUrlsOf } from '../../../src/pki/revocation/certificate-urls.ts';
import { readCrl } from '../../../src/pki/revocation/crl.ts';
import { CrlError } from '../../../src/pki/revocation/crl-error.ts';
import { createCrlSet } from '../../../src/pki/revocation/crl-set.ts';
import { byCrls } from '../../../src/pki/revocation/revocation-state.ts';
import { now } from '../../support/certificate-authority.ts';
import { bytes, explicit, extension, implicit, integer, name, octets, oid, sequence } from './der-writer.ts';
import {
  authorityKeyIdentifier,
  ca,
  certify,
  clientAuth,
  dns,
  entity,
  extKeyUsage,
  keyUsage,
  mail,
  mappings,
  nameConstraints,
  policies,
  policyConstraints,
  subjectAltName,
  subjectKeyIdentifier,
} from './forge.ts';
import {
  certificateIssuer,
  crlExtensions,
  crlNumber,
  entry,
  forgeCrlDer,
  reason,
  scope,
} from './revocation/crl-forge.ts';

const [root, leaf] = [entity('Root'), entity('leaf')];

/** With every extension that is read, so that a change in any of them is met. */
const anchor = certify(root, root, [
  ca(3),
  keyUsage('06'),
  subjectKeyIdentifier('aabb'),
  nameConstraints(
    [dns('example.com'), implicit(7, bytes('c0000200ffffff00')), mail('example.com')],
    [explicit(4, name('O=x'))],
  ),
  policies('1.2.3', '2.5.29.32.0'),
  mappings(['1.2.3', '1.2.4']),
  policyConstraints(5, 5),
  extension('2.5.29.54', bytes('020105')),
]);
const end = certify(root, leaf, [
  keyUsage('80'),
  extKeyUsage(clientAuth),
  subjectAltName(dns('a.example.com'), implicit(7, bytes('c0000201')), mail('a@example.com')),
  authorityKeyIdentifier('aabb'),
  policies('1.2.3'),
  extension('2.5.29.31', sequence(sequence(explicit(0, explicit(0, implicit(6, Buffer.from('http://a'))))))),
  extension('1.3.6.1.5.5.7.1.1', sequence(sequence(bytes('06022a03'), implicit(6, Buffer.from('http://a'))))),
]);
const crlDer = forgeCrlDer(root, {
  revokedCertificates: sequence(
    entry('01', reason(1)),
    entry('02', certificateIssuer(explicit(4, name('CN=Root')))),
  ),
  crlExtensions: crlExtensions(crlNumber(1), scope(implicit(4, bytes('ff')))),
});

function tryRead(der: Uint8Array): Certificate | undefined {
  try {
    return readCertificate(der);
  } catch (error) {
    assert.ok(error instanceof CertificateError, String(error));
    return undefined;
  }
}

/** As leaf, as intermediate and as anchor: an answer, and no exception. */
function judge(certificate: Certificate): void {
  formatName(certificate.subject);
  for (const url of [...crlUrlsOf(certificate), ...ocspUrlsOf(certificate)]) assert.match(url, /^https?:/);
  const crls = createCrlSet([readCrl(crlDer)]);
  const use = (one: Certificate, intermediates: readonly Certificate[], anchors: readonly Anchor[]) =>
    validatePath(one, {
      trustStore: createTrustStore({ anchors }),
      intermediates,
      now,
      revocation: { version: 1, crls, policyOf: () => byCrls('accept') },
    });
  use(certificate, [], [{ kind: 'ca', certificate: anchor }]);
  use(end, [certificate], [{ kind: 'ca', certificate: anchor }]);
  use(end, [], [{ kind: 'ca', certificate }]);
  use(certificate, [], [{ kind: 'pinned', certificate }]);
}

const runs = { numRuns: 3000 };

test('any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (some) => {
      assert.equal(tryRead(some), undefined);
    }),
    runs,
  );
});

test('real certificates, cut off anywhere', () => {
  for (const { der } of [anchor, end]) {
    for (let length = 0; length < der.length; length++)
      assert.equal(tryRead(der.subarray(0, length)), undefined);
  }
});

test('real certificates, each bit turned over', () => {
  for (const { der } of [anchor, end]) {
    for (let bit = 0; bit < der.length * 8; bit++) {
      const changed = new Uint8Array(der);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const read = tryRead(changed);
      if (read === undefined) continue;
      const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: anchor }] });
      assert.equal(validatePath(read, { trustStore, intermediates: [], now }).valid, false, `bit ${bit}`);
    }
  }
});

/** Octets put in, taken out and replaced, at several places. */
const edits = fc.array(
  fc.record({
    at: fc.nat(2000),
    remove: fc.nat(4),
    insert: fc.uint8Array({ maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 4 },
);

const edit = (der: Uint8Array, changes: readonly { at: number; remove: number; insert: Uint8Array }[]) =>
  changes.reduce<Uint8Array>((all, { at, remove, insert }) => {
    const place = at % (all.length + 1);
    return Buffer.concat([all.subarray(0, place), insert, all.subarray(place + remove)]);
  }, der);

test('real certificates, edited', () => {
  fc.assert(
    fc.property(fc.constantFrom(anchor, end), edits, ({ der }, changes) => {
      const read = tryRead(edit(der, changes));
      if (read !== undefined) judge(read);
    }),
    runs,
  );
});

test('real CRLs, cut off and edited', () => {
  const read = (der: Uint8Array): void => {
    try {
      readCrl(der);
    } catch (error) {
      assert.ok(error instanceof CrlError, String(error));
    }
  };
  for (let length = 0; length < crlDer.length; length++) {
    assert.throws(() => readCrl(crlDer.subarray(0, length)), CrlError);
  }
  fc.assert(
    fc.property(edits, (changes) => read(edit(crlDer, changes))),
    runs,
  );
});

test('any text as PEM', () => {
  const line = fc.constantFrom(
    '-----BEGIN A-----',
    '-----END A-----',
    '-----END B-----',
    '',
    ' ',
    'AAAA',
    'AA==',
    '-----',
    '=',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(line).map((lines) => lines.join('\n')),
      ),
      (text) => {
        try {
          parsePem(text);
        } catch (error) {
          assert.ok(error instanceof PemError, String(error));
        }
      },
    ),
    runs,
  );
});

/** PKCS#12 without password: the content of its parts, and not their MAC, is what edits must not get past. */
const contentInfo = (content: Uint8Array): Uint8Array =>
  sequence(oid('1.2.840.113549.1.7.1'), explicit(0, octets(content)));
const x509 = sequence(oid('1.2.840.113549.1.9.22.1'), explicit(0, octets(end.der)));
const certBag = sequence(oid('1.2.840.113549.1.12.10.1.3'), explicit(0, x509));
const store = sequence(integer(3), contentInfo(sequence(contentInfo(sequence(certBag)))));

test('the key store that is edited has its certificate', () =>
  assert.deepEqual(
    readKeyStore(store, 'x').map(({ der }) => Buffer.from(der).toString('hex')),
    [Buffer.from(end.der).toString('hex')],
  ));

test('any file of certificates, any name and any key store, edited', { timeout: 60_000 }, () => {
  const trusted = `-----BEGIN TRUSTED CERTIFICATE-----\n${Buffer.concat([end.der, Buffer.from('300c300a06082b06010505070302', 'hex')]).toString('base64')}\n-----END TRUSTED CERTIFICATE-----\n`;
  for (let length = 0; length < end.der.length; length += 7) readCertificateFile(end.der.subarray(0, length));
  fc.assert(
    fc.property(
      fc.constantFrom(end.der, Buffer.from(trusted), Buffer.from(trusted, 'utf16le')),
      edits,
      (bytes, changes) => {
        const file = readCertificateFile(edit(bytes, changes));
        if (file.ok) for (const { der } of file.certificates) tryRead(der);
      },
    ),
    runs,
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'CN=a,+;"\\#/ 0c\n2.5.4') }), (text) => {
      parseNameText(text);
    }),
    runs,
  );
  fc.assert(
    fc.property(edits, (changes) => {
      try {
        readKeyStore(edit(store, changes), 'x');
      } catch (error) {
        assert.ok(error instanceof KeyStoreError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('files with CRLs, in any form, with any change', () => {
  const base64 = Buffer.from(crlDer).toString('base64');
  const forms = [
    crlDer,
    Buffer.from(base64),
    Buffer.from(`text\n-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`),
  ];
  const use = (some: Uint8Array): void => {
    const file = readCrlFile(some);
    if (!file.ok) assert.match(file.problem, /^(is|has) /);
    else for (const der of file.crls) tryCrl(der);
  };
  for (const form of forms) {
    for (let length = 0; length < form.length; length++) use(form.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(form.length - 1), fc.uint8Array({ maxLength: 4 }), fc.nat(4), (at, put, take) =>
        use(Buffer.concat([form.subarray(0, at), put, form.subarray(at + take)])),
      ),
      runs,
    );
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), use), runs);
});

function tryCrl(der: Uint8Array): void {
  try {
    readCrl(der);
  } catch (error) {
    assert.ok(error instanceof CrlError, String(error));
  }
}
