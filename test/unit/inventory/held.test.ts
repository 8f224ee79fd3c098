import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inventory } from '../../../src/inventory/held.ts';
import { readOthers } from '../../../src/inventory/other-certificates.ts';
import { daysLeft, heldTable } from '../../../src/inventory/table.ts';
import { plainPaper } from '../../../src/observability/paper.ts';
import { loadConfig } from '../../../src/provision/load-config.ts';
import { createAuthority, now, selfSigned } from '../../support/certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'inventory-'));
after(() => rmSync(folder, { recursive: true }));
const inDays = (days: number) => new Date(now + days * 86_400_000);
const made = {
  ca: await createAuthority({ subject: 'CN=Partner CA', notAfter: inDays(400) }),
  acme: await selfSigned({ subject: 'CN=acme', notAfter: inDays(12) }),
  old: await selfSigned({ subject: 'CN=old', notAfter: inDays(-3) }),
  lb: await selfSigned({ subject: 'CN=lb', notAfter: inDays(100) }),
  idp: await selfSigned({ subject: 'CN=idp', notAfter: inDays(200) }),
};
for (const [name, { pem }] of Object.entries(made)) writeFileSync(join(folder, `${name}.pem`), pem);
const file = join(folder, 'config.toml');
writeFileSync(
  file,
  `[enforcer.security.mutualSSL]
enableClientValidation = false
trustedSenders = ["alias:lb"]
[[enforcer.security.mutualSSL.senders]]
alias = "lb"
file = "lb.pem"
[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
certificateFilePath = "idp.pem"
audiences = ["a"]
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[clients]]
alias = "acme"
file = "acme.pem"
tier = "Gold"
[[clients]]
alias = "old"
file = "old.pem"
[[clients]]
alias = "unused"
fingerprints = ["${'ab'.repeat(32)}"]
disabled = true
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
aliases = ["acme", "partners"]
[[apis]]
name = "Accounts"
version = "2"
basePath = "/accounts"
aliases = ["old"]
applicationSecurity = "mandatory"
[[apis.operations]]
path = "/list"
[[apis.operations]]
path = "/x"
methods = ["GET", "PUT"]
aliases = ["acme"]
`,
);
const loaded = loadConfig(file, {}, now);
assert.ok(!Array.isArray(loaded), JSON.stringify(loaded));
const all = inventory(
  (loaded as Exclude<typeof loaded, readonly unknown[]>).snapshot,
  readOthers(file, (loaded as Exclude<typeof loaded, readonly unknown[]>).config, now),
  now,
);

test('what has ended stands first, then what ends next, then what has no dates; each with its tier and what it opens', () => {
  const rows = all.map((held) => [
    daysLeft(held, now),
    held.kind,
    held.name,
    held.tier,
    held.isInForce,
    held.opens.join('; '),
  ]);
  assert.deepEqual(rows, [
    [-3, 'client', 'old', undefined, true, 'Accounts 2: /list'],
    [12, 'client', 'acme', 'Gold', true, 'Orders 1; Accounts 2: GET|PUT /x'],
    [100, 'sender', 'lb', undefined, true, 'header X-WSO2-CLIENT-CERTIFICATE'],
    [200, 'issuer', 'idp', undefined, true, 'Accounts 2'],
    [400, 'client CA', 'partners', undefined, true, 'Orders 1'],
    [undefined, 'client', 'unused', undefined, false, ''],
  ]);
});

test('the table fits its paper, and is whole where lines have no end', () => {
  for (const width of [80, 100, 160])
    for (const line of heldTable(all, now, plainPaper(width)).split('\n'))
      assert.ok(line.length <= width, line);
  const whole = heldTable(all, now, plainPaper());
  assert.match(
    whole,
    /^DAYS +WHAT +NAME +TIER +SUBJECT +SHA-256 +OPENS\n-3 +client +old +CN=old +[0-9a-f]{64} +Accounts 2: \/list\n/,
  );
  assert.match(whole, /\n12 +client +acme +Gold +CN=acme /);
  assert.match(whole, /\noff +client +unused +(?:ab){32} +nothing\n$/);
});
