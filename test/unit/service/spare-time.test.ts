import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpareTime } from '../../../src/service/spare-time.ts';

/** A clock that the work moves on, and what became of the items. */
function spare(takes: (item: number) => number, isLate = false) {
  const state = { at: 0, done: [] as number[], leftOut: 0, turns: new Set<number>(), turn: 0 };
  const time = new SpareTime<number>({
    work: (item) => {
      const work = (): void => {
        state.at += takes(item);
        state.done.push(item);
        state.turns.add(state.turn);
      };
      return isLate ? Promise.resolve().then(work) : work();
    },
    leftOut: (items) => {
      state.leftOut += items;
    },
    clock: () => state.at,
  });
  /** Until all is done or left out. */
  const settled = async (items: number): Promise<void> => {
    while (state.done.length + state.leftOut < items) {
      await new Promise((resume) => setImmediate(resume));
      state.turn++;
    }
    // The turn in which it sees that nothing is left.
    await new Promise((resume) => setImmediate(resume));
    await new Promise((resume) => setImmediate(resume));
  };
  return { time, state, settled };
}

for (const isLate of [false, true])
  test(`nothing is done on the way of whoever adds it, and then all in order${isLate ? ', one after the other' : ''}`, async () => {
    const { time, state, settled } = spare(() => 0.01, isLate);
    for (const item of [1, 2, 3]) time.add(item);
    assert.deepEqual(state.done, []);
    await settled(3);
    assert.deepEqual(state.done, [1, 2, 3]);
    time.add(4);
    await settled(4);
    assert.deepEqual([state.done.at(-1), state.leftOut], [4, 0]);
  });

test('a turn of the loop has a fifth of a millisecond, and ends with what is begun', async () => {
  const { time, state, settled } = spare(() => 0.15);
  for (let item = 0; item < 6; item++) time.add(item);
  await settled(6);
  assert.equal(state.turns.size, 3);
});

test('beyond 256 that wait, and beyond a tenth of all time, they are left out, and none is kept', async () => {
  const { time, state, settled } = spare(() => 1);
  for (let item = 0; item < 300; item++) time.add(item);
  assert.equal(state.leftOut, 44);
  await settled(300);
  // 50 ms were saved up, and come back at a tenth of the 50 that they took, and so on.
  assert.deepEqual([state.done.length, state.leftOut], [56, 244]);
  const before = state.done.length;
  time.add(300);
  await settled(301);
  assert.equal(state.done.length, before, 'there is no time for it');
  state.at += 1000;
  for (let item = 0; item < 10; item++) time.add(item);
  await settled(311);
  assert.equal(state.done.length, before + 10);
});
