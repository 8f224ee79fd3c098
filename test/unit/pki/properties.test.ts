import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Certificate, CertificateError } from '../../../src/pki/certificate/certificate.ts';
import { CertificateCache } from '../../../src/pki/certificate/certificate-cache.ts';
import { createEffort } from '../../../src/pki/path/effort.ts';
import { type PathVerdict, validatePath } from '../../../src/pki/path/path-validation.ts';
import { PathValidator } from '../../../src/pki/path/path-validator.ts';
import { createTrustStore } from '../../../src/pki/path/trust-store.ts';
import { now } from '../../support/certificate-authority.ts';
import { ca, certify, dayMs, entity, extKeyUsage, serverAuth, validity } from './forge.ts';

/** A small world of CAs that certify each other at random, well and badly. */
const names = ['Root', 'A', 'B', 'C'];
const entities = names.flatMap((name) => [entity(name), entity(name)]);
const root = entities[0]!;
const rootCa = certify(root, root, [ca()]);
const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: rootCa }] });

const flaws: readonly ((issuer: number, subject: number) => Certificate)[] = [
  (issuer, subject) => certify(entities[issuer]!, entities[subject]!, [ca()]),
  (issuer, subject) => certify(entities[issuer]!, entities[subject]!, [ca(0)]),
  (issuer, subject) => certify(entities[issuer]!, entities[subject]!),
  (issuer, subject) => certify(entities[issuer]!, entities[subject]!, [ca(), extKeyUsage(serverAuth)]),
  (issuer, subject) =>
    certify(entities[issuer]!, entities[subject]!, [ca()], { validity: validity(0, now - dayMs) }),
];
const made = new Map<string, Certificate>();

/** Certificates are made once, since signing takes most of the time. */
function edge(issuer: number, subject: number, flaw: number): Certificate {
  const key = `${issuer} ${subject} ${flaw}`;
  const certificate = made.get(key) ?? flaws[flaw]!(issuer, subject);
  made.set(key, certificate);
  return certificate;
}

const index = fc.nat(entities.length - 1);
/** Sound ones more often than flawed ones: otherwise hardly any path is valid. */
const flaw = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(flaws.length - 1) },
);
const anEdge = fc.tuple(index, index, flaw).map(([issuer, subject, which]) => edge(issuer, subject, which));
const bundle = fc.array(anEdge, { maxLength: 9 });
const leaves = entities.map((issuer) => certify(issuer, entity('leaf')));
const aLeaf = fc.constantFrom(...leaves);
const runs = { numRuns: 500 };

const judge = (leaf: Certificate, intermediates: readonly Certificate[], policy = {}): PathVerdict =>
  validatePath(leaf, { trustStore, intermediates, now, ...policy });

const word = (verdict: PathVerdict): string =>
  verdict.valid
    ? verdict.path.map(({ sha256 }) => sha256).join()
    : `${verdict.code} ${verdict.at} ${verdict.detail}`;

test('the order of intermediates never changes the verdict, nor which path or reason is told', () => {
  fc.assert(
    fc.property(
      aLeaf,
      bundle.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
      ),
      fc.constantFrom(100, 6, 3),
      (leaf, [list, shuffled], maxSignatureChecks) => {
        const policy = { maxSignatureChecks };
        assert.equal(word(judge(leaf, list, policy)), word(judge(leaf, shuffled, policy)));
      },
    ),
    runs,
  );
});

test('what is read only where a path leads through it comes to the same', () => {
  fc.assert(
    fc.property(aLeaf, bundle, fc.constantFrom(100, 6, 3), (leaf, list, maxSignatureChecks) => {
      const unread = new CertificateCache().offered(list.map(({ der }) => der));
      const verdict = validatePath(leaf, { trustStore, intermediates: unread, now, maxSignatureChecks });
      assert.equal(word(verdict), word(judge(leaf, list, { maxSignatureChecks })));
    }),
    runs,
  );
});

test('one more certificate never makes a valid leaf invalid', () => {
  fc.assert(
    fc.property(aLeaf, bundle, anEdge, (leaf, list, more) => {
      if (judge(leaf, list).valid) assert.equal(judge(leaf, [...list, more]).valid, true);
    }),
    runs,
  );
});

test('one more certificate makes an invalid leaf valid only by being in the path', () => {
  fc.assert(
    fc.property(aLeaf, bundle, anEdge, (leaf, list, more) => {
      const after = judge(leaf, [...list, more]);
      if (after.valid && !judge(leaf, list).valid) assert.ok(after.path.includes(more));
    }),
    runs,
  );
});

test('whatever is valid is a chain of sound certificates from the anchor to the leaf', () => {
  let valid = 0;
  fc.assert(
    fc.property(aLeaf, bundle, (leaf, list) => {
      const verdict = judge(leaf, list);
      if (!verdict.valid) return;
      valid++;
      const chain = [...verdict.path, verdict.anchor];
      assert.equal(chain[0], leaf);
      assert.equal(chain.at(-1), rootCa);
      for (const [i, certificate] of verdict.path.entries()) {
        const issuer = chain[i + 1]!;
        assert.equal(certificate.issuer.key, issuer.subject.key);
        assert.ok(issuer.isCa && now <= issuer.notAfter && issuer.values.extKeyUsage === undefined);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(valid > 50, `only ${valid} valid paths: the world is too bad to say anything`);
});

test('the verdict is the same with and without caches', () => {
  const validator = new PathValidator(trustStore);
  const cache = new CertificateCache({ maxKnown: 8, maxStrangers: 8 });
  const read = ({ der }: Certificate): Certificate => {
    const certificate = cache.read(der);
    assert.ok(!(certificate instanceof CertificateError));
    return certificate;
  };
  // A valid path is remembered without what was sent along: the same leaf always comes with the same.
  const bundles = new Map<Certificate, readonly Certificate[]>();
  fc.assert(
    fc.property(aLeaf, bundle, fc.integer({ min: -3, max: 3 }), (leaf, list, days) => {
      const sent = bundles.get(leaf) ?? list;
      bundles.set(leaf, sent);
      const at = now + days * dayMs;
      const cached = validator.validate({
        leaf: read(leaf),
        intermediates: sent.map(read),
        now: at,
        effort: createEffort(),
      });
      const fresh = validatePath(leaf, { trustStore, intermediates: sent, now: at });
      // Of several valid paths the one that was found first stays, for as long as all of it is valid.
      if (!cached.valid || !fresh.valid) return assert.equal(word(cached), word(fresh));
      // The judge without a memory must find it, and no other, where nothing else is offered.
      const alone = validatePath(leaf, { trustStore, intermediates: cached.path.slice(1), now: at });
      assert.equal(word(cached), word(alone));
    }),
    runs,
  );
});
