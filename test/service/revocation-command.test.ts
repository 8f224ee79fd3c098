import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../envoy/run-program.ts';
import { RevocationCache } from '../../src/feeds/revocation-cache.ts';
import { opensslCa } from '../support/openssl-ca.ts';
import { webServer } from '../unit/feeds/revocation-world.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'revocation-command-'));
after(() => rmSync(folder, { recursive: true }));
const ca = opensslCa('Command CA');
ca.issue('client');
ca.revoke('client');
const crl = ca.crl();
mkdirSync(join(folder, 'crls'));
writeFileSync(join(folder, 'crls', 'ca.crl'), crl);
const server = await webServer((request, response) =>
  request.url === '/ca.crl' ? response.end(crl) : response.writeHead(404).end(),
);

const call = (command: string, ...lines: readonly string[]) => {
  const table = lines.length === 0 ? '' : `[enforcer.security.revocation]\n${lines.join('\n')}\n`;
  writeFileSync(
    join(folder, 'config.toml'),
    `${table}[[clients]]\nalias = "a"\ncaFile = "${ca.certificateFile}"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["a"]\n`,
  );
  return run([process.execPath, start, ...command.split(' '), '--config', 'config.toml'], {
    env: process.env,
    cwd: folder,
  });
};
const other = opensslCa('Other CA');
/** A list that has ended, or is of a CA that nobody here has, or is none. */
writeFileSync(join(folder, 'late.crl'), ca.crl({ hasEnded: true }));
writeFileSync(join(folder, 'others.crl'), other.crl());
writeFileSync(join(folder, 'certificate.crl'), readFileSync(ca.certificateFile));
const next = '1 revoked, next update \\d{4}-.*Z';

test('revocation lists each source with its state, and what is kept', async () => {
  const cache = new RevocationCache(join(folder, 'cache'));
  const notes = { feed: 'crl', from: 'http://of.a.certificate/', readAt: new Date().toISOString() };
  await cache.write('x', { notes, parts: [] }, () => assert.fail());
  const { code, stdout } = await call(
    'revocation',
    `crlUrls = ["${server.url}/ca.crl"]`,
    'crlFiles = ["crls/"]',
    'cacheDir = "cache"',
  );
  assert.match(
    stdout,
    new RegExp(
      `^crl ${server.url}/ca\\.crl: good, ${next}\ncrl .*/crls: good, ${next}\nkept: crl http://of\\.a\\.certificate/: fetched \\d{4}-.*Z, \\d+ s ago\n$`,
    ),
  );
  assert.equal(code, 0);
  assert.equal(readdirSync(join(folder, 'cache')).length, 1, 'it keeps nothing itself');
});

test('revocation says which source fails, and ends with 69', async () => {
  const { code, stdout } = await call(
    'revocation',
    `crlUrls = ["${server.url}/none"]`,
    'crlFiles = ["none/"]',
  );
  assert.match(
    stdout,
    new RegExp(`^crl ${server.url}/none: failed: it answered 404\ncrl .*/none: failed: names no file`),
  );
  assert.equal(code, 69);
});

test('revocation says so where it is not looked at', async () => {
  const { code, stdout } = await call('revocation');
  assert.deepEqual(
    [code, stdout],
    [0, 'revocation is not looked at: [enforcer.security.revocation] names no source and no mode\n'],
  );
});

test('check-config --strict refuses a CRL that can not be read', async () => {
  const { code } = await call('check-config', 'crlFiles = ["none/"]');
  assert.equal(code, 0);
  const strict = await call('check-config --strict', 'crlFiles = ["none/"]');
  assert.equal(strict.code, 78);
});

test('both say which file of a folder is not used, be the others good', async () => {
  mkdirSync(join(folder, 'mixed'));
  writeFileSync(join(folder, 'mixed', 'ca.crl'), ca.crl());
  writeFileSync(join(folder, 'mixed', 'half.crl'), ca.crl().subarray(0, 99));
  const says = /crl .*mixed: good, .*; not used: .*mixed\/half\.crl is no usable CRL/;
  const { code, stderr } = await call('check-config --strict', 'crlFiles = ["mixed/"]');
  assert.match(stderr, /^warning: config\.toml:\d+: enforcer\.security\.revocation\.crlFiles\[0\]: crl /);
  assert.match(stderr, says);
  assert.equal(code, 78);
  assert.match((await call('revocation', 'crlFiles = ["mixed/"]')).stdout, says);
});

test('check-config reads the files and names what would be fetched, and fetches nothing', async () => {
  const asked = server.asked.length;
  const { code, stdout, stderr } = await call(
    'check-config',
    `crlUrls = ["${server.url}/ca.crl?token=secret"]`,
    'crlFiles = ["crls/", "none/"]',
    `ocspResponder = "${server.url}/ocsp"`,
    'followCertificateUrls = true',
  );
  assert.match(
    stdout,
    new RegExp(
      `^crl .*/crls: good, ${next}\ncrl ${server.url}/ca\\.crl: would be fetched\nocsp ${server.url}/ocsp: would be asked\ncrl, ocsp: what certificates name would be fetched, once their path is valid\nconfig\\.toml: good \\(.*, 1 warning\\)\n$`,
    ),
  );
  assert.match(
    stderr,
    /^warning: config\.toml:\d+: enforcer\.security\.revocation\.crlFiles\[1\]: crl .*\/none: failed: names no file; write the path/,
  );
  assert.equal(code, 0);
  assert.equal(server.asked.length, asked);
});

