import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Doorkeeper } from '../../src/doorkeeper.ts';

test('what comes for the second time is admitted, and from then on', () => {
  const doorkeeper = new Doorkeeper();
  for (const hash of [1, -1, 2 ** 31 - 1, -(2 ** 31), 0x9e3779b1 | 0]) {
    assert.equal(doorkeeper.admits(hash), false);
    assert.equal(doorkeeper.admits(hash), true);
    assert.equal(doorkeeper.admits(hash), true);
  }
});

test('of two with one place, the last counts', () => {
  const doorkeeper = new Doorkeeper(4);
  doorkeeper.admits(1);
  assert.equal(doorkeeper.admits(5), false);
  assert.equal(doorkeeper.admits(1), false);
  assert.equal(doorkeeper.admits(2), false);
  assert.equal(doorkeeper.admits(1), true, 'another place is not its own');
});

test('of as many as there are places, most are known when they come again', () => {
  const doorkeeper = new Doorkeeper(1024);
  const hashes = Array.from({ length: 512 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
  for (const hash of hashes) doorkeeper.admits(hash);
  const again = hashes.filter((hash) => doorkeeper.admits(hash)).length;
  assert.ok(again > 300, `${again} of 512`);
});
