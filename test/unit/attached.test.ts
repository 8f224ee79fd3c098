import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Attached } from '../../src/attached.ts';

test('each remembers its own of an object, and nobody sees it there', () => {
  const [one, other] = [new Attached<object, number>(), new Attached<object, number>()];
  const of = { a: 1 };
  one.set(of, 1);
  other.set(of, 2);
  one.set(of, 3);
  assert.deepEqual([one.get(of), other.get(of), one.get({ a: 1 })], [3, 2, undefined]);
  assert.deepEqual(Object.keys(of), ['a']);
  assert.equal(JSON.stringify(of), '{"a":1}');
});

test('what is remembered of an object goes with it as soon as nobody has it, also where it knows the object', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: object) => void;
  const young = () => collect({ type: 'minor' });
  const growth = (remembered: Pick<Attached<object, object>, 'set'>): number => {
    remembered.set({}, {});
    for (let i = 0; i < 3; i++) young(); // until what remembers is old
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 20_000; i++) {
      const of = { numbers: new Array(50).fill(i) };
      remembered.set(of, { of });
      if (i % 100 === 99) young();
    }
    for (let i = 0; i < 3; i++) young();
    return process.memoryUsage().heapUsed - before;
  };
  // In this order: what has outlived a few collections is made among the old from then on.
  const attached = growth(new Attached());
  const weak = growth(new WeakMap());
  assert.ok(attached < 1_000_000, `${attached} bytes of 10 MB are still there`);
  assert.ok(weak > 4_000_000, `a WeakMap would do as well, with ${weak}`);
});
