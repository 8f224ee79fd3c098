import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificates } from '../../../../src/client-certificate/formats/reading.ts';
import {
  ReadingCache,
  type ReadingCaches,
  readingCaches,
} from '../../../../src/client-certificate/formats/reading-cache.ts';
import {
  type CertificateFormat,
  formatOf,
  formats,
} from '../../../../src/client-certificate/formats/table.ts';
import { writeCertificate } from '../../../../src/client-certificate/outbound.ts';
import { presentedError } from '../../../../src/client-certificate/presented.ts';
import { readPresented } from '../../../../src/client-certificate/source.ts';
import { request } from '../../../support/attributes.ts';
import { escaped, intermediate, leaf, pem, read, root, sha256 } from '../samples.ts';

for (const format of Object.keys(formats) as CertificateFormat[]) {
  test(`${format}: from the second request on, each gets the very same bytes`, () => {
    const caches = readingCaches();
    const headers = writeCertificate(format, leaf, [intermediate, root]);
    read(format, headers, { caches });
    const first = read(format, headers, { caches });
    const second = read(format, headers, { caches });
    assert.ok(first.kind === 'chain' && second.kind === 'chain');
    assert.equal(second.leaf, first.leaf);
    assert.deepEqual(second, first);
    assert.deepEqual(first, read(format, headers), 'as without a cache');
    assert.equal(first.intermediates.length, formatOf(format).chain === 'none' ? 0 : 2);
    for (const kept of [second.leaf, ...second.intermediates])
      assert.equal(kept.buffer.byteLength, kept.length, 'and they keep no memory but their own');
  });
}

test('a value that differs anywhere is read anew', () => {
  const caches = readingCaches();
  const value = escaped(pem(leaf));
  const header = 'x-wso2-client-certificate';
  assert.equal(read('auto', [[header, value]], { caches }).kind, 'chain');
  for (let at = 0; at < value.length; at += 7) {
    const changed = `${value.slice(0, at)}~${value.slice(at + 1)}`;
    const presented = read('auto', [[header, changed]], { caches });
    assert.equal(presented.kind === 'error' && presented.code, 'header_coding_invalid', `at ${at}`);
  }
  assert.equal(read('auto', [[header, value]], { caches }).kind, 'chain');
});

test('peer: a known chain does not save the leaf from being compared', () => {
  const sources = {
    peer: { presentedChain: true, caches: readingCaches() },
    headers: [],
    allowHeaderOverPlaintext: false,
  };
  const xfcc = writeCertificate('xfcc', leaf, [intermediate]);
  const present = (der: Uint8Array) =>
    readPresented(request({ certificate: escaped(pem(der)), headers: xfcc }), sources, 0);
  present(leaf);
  const first = present(leaf);
  const second = present(leaf);
  assert.ok(first.kind === 'chain' && second.kind === 'chain');
  assert.equal(second.intermediates[0], first.intermediates[0]);
  const other = present(root);
  assert.equal(other.kind === 'error' && other.code, 'chain_leaf_mismatch');
});

test('peer: what came once is not kept, whatever came along', () => {
  for (const headers of [[], writeCertificate('xfcc', leaf, [intermediate])]) {
    const caches = readingCaches();
    const sources = { peer: { presentedChain: true, caches }, headers: [], allowHeaderOverPlaintext: false };
    const [first, second, third] = [1, 2, 3].map(() =>
      readPresented(request({ certificate: escaped(pem(leaf)), headers }), sources, 0),
    );
    assert.notEqual(second, first);
    assert.equal(third, second);
    assert.ok(third?.kind === 'chain');
    for (const kept of [third.leaf, ...third.intermediates])
      assert.equal(kept.buffer.byteLength, kept.length, 'nor any memory but its own');
  }
});

test('peer: what came along is read by what came this time, as without a cache', () => {
  const present = (along: readonly Uint8Array[] | undefined, of: Uint8Array, caches?: ReadingCaches) =>
    readPresented(
      request({
        certificate: escaped(pem(leaf)),
        headers: along === undefined ? [] : writeCertificate('xfcc', of, along),
      }),
      { peer: { presentedChain: true, caches }, headers: [], allowHeaderOverPlaintext: false },
      0,
    );
  const rows: readonly (readonly [what: string, along: Uint8Array[] | undefined, of?: Uint8Array])[] = [
    ['a chain', [intermediate]],
    ['no header', undefined],
    ['a longer chain', [intermediate, root]],
    ["another's chain", [intermediate], root],
    ['the chain again', [intermediate]],
    ['the leaf alone', []],
  ];
  const caches = readingCaches();
  for (const round of [1, 2, 3])
    for (const [what, along, of = leaf] of rows)
      assert.deepEqual(present(along, of, caches), present(along, of), `${what}, round ${round}`);
  const again = present([intermediate], leaf, caches);
  assert.equal(present([intermediate], leaf, caches), again, 'the same object where nothing has changed');
});

test('errors are not kept, and texts that look alike in the sample are told apart', () => {
  const cache = new ReadingCache();
  let reads = 0;
  const reader = (text: string) => {
    reads++;
    return text.includes('bad')
      ? presentedError('header_coding_invalid', '')
      : certificates([Buffer.from(text)]);
  };
  const text = (middle: string) => 'a'.repeat(100) + middle + 'z'.repeat(100);
  cache.get(text('bad'), reader);
  cache.get(text('bad'), reader);
  assert.equal(reads, 2);
  const once = cache.get(text('one'), reader);
  const one = cache.get(text('one'), reader);
  assert.notEqual(one, once, 'what came once is not kept');
  assert.equal(cache.get(text('one'), reader), one);
  assert.equal(reads, 4);
  assert.notDeepEqual(cache.get(text('two'), reader), one);
});

test('what is asked for again survives a flood, and the flood does not stay', () => {
  const cache = new ReadingCache();
  const known = sha256(leaf).repeat(20);
  const reader = (text: string) => certificates([Buffer.from(text.slice(0, 8))]);
  cache.get(known, reader);
  const kept = cache.get(known, reader);
  const strange = 's'.repeat(100_000);
  for (let i = 0; i < 400; i++) {
    for (const _ of [1, 2]) cache.get(`${i}`.padEnd(60, '.') + strange, reader);
    assert.equal(cache.get(known, reader), kept, `after ${i}`);
  }
  let again = 0;
  cache.get('0'.padEnd(60, '.') + strange, (text) => {
    again++;
    return reader(text);
  });
  assert.equal(again, 1);
});

test('a flood at one source leaves nothing of the floods at others', () => {
  const flooded = new ReadingCache();
  const reader = () => certificates([leaf]);
  flooded.get('first', reader);
  const first = flooded.get('first', reader);
  assert.equal(flooded.get('first', reader), first);
  for (let i = 0; i < 400; i++) {
    const other = new ReadingCache();
    for (const _ of [1, 2]) other.get(`${i}`.padEnd(60, '.') + 's'.repeat(100_000), reader);
  }
  assert.notEqual(flooded.get('first', reader), first);
});
