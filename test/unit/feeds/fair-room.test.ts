import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FairRoom } from '../../../src/feeds/fair-room.ts';

describe('room for three', () => {
  /** A letter is the owner, a number what it wants. */
  const rows: readonly (readonly [what: string, wanted: string, left: string])[] = [
    ['of one owner the longest unwanted goes', 'a1 a2 a1 a3 a4', '1 3 4'],
    ['who has most gives way, whoever came last', 'b9 a1 a2 a3 a4 a5', '9 4 5'],
    ['also for a newcomer', 'a1 a2 a3 b9', '2 3 9'],
    ['of those who have as many, who wanted anything last stays', 'a1 b2 c3 a1 d4', '1 3 4'],
    ['what several want stays while it is among what one of them has', 'b9 a9 a1 a2 a3 a4', '9 3 4'],
  ];
  for (const [what, wanted, left] of rows)
    it(what, () => {
      const room = new FairRoom<string>();
      const gone: string[] = [];
      for (const [owner, key] of wanted.split(' ') as readonly string[]) {
        room.set(owner!, key!, key!);
        gone.push(...room.makeRoom(3));
      }
      assert.deepEqual(room.values().toSorted(), left.split(' ').toSorted());
      const all = new Set(wanted.split(' ').map(([, key]) => key));
      assert.equal(gone.length, all.size - 3);
    });

  it('by turns: of each kind everybody’s last before anybody’s one before', () => {
    const room = new FairRoom<string>();
    for (const [owner, thing] of [
      ['a', 'x1'],
      ['a', 'x2'],
      ['a', 'x3'],
      ['b', 'x4'],
      ['a', 'y5'],
    ] as const)
      room.set(owner, thing, thing);
    room.set('a', 'x4', 'x4');
    assert.deepEqual(
      room.inTurns(([kind]) => kind!).toSorted((a, b) => (a[0]! < b[0]! ? -1 : 0)),
      ['x4', 'x3', 'x2', 'x1', 'y5'],
    );
  });
});
