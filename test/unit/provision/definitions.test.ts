import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { strToU8, zipSync } from 'fflate';
import { problemLine } from '../../../src/config/problem.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import { readDefinition } from '../../../src/definitions/readers.ts';
import { writeToml } from '../../../src/definitions/write-toml.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';
import { outcome } from '../../support/enforcer.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const globex = await selfSigned({ subject: 'CN=globex' });
const folder = mkdtempSync(join(tmpdir(), 'definitions-'));
after(() => rmSync(folder, { recursive: true }));

const proxy = (name: string, pem = acme.pem, basePath = `/${name}`): string =>
  `- name: ${name}\n  version: v1\n  basePath: ${basePath}\n  policies:\n    - policy: MTLS Authenticator\n      Certificate Content: "${encodeURIComponent(pem)}"\n`;
const toml = `[[definitions]]\nkind = "bijira"\npath = "*.yaml"\n`;
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
function load(before?: Provisioned, text = toml): Provisioned {
  put('config.toml', text);
  const loaded = loadConfig(join(folder, 'config.toml'), {}, now, { ...(before && { before }) });
  if (isProblems(loaded)) throw new Error(loaded.map(problemLine).join('\n'));
  return loaded;
}
const call = (loaded: Provisioned, path: string, pem = acme.pem) =>
  outcome({ path, certificate: encodeURIComponent(pem) }, loaded.snapshot);

test('8: a broken API keeps its place and refuses everybody; the others go on, and nothing falls through', async () => {
  put('a.yaml', proxy('root', acme.pem, '/') + proxy('one'));
  put('b.yaml', proxy('two'));
  const good = load();
  assert.deepEqual(good.problems, []);
  assert.equal(await call(good, '/one/x'), 'mtls-authenticator');
  put('a.yaml', proxy('root', acme.pem, '/') + proxy('one', 'no certificate'));
  const first = load();
  assert.equal(await call(first, '/one/x'), 'api_misconfigured', 'never seen good');
  assert.equal(await call(first, '/two/x'), 'mtls-authenticator');
  assert.match(first.problems.map(problemLine).join('\n'), /a\.yaml:\d+: .*/);
  const later = load(good);
  assert.equal(await call(later, '/one/x'), 'mtls-authenticator', 'in its last good state');
  assert.ok(later.problems.length > 0);
  put('a.yaml', proxy('root', acme.pem, '/') + proxy('one', globex.pem));
  const mended = load(later);
  assert.equal(await call(mended, '/one/x'), 'certificate_not_bound');
  assert.equal(await call(mended, '/one/x', globex.pem), 'mtls-authenticator');
});

test('a misspelt policy opens nothing: neither at a start nor at a reload', async () => {
  put('a.yaml', proxy('root', acme.pem, '/') + proxy('one'));
  put('b.yaml', '');
  const good = load();
  put('a.yaml', (proxy('root', acme.pem, '/') + proxy('one')).replaceAll('Authenticator', 'Authenticater'));
  assert.equal(await outcome({ path: '/one/x' }, load().snapshot), 'api_misconfigured');
  assert.equal(await outcome({ path: '/one/x' }, load(good).snapshot), 'certificate_missing');
  assert.equal(await call(load(good), '/one/x'), 'mtls-authenticator', 'in its last good state');
});

test('a file that is broken as a whole: all that it said last is as it was', async () => {
  put('a.yaml', proxy('one') + proxy('three'));
  const good = load();
  put('a.yaml', '- name: [');
  const later = load(good);
  assert.equal(await call(later, '/one/x'), 'mtls-authenticator');
  assert.equal(await call(later, '/three/x'), 'mtls-authenticator');
  const again = load(later);
  assert.equal(await call(again, '/three/x'), 'mtls-authenticator', 'however often it is read');
  put('a.yaml', proxy('one'));
  const mended = load(again);
  assert.equal(await call(mended, '/three/x'), 'api_not_found', 'what is gone is gone once it can be read');
});

