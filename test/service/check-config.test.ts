import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../envoy/run-program.ts';
import { createAuthority } from '../support/certificate-authority.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'check-config-'));
after(() => rmSync(folder, { recursive: true }));
const ca = await createAuthority({ subject: 'CN=CA' });
const router = await ca.issue({ subject: 'CN=router', extendedKeyUsage: 'server' });
const other = await ca.issue({ subject: 'CN=other' });
writeFileSync(join(folder, 'router.pem'), router.pem);
writeFileSync(join(folder, 'router.key'), router.privateKeyPem);
writeFileSync(join(folder, 'other.key'), other.privateKeyPem);

const api = '[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n';
const keystore = (key: string): string =>
  `[router.keystore]\ncertPath = "router.pem"\nkeyPath = "${key}"\n${api}`;
const call = (command: string, toml: string, ...more: string[]) => {
  writeFileSync(join(folder, 'config.toml'), toml);
  return run([process.execPath, start, command, '--config', 'config.toml', ...more], {
    env: process.env,
    cwd: folder,
  });
};

for (const command of ['check-config', 'envoy-config']) {
  test(`${command} takes the router's files that are right`, async () => {
    const { code, stderr } = await call(command, keystore('router.key'));
    assert.deepEqual([code, stderr], [0, '']);
  });
  test(`${command} refuses what Envoy would refuse to start with, and prints nothing else`, async () => {
    const { code, stdout, stderr } = await call(command, keystore('other.key'));
    assert.deepEqual([code, stdout], [78, '']);
    assert.match(
      stderr,
      /^error: config\.toml:3: router\.keystore\.keyPath: found "other\.key", which is not the key of the certificate in certPath; write the key that belongs to it\n$/,
    );
  });
  test(`${command} warns of a file that is not on this host`, async () => {
    const { code, stderr } = await call(command, keystore('none.key'));
    assert.equal(code, 0);
    assert.match(stderr, /^warning: config\.toml:3: .*"none\.key", which does not exist here/);
  });
}

test('envoy-config warns of the files that it names where config.toml names none; check-config takes it that Envoy is configured by others', async () => {
  assert.equal((await call('check-config', api)).stderr, '');
  assert.match(
    (await call('envoy-config', api)).stderr,
    /^warning: .*\/home\/wso2\/security\/keystore\/mg\.pem/,
  );
});

test('check-config tells at once what is wrong with keys, with what they name and with the files that Envoy opens', async () => {
  writeFileSync(join(folder, 'ca.pem'), ca.pem);
  const { code, stderr } = await call(
    'check-config',
    `[router.keystore]
certPath = "router.pem"
keyPath = "other.key"
[enforcer.authService]
prot = 1
[[clients]]
alias = "a"
file = "none.pem"
[[clients]]
alias = "b"
caFile = "ca.pem"
dns = ["https://b", "192.0.2.1"]
[clients.spiffe]
trustDomain = "spiffe://b"
[[clients]]
alias = "c"
fille = "ca.pem"
[[apis]]
name = "a"
version = "1"
basePath = "/a"
aliases = ["a", "b", "d"]
`,
  );
  assert.equal(code, 78);
  assert.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map((line) => /^error: config\.toml:\d+: [^:]+(?=: )/.exec(line)?.[0] ?? line),
    [
      'error: config.toml:5: enforcer.authService.prot',
      'error: config.toml:12: clients[1].dns[0]',
      'error: config.toml:12: clients[1].dns[1]',
      'error: config.toml:14: clients[1].spiffe.trustDomain',
      'error: config.toml:17: clients[2].fille',
      'error: config.toml:8: clients[0].file',
      'error: config.toml:22: apis[0].aliases[2]',
      'error: config.toml:3: router.keystore.keyPath',
    ],
  );
});

test('of a table with a wrong key, and of what can not be read without it, check-config says nothing more', async () => {
  const { stderr } = await call(
    'check-config',
    `[[clients]]\nalais = "a"\nfile = "none.pem"\n${api}aliases = ["a"]\n`,
  );
  assert.match(
    stderr,
    /^error: config\.toml:1: clients\[0\]\.alias: missing.*\nerror: config\.toml:2: clients\[0\]\.alais: .*\n$/,
  );
});
