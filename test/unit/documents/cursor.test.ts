import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cursor, type Document, noFindings } from '../../../src/documents/cursor.ts';
import { parseToml } from '../../../src/documents/toml.ts';
import { readXmlDocument } from '../../../src/documents/xml.ts';
import { readYaml } from '../../../src/documents/yaml.ts';

const documents: Readonly<Record<string, Document>> = {
  YAML: readYaml('store:\n  location: a.jks\n  port: 8443\n  tags:\n    - one\n    - two\n')[0]!,
  TOML: parseToml('[store]\nlocation = "a.jks"\nport = 8443\n\ntags = [ "one",\n  "two" ]\n'),
  XML: readXmlDocument(
    '<store>\n  <location>a.jks</location>\n  <port>8443</port>\n  <tags>one</tags>\n  <tags>two</tags>\n</store>',
  ),
};
for (const [language, document] of Object.entries(documents)) {
  test(`${language}: values are where they stand, and what is wrong with them is told there`, () => {
    const found = noFindings();
    const at = Cursor.of('f', document, found).get('store');
    assert.equal(at.get('location').text('"x"'), 'a.jks');
    assert.deepEqual(at.get('tags').texts('"x"'), ['one', 'two']);
    assert.deepEqual(found, noFindings());
    assert.equal(at.get('port', 'deeper').isWritten, false);
    at.get('location').error('is wrong');
    at.get('tags', 1).warn('is odd');
    at.get('nothing').neededText('"x"');
    assert.deepEqual(found, {
      problems: [
        { file: 'f', line: 2, key: 'store.location', message: 'is wrong' },
        {
          file: 'f',
          line: 1 + Number(language === 'YAML'),
          key: 'store.nothing',
          message: 'is missing; write it, for example "x"',
        },
      ],
      warnings: [{ file: 'f', line: language === 'XML' ? 5 : 6, key: 'store.tags[1]', message: 'is odd' }],
    });
  });
}

const yaml = (text: string) => {
  const found = noFindings();
  return { found, at: Cursor.of('f', readYaml(text)[0]!, found) };
};

const asked: readonly [
  sentence: string,
  text: string,
  ask: (at: Cursor) => unknown,
  got: unknown,
  told: string | undefined,
][] = [
  ['a text', 'a: x', (at) => at.get('a').text('"x"'), 'x', undefined],
  ['an empty text is nothing', 'a: ""', (at) => at.get('a').text('"x"'), undefined, undefined],
  [
    'but not where one must be',
    'a: ""',
    (at) => at.get('a').neededText('"x"'),
    undefined,
    'is empty; write it, for example "x"',
  ],
  [
    'a table for a text',
    'a: {hunter: 2}',
    (at) => at.get('a').text('"x"'),
    undefined,
    'found a table; write a text, for example "x"',
  ],
  ['a version is what is written', 'a: 1.10', (at) => at.get('a').version('"1"'), '1.10', undefined],
  ['a flag', 'a: false', (at) => at.get('a').flag(), false, undefined],
  ['a flag as a text', 'a: "yes"', (at) => at.get('a').flag(), undefined, 'found "yes"; write true or false'],
  [
    'a word, whatever the case',
    'a: MANDATORY',
    (at) => at.get('a').word(['mandatory', 'optional']),
    'mandatory',
    undefined,
  ],
  [
    'another word',
    'a: must',
    (at) => at.get('a').word(['mandatory', 'optional']),
    undefined,
    'found "must"; write mandatory or optional',
  ],
  [
    'no word where one must be',
    'b: 1',
    (at) => at.get('a').neededWord(['x']),
    undefined,
    'is missing; write x',
  ],
  ['a secret for a list', 'a: hunter2', (at) => at.get('a').list().length, 0, 'found a text; write a list'],
  [
    'a secret for a table',
    'a: hunter2',
    (at) => at.get('a').known(['x', 'y']),
    undefined,
    'found a text; write a table with x, y',
  ],
  [
    'an unknown key',
    'a: {z: 1}',
    (at) => at.get('a').known(['x', 'y']),
    undefined,
    'is not known here; there are: x, y',
  ],
  [
    'a slip',
    'a: {Scope: 1}',
    (at) => at.get('a').noSlips(['scopes']),
    undefined,
    'is not known here; did you mean "scopes"?',
  ],
  ['no slip', 'a: {labels: 1}', (at) => at.get('a').noSlips(['scopes']), undefined, undefined],
  [
    'cut off',
    'a: {x: }',
    (at) => at.get('a').notCutOff('x', 'y'),
    undefined,
    'is empty; write what belongs there, or leave the key out',
  ],
  ['what every object has', 'a: {x: 1}', (at) => at.get('a', 'constructor').value, undefined, undefined],
  ['one or several', 'a: x', (at) => at.get('a').each().length, 1, undefined],
  [
    'everywhere below',
    'a: [{k: 1}, {b: {k: [2, {k: 3}]}}]',
    (at) => [...at.everywhere('k')].map(({ line }) => line).length,
    4,
    undefined,
  ],
];
for (const [sentence, text, ask, got, told] of asked) {
  test(`asked for: ${sentence}`, () => {
    const { at, found } = yaml(text);
    assert.deepEqual(ask(at), got);
    assert.deepEqual(
      found.problems.map(({ message }) => message),
      told === undefined ? [] : [told],
    );
  });
}

test('into: what is wrong below goes elsewhere', () => {
  const { at, found } = yaml('a: 1');
  const own = noFindings();
  at.into(own).get('a').error('x');
  at.into(own).get('a').warn('y');
  assert.deepEqual([found.problems, own.problems.length, own.warnings.length], [[], 1, 1]);
});

test('XML: attributes and text beside elements', () => {
  const { value } = readXmlDocument('<a x="1">t<b y="2">u</b></a>');
  assert.deepEqual(JSON.parse(JSON.stringify(value)), {
    a: { '@x': '1', '#text': 't', b: { '@y': '2', '#text': 'u' } },
  });
});
