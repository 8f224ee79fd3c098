import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOwners } from '../../../src/provision/owners.ts';
import { ca, certify, entity } from '../pki/forge.ts';

const caOf = (name: string) => {
  const who = entity(name);
  return certify(who, who, [ca()]);
};
const [ours, one, other, shared] = ['ours', 'one', 'other', 'shared'].map(caOf) as [
  ReturnType<typeof caOf>,
  ReturnType<typeof caOf>,
  ReturnType<typeof caOf>,
  ReturnType<typeof caOf>,
];
const owners = createOwners(
  [ours],
  [
    { ca: one, entry: 'x', scope: '1' },
    { ca: other, entry: 'x', scope: '2' },
    { ca: shared, entry: 'x', scope: '1' },
    { ca: shared, entry: 'y', scope: '1' },
    { ca: ours, entry: 'y', scope: '1' },
  ],
);

test('an API that names another’s CA does not come to share its room', () => {
  const of = new Set([ours, one, other, shared].map(owners.ownerOf));
  assert.equal(of.size, 4);
  assert.equal(owners.ownerOf(shared), shared.sha256);
});

test('what config.toml has is its own, whoever has it as well', () => {
  assert.deepEqual([owners.ownerOf(ours), owners.turnOf(ours)], [ours.sha256, 0]);
  assert.equal(owners.turnOf(shared), 1);
});
