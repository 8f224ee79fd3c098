import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { KnownTexts } from '../../../src/ext-authz/known-texts.ts';

const long = 'A'.repeat(500);
const rows: readonly [what: string, texts: readonly string[]][] = [
  ['short texts', ['', 'a', 'b', 'ab', 'ba', 'x-request-id', 'ä', '\u0000', 'a\u0000']],
  [
    'texts that differ in one place, wherever',
    Array.from(long, (_, at) => `${long.slice(0, at)}B${long.slice(at + 1)}`),
  ],
  ['texts that differ in length only', Array.from({ length: 600 }, (_, length) => 'A'.repeat(length))],
  ['texts too long to be kept', ['A'.repeat(20_000), `${'A'.repeat(19_999)}B`]],
  [
    'more than is kept',
    Array.from({ length: 400 }, (_, i) => `${String(i).padStart(5)}${'x'.repeat(16_000)}`),
  ],
];
for (const [what, texts] of rows)
  test(`${what}: each is read as what it is, over and over`, () => {
    const known = new KnownTexts('utf8');
    for (let round = 0; round < 3; round++)
      for (const text of texts) {
        const message = Buffer.from(`before${text}behind`);
        assert.equal(known.read(message, 6, message.length - 6), text);
      }
  });

test('any bytes are read as node reads them, also where the message is overwritten afterwards', () => {
  const utf8 = new KnownTexts('utf8');
  const latin1 = new KnownTexts('latin1');
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 40 }), (all) => {
      // For the first time, to be kept, and as it was kept.
      for (const each of [...all, ...all, ...all, ...all]) {
        const bytes = Buffer.from(each);
        const [text, octets] = [bytes.toString('utf8'), bytes.toString('latin1')];
        assert.equal(utf8.read(bytes, 0, bytes.length), text);
        assert.equal(latin1.read(bytes, 0, bytes.length), octets);
        bytes.fill(0x7a);
      }
    }),
    { numRuns: 500 },
  );
});

test('what is remembered keeps no memory but its own', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const known = new KnownTexts('utf8');
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(`host-${i}.example.com`);
    for (const _ of ['first', 'kept']) known.read(bytes, 0, bytes.length);
    // Others use up the rest of Node's pool.
    for (let j = 0; j < 40; j++) Buffer.from('x'.repeat(2_000));
  }
  let held = Infinity;
  // V8 frees what it has collected on another thread.
  for (let round = 0; round < 100 && held >= 1_000_000; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    held = process.memoryUsage().arrayBuffers - before;
  }
  assert.ok(held < 1_000_000, `${held} bytes for 200 names`);
  assert.equal(known.read(Buffer.from('a'), 0, 1), 'a', 'they were remembered until here');
});