test('a project that can not even be told which it is: what it said last is as it was', async () => {
  const write = (text: string): void => {
    mkdirSync(join(folder, 'p/Client-certificates'), { recursive: true });
    put('p/Client-certificates/client_certificates.yaml', 'data:\n  - alias: acme\n    certificate: a.crt\n');
    put('p/Client-certificates/a.crt', acme.pem);
    put('p/api.yaml', text);
  };
  const toml = '[[definitions]]\nkind = "choreo-connect"\npath = "p"\n';
  write('data:\n  name: p\n  version: "1"\n  context: /p\n  securityScheme: [mutualssl]\n');
  const good = load(undefined, toml);
  assert.equal(await call(good, '/p/1/x'), 'acme');
  write('x: [');
  const later = load(good, toml);
  assert.equal(await call(later, '/p/1/x'), 'acme');
  assert.equal(later.problems.length, 1);
  assert.equal(
    await call(load(undefined, toml), '/p/1/x'),
    'api_not_found',
    'never seen good, and no place to keep',
  );
  write('data:\n  name: p\n  context: /p\n  version: "1"\n  x: [');
  assert.equal(
    await call(load(undefined, toml), '/p/1/x'),
    'api_misconfigured',
    'a place that can be found is kept',
  );
});

test('who is taken out of a project is out, also the last one', async () => {
  const toml = '[[definitions]]\nkind = "choreo-connect"\npath = "last"\n';
  mkdirSync(join(folder, 'last/Client-certificates'), { recursive: true });
  put(
    'last/api.yaml',
    'data:\n  name: last\n  version: "1"\n  context: /last\n  securityScheme: [mutualssl]\n',
  );
  put(
    'last/Client-certificates/client_certificates.yaml',
    'data:\n  - alias: acme\n    certificate: a.crt\n',
  );
  put('last/Client-certificates/a.crt', acme.pem);
  const good = load(undefined, toml);
  assert.equal(await call(good, '/last/1/x'), 'acme');
  put('last/Client-certificates/client_certificates.yaml', 'data: []\n');
  const later = load(good, toml);
  assert.deepEqual(later.problems, []);
  assert.match(await call(later, '/last/1/x'), /^(issuer_unknown|certificate_not_bound)$/);
});

test('an archive that is being written keeps its API in its last good state', async () => {
  const toml = '[[definitions]]\nkind = "choreo-connect"\npath = "p.zip"\n';
  const whole = zipSync({
    'p/api.yaml': strToU8('data:\n  name: p\n  version: "1"\n  context: /z\n  securityScheme: [mutualssl]\n'),
    'p/Client-certificates/client_certificates.yaml': strToU8(
      'data:\n  - alias: acme\n    certificate: a.crt\n',
    ),
    'p/Client-certificates/a.crt': strToU8(acme.pem),
  });
  writeFileSync(join(folder, 'p.zip'), whole);
  const good = load(undefined, toml);
  assert.equal(await call(good, '/z/1/x'), 'acme');
  writeFileSync(join(folder, 'p.zip'), whole.subarray(0, whole.length / 2));
  const later = load(good, toml);
  assert.equal(await call(later, '/z/1/x'), 'acme');
  assert.equal(later.problems.length, 1);
});

test('an API that is taken out of the files is gone', async () => {
  put('a.yaml', proxy('one') + proxy('three'));
  const good = load();
  put('a.yaml', proxy('one'));
  assert.equal(await call(load(good), '/three/x'), 'api_not_found');
});

