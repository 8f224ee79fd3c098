import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
const otherCa = await createAuthority({ subject: 'CN=Other CA' });
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

/** What whoever reviews a configuration is told of the API above. */
const open = (line: number): string =>
  `warning: config.toml:${line}: apis[0]: "a" is open: it asks for no certificate and no token, and admits everybody\n`;
const unserved = `warning: config.toml:4: apis[0]: "a" has no backend: the generated Envoy answers 503 to whoever is admitted; write backend = "https://…"\n`;

for (const command of ['check-config', 'envoy-config']) {
  test(`${command} takes the router's files that are right`, async () => {
    const { code, stderr } = await call(command, keystore('router.key'));
    assert.deepEqual([code, stderr], [0, command === 'check-config' ? open(4) + unserved : '']);
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

test('check-config says itself why a table of client certificates could not be read, at its line', async () => {
  mkdirSync(join(folder, 'apim'), { recursive: true });
  const toml =
    '[[definitions]]\nkind = "api-manager"\npath = "apim"\ndatabase = "postgres://u:pw@127.0.0.1:1/am"\n';
  const { code, stdout, stderr } = await call('check-config', toml);
  assert.equal(code, 78);
  assert.match(
    stderr,
    /^error: config\.toml:4: definitions\[0\]\.database: found "postgres:\/\/u@127\.0\.0\.1:1\/am", whose table of client certificates could not be read: .*ECONNREFUSED/m,
  );
  assert.doesNotMatch(stdout + stderr, /the log|pw/);
  const json = JSON.parse((await call('check-config', toml, '--json')).stdout);
  assert.match(JSON.stringify(json.errors), /ECONNREFUSED/);
});

test('check-config does not pass over a file that has nothing, or whose definitions have nothing', async () => {
  const nothing = 'warning: config.toml:1: has no API, so that every request is refused (api_not_found)';
  const { code, stderr } = await call('check-config', '');
  assert.equal(code, 0);
  assert.ok(stderr.startsWith(nothing), stderr);
  const none = await call('check-config', '[[definitions]]\nkind = "apk"\npath = "."\n', '--strict');
  assert.equal(none.code, 78);
  assert.match(none.stderr, /^warning: \S+:1: has nothing of APK in it/);
  assert.ok(none.stderr.includes(nothing), none.stderr);
});

for (const [why, tables, told] of [
  ['none', '', undefined],
  ['files that are not here', '[router.enforcer]\ntrustedCertPath = "elsewhere.pem"\n', undefined],
  [
    'another CA than the enforcer’s',
    '[router.enforcer]\ntrustedCertPath = "other-ca.pem"\n',
    /^error: config\.toml:8: router\.enforcer\.trustedCertPath: found "other-ca\.pem", by which Envoy does not take the enforcer's certificate "enforcer\.pem" \(unable to get issuer cert locally\), so that it gets no request; write the CA that issued it\n$/,
  ],
  [
    'another host than the certificate’s',
    '[router.enforcer]\ntrustedCertPath = "ca.pem"\naddress = "enforcer.internal"\n',
    /^error: config\.toml:5: enforcer\.authService\.certPath: found "enforcer\.pem", which is not for enforcer\.internal, where Envoy looks for the enforcer/,
  ],
  [
    'another CA than Envoy’s',
    'clientCaPath = "other-ca.pem"\n[router.enforcer]\ncertPath = "envoy.pem"\nkeyPath = "envoy.key"\n',
    /^error: config\.toml:7: enforcer\.authService\.clientCaPath: found "other-ca\.pem", by which the enforcer does not take Envoy's certificate "envoy\.pem" \(unable to verify leaf signature\), so that it gets no request/,
  ],
] as const) {
  test(`check-config has Envoy and the enforcer meet: ${why}`, async () => {
    const enforcer = await ca.issue({
      extendedKeyUsage: 'server',
      subjectAltNames: ['127.0.0.1'],
    });
    const envoy = await ca.issue({ extendedKeyUsage: 'client' });
    const files = {
      'ca.pem': ca.pem,
      'other-ca.pem': otherCa.pem,
      'enforcer.pem': enforcer.pem,
      'enforcer.key': enforcer.privateKeyPem,
      'envoy.pem': envoy.pem,
      'envoy.key': envoy.privateKeyPem,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const pair = (name: string) => `certPath = "${name}.pem"\nkeyPath = "${name}.key"\n`;
    const { code, stderr } = await call(
      'check-config',
      `[router.keystore]\n${pair('router')}[enforcer.authService]\n${pair('enforcer')}${tables}${api}`,
    );
    const errors = stderr.replace(/^warning: .*\n/gm, '');
    if (told === undefined) assert.deepEqual([code, errors], [0, '']);
    else assert.match(errors, told);
  });
}

const good = `[[clients]]\nalias = "z"\nfile = "other.pem"\n${api.replace('mutualSSL = "off"', 'aliases = ["z"]')}`;
const forgotten: readonly [what: string, toml: string, says: RegExp][] = [
  [
    'a next configuration that is not there',
    '[enforcer.shadow]\nconfig = "none.toml"\n[enforcer.audit]\n',
    /^warning: config\.toml:2: enforcer\.shadow\.config: nothing can be compared with it: none\.toml:1: does not exist; /,
  ],
  [
    'a next configuration with faults',
    '[enforcer.shadow]\nconfig = "garbage.toml"\n[enforcer.audit]\n',
    /^warning: config\.toml:2: enforcer\.shadow\.config: nothing can be compared with it: garbage\.toml:1: apis: .* \(and 1 more\)\n/,
  ],
  [
    'a record whose folder is not there',
    '[enforcer.audit]\nfile = "nodir/audit.log"\n',
    /^warning: config\.toml:2: enforcer\.audit\.file: found "nodir\/audit\.log", and the folder \S+\/nodir does not exist here, so that no line of the record is kept; make the folder, or write another path\n/,
  ],
  [
    'a record whose folder is a file',
    '[enforcer.audit]\nfile = "router.pem/audit.log"\n',
    /^warning: config\.toml:2: enforcer\.audit\.file: found .* is no folder, so that/,
  ],
  [
    'copies of lists whose folder has none to be in',
    '[enforcer.security.revocation]\nmode = "soft-fail"\ncacheDir = "nodir/cache"\n',
    /^warning: config\.toml:3: enforcer\.security\.revocation\.cacheDir: found "nodir\/cache", .* nothing that was fetched outlives a restart/m,
  ],
];
for (const [what, toml, says] of forgotten) {
  test(`check-config tells of ${what}, which serve goes on without`, async () => {
    writeFileSync(join(folder, 'garbage.toml'), 'apis = 1\nclients = 1\n');
    writeFileSync(join(folder, 'other.pem'), other.pem);
    const { code, stderr } = await call('check-config', toml + good, '--strict');
    assert.match(stderr, says);
    assert.equal(code, 78);
  });
}

test('envoy-config warns of the files that it names where config.toml names none; check-config takes it that Envoy is configured by others', async () => {
  assert.equal((await call('check-config', api)).stderr, open(1));
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

const verdicts: readonly [what: string, toml: string, args: readonly string[], code: number][] = [
  ['a good file', good, ['--strict'], 0],
  ['a warning', api, [], 0],
  ['a warning, with --strict', api, ['--strict'], 78],
  ['an error', 'apis = 1\n', [], 78],
];
for (const [what, toml, args, code] of verdicts) {
  test(`check-config of ${what}: exit ${code}, told to tools the same`, async () => {
    writeFileSync(join(folder, 'other.pem'), other.pem);
    assert.equal((await call('check-config', toml, ...args)).code, code);
    const json = await call('check-config', toml, ...args, '--json');
    const told = JSON.parse(json.stdout) as Readonly<Record<'errors' | 'warnings', readonly unknown[]>> & {
      readonly isGood: boolean;
    };
    assert.deepEqual([json.code, json.stderr, told.isGood], [code, '', toml !== 'apis = 1\n']);
    assert.deepEqual([told.errors.length > 0, told.warnings.length > 0], [!told.isGood, toml === api]);
    const sarif = await call('check-config', toml, ...args, '--sarif');
    const { version, runs } = JSON.parse(sarif.stdout) as {
      version: string;
      runs: { results: { ruleId: string; level: string; locations: { physicalLocation: object }[] }[] }[];
    };
    assert.deepEqual([sarif.code, version], [code, '2.1.0']);
    const [result] = runs[0]!.results;
    if (toml === api)
      assert.deepEqual(
        [result!.ruleId, result!.level, result!.locations[0]!.physicalLocation],
        ['apis', 'warning', { artifactLocation: { uri: 'config.toml' }, region: { startLine: 1 } }],
      );
  });
}
test('nothing in a tier’s name, nor in what is read from a captured request, acts on a terminal or makes up a line', async () => {
  const { code, stdout } = await call(
    'check-config',
    `[[tiers]]\nname = "a\\u001b[2J\\ntier b"\nrequests = 1\n${api}`,
  );
  assert.deepEqual(
    [code, stdout.split('\n')[0]],
    [0, 'tier a\\u{1b}[2J\\u{a}tier b: 1 a minute for each alias'],
  );
  const warned = await call(
    'check-config',
    ['tier = "Gold"', '']
      .map((tier) => `[[clients]]\nalias = "a\\u001b[2J\\nb"\nfile = "none.pem"\n${tier}\n`)
      .join('') + api,
  );
  assert.match(warned.stderr, /alias "a\\u\{1b\}\[2J\\u\{a\}b" has tier/);
  assert.deepEqual(warned.stderr.match(/[^\x20-\x7e\n]/gu), null, warned.stderr);
  assert.equal(warned.stderr.split('\n').filter((line) => line.startsWith('b')).length, 0);
  writeFileSync(
    join(folder, 'hostile.json'),
    '{"attributes":{"request":{"http":{"headers":{"x\\u001b[2J":1}}}}}',
  );
  const asked = await call('explain', api, '--check', 'hostile.json');
  assert.deepEqual(
    [asked.code, asked.stderr.split('\n')[0]],
    [64, 'mtls-enforcer: --check hostile.json has headers.x\\u{1b}[2J that is no text'],
  );
});

test('check-config says what each tier allows, and who counts', async () => {
  const tiers = '[[tiers]]\nname = "Gold"\n[[tiers]]\nname = "x"\nrequests = 1\nper = "day"\nburst = 2\n';
  const { code, stdout } = await call('check-config', api + tiers);
  assert.equal(code, 0);
  assert.ok(
    stdout.startsWith(
      'tier Gold: 5000 a minute for each alias\ntier x: 1 a day for each alias, 2 at once\ntiers: Envoy counts, by what envoy-config last wrote for it\nconfig.toml: good (',
    ),
    stdout,
  );
});

test('ratelimit-config prints what the rate limit service is to count, and nothing for a faulty file', async () => {
  const good = await call('ratelimit-config', `${api}[[tiers]]\nname = "Gold"\n`);
  assert.equal(good.code, 0);
  assert.match(good.stdout, /^domain: "mtls-enforcer"$[\s\S]*requests_per_unit: 5000$/m);
  const bad = await call('ratelimit-config', `${api}[[tiers]]\nname = "x"\n`);
  assert.deepEqual([bad.code, bad.stdout], [78, '']);
});
