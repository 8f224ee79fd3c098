import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SearchLimit } from '../../../../src/pki/path/search-limit.ts';
import { now } from '../../../support/certificate-authority.ts';

const limit = () => new SearchLimit({ firstPerSecond: 20, furtherPerSecond: 5, furtherAtOnce: 10 });

/** How many checks of this cost are allowed in a row, the request having made so many before. */
function allowed(of: SearchLimit, before: number, at: number, cost = 1): number {
  let count = 0;
  while (of.take(cost, { checks: before, failedChecks: 0 }, at)) count++;
  return count;
}

test('as many checks as a second allows, at once or spread over it', () => {
  const one = limit();
  assert.equal(allowed(one, 0, now), 20);
  assert.equal(allowed(one, 0, now + 500), 10);
  assert.equal(allowed(one, 0, now + 1000), 10);
});

test('of further ones less than was saved up', () => {
  const one = limit();
  assert.equal(allowed(one, 4, now), 10);
  assert.equal(allowed(one, 4, now + 1000), 5);
  assert.equal(allowed(one, 4, now + 60_000), 10);
});

test("what a request's first checks need, others that search for long don't take away", () => {
  const one = limit();
  assert.equal(allowed(one, 4, now), 10);
  assert.equal(allowed(one, 3, now), 20);
});

test('who has tried two keys in vain has had his first checks', () => {
  const one = new SearchLimit({ firstPerSecond: 20, furtherPerSecond: 1, furtherAtOnce: 1 });
  assert.equal(one.take(2, { checks: 1, failedChecks: 1 }, now), true);
  assert.equal(one.take(2, { checks: 2, failedChecks: 2 }, now), false);
});

test('costlier checks count for several', () => assert.equal(allowed(limit(), 0, now, 6), 3));

test('a quiet hour saves up no more than a second', () => {
  const one = limit();
  allowed(one, 0, now);
  assert.equal(allowed(one, 0, now + 3_600_000), 20);
});

test('a clock that is set back brings nothing, and counts from there', () => {
  const one = limit();
  allowed(one, 0, now);
  assert.equal(allowed(one, 0, now - 3_600_000), 0);
  assert.equal(allowed(one, 0, now - 3_599_000), 20);
});

test('more certificates than there are checks left to try them by are not read', () => {
  const one = limit();
  assert.deepEqual([one.sheds(12, now), one.sheds(13, now)], [false, true]);
  allowed(one, 4, now);
  assert.deepEqual([one.sheds(2, now), one.sheds(3, now)], [false, true]);
  assert.deepEqual([one.sheds(7, now + 1000), one.sheds(8, now + 1000)], [false, true]);
});
