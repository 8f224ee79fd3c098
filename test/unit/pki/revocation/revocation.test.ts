import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate } from '../../../../src/pki/certificate/certificate.ts';
import { type PathVerdict, validatePath } from '../../../../src/pki/path/path-validation.ts';
import { createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { type Crl, readCrl } from '../../../../src/pki/revocation/crl.ts';
import { createCrlSet } from '../../../../src/pki/revocation/crl-set.ts';
import { byCrls } from '../../../../src/pki/revocation/revocation-state.ts';
import { now } from '../../../support/certificate-authority.ts';
import { bytes, explicit, extension, implicit, name, sequence } from '../der-writer.ts';
import { ca, certify, dayMs, entity, keyUsage, validity } from '../forge.ts';
import { withSecondKey } from '../second-key.ts';
import {
  certificateIssuer,
  crl,
  crlExtensions,
  deltaOf,
  entry,
  forgeCrlDer,
  reason,
  scope,
} from './crl-forge.ts';

const [root, inter, leaf, other] = [entity('Root'), entity('Intermediate'), entity('leaf'), entity('Other')];
const rootCa = certify(root, root, [ca()]);
const interCa = certify(root, inter, [ca()]);
const end = certify(inter, leaf);
const serial = end.serialNumber;
const rootCrl = crl(root);
const interCrl = crl(inter);
const otherCa = certify(other, other, [ca()]);

type Given = {
  readonly crls: readonly Crl[];
  readonly end?: Certificate;
  readonly intermediates?: readonly Certificate[];
  readonly unknown?: 'refuse' | 'accept';
  readonly check?: 'leaf' | 'chain';
  readonly at?: number;
  readonly maxSignatureChecks?: number;
};

function verdict({
  crls,
  intermediates = [interCa],
  unknown = 'refuse',
  check = 'chain',
  at = now,
  maxSignatureChecks = 100,
  ...given
}: Given): PathVerdict {
  const anchors = [rootCa, otherCa].map((certificate) => ({ kind: 'ca', certificate }) as const);
  return validatePath(given.end ?? end, {
    trustStore: createTrustStore({ anchors }),
    intermediates,
    now: at,
    maxSignatureChecks,
    revocation: { version: 1, crls: createCrlSet(crls), policyOf: () => ({ ...byCrls(unknown), check }) },
  });
}

const uri = (text: string) => implicit(6, Buffer.from(text));
const fullName = (...names: readonly Uint8Array[]) => explicit(0, explicit(0, ...names));
const relativeName = (cn: string) => explicit(0, Buffer.concat([Uint8Array.of(0xa1), setContent(cn)]));
/** [1] IMPLICIT RelativeDistinguishedName: the SET's tag replaced. */
function setContent(cn: string): Uint8Array {
  return name(`CN=${cn}`).subarray(3);
}
const reasons = (n: number, hex: string) => implicit(n, bytes(hex));
const points = (...list: readonly (readonly Uint8Array[])[]) =>
  extension('2.5.29.31', sequence(...list.map((fields) => sequence(...fields))));
const issuerName = (cn: string) => explicit(2, explicit(4, name(`CN=${cn}`)));
const flag = (n: number) => implicit(n, bytes('ff'));
const at = (url: string) => fullName(uri(url));

const withPoints = (...list: readonly (readonly Uint8Array[])[]) => certify(inter, leaf, [points(...list)]);
const atA = withPoints([at('http://a')]);
const byReasons = withPoints([at('http://a'), reasons(1, '0640')], [at('http://a'), reasons(1, '073f80')]);
const byOther = withPoints([at('http://a'), issuerName('Crl Issuer')]);
const crlIssuer = entity('Crl Issuer');
const crlIssuerCert = certify(root, crlIssuer, [keyUsage('02')]);
const indirect = (...rest: readonly Uint8Array[]) => [scope(at('http://a'), flag(4)), ...rest];
const ofInter = certificateIssuer(explicit(4, name('CN=Intermediate')));

const crlKey = entity('Intermediate');
const crlKeyCert = certify(inter, crlKey, [keyUsage('02')]);
/** The CA with a new key, of which the old one's lists still come out. */
const rolled = entity('Intermediate');
const rolledCa = certify(root, rolled, [ca()]);
const byNewKey = certify(rolled, leaf);
const ofBothKeys = (
  old: readonly string[],
  young: readonly string[],
  oldIsNewer: boolean,
): readonly Crl[] => [
  rootCrl,
  crl(inter, { number: oldIsNewer ? 50 : 1, revoked: old }),
  crl(rolled, { number: oldIsNewer ? 1 : 50, revoked: young }),
];
/** The root's list is a partition that has the old key's certificate in it: of the new key's nothing is known. */
const interAtA = certify(root, inter, [ca(), points([at('http://a')])]);
const ofNewKeyUnknown = { intermediates: [interAtA, rolledCa] };
const rootAtA = crl(root, { list: [scope(at('http://a'))] });
const ofBothCas = { intermediates: [interCa, rolledCa] };
const newKeyRevoked = crl(root, { revoked: [rolledCa.serialNumber] });
const [byNewKeyListed, byNewKeyClean] = [crl(rolled, { revoked: [serial] }), crl(rolled)];
const noCrlSign = certify(root, inter, [ca(), keyUsage('04')]);

const hour = 3_600_000;
const keyCompromise = [scope(reasons(3, '0640'))];
const withoutNumber = readCrl(forgeCrlDer(inter, { crlExtensions: crlExtensions(...keyCompromise) }));

type Scope = readonly [name: string, list: readonly Uint8Array[]];
const everything: Scope = ['all', []];
const users: Scope = ['users alone', [scope(flag(1))]];
const someReasons: Scope = ['some reasons', keyCompromise];
const partition: Scope = ['a partition', [scope(at('http://a'))]];

/** Of two lists of different scopes one has the certificate, whichever has the higher number or the later date. */
const twoScopes = (
  [
    [everything, users],
    [everything, someReasons],
    [everything, partition],
    [partition, someReasons],
  ] as const
)
  .flatMap(([one, other]) => [[one, other] as const, [other, one] as const])
  .flatMap(([listing, silent]) =>
    [1, 900].flatMap((number) =>
      [1, 20].map(
        (age): Row => [
          `on the list for ${listing[0]} (number ${number} of ${age} h ago), and not on that for ${silent[0]} (100, 10 h)`,
          {
            end: atA,
            crls: [
              rootCrl,
              crl(inter, {
                number,
                thisUpdate: now - age * hour,
                list: listing[1],
                revoked: [entry(atA.serialNumber, reason(1))],
              }),
              crl(inter, { number: 100, thisUpdate: now - 10 * hour, list: silent[1] }),
            ],
          },
          'certificate_revoked',
        ],
      ),
    ),
  );

type Row = readonly [sentence: string, given: Given, code: string];
const rows: readonly Row[] = [
  ['all good', { crls: [rootCrl, interCrl] }, 'valid'],
  ['no CRLs', { crls: [] }, 'revocation_unknown'],
  ['no CRLs, and unknown accepted', { crls: [], unknown: 'accept' }, 'valid'],
  ["the intermediate's issuer has none", { crls: [interCrl] }, 'revocation_unknown'],
  ['the leaf is revoked', { crls: [rootCrl, crl(inter, { revoked: [serial] })] }, 'certificate_revoked'],
  [
    'the leaf is revoked, and unknown accepted',
    { crls: [crl(inter, { revoked: [serial] })], unknown: 'accept' },
    'certificate_revoked',
  ],
  [
    'the leaf is on hold',
    { crls: [rootCrl, crl(inter, { revoked: [entry(serial, reason(6))] })] },
    'certificate_revoked',
  ],
  [
    'the intermediate is revoked',
    { crls: [crl(root, { revoked: [interCa.serialNumber] }), interCrl] },
    'issuer_revoked',
  ],
  [
    "a certificate of the old key, on neither list, where the old key's is the newer",
    { end: end, intermediates: [interCa, rolledCa], crls: ofBothKeys([], [], true) },
    'valid',
  ],
  [
    "a certificate of the old key, on the old key's list, where the old key's is the newer",
    { end: end, intermediates: [interCa, rolledCa], crls: ofBothKeys([end.serialNumber], [], true) },
    'certificate_revoked',
  ],
  [
    "a certificate of the old key, on the new key's list, where the old key's is the newer",
    { end: end, intermediates: [interCa, rolledCa], crls: ofBothKeys([], [end.serialNumber], true) },
    'certificate_revoked',
  ],
  [
    "a certificate of the old key, on neither list, where the new key's is the newer",
    { end: end, intermediates: [interCa, rolledCa], crls: ofBothKeys([], [], false) },
    'valid',
  ],
  [
    "a certificate of the old key, on the old key's list, where the new key's is the newer",
    { end: end, intermediates: [interCa, rolledCa], crls: ofBothKeys([end.serialNumber], [], false) },
    'certificate_revoked',
  ],
  [
    "a certificate of the old key, on the new key's list, where the new key's is the newer",
    { end: end, intermediates: [interCa, rolledCa], crls: ofBothKeys([], [end.serialNumber], false) },
    'certificate_revoked',
  ],
  [
    "a certificate of the new key, on neither list, where the old key's is the newer",
    { end: byNewKey, intermediates: [interCa, rolledCa], crls: ofBothKeys([], [], true) },
    'valid',
  ],
  [
    "a certificate of the new key, on the old key's list, where the old key's is the newer",
    {
      end: byNewKey,
      intermediates: [interCa, rolledCa],
      crls: ofBothKeys([byNewKey.serialNumber], [], true),
    },
    'certificate_revoked',
  ],
  [
    "a certificate of the new key, on the new key's list, where the old key's is the newer",
    {
      end: byNewKey,
      intermediates: [interCa, rolledCa],
      crls: ofBothKeys([], [byNewKey.serialNumber], true),
    },
    'certificate_revoked',
  ],
  [
    "a certificate of the new key, on neither list, where the new key's is the newer",
    { end: byNewKey, intermediates: [interCa, rolledCa], crls: ofBothKeys([], [], false) },
    'valid',
  ],
  [
    "a certificate of the new key, on the old key's list, where the new key's is the newer",
    {
      end: byNewKey,
      intermediates: [interCa, rolledCa],
      crls: ofBothKeys([byNewKey.serialNumber], [], false),
    },
    'certificate_revoked',
  ],
  [
    "a certificate of the new key, on the new key's list, where the new key's is the newer",
    {
      end: byNewKey,
      intermediates: [interCa, rolledCa],
      crls: ofBothKeys([], [byNewKey.serialNumber], false),
    },
    'certificate_revoked',
  ],
  ['another is revoked', { crls: [rootCrl, crl(inter, { revoked: ['01', 'FFFFFF'] })] }, 'valid'],
  [
    "the same serial number in another issuer's CRL",
    { crls: [crl(root, { revoked: [serial] }), interCrl] },
    'valid',
  ],
  ['a CRL by an impostor', { crls: [rootCrl, crl(entity('Intermediate'))] }, 'revocation_unknown'],
  [
    "an impostor's CRL beside the real one",
    { crls: [rootCrl, crl(entity('Intermediate'), { number: 9 }), crl(inter, { revoked: [serial] })] },
    'certificate_revoked',
  ],
  [
    'an issuer that may not sign CRLs',
    { crls: [rootCrl, interCrl], intermediates: [noCrlSign] },
    'revocation_unknown',
  ],

  ['in its last second', { crls: [rootCrl, crl(inter, { nextUpdate: now })], at: now + 999 }, 'valid'],
  [
    'one second past it',
    { crls: [rootCrl, crl(inter, { nextUpdate: now })], at: now + 1000 },
    'revocation_unknown',
  ],
  ['in its first second', { crls: [rootCrl, crl(inter, { thisUpdate: now })] }, 'valid'],
  ['before it', { crls: [rootCrl, crl(inter, { thisUpdate: now })], at: now - 1 }, 'revocation_unknown'],
  [
    'the newer of two says revoked',
    { crls: [rootCrl, interCrl, crl(inter, { number: 2, revoked: [serial] })] },
    'certificate_revoked',
  ],
  [
    'the older of two says revoked',
    { crls: [rootCrl, crl(inter, { revoked: [entry(serial, reason(6))] }), crl(inter, { number: 2 })] },
    'valid',
  ],

  ['for users only', { crls: [rootCrl, crl(inter, { list: [scope(flag(1))] })] }, 'valid'],
  [
    'for users only, about a CA',
    { crls: [crl(root, { list: [scope(flag(1))] }), interCrl] },
    'revocation_unknown',
  ],
  ['for CAs only', { crls: [crl(root, { list: [scope(flag(2))] }), interCrl] }, 'valid'],
  [
    'for CAs only, about a user',
    { crls: [rootCrl, crl(inter, { list: [scope(flag(2))] })] },
    'revocation_unknown',
  ],
  [
    'for attribute certificates only',
    { crls: [rootCrl, crl(inter, { list: [scope(flag(5))] })] },
    'revocation_unknown',
  ],

  [
    'at the named point',
    { end: atA, crls: [rootCrl, crl(inter, { list: [scope(at('http://a'))] })] },
    'valid',
  ],
  [
    'at another point',
    { end: atA, crls: [rootCrl, crl(inter, { list: [scope(at('http://b'))] })] },
    'revocation_unknown',
  ],
  ['at no point in particular', { end: atA, crls: [rootCrl, interCrl] }, 'valid'],
  [
    'at a point, for a certificate without',
    { crls: [rootCrl, crl(inter, { list: [scope(at('http://a'))] })] },
    'revocation_unknown',
  ],
  [
    'at an address',
    {
      end: withPoints([fullName(implicit(7, bytes('c0000201')))]),
      crls: [rootCrl, crl(inter, { list: [scope(fullName(implicit(7, bytes('c0000201'))))] })],
    },
    'valid',
  ],
  [
    'at an object',
    {
      end: withPoints([fullName(implicit(8, bytes('2a03')))]),
      crls: [rootCrl, crl(inter, { list: [scope(fullName(implicit(8, bytes('2a04'))))] })],
    },
    'revocation_unknown',
  ],
  [
    'at one of several points',
    {
      end: withPoints([at('http://a')], [at('http://b')]),
      crls: [rootCrl, crl(inter, { list: [scope(at('http://b'))] })],
    },
    'valid',
  ],
  ['by its issuer where another is named', { end: byOther, crls: [rootCrl, interCrl] }, 'valid'],
  [
    'by another issuer, named instead of a point',
    {
      end: withPoints([issuerName('Crl Issuer')]),
      crls: [
        rootCrl,
        crl(crlIssuer, { list: [scope(fullName(explicit(4, name('CN=Crl Issuer'))), flag(4))] }),
      ],
      intermediates: [interCa, crlIssuerCert],
    },
    'valid',
  ],
  [
    'relative to the issuer on both sides',
    {
      end: withPoints([relativeName('x')]),
      crls: [rootCrl, crl(inter, { list: [scope(relativeName('x'))] })],
    },
    'valid',
  ],
  [
    'relative to the issuer, another',
    {
      end: withPoints([relativeName('x')]),
      crls: [rootCrl, crl(inter, { list: [scope(relativeName('y'))] })],
    },
    'revocation_unknown',
  ],

  [
    'some reasons only',
    { crls: [rootCrl, crl(inter, { list: [scope(reasons(3, '0640'))] })] },
    'revocation_unknown',
  ],
  [
    'all reasons, from two CRLs',
    {
      end: byReasons,
      crls: [
        rootCrl,
        crl(inter, { list: [scope(at('http://a'), reasons(3, '0640'))] }),
        crl(inter, { list: [scope(at('http://a'), reasons(3, '073f80'))] }),
      ],
    },
    'valid',
  ],
  [
    'revoked in the second of two',
    {
      end: byReasons,
      crls: [
        rootCrl,
        crl(inter, { list: [scope(at('http://a'), reasons(3, '0640'))] }),
        crl(inter, {
          revoked: [byReasons.serialNumber],
          list: [scope(at('http://a'), reasons(3, '073f80'))],
        }),
      ],
    },
    'certificate_revoked',
  ],

  [
    'the older of two of one scope says on hold, beside one of another scope',
    {
      crls: [
        rootCrl,
        crl(inter, { number: 7, list: keyCompromise }),
        crl(inter, { number: 1, revoked: [entry(serial, reason(6))] }),
        crl(inter, { number: 2 }),
      ],
    },
    'valid',
  ],
  [
    'the older of two of one scope says on hold, and of the other scope none has a number',
    {
      crls: [
        rootCrl,
        withoutNumber,
        crl(inter, { number: 1, thisUpdate: now - hour, revoked: [entry(serial, reason(6))] }),
        crl(inter, { number: 2, thisUpdate: now - 2 * hour }),
      ],
    },
    'valid',
  ],
  [
    'removed by a delta, and on the list of another scope',
    {
      crls: [
        rootCrl,
        crl(inter, { revoked: [entry(serial, reason(6))] }),
        crl(inter, { number: 2, list: [deltaOf(1)], revoked: [entry(serial, reason(8))] }),
        crl(inter, { number: 9, list: keyCompromise, revoked: [entry(serial, reason(1))] }),
      ],
    },
    'certificate_revoked',
  ],
  [
    'added by a delta of one scope, beside a newer list of another scope',
    {
      crls: [
        rootCrl,
        crl(inter, { list: [scope(flag(1))] }),
        crl(inter, { number: 2, list: [deltaOf(1), scope(flag(1))], revoked: [serial] }),
        crl(inter, { number: 9 }),
      ],
    },
    'certificate_revoked',
  ],
  [
    'revoked on a list whose scope is another certificate’s',
    { crls: [rootCrl, interCrl, crl(inter, { number: 9, list: [scope(flag(2))], revoked: [serial] })] },
    'valid',
  ],

  [
    'indirect',
    {
      end: byOther,
      crls: [rootCrl, crl(crlIssuer, { list: indirect() })],
      intermediates: [interCa, crlIssuerCert],
    },
    'valid',
  ],
  [
    'indirect, revoked',
    {
      end: byOther,
      crls: [rootCrl, crl(crlIssuer, { revoked: [entry(byOther.serialNumber, ofInter)], list: indirect() })],
      intermediates: [interCa, crlIssuerCert],
    },
    'certificate_revoked',
  ],
  [
    "indirect, the serial number is another issuer's",
    {
      end: byOther,
      crls: [rootCrl, crl(crlIssuer, { revoked: [byOther.serialNumber], list: indirect() })],
      intermediates: [interCa, crlIssuerCert],
    },
    'valid',
  ],
  [
    'by another issuer, but not indirect',
    {
      end: byOther,
      crls: [rootCrl, crl(crlIssuer, { list: [scope(at('http://a'))] })],
      intermediates: [interCa, crlIssuerCert],
    },
    'revocation_unknown',
  ],
  [
    'by another issuer that the certificate does not name',
    { crls: [rootCrl, crl(crlIssuer, { list: indirect() })], intermediates: [interCa, crlIssuerCert] },
    'revocation_unknown',
  ],
  [
    'indirect, by one without a certificate',
    { end: byOther, crls: [rootCrl, crl(crlIssuer, { list: indirect() })] },
    'revocation_unknown',
  ],
  [
    'indirect, by one that another anchor certifies',
    {
      end: byOther,
      crls: [rootCrl, crl(other), crl(crlIssuer, { list: indirect() })],
      intermediates: [interCa, certify(other, crlIssuer, [keyUsage('02')])],
    },
    'revocation_unknown',
  ],
  [
    'indirect, by one that may not sign CRLs',
    {
      end: byOther,
      crls: [rootCrl, crl(crlIssuer, { list: indirect() })],
      intermediates: [interCa, certify(root, crlIssuer, [keyUsage('80')])],
    },
    'revocation_unknown',
  ],
  [
    'indirect, by one whose certificate has expired',
    {
      end: byOther,
      crls: [rootCrl, crl(crlIssuer, { list: indirect() })],
      intermediates: [
        interCa,
        certify(root, crlIssuer, [keyUsage('02')], { validity: validity(0, now - dayMs) }),
      ],
    },
    'revocation_unknown',
  ],
  [
    'indirect, by one that is revoked',
    {
      end: byOther,
      crls: [crl(root, { revoked: [crlIssuerCert.serialNumber] }), crl(crlIssuer, { list: indirect() })],
      intermediates: [interCa, crlIssuerCert],
    },
    'revocation_unknown',
  ],

  ['by a key for CRLs', { crls: [rootCrl, crl(crlKey)], intermediates: [interCa, crlKeyCert] }, 'valid'],
  [
    'by a key for CRLs, revoked',
    { crls: [rootCrl, crl(crlKey, { revoked: [serial] })], intermediates: [interCa, crlKeyCert] },
    'certificate_revoked',
  ],
  [
    'by a key for CRLs that revokes itself',
    {
      crls: [rootCrl, crl(crlKey, { revoked: [crlKeyCert.serialNumber] })],
      intermediates: [interCa, crlKeyCert],
    },
    'revocation_unknown',
  ],

  [
    'a delta that adds',
    { crls: [rootCrl, interCrl, crl(inter, { number: 2, list: [deltaOf(1)], revoked: [serial] })] },
    'certificate_revoked',
  ],
  [
    "on the new key's list, of which nobody knows whether it is revoked, and not on the old key's",
    { ...ofNewKeyUnknown, crls: [rootAtA, interCrl, byNewKeyListed] },
    'certificate_revoked',
  ],
  [
    "not on the new key's list, of which nobody knows whether it is revoked, and the old key has none",
    { ...ofNewKeyUnknown, crls: [rootAtA, byNewKeyClean] },
    'revocation_unknown',
  ],
  [
    "on a revoked new key's list, and not on the old key's",
    { ...ofBothCas, crls: [newKeyRevoked, interCrl, byNewKeyListed] },
    'valid',
  ],
  [
    "on the new key's list, and not on the old key's, where the leaf alone is looked at",
    { ...ofBothCas, check: 'leaf', crls: [interCrl, byNewKeyListed] },
    'certificate_revoked',
  ],
  [
    "not on the new key's list, and the old key has none, where the leaf alone is looked at",
    { ...ofBothCas, check: 'leaf', crls: [byNewKeyClean] },
    'valid',
  ],
  [
    "not on a revoked new key's list, and the old key has none, where the leaf alone is looked at",
    { ...ofBothCas, check: 'leaf', crls: [newKeyRevoked, byNewKeyClean] },
    'revocation_unknown',
  ],
  [
    'a delta that removes',
    {
      crls: [
        rootCrl,
        crl(inter, { revoked: [entry(serial, reason(6))] }),
        crl(inter, { number: 2, list: [deltaOf(1)], revoked: [entry(serial, reason(8))] }),
      ],
    },
    'valid',
  ],
  [
    'removed in the complete CRL, where nothing is removed',
    { crls: [rootCrl, crl(inter, { revoked: [entry(serial, reason(8))] })] },
    'certificate_revoked',
  ],
  ['a delta alone', { crls: [rootCrl, crl(inter, { number: 2, list: [deltaOf(1)] })] }, 'revocation_unknown'],
  [
    'a delta of a later base',
    { crls: [rootCrl, interCrl, crl(inter, { number: 3, list: [deltaOf(2)], revoked: [serial] })] },
    'valid',
  ],
  [
    'a delta older than the complete CRL',
    {
      crls: [
        rootCrl,
        crl(inter, { number: 3 }),
        crl(inter, { number: 2, list: [deltaOf(1)], revoked: [serial] }),
      ],
    },
    'valid',
  ],
  [
    'a delta of another scope',
    {
      crls: [
        rootCrl,
        interCrl,
        crl(inter, { number: 2, list: [deltaOf(1), scope(flag(1))], revoked: [serial] }),
      ],
    },
    'valid',
  ],
  [
    'a delta by an impostor',
    {
      crls: [
        rootCrl,
        interCrl,
        crl(entity('Intermediate'), { number: 2, list: [deltaOf(1)], revoked: [serial] }),
      ],
    },
    'valid',
  ],
];

for (const [sentence, given, code] of [...rows, ...twoScopes]) {
  test(`${sentence}: ${code}`, () => {
    const result = verdict(given);
    assert.equal(result.valid ? 'valid' : result.code, code);
    const reversed = verdict({ ...given, crls: given.crls.toReversed() });
    assert.equal(reversed.valid ? 'valid' : reversed.code, code, 'in reverse order');
  });
}

test('a verdict lasts no longer than the CRLs it rests on', () => {
  const result = verdict({ crls: [rootCrl, crl(inter, { nextUpdate: now + 5000 })] });
  assert.ok(result.valid);
  assert.equal(result.validUntil, now + 6000);
});

test('nor than those by which the signer of one of these is not revoked', () => {
  const byRoot = certify(root, leaf, [points([at('http://a'), issuerName('Crl Issuer')])]);
  const ofCas = crl(root, { list: [scope(flag(2))] });
  const ask = (at: number) =>
    verdict({
      end: byRoot,
      crls: [ofCas, crl(inter, { nextUpdate: now + 5000 }), crl(crlIssuer, { list: indirect() })],
      intermediates: [interCa, certify(inter, crlIssuer, [keyUsage('02')])],
      at,
    });
  const before = ask(now);
  assert.ok(before.valid);
  assert.equal(before.validUntil, now + 6000);
  const after = ask(now + 6000);
  assert.equal(after.valid ? 'valid' : after.code, 'revocation_unknown');
});

test('a leaf that is the trust anchor is revoked by nobody', () => {
  assert.equal(verdict({ end: rootCa, crls: [crl(root, { revoked: [rootCa.serialNumber] })] }).valid, true);
});

test('an impostor among the anchors is no CRL signer of ours', () => {
  const crls = [crl(root), crl(inter), crl(other, { revoked: [serial] })];
  assert.equal(verdict({ crls }).valid, true);
});

test('who makes the search for the signer of a CRL too long is refused, also where unknown ones are accepted', () => {
  const listing = crl(crlIssuer, { revoked: [entry(byOther.serialNumber, ofInter)], list: indirect() });
  const signer = certify(root, crlIssuer, [keyUsage('02'), extension('1.2.3.4', bytes('0500'))]);
  const impostors = Array.from({ length: 12 }, () => certify(root, entity('Crl Issuer'), [keyUsage('02')]));
  for (const { der } of impostors) assert.ok(Buffer.compare(der, signer.der) < 0, 'it is tried first');
  const code = (maxSignatureChecks: number): string => {
    const intermediates = [interCa, ...impostors, signer];
    const result = verdict({
      end: byOther,
      crls: [listing],
      intermediates,
      unknown: 'accept',
      maxSignatureChecks,
    });
    return result.valid ? 'valid' : result.code;
  };
  assert.deepEqual([code(100), code(5)], ['certificate_revoked', 'path_search_exhausted']);
});

test('who offers a second key that fits the signature of a CRL does not keep its signer from being found', () => {
  const longer = certify(inter, crlKey, [keyUsage('02'), extension('1.2.3.4', bytes('0500'))]);
  const listing = crl(crlKey, { revoked: [entry(serial)] });
  const forged = certify(entity('Root'), withSecondKey(listing, crlKey));
  assert.ok(Buffer.compare(forged.der, longer.der) < 0, 'the forged one is tried first');
  const told = (...more: readonly Certificate[]) => {
    const crls = [rootCrl, listing];
    const result = verdict({ crls, intermediates: [interCa, ...more, longer], unknown: 'accept' });
    return result.valid ? 'valid' : result.code;
  };
  assert.deepEqual([told(forged), told()], ['certificate_revoked', 'certificate_revoked']);
});

test('lists of further scopes cost no second search for their signer', () => {
  const lists = [
    [at('http://a'), flag(4)],
    [flag(1), flag(4)],
    [reasons(3, '0640'), flag(4)],
  ].map((fields) => crl(crlIssuer, { list: [scope(...fields)] }));
  const cost = (crls: readonly Crl[]): number => {
    const intermediates = [interCa, crlIssuerCert];
    const isEnough = (maxSignatureChecks: number): boolean =>
      verdict({ end: byOther, crls: [rootCrl, ...crls], intermediates, maxSignatureChecks }).valid;
    // What was asked before costs a fifth.
    return Array.from({ length: 500 }, (_, fifths) => fifths / 5).findIndex(isEnough) / 5;
  };
  const [one, three] = [cost(lists.slice(0, 1)), cost(lists)];
  assert.ok(three - one < 3, `${one} for one list, ${three} for three`);
});
