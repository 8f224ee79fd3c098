import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableRow } from '../../../src/definitions/api-manager/table-row.ts';
import { withVanished } from '../../../src/feeds/api-manager-table.ts';

const row = (api: string, alias: string, revision?: string): TableRow => ({
  alias,
  tier: undefined,
  certificate: new Uint8Array(),
  tenant: 1,
  keyType: 'PRODUCTION',
  revision,
  apiName: api,
  apiVersion: '1',
  apiProvider: 'admin',
  apiContext: `/${api}/1`,
});
const shown = (rows: readonly TableRow[]): readonly string[] =>
  rows.map(({ apiName, alias, removed }) => `${apiName} ${alias}${removed ? ' removed' : ''}`);

test('who was a client of an API that is gone from the table is known, and is none any more', () => {
  const before = [row('a', 'acme'), row('b', 'acme'), row('b', 'globex', 'Current API')];
  const after = withVanished([row('a', 'acme')], before);
  assert.deepEqual(shown(after), ['a acme', 'b acme removed', 'b globex removed']);
  assert.deepEqual(shown(withVanished([row('a', 'acme')], after)), shown(after), 'and at each further read');
  assert.deepEqual(shown(withVanished([row('b', 'new')], after)), ['b new', 'a acme removed']);
});

test('what was deployed before is not kept: a thousand deployments take no more memory than one', () => {
  let rows: readonly TableRow[] = [];
  for (let i = 0; i < 1_000; i++)
    rows = withVanished([row('a', 'acme', 'Current API'), row('a', 'acme', `revision ${i}`)], rows);
  assert.deepEqual(shown(rows), ['a acme', 'a acme']);
});

test('no more is kept than a table may have; who went last is known longest', () => {
  let rows: readonly TableRow[] = [];
  for (const api of ['a', 'b', 'c', 'd']) rows = withVanished([row(api, 'acme')], rows, 2);
  assert.deepEqual(shown(rows), ['d acme', 'c acme removed', 'b acme removed']);
});
