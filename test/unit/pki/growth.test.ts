import './steps.ts';

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Certificate,
  CertificateError,
  readCertificate,
} from '../../../src/pki/certificate/certificate.ts';
import { formatName } from '../../../src/pki/certificate/name.ts';
import { PemError, parsePem } from '../../../src/pki/containers/pem.ts';
import { defaultPolicy } from '../../../src/pki/path/path-options.ts';
import { validatePath } from '../../../src/pki/path/path-validation.ts';
import { checkPolicies } from '../../../src/pki/path/policies.ts';
import { tellSigners } from '../../../src/pki/path/signature-checks.ts';
import { createTrustStore } from '../../../src/pki/path/trust-store.ts';
import { readCrl } from '../../../src/pki/revocation/crl.ts';
import { createCrlSet } from '../../../src/pki/revocation/crl-set.ts';
import { byCrls } from '../../../src/pki/revocation/revocation-state.ts';
import { now } from '../../support/certificate-authority.ts';
import {
  bytes,
  der,
  explicit,
  extension,
  implicit,
  integer,
  name,
  octets,
  oid,
  sequence,
  set,
  utf8,
} from './der-writer.ts';
import {
  ca,
  certify,
  dns,
  entity,
  extensions,
  extKeyUsage,
  forgeDer,
  mappings,
  nameConstraints,
  nothing,
  policies,
  subjectAltName,
} from './forge.ts';
import {
  certificateIssuer,
  crlExtensions,
  crlNumber,
  deltaOf,
  entry,
  forgeCrlDer,
  reason,
  scope,
} from './revocation/crl-forge.ts';
import { stepsOf } from './steps.ts';

const [root, inter, leaf] = [entity('Root'), entity('Intermediate'), entity('leaf')];
const anchor = certify(root, root, [ca()]);

const many = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const only = (value: Uint8Array) => forgeDer({ extensions: extensions(value) });
const cn = (text: string) => sequence(set(sequence(oid('2.5.4.3'), utf8(text))));

function nested(depth: number): Uint8Array {
  let inner: Uint8Array = nothing;
  for (let i = 0; i < depth; i++) inner = sequence(inner);
  return inner;
}

/** Read, shown and judged as a leaf, as an intermediate and as an anchor. */
function use(bytes: Uint8Array): void {
  let read: Certificate;
  try {
    read = readCertificate(bytes);
  } catch (error) {
    assert.ok(error instanceof CertificateError);
    return;
  }
  formatName(read.subject);
  const trust = (certificate: Certificate) => createTrustStore({ anchors: [{ kind: 'ca', certificate }] });
  validatePath(read, { trustStore: trust(anchor), intermediates: [read], now });
  validatePath(certify(root, leaf), { trustStore: trust(read), intermediates: [read], now });
}

