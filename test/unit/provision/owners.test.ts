import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOwners } from '../../../src/provision/owners.ts';
import { ca, certify, entity } from '../pki/forge.ts';

const caOf = (name: string) => {
  const who = entity(name);
  return certify(who, who, [ca()]);
};
const [ours, one, other, both, shared] = ['ours', 'one', 'other', 'both', 'shared'].map(caOf) as [
  ReturnType<typeof caOf>,
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
    { ca: both, entry: 'x', scope: '1' },
    { ca: both, entry: 'x', scope: '2' },
    { ca: shared, entry: 'x', scope: '1' },
    { ca: shared, entry: 'y', scope: '1' },
    { ca: ours, entry: 'y', scope: '1' },
  ],
);

const sharesOf = (one: ReturnType<typeof caOf>): readonly string[] =>
  owners.ownersOf(one).map(({ share, name }) => `${share}/${name}`);

test('an entry has one share, and in it each of its APIs a part', () => {
  assert.deepEqual([one, other].flatMap(sharesOf), ['entry x/API 1', 'entry x/API 2']);
});

test('an API that names another’s CA does not come to share its part, nor its entry another’s', () => {
  assert.deepEqual(sharesOf(both), [`entry x/${both.sha256}`]);
  assert.deepEqual(sharesOf(shared), ['entry x/API 1', 'entry y/API 1']);
});

test('what config.toml has is its own, whoever has it as well', () => {
  assert.deepEqual([sharesOf(ours), owners.turnOf(ours)], [[`${ours.sha256}/`], 0]);
  assert.equal(owners.turnOf(shared), 1);
});
