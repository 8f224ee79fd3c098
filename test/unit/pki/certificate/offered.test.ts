import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CertificateCache, vouchFor } from '../../../../src/pki/certificate/certificate-cache.ts';
import { isUnread, type Unread } from '../../../../src/pki/certificate/offered.ts';
import { createEffort } from '../../../../src/pki/path/effort.ts';
import { validatePath } from '../../../../src/pki/path/path-validation.ts';
import { SearchLimit } from '../../../../src/pki/path/search-limit.ts';
import { createTrustStore } from '../../../../src/pki/path/trust-store.ts';
import { now } from '../../../support/certificate-authority.ts';
import { ca, certify, dns, entity, subjectAltName } from '../forge.ts';

const [root, inter, leaf, stranger] = [entity('Root'), entity('Inter'), entity('leaf'), entity('Stranger')];
const rootCa = certify(root, root, [ca()]);
const interCa = certify(root, inter, [ca()]);
const ring = Array.from({ length: 9 }, (_, i) =>
  certify(stranger, stranger, [ca(), subjectAltName(dns(`n${i}.example`))]),
);
const trustStore = createTrustStore({ anchors: [{ kind: 'ca', certificate: rootCa }] });
const unseen = (cache: CertificateCache): number => cache.state.readings.unseen;

test('of what was sent along the names are read, and the rest when it is asked for', () => {
  const cache = new CertificateCache();
  const [first] = cache.offered([interCa.der]);
  assert.ok(first !== undefined && isUnread(first));
  assert.deepEqual(
    [first.issuer.key, first.subject.key, first.sha256],
    [interCa.issuer.key, interCa.subject.key, interCa.sha256],
  );
  assert.deepEqual([unseen(cache), first.certificate], [0, undefined]);
  const read = first.read();
  assert.deepEqual([unseen(cache), first.certificate, first.read()], [1, read, read]);
  const [again] = cache.offered([interCa.der]);
  assert.ok(isUnread(again!), 'it was in no valid path, and is not remembered');
  const second = again.read();
  vouchFor(second!);
  assert.deepEqual(cache.offered([interCa.der]), [second], 'what is remembered comes whole');
  assert.deepEqual(cache.state.parts, {
    known: { entries: 1, bytes: interCa.der.length },
    stranger: { entries: 0, bytes: 0 },
  });
});

test('what is no certificate completes no path, whether its names tell or the rest', () => {
  const cache = new CertificateCache();
  const broken = new Uint8Array(interCa.der);
  // The version, 3 as 2, becomes 255: names are read, and the whole is not.
  broken[broken.indexOf(0xa0) + 4] = 0xff;
  const [only, ...none] = cache.offered([Uint8Array.of(0x30, 0), broken, interCa.der.subarray(1)]);
  assert.deepEqual(none, []);
  // However many trust stores ask, it is tried once.
  for (let i = 0; i < 3; i++) assert.equal((only as Unread).read(), undefined);
  assert.equal(cache.state.readings.unseen, 1);
  const verdict = validatePath(certify(inter, leaf), {
    trustStore,
    intermediates: cache.offered([broken, interCa.der]),
    now,
  });
  assert.ok(verdict.valid);
});

const searches: readonly [sentence: string, sent: readonly Uint8Array[], result: string, read: number][] = [
  ['a path through it', [interCa.der], 'valid', 1],
  ['a path, and nine that lead nowhere', [...ring.map(({ der }) => der), interCa.der], 'valid', 1],
  ['nine that lead nowhere', ring.map(({ der }) => der), 'issuer_unknown', 0],
];
for (const [sentence, sent, result, read] of searches)
  test(`${sentence}: ${read} of what was sent along is read`, () => {
    const cache = new CertificateCache();
    const end = certify(inter, leaf);
    const verdict = validatePath(end, { trustStore, intermediates: cache.offered(sent), now });
    assert.deepEqual([verdict.valid ? 'valid' : verdict.code, unseen(cache)], [result, read]);
  });

test('many of one name are not read while there are too many strangers', () => {
  const cache = new CertificateCache();
  const crowd = Array.from({ length: 9 }, () => certify(root, entity('Inter'), [ca()]).der);
  const search = (limit: SearchLimit) => {
    const verdict = validatePath(certify(inter, leaf), {
      trustStore,
      intermediates: cache.offered(crowd),
      now,
      effort: createEffort(limit),
    });
    return verdict.valid || verdict.code;
  };
  assert.equal(
    search(new SearchLimit({ furtherPerSecond: 0, furtherAtOnce: 0 })),
    'certificate_search_limited',
  );
  assert.equal(unseen(cache), 0);
  assert.equal(search(new SearchLimit()), 'signature_invalid');
  assert.equal(unseen(cache), 9);
});
