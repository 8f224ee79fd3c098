import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FairRoom } from '../../../src/feeds/fair-room.ts';
import { ownerIn } from './revocation-world.ts';

describe('room for three', () => {
  /** A letter is the owner, a number what it wants; `x/a` is an owner in a share. */
  const rows: readonly (readonly [what: string, wanted: string, left: string])[] = [
    ['of one owner the longest unwanted goes', 'a1 a2 a1 a3 a4', '1 3 4'],
    ['who has most gives way, whoever came last', 'b9 a1 a2 a3 a4 a5', '9 4 5'],
    ['also for a newcomer', 'a1 a2 a3 b9', '2 3 9'],
    ['of those who have as many, who wanted anything last stays', 'a1 b2 c3 a1 d4', '1 3 4'],
    ['what several want stays while it is among what one of them has', 'b9 a9 a1 a2 a3 a4', '9 3 4'],
    ['many owners in one share have that share', 'b9 x/a1 x/c2 x/d3 x/e4', '9 3 4'],
    ['in a share who has most gives way', 'x/b9 x/a1 x/a2 x/a3 x/a4', '9 3 4'],
    ['what several in a share want counts once', 'b7 b8 x/a1 x/c1 x/d1 b9', '8 9 1'],
  ];
  for (const [what, wanted, left] of rows)
    it(what, () => {
      const room = new FairRoom<string>();
      const gone: string[] = [];
      for (const one of wanted.split(' ')) {
        const key = one.at(-1)!;
        room.set([ownerIn(one.slice(0, -1))], key, key);
        gone.push(...room.makeRoom(3));
      }
      assert.deepEqual(room.values().toSorted(), left.split(' ').toSorted());
      const all = new Set(wanted.split(' ').map((one) => one.at(-1)));
      assert.equal(gone.length, all.size - 3);
    });

  it('a large thing takes up the place of several, as large as it was when it was last wanted', () => {
    const room = new FairRoom<string>();
    const set = (owner: string, key: string, places: number): readonly string[] => {
      room.set([ownerIn(owner)], key, key);
      room.weigh(key, places);
      return room.makeRoom(5, 'size');
    };
    assert.deepEqual([set('b', '9', 1), set('a', '1', 1), set('a', '2', 3)], [[], [], []]);
    assert.deepEqual(set('b', '8', 1), ['1'], 'of who has most places, not most things');
    assert.deepEqual([set('a', '2', 1), set('a', '3', 2)], [[], []], 'what has become smaller leaves room');
    assert.deepEqual(set('a', '2', 3), ['3'], 'what has become larger takes it');
    assert.deepEqual([room.makeRoom(0, 'size').toSorted(), room.size], [['2', '8', '9'], 0]);
  });

  it('by size, which things may have in common', () => {
    const room = new FairRoom<string>();
    for (const [owner, key] of ['b1', 'a2', 'a3', 'a4', 'a5']) room.set([ownerIn(owner!)], key!, key!);
    for (const key of ['1', '4', '5']) room.weigh(key, Number(key));
    for (const key of ['2', '3']) room.weigh(key, 0, new Map([['what both have', 2]]));
    assert.deepEqual([room.makeRoom(12, 'size'), room.makeRoom(10, 'size')], [[], ['2', '3']]);
    assert.deepEqual(room.values(), ['1', '4', '5']);
    assert.deepEqual([room.makeRoom(0, 'size').toSorted(), room.size], [['1', '4', '5'], 0]);
  });

  it('by size, each as it was weighed last: also what several want, came later, or went', () => {
    const room = new FairRoom<string>();
    const both = [ownerIn('x/a'), ownerIn('y')];
    const common = new Map([['what both have', 5]]);
    room.set(both, '1', '1');
    room.weigh('1', 1, common);
    room.set([ownerIn('x/a')], '2', '2');
    room.weigh('2', 9);
    room.weigh('2', 2, common);
    room.set([ownerIn('x/b')], '3', '3');
    room.weigh('3', 1, common);
    assert.deepEqual(room.makeRoom(9, 'size'), []);
    assert.deepEqual([room.makeRoom(8, 'size'), room.ownersOf('1')], [['2'], [ownerIn('y')]]);
    room.delete('3');
    assert.deepEqual([room.makeRoom(6, 'size'), room.values()], [[], ['1']]);
    room.set(both, '1', '1');
    room.weigh('1', 4);
    assert.deepEqual([room.makeRoom(4, 'size'), room.makeRoom(3, 'size'), room.size], [[], ['1'], 0]);
  });

  it('by size, which to keep costs what is weighed and what goes, not all that is there', () => {
    let looks = 0;
    class Counted extends Map<string, number> {
      override [Symbol.iterator]() {
        looks++;
        return super[Symbol.iterator]();
      }
    }
    const room = new FairRoom<string>();
    for (const key of ['a1', 'a2', 'a3', 'b4']) {
      room.set([ownerIn(key[0]!)], key, key);
      room.weigh(key, 1, new Counted([[key, 1]]));
    }
    const before = looks;
    room.weigh('b4', 1);
    assert.deepEqual([room.makeRoom(7, 'size'), looks], [[], before + 3]);
    assert.deepEqual([room.makeRoom(6, 'size'), looks], [['a1'], before + 6]);
  });

  it('by turns: each has the turn that it has among what one owner has of its kind, the last wanted first', () => {
    const room = new FairRoom<string>();
    for (const thing of ['x1', 'x2', 'x3', 'y5']) room.set([ownerIn('a')], thing, thing);
    room.set([ownerIn('b')], 'x4', 'x4');
    room.set([ownerIn('b')], 'x1', 'x1');
    room.set([ownerIn('a')], 'x2', 'x2');
    assert.deepEqual(Object.fromEntries(room.inTurns(([kind]) => kind!)), {
      x1: 0,
      x2: 0,
      x3: 1,
      x4: 1,
      y5: 0,
    });
  });

  it('by turns of shares: what many owners in one want of a kind comes one behind the other', () => {
    const room = new FairRoom<string>();
    for (const [owner, thing] of [
      ['x/a', '1'],
      ['x/a', '2'],
      ['x/b', '3'],
      ['y', '4'],
    ] as const)
      room.set([ownerIn(owner)], thing, thing);
    assert.deepEqual(Object.fromEntries(room.inTurns(() => '')), { 1: 2, 2: 0, 3: 1, 4: 0 });
  });
});
