import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refetchAt, refetchIn, type Validity } from '../../../src/feeds/refetch.ts';

const [minute, hour] = [60_000, 3_600_000];
const now = Date.UTC(2026, 5, 1);
const between = (from: number, until: number): Validity => ({
  thisUpdate: now + from,
  nextUpdate: now + until,
});

describe('when to ask again', () => {
  type Row = readonly [what: string, validity: Validity, refresh: number, earliest: number, latest: number];
  const rows: readonly Row[] = [
    ['at half to three quarters of a validity', between(0, 8 * hour), 24 * hour, 4 * hour, 6 * hour],
    ['counted from where it begins', between(-2 * hour, 6 * hour), 24 * hour, 2 * hour, 4 * hour],
    ['within the time that config.toml says', between(0, 8 * hour), 10 * minute, 7.5 * minute, 10 * minute],
    [
      'also where it does not say when it ends',
      { thisUpdate: now, nextUpdate: undefined },
      10 * minute,
      7.5 * minute,
      10 * minute,
    ],
    [
      'past three quarters, some times more before it ends',
      between(-7 * hour, hour),
      24 * hour,
      15 * minute,
      15 * minute,
    ],
    ['out of date, as often as may be', between(-8 * hour, -hour), 24 * hour, minute / 2, minute / 2],
    ['of seconds, no oftener than that', between(0, 10_000), 24 * hour, minute / 2, minute / 2],
  ];
  for (const [what, validity, refresh, earliest, latest] of rows)
    it(what, () => {
      const at = (random: number): number => refetchIn(validity, { now, refresh, random });
      assert.deepEqual([at(0), at(1)], [earliest, latest]);
    });

  it('for what begins to count later, then; within the time that config.toml says, and no oftener than other things', () => {
    const at = (begins: number): number => refetchAt(now + begins, { now, refresh: hour });
    assert.deepEqual([at(10 * minute), at(8 * hour), at(-minute)], [10 * minute, hour, minute / 2]);
  });
});
