import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HeldLists } from '../../../src/feeds/held-lists.ts';
import type { VerifiedCrl } from '../../../src/feeds/newest-crls.ts';
import { readCrl } from '../../../src/pki/revocation/crl.ts';
import { authorityOf, crlOf } from './revocation-world.ts';

const ca = authorityOf('CA');
const der = crlOf(ca);
const listOf = (digest: string): VerifiedCrl => ({
  crl: readCrl(der),
  signer: ca.certificate,
  der,
  file: '',
  digest,
});
const having = (digests: string) => ({ latest: [...digests].map(listOf) });

it('of lists that several feeds have each is there once, for as long as one of them has it', () => {
  const [one, two, three] = [having('abb'), having('bc'), { latest: undefined }];
  const held = new HeldLists();
  const digests = (): string =>
    held
      .values()
      .map(({ digest }) => digest)
      .toSorted()
      .join('');
  const rows: readonly (readonly [
    feeds: Parameters<HeldLists['follow']>[0],
    changed: boolean,
    held: string,
  ])[] = [
    [[one, two, three], true, 'abc'],
    [[two, one, one], false, 'abc'],
    [[two], true, 'bc'],
    [[having('bd'), two], true, 'bcd'],
    [[three], true, ''],
  ];
  for (const [feeds, changed, expected] of rows)
    assert.deepEqual([held.follow(feeds), digests()], [changed, expected]);
  assert.equal(held.get('b'), undefined);
});

it('a feed that has others than before costs what it has, and nothing for the others', () => {
  let looks = 0;
  class Counted extends Array<VerifiedCrl> {
    override [Symbol.iterator]() {
      looks++;
      return super[Symbol.iterator]();
    }
  }
  const feed = { latest: Counted.from(having('abc').latest) };
  const other = having('a');
  const held = new HeldLists();
  held.follow([feed, other]);
  const before = looks;
  other.latest = having('d').latest;
  assert.equal(held.follow([feed, other]), true);
  assert.deepEqual([held.get('d'), looks], [other.latest[0], before]);
});
