import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denials } from '../../src/decision.ts';
import { createAuthority } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';
import { makeCredentials } from '../truth-tables/credentials.ts';
import { apisToml, basePathOf, readTable, tokenCases } from '../truth-tables/table.ts';

const rows = readTable();
const { files, certificateHeader, authorization, toml, at } = await makeCredentials(
  await createAuthority({ subject: 'CN=Clients' }),
);
const { snapshot } = load(toml + apisToml(rows).replaceAll('BACKEND', 'http://127.0.0.1:1'), files, at);

for (const row of rows) {
  const { certificate, cells } = row;
  test(`${basePathOf(row).slice(1)}, certificate ${certificate}`, async () => {
    for (const token of tokenCases) {
      const headers = [...certificateHeader(certificate), ...authorization(token)];
      const found = await outcome({ path: basePathOf(row), headers, source: '10.0.0.1' }, snapshot, at);
      const admitted = ['acme', 'allowed', 'token'].includes(found);
      const denial = denials[found as keyof typeof denials];
      const cell = admitted ? '200' : `${denial.status} ${denial.number} ${found}`;
      assert.equal(cell, cells[token], `token ${token}`);
    }
  });
}