test('check-config warns of a load balancer’s CA that no CRL file is of', async () => {
  const balancers = opensslCa('LB CA');
  const sender = [
    '[enforcer.security.mutualSSL]',
    'enableClientValidation = false',
    'trustedSenders = ["alias:lb"]',
    '[[enforcer.security.mutualSSL.senders]]',
    'alias = "lb"',
    `caFile = "${balancers.certificateFile}"`,
  ];
  const own = '[[enforcer.security.revocation.cas]]';
  const warned = async (...lines: readonly string[]): Promise<boolean> => {
    const { stderr } = await call('check-config', ...lines, ...sender);
    return /crlFiles\[0\]: no list of CN=LB CA that counts is in any of its crlFiles; everything that CN=LB CA issued is refused/.test(
      stderr,
    );
  };
  assert.equal(await warned('crlFiles = ["crls/"]'), true);
  assert.equal(await warned('crlFiles = ["crls/"]', 'mode = "soft-fail"'), false);
  assert.equal(await warned('crlFiles = ["crls/"]', `crlUrls = ["${server.url}/ca.crl"]`), false);
  const off = [own, `caFile = "${balancers.certificateFile}"`, 'mode = "off"'];
  assert.equal(await warned('crlFiles = ["crls/"]', ...off), false);
  const itsCrl = join(folder, 'crls', 'lb.crl');
  writeFileSync(itsCrl, balancers.crl());
  assert.equal(await warned('crlFiles = ["crls/"]'), false);
  rmSync(itsCrl);
});

const refused = 'everything that CN=Command CA issued is refused \\(revocation_unknown, by hard-fail\\)';
const wrong: readonly [what: string, lines: readonly string[], says: string][] = [
  [
    'out of date',
    ['crlFiles = ["late.crl"]'],
    `2: enforcer.security.revocation.crlFiles\\[0\\]: crl .*/late.crl: OUT OF DATE since .*Z, 1 revoked; ${refused}`,
  ],
  [
    'out of date, of one CA alone',
    ['[[enforcer.security.revocation.cas]]', `caFile = "${ca.certificateFile}"`, 'crlFiles = ["late.crl"]'],
    `4: enforcer.security.revocation.cas\\[0\\].crlFiles\\[0\\]: crl .*/late.crl: OUT OF DATE since .*; ${refused}`,
  ],
  [
    'out of date, beside a source that is not asked here',
    ['crlFiles = ["late.crl"]', `ocspResponder = "${server.url}/ocsp"`],
    `2: .*OUT OF DATE since .*; ${refused}, unless another of its sources tells`,
  ],
  [
    'out of date, and admitted all the same',
    ['mode = "soft-fail"', 'crlFiles = ["late.crl"]'],
    '3: .*OUT OF DATE since .*; nothing that CN=Command CA issued is known to be revoked, and it is admitted \\(soft-fail\\)',
  ],
  ['missing', ['crlFiles = ["none.crl"]'], `2: .*crlFiles\\[0\\]: crl .*/none.crl: failed: .*; ${refused}`],
  [
    'a certificate',
    ['crlFiles = ["certificate.crl"]'],
    `2: .*crlFiles\\[0\\]: crl .*/certificate.crl: failed: .*; ${refused}`,
  ],
  [
    'of a CA that nobody here has',
    ['crlFiles = ["others.crl"]'],
    `2: .*crlFiles\\[0\\]: crl .*/others.crl: failed: .*; ${refused}`,
  ],
];
for (const [what, lines, says] of wrong) {
  test(`check-config says whom a CRL file keeps out that is ${what}`, async () => {
    const { code, stderr } = await call('check-config --strict', ...lines);
    assert.match(stderr, new RegExp(`^warning: config\\.toml:${says}\n$`));
    assert.equal(code, 78);
  });
}

test('a CRL in place of one that has ended is enough', async () => {
  const { code, stderr } = await call('check-config --strict', 'crlFiles = ["late.crl", "crls/"]');
  assert.match(stderr, /crlFiles\[0\]: crl .*OUT OF DATE since [^;]*\n$/);
  assert.equal(code, 78);
});

test('check-config tells of a CA that no CRL file is about', async () => {
  const { code, stderr } = await call(
    'check-config --strict',
    'crlFiles = ["crls/"]',
    `[[clients]]\nalias = "b"\ncaFile = "${other.certificateFile}"`,
  );
  assert.match(
    stderr,
    /warning: config\.toml:2: enforcer\.security\.revocation\.crlFiles\[0\]: no list of CN=Other CA that counts is in any of its crlFiles; everything that CN=Other CA issued is refused/,
  );
  assert.equal(code, 78);
});

test('revocation ends with 69 where a source is out of date', async () => {
  const { code, stdout } = await call('revocation', 'crlFiles = ["late.crl"]');
  assert.match(stdout, /^crl .*late\.crl: OUT OF DATE since .*Z, 1 revoked\n$/);
  assert.equal(code, 69);
});
