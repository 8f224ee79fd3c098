import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const generated: unknown = parse(read('envoy/envoy.yaml'));

/** All that is written is there, as it is written; more may be. */
function has(value: unknown, written: unknown): boolean {
  if (typeof written !== 'object' || written === null) return value === written;
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(written);
  // Empty is a setting of its own.
  if (entries.length === 0) return Object.keys(value).length === 0;
  return entries.every(([key, each]) => has((value as Record<string, unknown>)[key], each));
}
const isSomewhere = (value: unknown, written: unknown): boolean =>
  has(value, written) ||
  (typeof value === 'object' &&
    value !== null &&
    Object.values(value).some((each) => isSomewhere(each, written)));

/** Those that have a type of their own are examples for a configuration of one's own. */
const blocks = [...read('docs/envoy.md').matchAll(/^```yaml\n(.*?)^```$/gms)]
  .map(([, text]) => text!)
  .filter((text) => !text.includes('@type'));

test('settings that docs/envoy.md says safety hangs on are those of the generated configuration', () => {
  assert.ok(blocks.length >= 3);
  for (const text of blocks) assert.ok(isSomewhere(generated, parse(text)), text);
});
