import '../pki/steps.ts';

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileProblem } from '../../../src/documents/files.ts';
import { readYaml } from '../../../src/documents/yaml.ts';
import { stepsOf } from '../pki/steps.ts';

const plain = (text: string): unknown => JSON.parse(JSON.stringify(readYaml(text).map(({ value }) => value)));
const many = (n: number, make: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => make(i)).join('');

const merges: readonly [sentence: string, text: string, expected: unknown][] = [
  ['one mapping', 'a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n', { x: 1, y: 2 }],
  ['own keys count over merged ones, whichever stands first', 'a: &a {x: 1}\nb: {x: 2, <<: *a}\n', { x: 2 }],
  ['and behind the merge key', 'a: &a {x: 1}\nb: {<<: *a, x: 2}\n', { x: 2 }],
  [
    'of a list the first counts over the next',
    'a: [&a {x: 1}, &c {x: 3, z: 3}]\nb: {<<: [*a, *c]}\n',
    { x: 1, z: 3 },
  ],
  [
    'two merge keys, as SnakeYAML takes them',
    'a: [&a {x: 1}, &c {x: 3, z: 3}]\nb: {<<: *a, <<: *c}\n',
    { x: 1, z: 3 },
  ],
  ['a merge in what is merged', 'a: [&a {x: 1}, &c {<<: *a, z: 3}]\nb: {<<: *c}\n', { x: 1, z: 3 }],
  ['a mapping that is written out', 'b: {<<: {x: 1}}\n', { x: 1 }],
  ['by its tag, whatever the key is', 'a: &a {x: 1}\nb: {!!merge "<<": *a, y: 2}\n', { x: 1, y: 2 }],
  [
    'a key that could reach a prototype',
    'a: &a {__proto__: 1}\nb: {<<: *a}\n',
    JSON.parse('{"__proto__":1}'),
  ],
];
for (const [sentence, text, expected] of merges) {
  test(`merge keys: ${sentence}`, () => assert.deepEqual((plain(text) as { b: unknown }[])[0]!.b, expected));
}

test('a merged key stands where it was written', () => {
  const [document] = readYaml('a: &a\n  x: 1.10\nb:\n  <<: *a\n  y: 2\n');
  assert.equal(document!.lineOf(['b', 'x']), 2);
  assert.equal(document!.lineOf(['b', 'y']), 5);
  assert.equal(document!.textOf(['b', 'x']), '1.10');
  assert.equal(document!.textOf(['b', 'x', 'z']), undefined);
});