/** By size: bytes that some part of the reading or judging has most to do with. */
const hostile: Readonly<Record<string, (n: number) => Uint8Array>> = {
  'nested sequences': nested,
  'nested sequences for a subject': (n) => forgeDer({ subject: nested(n) }),
  'tiny elements': (n) => sequence(...many(n, () => bytes('0500'))),
  'a name of many RDNs': (n) => forgeDer({ subject: name(...many(n, (i) => `CN=${i}`)) }),
  'an RDN of many attributes': (n) =>
    forgeDer({ subject: sequence(set(...many(n, (i) => sequence(oid('2.5.4.3'), utf8(`${n - i}`))))) }),
  'a name of spaces': (n) => forgeDer({ subject: cn(`a${' '.repeat(n)}B`) }),
  'a name of accents': (n) => forgeDer({ subject: cn(`a${'\u0301'.repeat(n)}`) }),
  'a name of what grows when normalised': (n) => forgeDer({ subject: cn('\ufdfa'.repeat(n)) }),
  'a name of quotes': (n) => forgeDer({ subject: cn('"'.repeat(n)) }),
  'many extensions': (n) =>
    forgeDer({ extensions: extensions(...many(n, (i) => extension(`1.2.3.${i}`, nothing))) }),
  'many purposes': (n) => only(extKeyUsage(...many(n, (i) => `1.2.3.${i}`))),
  'many alternative names': (n) => only(subjectAltName(...many(n, (i) => dns(`${i}.example`)))),
  'one long alternative name': (n) => only(subjectAltName(dns('a.'.repeat(n)))),
  'many constraints': (n) => only(nameConstraints(many(n, (i) => dns(`${i}.example`)))),
  'many policies': (n) => only(policies(...many(n, (i) => `1.2.3.${i}`))),
  'many mappings': (n) => only(mappings(...many(n, (i) => ['1.2.3', `1.2.4.${i}`] as const))),
  'many distribution points': (n) =>
    only(extension('2.5.29.31', sequence(...many(n, () => sequence(explicit(0, explicit(0, dns('a')))))))),
  'a long OID': (n) =>
    forgeDer({ extensions: extensions(sequence(der(0x06, new Uint8Array(n).fill(0x81)), octets(nothing))) }),
  'a long serial number': (n) => forgeDer({ serialNumber: der(0x02, new Uint8Array(n).fill(0x55)) }),
  'a long RSA modulus': (n) => {
    const key = sequence(der(0x02, new Uint8Array(n).fill(0x55)), integer(65537));
    return forgeDer({
      subjectPublicKeyInfo: sequence(
        sequence(oid('1.2.840.113549.1.1.1'), bytes('0500')),
        der(0x03, bytes('00'), key),
      ),
    });
  },
};

/** Twice the size may cost twice the steps and a little more for sorting, never four times. */
function assertLinear(steps: (n: number) => number): void {
  steps(10);
  const [small, large] = [steps(400), steps(800)];
  assert.ok(large <= small * 2.3 + 200, `${small} steps became ${large}`);
}

for (const [sentence, make] of Object.entries(hostile)) {
  test(`twice as much costs twice as much: ${sentence}`, () =>
    assertLinear((n) => {
      const bytes = make(n);
      return stepsOf(() => use(bytes));
    }));
}

test('twice as many entries of a CRL cost twice as much', () =>
  assertLinear((n) => {
    const bytes = forgeCrlDer(root, {
      revokedCertificates: sequence(...many(n, (i) => entry((i + 1).toString(16)))),
    });
    return stepsOf(() => readCrl(bytes));
  }));

/** Serial numbers that whoever issues chose: by them a look-up must not grow long, nor the making of the index. */
const chosen: Readonly<Record<string, (i: number) => Uint8Array>> = {
  'count up': (i) => entry((i + 1).toString(16)),
  'end alike': (i) => entry(`1${i.toString(16).padStart(7, '0')}${'00'.repeat(12)}`),
  'differ in one octet and another': (i) =>
    entry(`1${(i >> 4).toString(16)}${'00'.repeat(15)}0${(i & 15).toString(16)}`),
  'are all the same, and say that it is removed': () => entry('01', reason(8)),
  'are all the same, of other issuers': (i) => entry('01', certificateIssuer(explicit(4, name(`CN=${i}`)))),
};
for (const [sentence, make] of Object.entries(chosen)) {
  const listOf = (n: number): Uint8Array =>
    forgeCrlDer(root, { revokedCertificates: sequence(...many(n, make)) });
  test(`twice as many entries whose serial numbers ${sentence} cost twice as much`, () =>
    assertLinear((n) => {
      const der = listOf(n);
      return stepsOf(() => readCrl(der).revoked.index);
    }));

  test(`a look-up among serial numbers that ${sentence} is short`, () => {
    const { revoked } = readCrl(listOf(2_000));
    assert.equal(revoked.index.count, 2_000);
    const missing = many(1_000, (i) => bytes(`10ff${i.toString(16).padStart(4, '0')}${'00'.repeat(12)}`));
    const steps = stepsOf(() => {
      for (const one of missing) assert.equal(revoked.find(anchor.subject.key, one), undefined);
    });
    assert.ok(steps < 200 * missing.length, `${steps / missing.length} steps each`);
  });
}

