import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEffort } from '../../../../src/pki/path/effort.ts';
import { validatePath } from '../../../../src/pki/path/path-validation.ts';
import { PathValidator } from '../../../../src/pki/path/path-validator.ts';
import { createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { createCrlSet } from '../../../../src/pki/revocation/crl-set.ts';
import { byTheBook } from '../../../../src/pki/revocation/freshness.ts';
import type {
  OcspAnswer,
  RevocationPolicy,
  RevocationState,
} from '../../../../src/pki/revocation/revocation-state.ts';
import { now } from '../../../support/certificate-authority.ts';
import { bytes, implicit } from '../der-writer.ts';
import { ca, certify, dayMs, entity, keyUsage } from '../forge.ts';
import { crl, deltaOf, entry, reason, scope } from './crl-forge.ts';

const [root, inter, leaf] = [entity('Root'), entity('Intermediate'), entity('leaf')];
const rootCa = certify(root, root, [ca()]);
const interCa = certify(root, inter, [ca()]);
const end = certify(inter, leaf);
const anchors = [{ kind: 'ca', certificate: rootCa } as const];
const crlKey = entity('Intermediate');
const crlKeyCert = certify(inter, crlKey, [keyUsage('02')]);
const trustStore = createTrustStore({ anchors, intermediates: [interCa, crlKeyCert] });

const window = { from: now - dayMs, until: now + dayMs };
const said = (status: 'good' | 'unknown', at = window): OcspAnswer => ({ status, window: at });
const saidRevoked: OcspAnswer = {
  status: 'revoked',
  entry: { revocationDate: now - dayMs, reasonCode: 4 },
  window,
};
const delegate = '0abc';
const saidByDelegate: OcspAnswer = { status: 'good', window, delegate: bytes(delegate) };
const outdated = { from: now - 2 * dayMs, until: now - 1 };

const hard: RevocationPolicy = {
  check: 'leaf',
  sources: ['crl', 'ocsp'],
  freshness: byTheBook,
  unknown: 'refuse',
  pending: 'refuse',
  hasSource: () => true,
};
const soft: RevocationPolicy = { ...hard, unknown: 'accept', pending: 'accept' };

const past = { thisUpdate: now - 9 * dayMs, nextUpdate: now - 8 * dayMs };
const good = crl(inter);
const listed = crl(inter, { revoked: [entry(end.serialNumber, reason(1))] });
/** Newer than `good`, and out of date before it. */
const brief = { number: 2, thisUpdate: now - dayMs / 2, nextUpdate: now - dayMs / 4 };
const lapsed = { from: brief.thisUpdate, until: brief.nextUpdate };
const onHold: OcspAnswer = { ...saidRevoked, entry: { ...saidRevoked.entry, reasonCode: 6 }, window: lapsed };
const delta = (code: number) =>
  crl(inter, { ...brief, list: [deltaOf(1)], revoked: [entry(end.serialNumber, reason(code))] });

type Given = {
  readonly crls?: readonly (typeof good)[];
  readonly answers?: readonly OcspAnswer[];
  readonly awaited?: boolean;
  readonly policy?: Partial<RevocationPolicy>;
};

const stateOf = (
  { crls = [], answers = [], awaited = false }: Given,
  policy: RevocationPolicy | undefined,
): RevocationState => ({
  version: 1,
  crls: createCrlSet(crls),
  answersAbout: (certificate) => (certificate === end ? answers : []),
  isAwaited: () => awaited,
  policyOf: () => policy,
});

const codeOf = (given: Given, base: RevocationPolicy): string => {
  const revocation = stateOf(given, { ...base, ...given.policy });
  const verdict = validatePath(end, { trustStore, intermediates: [], now, revocation });
  return verdict.valid ? 'valid' : verdict.code;
};

const bare = { hasSource: () => false };
const rows: readonly (readonly [what: string, given: Given, hard: string, soft: string])[] = [
  ['nothing known', {}, 'revocation_unknown', 'valid'],
  ['a CRL without it', { crls: [good] }, 'valid', 'valid'],
  ['a CRL with it', { crls: [listed] }, 'certificate_revoked', 'certificate_revoked'],
  ['a responder says good', { answers: [said('good')] }, 'valid', 'valid'],
  ['a responder says revoked', { answers: [saidRevoked] }, 'certificate_revoked', 'certificate_revoked'],
  ['a responder says unknown', { answers: [said('unknown')] }, 'revocation_unknown', 'valid'],
  ['it says unknown, and a CRL has it not', { crls: [good], answers: [said('unknown')] }, 'valid', 'valid'],
  [
    'it says good, and a CRL has it',
    { crls: [listed], answers: [said('good')] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it says revoked, and a CRL has it not',
    { crls: [good], answers: [saidRevoked] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'one responder says good, another revoked',
    { answers: [said('good'), saidRevoked] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it says good, and an old list of the issuer’s has the responder',
    { crls: [crl(inter, { ...past, revoked: [delegate] })], answers: [saidByDelegate] },
    'revocation_unknown',
    'valid',
  ],
  [
    'it says good, and such a list by a key for CRLs has the responder',
    { crls: [crl(crlKey, { ...past, revoked: [delegate] })], answers: [saidByDelegate] },
    'revocation_unknown',
    'valid',
  ],
  [
    'it says good, and the old list that has the certificate has the responder, too',
    { crls: [crl(inter, { ...past, revoked: [end.serialNumber, delegate] })], answers: [saidByDelegate] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it says good in place of revoked, and an old list of the issuer’s has the responder',
    {
      crls: [crl(inter, { ...past, revoked: [delegate] })],
      answers: [{ ...saidByDelegate, instead: { ...saidRevoked, window: outdated } }],
    },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it says good in place of revoked, and no list has the responder',
    { crls: [crl(inter, past)], answers: [{ ...saidByDelegate, instead: saidRevoked }] },
    'valid',
    'valid',
  ],
  [
    'it says unknown in place of a good in place of revoked, and a list has the responder of the good',
    {
      crls: [crl(inter, { ...past, revoked: [delegate] })],
      answers: [{ ...saidByDelegate, status: 'unknown', instead: saidRevoked }],
    },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it says good, and the list that has the responder is of another key of the issuer’s name',
    { crls: [crl(entity('Intermediate'), { revoked: [delegate] })], answers: [saidByDelegate] },
    'valid',
    'valid',
  ],
  [
    'it says good, and is the issuer, whatever has a serial number on its list',
    { crls: [crl(inter, { ...past, revoked: [delegate] })], answers: [said('good')] },
    'valid',
    'valid',
  ],
  [
    'it said good, and that is out of date',
    { answers: [said('good', outdated)] },
    'revocation_unknown',
    'valid',
  ],
  [
    'it said revoked, and that is out of date',
    { answers: [{ ...saidRevoked, window: outdated }] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it said revoked, out of date, and now says good',
    { answers: [{ ...saidRevoked, window: outdated }, said('good')] },
    'valid',
    'valid',
  ],
  [
    'it said on hold, and that is out of date',
    { answers: [{ ...saidRevoked, entry: { ...saidRevoked.entry, reasonCode: 6 }, window: outdated }] },
    'revocation_unknown',
    'valid',
  ],
  [
    'a CRL with it, out of date',
    { crls: [crl(inter, { revoked: [entry(end.serialNumber, reason(1))], ...past })] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'a CRL with it on hold, out of date',
    { crls: [crl(inter, { revoked: [entry(end.serialNumber, reason(6))], ...past })] },
    'revocation_unknown',
    'valid',
  ],
  ['a CRL without it, out of date', { crls: [crl(inter, past)] }, 'revocation_unknown', 'valid'],
  [
    'it said revoked, out of date, and a CRL of before, which still counts, has it not',
    { crls: [good], answers: [{ ...saidRevoked, window: lapsed }] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it said revoked, out of date, and a CRL of later has it not',
    { crls: [crl(inter, { thisUpdate: now })], answers: [{ ...saidRevoked, window: lapsed }] },
    'valid',
    'valid',
  ],
  [
    'it said revoked, out of date, and another that still counts said good before',
    { answers: [{ ...saidRevoked, window: lapsed }, said('good')] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'it said on hold, out of date, and a CRL of before, which still counts, has it not',
    { crls: [good], answers: [onHold] },
    'revocation_unknown',
    'valid',
  ],
  [
    'it said on hold, out of date, and now says good',
    { answers: [onHold, said('good', { ...window, from: now })] },
    'valid',
    'valid',
  ],
  [
    'a newer CRL with it, out of date, beside an older one without it, which still counts',
    { crls: [good, crl(inter, { ...brief, revoked: [end.serialNumber] })] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'a delta with it, out of date, of a complete CRL that still counts',
    { crls: [good, delta(1)] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'a delta with it on hold, out of date, of a complete CRL that still counts',
    { crls: [good, delta(6)] },
    'revocation_unknown',
    'valid',
  ],
  [
    'a delta with it, out of date, and a complete CRL of later without it',
    { crls: [crl(inter, { number: 3, thisUpdate: now }), delta(1)] },
    'valid',
    'valid',
  ],
  [
    'a list with it and a newer one of another scope with it on hold, both out of date',
    {
      crls: [
        crl(inter, { ...past, revoked: [entry(end.serialNumber, reason(1))] }),
        crl(inter, {
          ...brief,
          list: [scope(implicit(1, bytes('ff')))],
          revoked: [entry(end.serialNumber, reason(6))],
        }),
      ],
    },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'one responder said on hold and another revoked before, both out of date',
    { answers: [onHold, { ...saidRevoked, window: outdated }] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  ['it is being asked', { awaited: true }, 'revocation_pending', 'valid'],
  ['it is being asked, and that may be', { awaited: true, policy: { pending: 'accept' } }, 'valid', 'valid'],
  ['it is being asked, and a CRL has it not', { awaited: true, crls: [good] }, 'valid', 'valid'],
  [
    'it is being asked, and a CRL has it',
    { awaited: true, crls: [listed] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  ['there is no source', { policy: bare }, 'revocation_source_missing', 'valid'],
  [
    'there is none, and a CRL of another source has it',
    { policy: bare, crls: [listed] },
    'certificate_revoked',
    'certificate_revoked',
  ],
  [
    'CRLs are not looked at',
    { policy: { sources: ['ocsp'] }, crls: [listed] },
    'revocation_unknown',
    'valid',
  ],
  [
    'responders are not asked',
    { policy: { sources: ['crl'] }, answers: [said('good')], awaited: true },
    'revocation_unknown',
    'valid',
  ],
  [
    'the whole chain, and none for the CA',
    { policy: { check: 'chain' }, crls: [good] },
    'revocation_unknown',
    'valid',
  ],
  ['the whole chain', { policy: { check: 'chain' }, crls: [good, crl(root)] }, 'valid', 'valid'],
  [
    'the whole chain, and the CA is revoked',
    { policy: { check: 'chain' }, crls: [good, crl(root, { revoked: [interCa.serialNumber] })] },
    'issuer_revoked',
    'issuer_revoked',
  ],
  [
    'the leaf alone, and the CA is revoked',
    { crls: [good, crl(root, { revoked: [interCa.serialNumber] })] },
    'valid',
    'valid',
  ],
];

describe('revocation by policy', () => {
  for (const [what, given, byHard, bySoft] of rows)
    it(`${what}: ${byHard} with hard-fail, ${bySoft} with soft-fail`, () => {
      assert.equal(codeOf(given, hard), byHard);
      assert.equal(codeOf(given, soft), bySoft);
    });

  for (const [what, given, byHard, bySoft] of rows)
    it(`${what}: the same, whichever source is named first`, () => {
      const sources = (given.policy?.sources ?? hard.sources).toReversed();
      const turned = { ...given, policy: { ...given.policy, sources } };
      assert.equal(codeOf(turned, hard), byHard);
      assert.equal(codeOf(turned, soft), bySoft);
    });

  it('below a CA without policy nothing is looked at, nor asked for', () => {
    const revocation = { ...stateOf({ crls: [listed] }, undefined), want: () => assert.fail('is asked for') };
    assert.ok(validatePath(end, { trustStore, intermediates: [], now, revocation }).valid);
  });

  it('date and reason are told', () => {
    const revocation = stateOf({ crls: [listed] }, hard);
    const verdict = validatePath(end, { trustStore, intermediates: [], now, revocation });
    assert.match(
      verdict.valid ? '' : verdict.detail,
      /^CN=leaf.* was revoked on 2026-05-31T00:00:00\.000Z, reason keyCompromise$/,
    );
  });

  it('of two that say revoked, those of the source that is named first', () => {
    const reasonBy = (...sources: RevocationPolicy['sources']): string => {
      const revocation = stateOf({ crls: [listed], answers: [saidRevoked] }, { ...hard, sources });
      const verdict = validatePath(end, { trustStore, intermediates: [], now, revocation });
      return /reason (.*)$/.exec(verdict.valid ? '' : verdict.detail)?.[1] ?? '';
    };
    assert.deepEqual([reasonBy('crl', 'ocsp'), reasonBy('ocsp', 'crl')], ['keyCompromise', 'superseded']);
  });

  it('only what is valid but for this is asked for, with what is above it', () => {
    const wanted: string[] = [];
    const revocation: RevocationState = {
      ...stateOf({}, { ...soft, check: 'chain' }),
      want: (...path) => void wanted.push(names(...path)),
    };
    const names = (...list: readonly { readonly serialNumber: string }[]): string =>
      list.map(({ serialNumber }) => serialNumber).join(' ');
    validatePath(end, { trustStore, intermediates: [], now, revocation });
    assert.deepEqual(wanted, [names(interCa, rootCa), names(end, interCa, rootCa)]);
    wanted.length = 0;
    validatePath(end, { trustStore, intermediates: [], now: now + 400 * dayMs, revocation });
    validatePath(certify(entity('Intermediate'), leaf), { trustStore, intermediates: [], now, revocation });
    assert.deepEqual(wanted, [], 'an expired one, and one that a stranger signed');
  });

  it('a verdict is remembered until what it was judged by ends, or is another', () => {
    const validator = new PathValidator(trustStore);
    const short = { ...window, until: now + 999 };
    let state = stateOf({ answers: [said('good', short)] }, hard);
    const code = (at: number): string => {
      const verdict = validator.validate({
        leaf: end,
        intermediates: [],
        now: at,
        revocation: state,
        effort: createEffort(),
      });
      return verdict.valid ? 'valid' : verdict.code;
    };
    assert.deepEqual(
      [code(now), code(now + 999), code(now + 1000)],
      ['valid', 'valid', 'revocation_unknown'],
    );
    assert.equal(code(now), 'valid');
    state = { ...stateOf({ answers: [saidRevoked] }, hard), version: 2 };
    assert.equal(code(now), 'certificate_revoked');
  });
});
