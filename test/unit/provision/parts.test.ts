import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inParts, Parts } from '../../../src/provision/parts.ts';

const megabyte = new Uint8Array(1024 * 1024);
const files = (count: number, bytes: Uint8Array): ReadonlyMap<string, unknown> =>
  new Map(Array.from({ length: count }, (_, i) => [`${i}`, bytes]));

const table: readonly [what: string, field: unknown, sizes: readonly number[]][] = [
  ['nothing in a list', [], [0]],
  ['nothing in a map', new Map(), [0]],
  ['many entries', Array.from({ length: 250 }, (_, i) => i), [100, 100, 50]],
  ['small files', files(250, megabyte.subarray(0, 1024)), [100, 100, 50]],
  ['files of a megabyte, one by one', files(3, megabyte), [1, 1, 1]],
  ['files of half of it, two by two', files(5, megabyte.subarray(0, 512 * 1024)), [2, 2, 1]],
  ['files that could not be read', new Map([['a', { problem: 'does not exist' }]]), [1]],
];
for (const [what, field, sizes] of table)
  test(`what goes from one process to another in parts is the same, and no part is large: ${what}`, () => {
    const parts = [...inParts({ field, other: { a: 1 }, none: undefined })];
    const of = parts.filter(({ key }) => key === 'field');
    assert.deepEqual(
      of.map((part) => ('list' in part ? part.list : 'map' in part ? part.map : []).length),
      sizes,
    );
    const whole = new Parts();
    for (const part of parts) whole.add(part);
    assert.deepEqual(whole.whole, { field, other: { a: 1 }, none: undefined });
  });