/** Of one URL's bundle: each is of another scope, and covers the certificate. */
const scopes: Readonly<Record<string, (i: number, n: number) => readonly Uint8Array[]>> = {
  complete: (i) => [place(i)],
  'half of them deltas': (i, n) =>
    i < n / 2 ? [crlNumber(1), place(i)] : [crlNumber(2), deltaOf(1), place(i - n / 2)],
};
const place = (i: number): Uint8Array =>
  scope(
    explicit(
      0,
      explicit(0, Buffer.concat([`http://a/${i}`, 'http://a'].map((url) => implicit(6, Buffer.from(url))))),
    ),
  );
for (const [sentence, listOf] of Object.entries(scopes))
  test(`a certificate that twice as many lists cover costs twice as much, ${sentence}`, () => {
    const points = sequence(sequence(explicit(0, explicit(0, implicit(6, Buffer.from('http://a'))))));
    const end = certify(root, leaf, [extension('2.5.29.31', points)]);
    const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: anchor }] });
    assertLinear((n) => {
      const lists = many(n, (i) =>
        readCrl(forgeCrlDer(root, { crlExtensions: crlExtensions(...listOf(i, n)) })),
      );
      for (const one of lists) tellSigners(one, [anchor]);
      const revocation = { version: 1, crls: createCrlSet(lists), policyOf: () => byCrls('refuse') };
      return stepsOf(() => {
        const verdict = validatePath(end, { trustStore, intermediates: [], now, revocation });
        assert.ok(verdict.valid);
      });
    });
  });

test('twice as much PEM costs twice as much', () =>
  assertLinear((n) => {
    const text = `${' '.repeat(n)}x\n`.repeat(3) + '-----BEGIN A-----\nAAAA\n-----END A-----\n'.repeat(n);
    return stepsOf(() => parsePem(text));
  }));

test('a long boundary is refused in a block, and passed over outside', () => {
  const text = `-----BEGIN ${'A '.repeat(30_000)}`;
  assert.deepEqual(parsePem(text), []);
  assert.throws(() => parsePem(`-----BEGIN A-----\n${text}`), PemError);
});

test('twice as many policies and mappings along a path cost twice as much', () =>
  assertLinear((n) => {
    const own = policies(...many(n, (i) => `1.2.3.${i}`));
    const crossed = mappings(...many(n, (i) => [`1.2.3.${i}`, `1.2.3.${n - 1 - i}`] as const));
    const chain = [
      certify(inter, leaf, [own]),
      ...many(3, () => certify(root, inter, [own, crossed])),
      anchor,
    ];
    return stepsOf(() => checkPolicies(chain, { ...defaultPolicy.policies, initialExplicitPolicy: true }));
  }));

test('many names under many constraints cost no more than the budget', () => {
  const steps = (n: number): number => {
    const constrained = certify(root, inter, [
      ca(),
      nameConstraints(
        [],
        many(n, (i) => dns(`${i}.example`)),
      ),
    ]);
    const end = certify(inter, leaf, [subjectAltName(...many(n, (i) => dns(`${i}.test`)))]);
    const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: anchor }] });
    return stepsOf(() =>
      validatePath(end, { trustStore, intermediates: [constrained], now, maxNameComparisons: 10_000 }),
    );
  };
  steps(10);
  const [small, large] = [steps(800), steps(1600)];
  assert.ok(large <= small * 2.3, `${small} steps became ${large}`);
});

test('many CAs of one name cost no more than the budget', () => {
  const issuers = many(40, () => entity('Evil'));
  const bundle = issuers.flatMap((issuer) =>
    issuers.slice(0, 10).map((subject) => certify(issuer, subject, [ca()])),
  );
  // By name it leads to the anchor.
  const top = certify(entity('Root'), issuers[0]!, [ca()]);
  const end = certify(issuers[0]!, leaf);
  const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: anchor }] });
  const steps = (n: number): number =>
    stepsOf(() => {
      const verdict = validatePath(end, { trustStore, intermediates: [top, ...bundle.slice(0, n)], now });
      assert.equal(verdict.valid || verdict.code, 'path_search_exhausted');
    });
  steps(50);
  const [small, large] = [steps(200), steps(400)];
  assert.ok(large <= small * 2.3, `${small} steps became ${large}`);
});
