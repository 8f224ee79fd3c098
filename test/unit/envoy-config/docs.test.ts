import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');
const page = read('docs/envoy.md');
const sample: unknown = parse(read('envoy/envoy.yaml'), { version: '1.1' });

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether everything in the snippet is in the tree, which may have more keys. */
const holds = (tree: unknown, snippet: unknown): boolean =>
  isTable(snippet)
    ? isTable(tree) && Object.entries(snippet).every(([key, value]) => holds(tree[key], value))
    : JSON.stringify(tree) === JSON.stringify(snippet);

const holdsSomewhere = (tree: unknown, snippet: unknown): boolean =>
  holds(tree, snippet) ||
  (typeof tree === 'object' &&
    tree !== null &&
    Object.values(tree).some((inner) => holdsSomewhere(inner, snippet)));

const snippets = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1]!);

/** Those about one API or pattern of the reader's own. */
const ofTheirOwn = ['context_extensions', 'early_header_mutation_extensions'];

test('what docs/envoy.md shows is what envoy/envoy.yaml has', () => {
  const ours = snippets.filter((snippet) => !ofTheirOwn.some((key) => snippet.includes(key)));
  assert.equal(ours.length, 3);
  for (const snippet of ours) assert.ok(holdsSomewhere(sample, parse(snippet)), snippet);
});

test('the pattern in docs/envoy.md fits every spelling of the identity headers, and nothing else', () => {
  const regex = new RegExp(`^(?:${/regex: "([^"]+)"/.exec(page)![1]})$`);
  for (const last of ['alias', 'tier', 'sha256', 'subject']) {
    for (const name of [
      `x-client-cert-${last}`,
      `x_client_cert_${last}`,
      `x-client_cert-${last}`,
      `x.client.cert.${last}`,
    ])
      assert.match(name, regex);
  }
  for (const name of ['x-client-cert', 'x-client-cert-aliases']) assert.doesNotMatch(name, regex);
});