const bomb = `${many(9, (i) => `x${i}: &x${i} [${many(9, () => (i === 0 ? '1,' : `*x${i - 1},`))}]\n`)}`;
const wrong: readonly [sentence: string, text: string, line: number, message: RegExp][] = [
  ['a key twice', 'a: 1\nb: 2\na: 3\n', 3, /^Map keys must be unique: "a" stands here a second time/],
  ['a key twice in JSON', '{"a": 1,\n "\\u0061": 2}', 2, /unique: "a"/],
  ['a key twice, once in quotes', '1: a\n"1": b\n', 2, /unique: "1"/],
  ['a key twice below a merge', 'a: &a {x: 1}\nb:\n  <<: *a\n  y: 1\n  y: 2\n', 5, /unique: "y"/],
  ['in quotes', 'a: &a {x: 1}\nb:\n  "<<": *a\n', 3, /^has << in quotes/],
  ['with a blank behind it', "b: {'<< ': {x: 1}}\n", 1, /^has << in quotes/],
  ['in JSON', '{"b":{"<<":{"x":1}}}', 1, /^has << in quotes/],
  ['a list merged', 'b:\n  <<: [1]\n', 2, /^has something else than a mapping behind <<$/],
  ['nothing merged', 'a: 1\n<<:\n', 2, /behind <<$/],
  ['an alias without anchor', 'a: *nobody\n', 1, /^has the alias \*nobody without an anchor/],
  ['an alias of itself', 'a: &a\n  - 1\n  - *a\n', 3, /without an anchor &a before it/],
  ['a list for a key', 'a: 1\n? [b]\n: 2\n', 2, /a list or a mapping for a key/],
  ['a bomb of aliases', bomb, 3, /aliases of aliases \(resource exhaustion\)/],
  [
    'a bomb of merge keys',
    `a: &a {${many(2000, (i) => `k${i}: 1,`)}}\n${many(200, (i) => `b${i}: {<<: *a}\n`)}`,
    50,
    /^comes to more than 200000 keys and values/,
  ],
  ['more than a file may have', `# ${'x'.repeat(2 * 1024 * 1024)}`, 1, /^has more than 2097152 characters/],
  ['too many values', '[1,\n'.padEnd(1_000_000, '1,'), 2, /^has more than 200000 keys and values/],
  ['too many commas', '[\n'.padEnd(1_000_000, ','), 2, /^has more than 200000 keys and values/],
  ['too many blank lines', '\n'.repeat(2_000_000), 1_000_001, /^has more than/],
  ['too deep in brackets', `a:\n ${'['.repeat(100_000)}`, 2, /^is nested more than 200 deep$/],
  ['too deep in dashes', `a:\n ${'- '.repeat(100_000)}`, 2, /^is nested more than 200 deep$/],
  ['too deep in question marks', '? '.repeat(100_000), 1, /^is nested more than 200 deep$/],
  ['brackets that close too often', '[]'.repeat(100_000), 1, /^is no YAML: /],
  ['the end of a document that is none', 'a: [1\n', 2, /^is no YAML: /],
];
for (const [sentence, text, line, message] of wrong) {
  test(`refused: ${sentence}`, () => {
    assert.throws(
      () => readYaml(text),
      (error: FileProblem) => {
        assert.ok(error instanceof FileProblem);
        assert.match(error.message, message);
        assert.ok(error.message.length <= 200);
        return error.line === line || assert.fail(`line ${error.line}`);
      },
    );
  });
}

/** By size: what some part of the reading has most to do with. */
const hostile: Readonly<Record<string, (n: number) => string>> = {
  'keys of one mapping': (n) => many(n, (i) => `k${i}: 1\n`),
  'keys of one mapping in braces': (n) => `{${many(n, (i) => `k${i}: 1, `)}}`,
  'brackets on one line': (n) => '[]'.repeat(n),
  'errors on one line': (n) => `[${'"\\q" '.repeat(n)}]`,
  documents: (n) => '---\na: 1\n'.repeat(n),
  'anchors and aliases': (n) => many(n, (i) => `k${i}: &a${i} 1\nl${i}: *a${i}\n`),
  merges: (n) => `a: &a {x: 1}\n${many(n, (i) => `k${i}: {<<: *a}\n`)}`,
  'lines of one text': (n) => `a: ${'x\n  '.repeat(n)}`,
  'lines of one quoted text': (n) => `a: "${'x\n '.repeat(n)}"`,
  comments: (n) => `${'# x\n'.repeat(n)}a: 1`,
};
for (const [sentence, make] of Object.entries(hostile)) {
  test(`twice as much costs twice as much: ${sentence}`, () => {
    const steps = (n: number): number => {
      const text = make(n);
      const read = (): void => {
        try {
          for (const { lineOf } of readYaml(text)) lineOf([`k${n - 1}`]);
        } catch (error) {
          assert.ok(error instanceof FileProblem);
        }
      };
      return stepsOf(read, '/src/documents/') + stepsOf(read, '/node_modules/yaml/');
    };
    steps(10);
    const [small, large] = [steps(400), steps(800)];
    assert.ok(large <= small * 2.3 + 200, `${small} steps became ${large}`);
  });
}

for (const kind of ['omap', 'pairs']) {
  test(`a list that !!${kind} makes another one of is told, not read as nothing`, () => {
    assert.throws(
      () => readYaml(`x: 1\na: !!${kind} [securityScheme: oauth2]\n`),
      (error) =>
        error instanceof FileProblem && error.line === 2 && /has a list of a kind/.test(error.message),
    );
  });
}
