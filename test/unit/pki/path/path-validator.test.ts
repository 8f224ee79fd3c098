import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Certificate } from '../../../../src/pki/certificate/certificate.ts';
import { CertificateCache } from '../../../../src/pki/certificate/certificate-cache.ts';
import { createEffort } from '../../../../src/pki/path/effort.ts';
import { PathValidator } from '../../../../src/pki/path/path-validator.ts';
import { createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { createCrlSet } from '../../../../src/pki/revocation/crl-set.ts';
import { byCrls, type RevocationState } from '../../../../src/pki/revocation/revocation-state.ts';
import { now } from '../../../support/certificate-authority.ts';
import { heldBy } from '../../../support/held-memory.ts';
import { bytes, extension, octets } from '../der-writer.ts';
import { ca, certify, dayMs, entity, keyUsage, validity } from '../forge.ts';
import { crl } from '../revocation/crl-forge.ts';

const [root, inter, leaf] = [entity('Root'), entity('Intermediate'), entity('leaf')];
const rootCa = certify(root, root, [ca()]);
const interCa = certify(root, inter, [ca()]);
const end = certify(inter, leaf);

const validator = (
  anchors: readonly Certificate[] = [rootCa],
  known: readonly Certificate[] = [],
  policy = {},
): PathValidator =>
  new PathValidator(
    createTrustStore({
      anchors: anchors.map((certificate) => ({ kind: 'ca', certificate })),
      intermediates: known,
    }),
    policy,
  );

const code = (
  judge: PathValidator,
  one: Certificate,
  intermediates: readonly Certificate[],
  at = now,
  revocation?: RevocationState,
): string => {
  const verdict = judge.validate({ leaf: one, intermediates, now: at, revocation, effort: createEffort() });
  return verdict.valid ? 'valid' : verdict.code;
};

test('a verdict is remembered', () => {
  const judge = validator();
  const first = judge.validate({ leaf: end, intermediates: [interCa], now, effort: createEffort() });
  assert.equal(
    judge.validate({ leaf: end, intermediates: [interCa], now: now + 1, effort: createEffort() }),
    first,
  );
});

test('of a certificate that came for the first time, of which the next reading makes another, nothing is remembered', () => {
  const judge = validator();
  const cache = new CertificateCache();
  const unseen = certify(inter, entity('one that comes now'));
  const find = () => {
    const one = cache.read(unseen.der) as Certificate;
    const request = { leaf: one, intermediates: [interCa], now };
    return () => judge.validate({ ...request, effort: createEffort() });
  };
  const [passing, kept] = [find(), find()];
  assert.notEqual(passing(), passing());
  assert.equal(kept(), kept());
  assert.equal(kept(), find()());
});

test('what one request asks again of a certificate that came for the first time is found out once', () => {
  const self = entity('Root');
  const pinned = certify(self, self);
  const revocable = certify(root, entity('revocable'));
  const judge = new PathValidator(
    createTrustStore({
      anchors: [
        { kind: 'ca', certificate: rootCa },
        { kind: 'pinned', certificate: pinned },
        { kind: 'pinned', certificate: revocable },
      ],
    }),
  );
  const others = new PathValidator(createTrustStore({ anchors: [{ kind: 'ca', certificate: rootCa }] }));
  const revocation = { version: 1, crls: createCrlSet([]), policyOf: () => byCrls('refuse') };
  const lists = Array.from({ length: 20 }, () => crl(root));
  const listed = { ...revocation, crls: createCrlSet(lists), issuerOf: () => rootCa };
  for (const [der, outcomes, known] of [
    [certify(inter, entity('one')).der, ['valid', 'valid'], undefined],
    [pinned.der, ['valid', 'signature_invalid'], undefined],
    [
      certify(entity('Intermediate'), entity('two')).der,
      ['signature_invalid', 'signature_invalid'],
      undefined,
    ],
    [certify(inter, entity('three')).der, ['revocation_unknown', 'revocation_unknown'], revocation],
    [revocable.der, ['valid', 'valid'], listed],
  ] as const) {
    const one = new CertificateCache().read(der) as Certificate;
    const effort = createEffort();
    const request = { leaf: one, intermediates: [interCa], now, revocation: known, effort };
    const verdicts = [judge, others].map((each) => each.validate(request));
    assert.deepEqual(
      verdicts.map((verdict) => (verdict.valid ? 'valid' : verdict.code)),
      outcomes,
    );
    const spent = structuredClone([effort.search, effort.revocation]);
    for (let times = 0; times < 1000; times++)
      for (const [i, each] of [judge, others].entries())
        assert.equal(each.validate(request), verdicts[i], outcomes[i]);
    assert.deepEqual([effort.search, effort.revocation], spent, 'another path may need the rest');
    assert.notEqual(judge.validate({ ...request, effort: createEffort() }), verdicts[0]);
    assert.notEqual(judge.validate({ ...request, leaf: certify(inter, entity('four')) }), verdicts[0]);
  }
});

test('a valid path is remembered whatever is sent along, a refusal is not', () => {
  const judge = validator();
  assert.equal(code(judge, end, []), 'issuer_unknown');
  assert.equal(code(judge, end, [interCa]), 'valid');
  assert.equal(code(judge, end, []), 'valid');
});

test('a valid verdict ends with the certificate that ends first', () => {
  for (const [short, expected] of [
    ['leaf', 'certificate_expired'],
    ['inter', 'issuer_expired'],
    ['root', 'issuer_expired'],
  ] as const) {
    const dates = (of: string) => ({ validity: validity(now - dayMs, of === short ? now : now + dayMs) });
    const judge = validator([certify(root, root, [ca()], dates('root'))]);
    const middle = certify(root, inter, [ca()], dates('inter'));
    const one = certify(inter, leaf, [], dates('leaf'));
    assert.equal(code(judge, one, [middle], now), 'valid');
    assert.equal(code(judge, one, [middle], now + 999), 'valid');
    assert.equal(code(judge, one, [middle], now + 1000), expected, short);
    assert.equal(code(judge, one, [middle], now), 'valid', 'the clock was set back');
  }
});

test('a refusal ends when a certificate begins, sent along or known', () => {
  const later = certify(root, inter, [ca()], { validity: validity(now + 5000, now + dayMs) });
  for (const [judge, sent] of [
    [validator(), [later]],
    [validator([rootCa], [later]), []],
  ] as const) {
    assert.equal(code(judge, end, sent, now), 'issuer_not_yet_valid');
    assert.equal(code(judge, end, sent, now + 4999), 'issuer_not_yet_valid');
    assert.equal(code(judge, end, sent, now + 5000), 'valid');
  }
});

test('a verdict ends with the revocation data', () => {
  const crls = createCrlSet([crl(root), crl(inter, { nextUpdate: now + 5000 })]);
  const judge = validator();
  const revocation: RevocationState = { version: 1, crls, policyOf: () => byCrls('refuse') };
  assert.equal(code(judge, end, [interCa], now, revocation), 'valid');
  assert.equal(code(judge, end, [interCa], now + 5999, revocation), 'valid');
  assert.equal(code(judge, end, [interCa], now + 6000, revocation), 'revocation_unknown');
});

test('a verdict ends when a newer CRL begins', () => {
  const crls = createCrlSet([
    crl(root),
    crl(inter),
    crl(inter, { number: 2, thisUpdate: now + 5000, revoked: [end.serialNumber] }),
  ]);
  const judge = validator();
  const revocation: RevocationState = { version: 1, crls, policyOf: () => byCrls('refuse') };
  assert.equal(code(judge, end, [interCa], now + 4999, revocation), 'valid');
  assert.equal(code(judge, end, [interCa], now + 5000, revocation), 'certificate_revoked');
});

test('a verdict on an unknown status ends when a CRL begins', () => {
  const crls = createCrlSet([crl(inter, { thisUpdate: now + 5000, revoked: [end.serialNumber] })]);
  const judge = validator();
  const revocation: RevocationState = { version: 1, crls, policyOf: () => byCrls('accept') };
  assert.equal(code(judge, end, [interCa], now, revocation), 'valid');
  assert.equal(code(judge, end, [interCa], now + 5000, revocation), 'certificate_revoked');
});

test('a verdict does not hold before the CRL that it rests on, to a clock that is set back', () => {
  const crls = createCrlSet([crl(root), crl(inter, { thisUpdate: now - 5000 })]);
  const judge = validator();
  const revocation: RevocationState = { version: 1, crls, policyOf: () => byCrls('refuse') };
  const at = (time: number): string => code(judge, end, [interCa], time, revocation);
  assert.deepEqual([now, now - 5000, now - 5001, now].map(at), [
    'valid',
    'valid',
    'revocation_unknown',
    'valid',
  ]);
});

test("a verdict ends with the certificate of a CRL's signer", () => {
  const crlKey = entity('Intermediate');
  const signer = certify(inter, crlKey, [keyUsage('02')], { validity: validity(now - dayMs, now + 5000) });
  const crls = createCrlSet([crl(root), crl(crlKey)]);
  const judge = validator();
  const revocation: RevocationState = { version: 1, crls, policyOf: () => byCrls('refuse') };
  assert.equal(code(judge, end, [interCa, signer], now, revocation), 'valid');
  assert.equal(code(judge, end, [interCa, signer], now + 6000, revocation), 'revocation_unknown');
});

test('a verdict ends when something new is known of revocation, whatever was known before', () => {
  const judge = validator();
  const good = createCrlSet([crl(root), crl(inter)]);
  const live = { version: 1, crls: good, policyOf: () => byCrls('refuse') };
  assert.equal(code(judge, end, [interCa], now, live), 'valid');
  live.crls = createCrlSet([crl(root), crl(inter, { number: 2, revoked: [end.serialNumber] })]);
  assert.equal(code(judge, end, [interCa], now, live), 'valid', 'not told that anything is new');
  live.version = 2;
  assert.equal(code(judge, end, [interCa], now, live), 'certificate_revoked');
  assert.equal(code(judge, end, [interCa], now), 'valid', 'without revocation it is another question');
  live.crls = good;
  assert.equal(code(judge, end, [interCa], now, live), 'valid', 'refusals are not remembered');
});

test('a refusal that has nothing to do with revocation is remembered where that is looked at, too', () => {
  const judge = validator();
  const revocation: RevocationState = {
    version: 1,
    crls: createCrlSet([]),
    policyOf: () => byCrls('refuse'),
  };
  const ask = (one: Certificate) =>
    judge.validate({ leaf: one, intermediates: [interCa], now, revocation, effort: createEffort() });
  const stranger = certify(entity('Intermediate'), leaf);
  assert.equal(ask(stranger), ask(stranger));
  assert.equal(code(judge, stranger, [interCa], now, revocation), 'signature_invalid');
  assert.notEqual(ask(end), ask(end));
  assert.equal(code(judge, end, [interCa], now, revocation), 'revocation_unknown');
});

test('what was refused for lack of budget is not searched again, unless something else is offered', () => {
  const judge = validator([rootCa], [], { maxSignatureChecks: 1 });
  const first = judge.validate({ leaf: end, intermediates: [interCa], now, effort: createEffort() });
  assert.equal(first.valid || first.code, 'path_search_exhausted');
  assert.equal(judge.validate({ leaf: end, intermediates: [interCa], now, effort: createEffort() }), first);
  assert.notEqual(
    judge.validate({ leaf: end, intermediates: [interCa, rootCa], now, effort: createEffort() }),
    first,
  );
});

test('one validator does not speak for another', () => {
  const other = entity('Other');
  const judges = [validator(), validator([certify(other, other, [ca()])])];
  assert.deepEqual(
    judges.map((judge) => code(judge, end, [interCa])),
    ['valid', 'issuer_unknown'],
  );
});

test('a certificate that lives longer than its validators keeps none of them, nor what they remembered', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const lasting = certify(inter, leaf);
  const gone = Array.from({ length: 20 }, () => {
    const judge = validator();
    assert.equal(code(judge, lasting, [interCa]), 'valid');
    return new WeakRef(judge);
  });
  // What was looked at in one turn of the event loop lives to its end.
  await new Promise<void>((next) => setImmediate(next));
  collect();
  const kept = gone.filter((judge) => judge.deref() !== undefined).length;
  assert.ok(kept <= 1, `${kept} of 20 validators are kept`);
  const judge = validator();
  assert.equal(code(judge, lasting, [interCa]), 'valid');
  assert.equal(code(judge, lasting, []), 'valid', 'its own is remembered');
});

