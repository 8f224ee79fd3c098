import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Definitions, type ForeignApi, placeholder } from '../../../src/provision/definitions.ts';
import { goodOf, type LastGood, nothingYet } from '../../../src/provision/last-good.ts';
import { settle } from '../../../src/provision/settle.ts';
import { atOnce } from '../../../src/provision/slices.ts';

const api = (name: string, hosts: readonly string[]) =>
  placeholder({ name, version: '1', basePath: `/${name}`, hosts });
const own = ['own1', 'own2', 'own3'].map((name) => api(name, ['*']));

/** Entry, file, hosts. */
type Published = readonly [entry: string, file: string, hosts: readonly string[]];

function definitionsOf(published: readonly Published[]): readonly Definitions[] {
  const apis = published.map(([entry, file, hosts], i): ForeignApi => {
    const path = `${entry}/${file}`;
    const key = `${path}:${i}`;
    return { api: api(`api${i}`, hosts), origin: { file: path, line: i }, entry, key, problems: [] };
  });
  return [...Map.groupBy(apis, ({ entry }) => entry)].map(([id, all]) => ({
    ...{ id, path: id, apis: all, services: [], problems: [], warnings: [] },
  }));
}

/** What is in force once they are read, where something was before. */
function read(definitions: readonly Definitions[], before: LastGood, room: number): LastGood {
  const { states } = atOnce(settle(definitions, { gone: [], own, before, room }));
  return atOnce(goodOf(states, new Map(), definitions, before));
}
const keys = ({ apis }: LastGood): readonly string[] => [...apis.keys()].sort();

/** Reading these by what was in force alone came to something else each time, and back. */
const alternating: Published[] = [
  ['g', 'a', ['h6']],
  ['g', 'a', ['h4']],
  ['f', 'a', ['h5', 'h1']],
  ['g', 'a', ['h1', 'h2']],
  ['g', 'a', ['h1']],
  ['e', 'a', ['h3', 'h1', 'h5']],
  ['e', 'a', ['h1']],
  ['e', 'a', ['h1', 'h2', 'h6']],
  ['f', 'a', ['h1', 'h5', 'h6']],
];

test('files that are read again come to the same, however little room there is for their hosts', () => {
  const entry = fc.constantFrom('e', 'f', 'g');
  const file = fc.constantFrom('a', 'b', 'c');
  const hosts = fc.uniqueArray(fc.constantFrom('h1', 'h2', 'h3', 'h4', 'h5', 'h6', '*'), {
    minLength: 1,
    maxLength: 3,
  });
  const published = fc.array(fc.tuple(entry, file, hosts), { minLength: 2, maxLength: 9 });
  fc.assert(
    fc.property(published, fc.integer({ min: 3, max: 27 }), fc.nat(511), (all, room, held) => {
      const definitions = definitionsOf(all);
      const those = definitions.map((each) => ({
        ...each,
        apis: each.apis.filter((_, i) => (held >> i) & 1),
      }));
      const first = read(definitions, read(those, nothingYet, room), room);
      assert.deepEqual(keys(read(definitions, first, room)), keys(first));
    }),
    { numRuns: 1000, examples: [[alternating, 25, 0]] },
  );
});
