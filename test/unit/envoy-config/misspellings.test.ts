import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { misspellings } from '../../../src/envoy-config/request-headers.ts';
import { random, seedOf } from '../../support/random.ts';

/** As Envoy's RE2 does: each of them as a whole. */
const matcher = (name: string, meant: readonly string[]): RegExp =>
  new RegExp(`^(?:${misspellings(name, meant).join('|') || '(?!)'})$`);
/** What they are: anything but letters and digits for a name's hyphens, unless that is meant. */
function isMisspelled(name: string, meant: readonly string[], other: string): boolean {
  const fits = other.length === name.length && [...name].every((sign, i) => isFor(sign, other[i]!));
  return fits && other !== name && !meant.includes(other);
}
const isFor = (sign: string, other: string): boolean =>
  sign === '-' ? /[^a-z0-9]/.test(other) : sign === other;

const signs = ['-', '-', '_', '.', '^', '~'];

describe('misspellings of a header', () => {
  it('are all that differ from it in hyphens, but for names that are meant', () => {
    const seed = seedOf(process.env.SEED);
    const { below, of } = random(seed);
    const nameOf = (parts: number): string =>
      Array.from({ length: parts }, (_, i) => `${i > 0 ? of(signs) : ''}${of(['a', 'a', 'b', ''])}`).join('');
    let found = 0;
    for (let round = 0; round < 1500; round++) {
      const meant = Array.from({ length: 1 + below(5) }, () => nameOf(1 + below(6)));
      for (const name of meant) {
        // Twins, which differ in separators alone.
        const all = [...meant, name.replaceAll('-', '_'), name.replace('-', '.')].slice(0, below(9) + 1);
        const pattern = matcher(name, all);
        const others = Array.from({ length: 20 }, () =>
          name.replaceAll(/[^a-z0-9]/g, (sign) => of([sign, sign, ...signs, '+'])),
        );
        for (const other of [...all, ...others, nameOf(3)]) {
          const expected = isMisspelled(name, all, other);
          if (expected) found++;
          assert.equal(pattern.test(other), expected, `${name} among ${all}: ${other} (seed ${seed})`);
        }
      }
    }
    assert.ok(found > 1000, `${found}`);
  });

  const longest = Array.from({ length: 32 }, () => 'a').join('-');
  for (const [words, twins] of [
    ['of the longest name', []],
    ['of one with a twin', [longest.replace('-', '_')]],
    ['of one with another', [longest.replaceAll('-', '_')]],
    ['of one with many', Array.from({ length: 8 }, (_, i) => `a${'-a'.repeat(i)}_a${'-a'.repeat(30 - i)}`)],
  ] as const)
    it(`make a short pattern: ${words}`, () => {
      const { length } = misspellings(longest, [longest, ...twins]).join('|');
      assert.ok(length < 1500 * (1 + twins.length), `${length}`);
    });
});