test('an API of more than 1,000 hosts is a broken one: it keeps the first of them, and all that nobody names', async () => {
  const hosts = (from: number, to: number): string =>
    `  hosts: [${Array.from({ length: to - from }, (_, i) => `h${from + i}.test`).join(', ')}]\n`;
  const reached = (loaded: Provisioned, host: string) =>
    outcome({ path: '/mine/x', host, certificate: encodeURIComponent(acme.pem) }, loaded.snapshot);
  const open = `[[apis]]\nname = "open"\nversion = "1"\nbasePath = "/"\nmutualSSL = "off"\n`;
  const named = open.replace('"/"', `"/own"\nhosts = ${JSON.stringify(Array(1001).fill('own.test'))}`);
  put('b.yaml', '');
  // Nine thousand of one file, each API below the end.
  const mine = Array.from({ length: 9 }, (_, i) => proxy('mine') + hosts(i * 1000, (i + 1) * 1000));
  put('a.yaml', mine.join(''));
  const good = load(undefined, open + named + toml);
  assert.deepEqual(good.problems, []);
  assert.equal(await reached(good, 'h8999.test'), 'mtls-authenticator');
  put('a.yaml', proxy('mine') + hosts(0, 1_500) + proxy('other'));
  const first = load(undefined, open + named + toml);
  assert.deepEqual(
    first.problems.map(({ line, key, message }) => ({ line, key, message })),
    [
      {
        line: 1,
        key: 'hosts',
        message:
          'found 1500 hosts, more than 1000 of one API are not taken; write "*.example.com" for those of one domain, or share them among several APIs',
      },
    ],
  );
  for (const host of ['h0.test', 'h999.test', 'h1499.test'])
    assert.equal(await reached(first, host), 'api_misconfigured', host);
  assert.equal(first.config.apis.find(({ name }) => name === 'mine')!.hosts.length, 1001);
  const other = { path: '/other', certificate: encodeURIComponent(acme.pem) };
  assert.equal(await outcome(other, first.snapshot), 'mtls-authenticator', 'the others go on');
  assert.equal(
    await reached(load(good, open + named + toml), 'h8999.test'),
    'mtls-authenticator',
    'last good',
  );
});

test('two that claim one place: the one that had it keeps it; where neither had, both are the broken ones', async () => {
  put('a.yaml', proxy('one'));
  const first = load();
  put('a.yaml', proxy('other', globex.pem, '/one') + proxy('one'));
  const loaded = load(first);
  assert.equal(await call(loaded, '/one/x'), 'mtls-authenticator');
  assert.equal(await call(load(), '/one/x'), 'api_misconfigured');
  assert.match(
    loaded.problems.map(problemLine).join('\n'),
    /"other" v1 claims \*\/one, which "one" v1 \(.*a\.yaml:\d+\) has already/,
  );
});

test('aliases of two APIs never meet', async () => {
  put('a.yaml', proxy('one') + proxy('three', globex.pem));
  const loaded = load();
  assert.equal(await call(loaded, '/one/x', globex.pem), 'certificate_not_bound');
  assert.equal(await call(loaded, '/three/x', globex.pem), 'mtls-authenticator');
});

test('config.toml’s own APIs stay all or nothing', () => {
  put('a.yaml', proxy('one'));
  assert.throws(
    () => load(undefined, `${toml}[[apis]]\nname = "own"\nversion = "1"\nbasePath = "/own"\n`),
    /"own" needs a certificate but is bound to no alias/,
  );
});

test('import prints what is read as config.toml, and it reads the same', () => {
  put('a.yaml', proxy('one') + proxy('three', globex.pem));
  const definition = readDefinition({
    kind: 'bijira',
    path: join(folder, 'a.yaml'),
    trustedSenders: ['10.0.0.0/8'],
    backend: undefined,
    home: undefined,
  });
  const text = writeToml(definition);
  const read = readConfig(text, 'config.toml', {});
  assert.ok('config' in read, JSON.stringify(read));
  assert.deepEqual(
    read.config.apis.map(({ name, clients }) => [name, clients[0]?.pem?.trim()]),
    [
      ['one', acme.pem.trim()],
      ['three', globex.pem.trim()],
    ],
  );
});

test('whatever stands in a foreign file, import’s comments and texts end where they should', () => {
  const evil = 'x"\n[enforcer]\n# \u0000\u2028';
  const text = writeToml({
    tokenServices: [],
    problems: [],
    warnings: [],
    apis: [
      {
        origin: { file: evil, line: 1 },
        problems: [],
        notes: [{ key: 'name', text: evil }],
        written: {
          name: evil,
          version: "'''\n1",
          basePath: '/x',
          mutualSSL: 'off',
          applicationSecurity: 'off',
          hosts: ['*'],
        },
      },
    ],
  });
  const read = readConfig(text, 'config.toml', {});
  assert.ok('config' in read, JSON.stringify(read));
  assert.deepEqual([read.config.apis[0]?.name, read.config.apis[0]?.version], [evil, "'''\n1"]);
});
