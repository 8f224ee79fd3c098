import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../envoy/run-program.ts';
import { createAuthority, selfSigned } from '../support/certificate-authority.ts';
import { codec } from '../support/plain-codec.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'explain-'));
after(() => rmSync(folder, { recursive: true }));

const ca = await createAuthority({ subject: 'CN=Partner CA' });
const acme = await selfSigned({ subject: 'CN=acme' });
const globex = await ca.issue({ subject: 'CN=globex', extendedKeyUsage: 'client' });
const idp = createTokenIssuer(Date.now());
// As an issuer publishes them: explain fetches what serve would.
const jwks = createServer((_, response) => response.end(idp.jwks)).listen(0, '127.0.0.1');
after(() => jwks.close());
await new Promise((listening) => jwks.once('listening', listening));
const { port } = jwks.address() as { port: number };

const at = '2026-06-01T00:00:00Z';
const check = {
  attributes: {
    source: {
      address: { socket_address: { address: '10.0.0.1', port_value: 1 } },
      certificate: encodeURIComponent(acme.pem),
    },
    request: { http: { method: 'GET', path: '/orders/1', host: 'a', scheme: 'https' } },
  },
};
const wire = codec.requestSerialize(check);
const files: Readonly<Record<string, string | Uint8Array>> = {
  'acme.pem': acme.pem,
  'both.pem': `${acme.privateKeyPem}${acme.pem}`,
  'acme.der': acme.der,
  'globex.pem': globex.pem,
  'ca.pem': ca.pem,
  'good.jwt': `${idp.token()}\n`,
  'check.json': JSON.stringify(check),
  'check.bin': wire,
  'audit.log': `${JSON.stringify({
    type: 'decision',
    time: '2026-06-01T00:00:00.000Z',
    outcome: 'deny',
    reason: 'issuer_unknown',
    detail: 'nobody knew it',
    requestId: 'r-1',
    method: 'GET',
    host: 'a',
    path: '/orders/1',
    sha256: createHash('sha256').update(acme.der).digest('hex'),
  })}\n`,
  'broken.toml': '[[apis]]\nnaem = "a"\n',
  'config.toml': `[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksURL = "http://127.0.0.1:${port}/jwks"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
tier = "Gold"
[[tiers]]
name = "Gold"
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
aliases = ["acme"]
[[apis]]
name = "Accounts"
version = "1"
basePath = "/accounts"
mutualSSL = "off"
applicationSecurity = "mandatory"
`,
};
for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);

const call = (args: string, env: NodeJS.ProcessEnv = {}) =>
  run([process.execPath, start, 'explain', ...args.split(' ').filter(Boolean)], {
    env: { ...process.env, ...env },
    cwd: folder,
  });

const answers: readonly [args: string, code: number, stdout: RegExp][] = [
  [`--cert acme.pem --api Orders:1 --at ${at}`, 0, /^admitted as "acme"\n/],
  [`--cert acme.pem --api Orders:1 --at ${at}`, 0, /\n {3}limit +Gold: 5000 a minute for each alias\n/],
  [`--cert both.pem --api Orders:1 --at ${at}`, 0, /^admitted as "acme"\n/],
  [`--cert acme.der --url https://a/orders/1?x=y --at ${at}`, 0, /GET https:\/\/a\/orders\/1\?…\n/],
  [`--cert globex.pem --url /orders --at ${at}`, 1, /^denied: certificate_not_bound \(HTTP 401, 900901\)\n/],
  [`--cert globex.pem --url /orders --at ${at}`, 1, / {4}aliases = \["acme", "partners"\]\n$/],
  ['--cert acme.pem --api Orders:1 --at 2040-01-01T00:00:00Z', 1, /^denied: certificate_expired /],
  ['--url /accounts --token @good.jwt', 0, /^admitted without a certificate, with a token of "idp"\n/],
  ['--url /accounts', 1, /^denied: token_missing /],
  [`--check check.json --at ${at}`, 0, /^admitted as "acme"\n\n.*\n +from 10\.0\.0\.1,/],
  [`--check check.bin --at ${at}`, 0, /^admitted as "acme"\n/],
  [
    'certificate_expired',
    0,
    /^certificate_expired \(HTTP 401.*\nThe certificate has expired\.\n\nWhat to change/,
  ],
];
for (const [args, code, says] of answers) {
  test(`explain ${args}: exit ${code}`, async () => {
    const { code: found, stdout, stderr } = await call(args);
    assert.match(stdout, says);
    assert.deepEqual([found, stderr], [code, '']);
    // In a pipe, nobody asked for colours.
    assert.ok(!stdout.includes('\u001b'));
  });
}

test('--json says the same, in members', async () => {
  const { code, stdout } = await call(`--cert globex.pem --url /orders --at ${at} --json`);
  const found = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(code, 1);
  assert.deepEqual(
    [found.outcome, found.code, found.status, found.api],
    ['denied', 'certificate_not_bound', 401, { name: 'Orders', version: '1' }],
  );
});

test('colours where they are asked for, and the same words', async () => {
  const args = `--cert acme.pem --api Orders:1 --at ${at}`;
  const [plain, coloured] = [await call(args), await call(args, { FORCE_COLOR: '1' })];
  assert.ok(coloured.stdout.includes('\u001b[32madmitted\u001b[39m'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  assert.equal(coloured.stdout.replaceAll(/\u001b\[\d+m/g, ''), plain.stdout);
});

const wrongs: readonly [args: string, code: number, stderr: RegExp][] = [
  [
    'certificat_expired',
    64,
    /^mtls-enforcer: no denial has the code "certificat_expired"; did you mean certificate_expired\?\nmtls-enforcer explain --help says how it is used\n$/,
  ],
  ['--api Order:1', 64, /^mtls-enforcer: no API is called "Order:1"; did you mean "Orders:1"\?\n$/],
  ['--url /orders --cert none.pem', 64, /^mtls-enforcer: --cert none\.pem does not exist.*\n$/],
  ['--url /orders --cert broken.toml', 64, /^mtls-enforcer: --cert broken\.toml .*\n$/],
  [
    '--audit broken.toml no-such-id',
    64,
    /^mtls-enforcer: --audit broken\.toml has no decision about "no-such-id"\n$/,
  ],
  ['--url /orders --config broken.toml', 78, /error: broken\.toml:2: apis\[0\]\.naem: /],
];
for (const [args, code, says] of wrongs) {
  test(`explain ${args}: exit ${code}, and what to write`, async () => {
    const { code: found, stdout, stderr } = await call(args);
    assert.match(stderr, says);
    assert.deepEqual([found, stdout], [code, '']);
  });
}
