import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../../src/feeds/turns.ts';
import { ownerIn } from './revocation-world.ts';

/** Tasks come one after the other while the first one runs; each has its number and owners. */
async function orderOf(
  tasks: readonly (readonly [task: string, ...owners: readonly string[]])[],
  atOnce = 1,
) {
  const turns = new Turns(atOnce, 100);
  const order: string[] = [];
  const task = async (name: string): Promise<void> => {
    order.push(name);
    await new Promise(setImmediate);
  };
  await Promise.all(
    tasks.map(([name, ...owners]) =>
      turns.run({ owners: owners.map(ownerIn), size: 1, signal: undefined }, () => task(name)),
    ),
  );
  return order.join(' ');
}

describe('turns', () => {
  const rows = [
    [
      'of one owner are in order',
      [
        ['a1', 'a'],
        ['a2', 'a'],
        ['a3', 'a'],
      ],
      'a1 a2 a3',
    ],
    [
      'go round',
      [
        ['a1', 'a'],
        ['a2', 'a'],
        ['a3', 'a'],
        ['b1', 'b'],
        ['b2', 'b'],
        ['c1', 'c'],
      ],
      'a1 b1 c1 a2 b2 a3',
    ],
    [
      'of several owners come when the first of them has its turn',
      [
        ['a1', 'a'],
        ['a2', 'a'],
        ['a3', 'a'],
        ['s', 'a', 'b'],
      ],
      'a1 s a2 a3',
    ],
    [
      'go round by share first, and in one by owner',
      [
        ['a1', 'x/a'],
        ['a2', 'x/a'],
        ['a3', 'x/a'],
        ['b1', 'x/b'],
        ['c1', 'x/c'],
        ['y1', 'y'],
        ['y2', 'y'],
        ['y3', 'y'],
      ],
      'a1 y1 b1 y2 c1 y3 a2 a3',
    ],
    [
      'of several shares take none from their neighbours in one that had none by them',
      [
        ['v1', 'x', 'y/v'],
        ['z1', 'z'],
        ['v2', 'x', 'y/v'],
        ['n', 'y/n'],
        ['v3', 'x', 'y/v'],
        ['v4', 'x', 'y/v'],
        ['z2', 'z'],
        ['z3', 'z'],
      ],
      'v1 z1 v2 v3 z2 n v4 z3',
    ],
  ] as const;
  for (const [what, tasks, order] of rows) it(what, async () => assert.equal(await orderOf(tasks), order));

  it('go round where two run at once', async () => {
    const tasks = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1', 'c2'].map((name) => [name, name[0]!] as const);
    assert.equal(await orderOf(tasks, 2), 'a1 a2 b1 c1 a3 b2 c2 a4');
  });

  it('what nobody wants any more has none, nor does what is too much', async () => {
    const turns = new Turns(1, 100);
    const first = Promise.withResolvers<string>();
    const running = turns.run({ owners: [ownerIn('a')], size: 500, signal: undefined }, () => first.promise);
    const abort = new AbortController();
    const unwanted = turns.run({ owners: [ownerIn('a')], size: 90, signal: abort.signal }, () =>
      assert.fail(),
    );
    const tooMuch = turns.run({ owners: [ownerIn('a')], size: 20, signal: undefined }, () => assert.fail());
    await assert.rejects(tooMuch, {
      message: /^more than 100 bytes wait to be read that clients of the same CA name/,
    });
    const other = turns.run({ owners: [ownerIn('b')], size: 20, signal: undefined }, async () => 'other');
    abort.abort(new Error('given up'));
    await assert.rejects(unwanted, { message: 'given up' });
    const later = turns.run({ owners: [ownerIn('a')], size: 90, signal: undefined }, async () => 'later');
    first.resolve('first');
    assert.deepEqual(await Promise.all([running, other, later]), ['first', 'other', 'later']);
    await assert.rejects(
      turns.run({ owners: [ownerIn('a')], size: 1, signal: abort.signal }, () => assert.fail()),
      { message: 'given up' },
    );
  });

  it('of a share no more waits than of one owner, but for a part of it that each of its owners has', async () => {
    const turns = new Turns(1, 100);
    const first = Promise.withResolvers<string>();
    const ask = (owner: string, size: number, task = async () => owner) =>
      turns.run({ owners: [ownerIn(owner)], size, signal: undefined }, task);
    const running = ask('z', 1, () => first.promise);
    const waiting = [ask('x/a', 90), ask('x/b', 50)];
    await assert.rejects(ask('x/b', 1), /^Error: more than 100 bytes/);
    await assert.rejects(ask('x/c', 34), /^Error: more than 100 bytes/);
    waiting.push(ask('x/c', 33), ask('y', 100));
    first.resolve('z');
    assert.deepEqual(await Promise.all([running, ...waiting]), ['z', 'x/a', 'x/b', 'x/c', 'y']);
  });

  it('a task that fails is followed by the next', async () => {
    const turns = new Turns(1, 100);
    const failing = turns.run({ owners: [ownerIn('a')], size: 1, signal: undefined }, () =>
      Promise.reject(new Error('no')),
    );
    const next = turns.run({ owners: [ownerIn('a')], size: 1, signal: undefined }, async () => 'next');
    await assert.rejects(failing, { message: 'no' });
    assert.equal(await next, 'next');
  });
});
