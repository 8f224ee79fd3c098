import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseToml, TomlSyntaxError } from '../../../src/documents/toml.ts';

const text = `a.b = 1
"q.r" = 2
[x."y z"]
k = [
  1,
  { q = 2 },
]
[[arr]]
n = 's'
[[arr]]
[arr.sub]
deep = { inner = true }
[[arr.list]]
m = 1
`;

const lines: readonly [path: readonly PropertyKey[], line: number, what: string][] = [
  [['a', 'b'], 1, 'a dotted key'],
  [['a'], 1, 'the table that a dotted key makes'],
  [['q.r'], 2, 'a quoted key is one name'],
  [['x', 'y z'], 3, 'a table header'],
  [['x'], 3, 'a table that only a header below it makes'],
  [['x', 'y z', 'k'], 4, 'a key in a table'],
  [['x', 'y z', 'k', 0], 5, 'an element of an array'],
  [['x', 'y z', 'k', 1, 'q'], 6, 'a key of an inline table in an array'],
  [['arr', 0, 'n'], 9, 'a key in the first of an array of tables'],
  [['arr', 1], 10, 'the second of an array of tables'],
  [['arr', 1, 'sub', 'deep', 'inner'], 12, 'a table below the last of an array of tables'],
  [['arr', 1, 'list', 0, 'm'], 14, 'an array of tables in one'],
  [['arr', 1, 'missing'], 10, 'a key that is not there: the table around it'],
  [['arr', '1'], 8, 'a key that is spelt as an index: the list'],
  [['nothing'], 1, 'nothing of it is there: the first line'],
];
for (const [path, line, what] of lines) {
  test(`line of ${what}`, () => assert.equal(parseToml(text).lineOf(path), line));
}

test('of a large file, too, each key has its own line, be it there or not', () => {
  const many = Array.from({ length: 3_000 }, (_, i) => `[[many]]\nkey-${i} = [${i}]\n`);
  const { lineOf, isWritten } = parseToml(many.join(''));
  for (const i of many.keys()) {
    assert.equal(lineOf(['many', i, `key-${i}`, 0]), 2 * i + 2);
    assert.equal(isWritten(['many', i, `key-${i}`, 1]), false);
    assert.equal(isWritten(['many', i, `key-${(i + 1) % many.length}`]), false);
  }
  assert.equal(isWritten(['many', many.length]), false);
});

test('a syntax error has its line', () => {
  assert.throws(
    () => parseToml('a = 1\nb == 2\n'),
    (error) => error instanceof TomlSyntaxError && error.line === 2,
  );
});

test('a key defined twice has its line', () => {
  assert.throws(
    () => parseToml('a = 1\n\na = 2\n'),
    (error) => error instanceof TomlSyntaxError && error.line === 3,
  );
});

test('a byte order mark is no part of the first key', () => {
  assert.deepEqual(Object.keys(parseToml('\uFEFFa = 1').value), ['a']);
});

test('keys of the prototype are plain data', () => {
  const { value } = parseToml('__proto__.polluted = 1\nconstructor.prototype.polluted = 1\n');
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor']);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});
