import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createAuthority } from '../support/certificate-authority.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { makeCredentials } from '../truth-tables/credentials.ts';
import { apisToml, basePathOf, readTable, tokenCases } from '../truth-tables/table.ts';
import { demoIssuer, Gateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** Each combination with certificates that differ in what becomes of them; the pure decision walks all the others. */
const rows = readTable().filter(({ certificate }) =>
  ['none', 'valid', 'unbound', 'malformed'].includes(certificate),
);

describe('the truth table through a real Envoy', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'truth-'));
  let gateway: Gateway;
  let credentials: Awaited<ReturnType<typeof makeCredentials>>;
  before(async () => {
    const dates = {
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
    };
    const authority = await createAuthority({ subject: 'CN=Clients', ...dates });
    credentials = await makeCredentials(authority, Math.floor(Date.now() / 1000) * 1000, dates);
    for (const [name, text] of Object.entries(credentials.files)) writeFileSync(join(folder, name), text);
    gateway = await Gateway.start(envoy!, {
      edit: (toml) => {
        const [router = ''] = toml.replace(demoIssuer, '').split('[[clients]]');
        const backend = /https:\/\/127\.0\.0\.1:\d+/.exec(toml)?.[0] ?? '';
        const own = credentials.toml.replaceAll(/"([a-z]+\.(?:pem|json))"/g, `"${folder}/$1"`);
        return `${router.replace(/\[enforcer\.security\.mutualSSL\][^[]*/, '')}${own}${apisToml(rows).replaceAll('BACKEND', backend)}`;
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const row of rows) {
    it(`${basePathOf(row).slice(1)}, certificate ${row.certificate}`, async () => {
      for (const token of tokenCases) {
        const headers = [
          ...credentials.certificateHeader(row.certificate),
          ...credentials.authorization(token),
        ];
        const { status, headers: sent, body } = await gateway.answer({ path: basePathOf(row), headers });
        const cell =
          status === 200
            ? '200'
            : `${status} ${(JSON.parse(body) as { code: string }).code} ${sent['x-mtls-reason']}`;
        assert.equal(cell, row.cells[token], `token ${token}`);
      }
    });
  }
});
