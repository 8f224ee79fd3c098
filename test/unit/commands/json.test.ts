import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml } from 'yaml';
import { toSarif } from '../../../src/commands/sarif.ts';
import { parseToml } from '../../../src/documents/toml.ts';
import { asYaml } from '../../../src/envoy-config/yaml.ts';
import { jsonText, quotedEscapes } from '../../../src/observability/paper.ts';

// CSI and its C1 form, a mark that turns the line round, a separator, one that nobody sees, one beyond 16 bits.
const hostile = 'a\u001b[2J\u009b2J\u202e\u2028\u200b\u{e0001}\nb';

test('JSON for tools and people: the same text, and nothing in it acts on a terminal', () => {
  const written = jsonText({ [hostile]: [hostile] });
  assert.deepEqual(JSON.parse(written), { [hostile]: [hostile] });
  assert.match(written, /^[ -~\n]*$/);
});

test('SARIF of a hostile file: what it says, and where', () => {
  const problem = { file: `/p/${hostile}#1?.yaml`, line: 3, key: 'apis[0].name', message: hostile };
  const written = toSarif({ errors: [problem], warnings: [] });
  assert.match(written, /^[ -~\n]*$/);
  const [{ results }] = JSON.parse(written).runs;
  assert.equal(results[0].message.text, `apis[0].name: ${hostile}`);
  const { uri } = results[0].locations[0].physicalLocation.artifactLocation;
  assert.equal(decodeURIComponent(new URL(uri, 'file:///').pathname), problem.file);
});

/** Of SARIF 2.1.0's schema what we write: each object's members, those that must be there marked with `!`. */
type Shape = ((value: unknown) => boolean) | readonly [Shape] | { readonly [member: string]: Shape };
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const sarif: Shape = {
  $schema: isText,
  'version!': (value) => value === '2.1.0',
  'runs!': [
    {
      'tool!': { 'driver!': { 'name!': isText, version: isText, rules: [{ 'id!': isText }] } },
      results: [
        {
          ruleId: isText,
          level: (value) => ['none', 'note', 'warning', 'error'].includes(String(value)),
          'message!': { text: isText },
          locations: [
            {
              physicalLocation: {
                // RFC 3986, and relative: a scheme or a host would lead elsewhere.
                artifactLocation: {
                  uri: (value) => /^(?!\/\/|[^/]*:)([\w.~!$&'()*+,;=:@/-]|%[\dA-F]{2})+$/.test(String(value)),
                },
                region: { startLine: (value) => Number.isSafeInteger(value) && Number(value) >= 1 },
              },
            },
          ],
        },
      ],
    },
  ],
};

function fits(value: unknown, shape: Shape, at: string): void {
  if (typeof shape === 'function') {
    assert.ok(shape(value), `${at}: ${JSON.stringify(value)}`);
  } else if (Array.isArray(shape)) {
    assert.ok(Array.isArray(value), at);
    for (const [i, one] of value.entries()) fits(one, shape[0], `${at}[${i}]`);
  } else {
    const members = new Map(Object.entries(shape).map(([name, inner]) => [name.replace('!', ''), inner]));
    for (const name of Object.keys(shape))
      if (name.endsWith('!')) assert.ok(Object.hasOwn(value as object, name.slice(0, -1)), `${at}.${name}`);
    for (const [name, inner] of Object.entries(value as object)) {
      assert.ok(members.has(name), `${at}.${name}`);
      fits(inner, members.get(name)!, `${at}.${name}`);
    }
  }
}

for (const file of [
  'config.toml',
  '/etc/a b/ä[1].toml',
  'C:x.toml',
  'a:b/c.toml',
  '//host/share.toml',
  '../x#1?.toml',
  'a\ud800b',
  '100%.toml',
])
  test(`SARIF is as its schema has it, and its place a relative reference: ${JSON.stringify(file)}`, () => {
    const problem = { file, line: 1, key: '', message: 'm' };
    const written = JSON.parse(
      toSarif({ errors: [problem], warnings: [{ ...problem, key: 'apis[1].name' }] }),
    );
    fits(written, sarif, '');
    const { uri } = written.runs[0].results[0].locations[0].physicalLocation.artifactLocation;
    const base = 'file:///project/';
    assert.equal(new URL(uri, base).href.startsWith('file:///'), true);
    const path = file.startsWith('/') ? file.replace(/^\/\//, '/.//') : `./${file}`;
    assert.equal(
      new URL(uri, base).href,
      new URL(encodeURI(path.toWellFormed()).replaceAll(/[?#]/g, encodeURIComponent), base).href,
    );
  });

test('YAML and TOML: the same text, and nothing in it acts on a terminal', () => {
  const yaml = asYaml({ name: hostile });
  assert.deepEqual(parseYaml(yaml), { name: hostile });
  const toml = `name = ${quotedEscapes(JSON.stringify(hostile))}`;
  assert.equal(parseToml(toml).value.name, hostile);
  for (const text of [yaml, toml]) assert.match(text, /^[ -~\n]*$/);
});

test('what commands write passes by what takes out of it whatever acts on a terminal', () => {
  const folder = fileURLToPath(new URL('../../../src/commands/', import.meta.url));
  for (const name of readdirSync(folder))
    if (name !== 'output.ts')
      assert.doesNotMatch(readFileSync(`${folder}${name}`, 'utf8'), /std(out|err)\.write|console\./, name);
});
