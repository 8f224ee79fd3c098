import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../envoy/run-program.ts';
import { createAuthority, selfSigned } from '../support/certificate-authority.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'certs-'));
after(() => rmSync(folder, { recursive: true }));
const ending = new Date(Date.now() + 10.5 * 86_400_000);
const acme = await selfSigned({ subject: 'CN=acme', notAfter: ending });
const bob = await selfSigned({ subject: 'CN=bob' });
const toml = (aliases: string): string => `[[clients]]
alias = "acme"
pem = """${acme.pem}"""
[[clients]]
alias = "bob"
pem = """${bob.pem}"""
tier = "Gold"
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
aliases = ${aliases}
`;
const endedDaysAgo = (days: number) =>
  createAuthority({
    subject: `CN=Ended ${days} days ago`,
    notBefore: new Date('2020-01-01'),
    notAfter: new Date(Date.now() - (days - 0.5) * 86_400_000),
  });
const [lately, longAgo, root] = [
  await endedDaysAgo(10),
  await endedDaysAgo(400),
  await createAuthority({ subject: 'CN=Root' }),
];
for (const [name, cas] of Object.entries({ bundle: [longAgo, lately, root], ended: [longAgo] })) {
  writeFileSync(join(folder, `${name}.pem`), cas.map(({ pem }) => pem).join(''));
  writeFileSync(join(folder, `${name}.toml`), `[router.downstream.tls]\ntrustedCertPath = "${name}.pem"\n`);
}
writeFileSync(join(folder, 'old.toml'), toml('["acme"]'));
writeFileSync(join(folder, 'new.toml'), toml('["acme", "bob"]'));
writeFileSync(join(folder, 'bad.toml'), 'apis = 1\n');
const call = (args: string) =>
  run([process.execPath, start, ...args.split(' ')], { env: process.env, cwd: folder });

const answers: readonly [args: string, code: number, stdout: RegExp, stderr: RegExp][] = [
  [
    'certs --config old.toml',
    0,
    /^DAYS .*\n10 +client +acme .* Orders 1\n\d+ +client +bob .* nothing\n$/,
    /^$/,
  ],
  ['certs --config old.toml --expiring 30d', 1, /^DAYS .*\n10 +client +acme .*\n$/, /^$/],
  [
    'certs --config old.toml --expiring 5d',
    0,
    /^no certificate that has ended or ends within 5 days\n$/,
    /^$/,
  ],
  [
    'certs --config old.toml --expiring 5d --unused',
    0,
    /^no certificate that opens nothing that has ended or ends within 5 days\n$/,
    /^$/,
  ],
  [
    'certs --config bundle.toml',
    0,
    /^DAYS .*\n-400 +trusted CA .*\n-10 +trusted CA .*\n\d+ +trusted CA .*\n$/,
    /^$/,
  ],
  ['certs --config bundle.toml --expiring 30d', 1, /^DAYS .*\n-10 +trusted CA .*\n$/, /^$/],
  [
    'certs --config bundle.toml --expiring 5d',
    0,
    /^no certificate that has ended or ends within 5 days\n$/,
    /^$/,
  ],
  ['certs --config ended.toml --expiring 5d', 1, /^DAYS .*\n-400 +trusted CA .*\n$/, /^$/],
  [
    'certs --config old.toml --unused --json',
    0,
    /^\[\n +\{\n +"kind": "client",\n +"name": "bob",\n +"tier": "Gold",/,
    /^$/,
  ],
  [
    'certs --config old.toml --expiring soon',
    64,
    /^$/,
    /--expiring is "soon"; write days, as in --expiring 30d/,
  ],
  [
    'diff old.toml new.toml',
    0,
    /^any host\/orders\n {2}\+ CN=bob \(alias "bob", tier "Gold"\) may call now, by certificate\n$/,
    /^$/,
  ],
  ['diff old.toml new.toml --fail-on widening', 1, /may call now/, /^$/],
  [
    'diff new.toml old.toml --fail-on widening',
    0,
    / - CN=bob \(alias "bob", tier "Gold"\) may call no more/,
    /^$/,
  ],
  ['diff old.toml old.toml --fail-on any', 0, /^both decide alike\n$/, /^$/],
  ['diff old.toml new.toml --json', 0, /"effect": "widening"/, /^$/],
  ['diff old.toml', 64, /^$/, /diff needs two files: OLD NEW/],
  ['diff old.toml bad.toml', 78, /^$/, /^error: bad\.toml:1: apis: /],
];
for (const [args, code, stdout, stderr] of answers) {
  test(`${args}: exit ${code}`, async () => {
    const found = await call(args);
    assert.match(found.stdout, stdout);
    assert.match(found.stderr, stderr);
    assert.equal(found.code, code);
  });
}