test('a CA that was sent along in vain is not kept by the certificate that it did not sign', async () => {
  const large = extension('1.2.3.4', octets(bytes('41'.repeat(100_000))));
  const refusedBy = (n: number): Certificate => {
    const one = certify(inter, entity(`${n}`));
    const forger = certify(root, entity('Intermediate'), [ca(), large]);
    assert.equal(code(validator(), one, [forger]), 'signature_invalid');
    return one;
  };
  const held = await heldBy(() => Array.from({ length: 20 }, (_, n) => refusedBy(n)));
  assert.ok(held < 20 * 50_000, `${held} bytes`);
});

test('what is above a certificate in its valid path is kept with it, and counts where it is remembered', () => {
  const cache = new CertificateCache({ maxKnown: 64, maxStrangers: 1 });
  const judge = validator();
  const large = extension('1.2.3.4', octets(bytes('41'.repeat(30_000))));
  const clients = Array.from({ length: 20 }, (_, n) => {
    const sub = entity(`Sub ${n}`, root.keys);
    return { leaf: certify(sub, entity(`${n}`)), above: certify(root, sub, [ca(), large]) };
  });
  const isValid = ({ leaf, above }: (typeof clients)[number], comes: boolean): boolean => {
    const one = cache.read(leaf.der) as Certificate;
    return code(judge, one, comes ? (cache.offered([above.der]) as readonly Certificate[]) : []) === 'valid';
  };
  for (const [n, client] of clients.entries()) {
    for (let i = 0; i < 3; i++) assert.ok(isValid(client, true));
    // They come again without it, so that it is pushed out and they are not.
    for (const { leaf } of clients.slice(0, n + 1)) cache.read(leaf.der);
  }
  const kept = clients.filter((client) => isValid(client, false)).length;
  assert.ok(kept >= 1 && kept <= 7, `${kept} of ${clients.length} are remembered`);
});
