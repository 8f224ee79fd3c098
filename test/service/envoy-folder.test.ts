import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EnvoyFolder, type EnvoyFolderNews } from '../../src/service/envoy-folder.ts';
import { serve } from '../../src/service/serve.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';

const root = mkdtempSync(join(tmpdir(), 'envoy-folder-'));
after(() => rmSync(root, { recursive: true }));
const times = { warming: 30, fading: 30, retry: 10 };

/** Routes that name this cluster, which is the only one. */
const files = (cluster: string, bootstrap = 'first'): ReadonlyMap<string, string> =>
  new Map([
    ['clusters.json', JSON.stringify({ resources: [{ name: cluster }] })],
    ['routes.json', cluster],
    ['envoy.yaml', bootstrap],
  ]);
const at = (folder: string) => (name: string) => readFileSync(join(folder, name), 'utf8');
async function until(holds: () => void): Promise<void> {
  for (const end = performance.now() + 10_000; ; await turn())
    try {
      return holds();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
}
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

test('clusters that no route names go, however often the configuration changes', async () => {
  const folder = join(root, 'often');
  const slow = { ...times, warming: 5, fading: 60 };
  const envoy = new EnvoyFolder(() => {}, slow);
  await envoy.writeAll({ folder, files: files('0') });
  const read = at(folder);
  for (let i = 1; i <= 30; i++) {
    envoy.update(() => ({ folder, files: files(`${i}`) }));
    await until(() => assert.equal(read('routes.json'), `${i}`));
    const end = performance.now() + slow.fading / 3;
    await until(() => assert.ok(performance.now() > end));
  }
  const { resources } = JSON.parse(read('clusters.json')) as { readonly resources: readonly unknown[] };
  assert.ok(resources.length < 15, `${resources.length} clusters, of which one is named`);
  await envoy.close();
});

test('no route names a cluster that is not there, whenever it is looked; and what is gone is gone in the end', async () => {
  const folder = join(root, 'order');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await envoy.writeAll({ folder, files: files('a') });
  const read = at(folder);
  for (const [cluster, next] of [['b', 'c'], ['d']]) {
    envoy.update(() => ({ folder, files: files(cluster!) }));
    // One that comes while the one before is half done.
    if (next !== undefined) envoy.update(() => ({ folder, files: files(next) }));
    const last = JSON.stringify({ resources: [{ name: next ?? cluster }] });
    while (read('clusters.json') !== last || read('routes.json') !== (next ?? cluster)) {
      assert.ok(read('clusters.json').includes(`"${read('routes.json')}"`));
      await turn();
    }
  }
  assert.deepEqual(news, []);
  envoy.update(() => ({ folder, files: files('d', 'second') }));
  while (news.length === 0) await turn();
  assert.deepEqual(news, [{ kind: 'needs-envoy', isFolder: false }]);
  await envoy.close();
  assert.deepEqual(readdirSync(folder).sort(), ['clusters.json', 'envoy.yaml', 'routes.json']);
});

test('what keeps it from being written is told once, and it is written as soon as it can be', async () => {
  const folder = join(root, 'taken');
  writeFileSync(folder, 'a file');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await assert.rejects(envoy.writeAll({ folder, files: files('a') }), /EEXIST/);
  envoy.update(() => ({ folder, files: files('a') }));
  for (let i = 0; i < 30; i++) await turn();
  assert.equal(news.length, 1);
  assert.equal(news[0]!.kind, 'unwritten');
  rmSync(folder);
  while (news.at(-1)!.kind !== 'mended') await turn();
  assert.deepEqual(news.at(-1), { kind: 'mended' });
  assert.equal(at(folder)('routes.json'), 'a');
  await envoy.close();
});

test('what can not even be made is told, leaves the last good ones, and ends nothing', async () => {
  const folder = join(root, 'unmade');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await envoy.writeAll({ folder, files: files('a') });
  envoy.update(tooLarge);
  envoy.update(tooLarge);
  assert.deepEqual(news, [{ kind: 'unmade', reason: 'Invalid string length' }]);
  assert.equal(at(folder)('routes.json'), 'a');
  envoy.update(() => ({ folder, files: files('b') }));
  while (news.length < 2) await turn();
  assert.deepEqual(news.at(-1), { kind: 'mended' });
  assert.equal(at(folder)('routes.json'), 'b');
  await envoy.close();
});

const tooLarge = (): never => {
  throw new RangeError('Invalid string length');
};
const kindsOf = (news: readonly EnvoyFolderNews[]): readonly string[] => news.map(({ kind }) => kind);
const now = (folder: string): readonly string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => `${name} ${at(folder)(name)}`);
const whole = (cluster: string, bootstrap?: string): readonly string[] =>
  [...files(cluster, bootstrap)].map(([name, text]) => `${name} ${text}`).sort();

test('what can not be made while those before are being written: those are written to their end', async () => {
  const folder = join(root, 'unmade-meanwhile');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await envoy.writeAll({ folder, files: files('a') });
  envoy.update(() => ({ folder, files: files('b') }));
  envoy.update(tooLarge);
  await until(() => assert.deepEqual(now(folder), whole('b')));
  for (let i = 0; i < 30; i++) await turn();
  assert.deepEqual(kindsOf(news), ['unmade'], 'and what is in force is still not what Envoy has');
  envoy.update(() => ({ folder, files: files('c') }));
  await until(() => assert.deepEqual(kindsOf(news), ['unmade', 'mended']));
  assert.deepEqual(now(folder), whole('c'));
  await envoy.close();
});

test('what keeps one file from being written leaves all of those before, and nothing else', async () => {
  const folder = join(root, 'half');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await envoy.writeAll({ folder, files: files('a') });
  // The last of them.
  const inTheWay = join(folder, 'envoy.yaml.new');
  mkdirSync(inTheWay);
  envoy.update(() => ({ folder, files: files('b', 'second') }));
  await until(() => assert.deepEqual(kindsOf(news), ['unwritten']));
  for (let i = 0; i < 30; i++) await turn();
  for (const [name, text] of files('a')) assert.equal(at(folder)(name), text);
  rmdirSync(inTheWay);
  await until(() => assert.deepEqual(kindsOf(news), ['unwritten', 'needs-envoy', 'mended']));
  assert.deepEqual(now(folder), whole('b', 'second'));
  await envoy.close();
});

test('a change a moment after each other: the ones before reach Envoy all the same', async () => {
  const folder = join(root, 'often');
  const envoy = new EnvoyFolder(() => {}, { ...times, warming: 50 });
  await envoy.writeAll({ folder, files: files('0') });
  for (let i = 1; at(folder)('routes.json') === '0'; i++) {
    assert.ok(i < 5_000, 'no end is seen');
    envoy.update(() => ({ folder, files: files(`${i}`) }));
    await turn();
  }
  await envoy.close();
});

test('an end in the middle leaves routes with their clusters, and the next start writes all', async () => {
  const folder = join(root, 'ended');
  const first = new EnvoyFolder(() => {}, { ...times, warming: 60_000 });
  await first.writeAll({ folder, files: files('a') });
  first.update(() => ({ folder, files: files('b') }));
  await until(() => assert.match(at(folder)('clusters.json'), /"b".*"a"/s));
  await first.close();
  assert.deepEqual(readdirSync(folder).sort(), ['clusters.json', 'envoy.yaml', 'routes.json']);
  assert.equal(at(folder)('routes.json'), 'a');
  // One that was killed leaves what it was writing, too.
  writeFileSync(join(folder, 'routes.json.new'), 'half of');
  const next = new EnvoyFolder(() => {}, times);
  await next.writeAll({ folder, files: files('c') });
  assert.deepEqual(now(folder), whole('c'));
  await next.close();
});

const harms: readonly [string, (folder: string) => void, told: readonly string[]][] = [
  ['a file is taken away', (folder) => rmSync(join(folder, 'routes.json')), ['changed']],
  ['a file is another', (folder) => writeFileSync(join(folder, 'clusters.json'), '{'), ['changed']],
  [
    'all files are taken away',
    (folder) => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
    },
    ['changed'],
  ],
  [
    'the folder is taken away, which Envoy watches',
    (folder) => rmSync(folder, { recursive: true }),
    ['changed', 'needs-envoy'],
  ],
];
for (const [i, [name, harm, told]] of harms.entries())
  test(`${name}: it is put back and told, also of those before what could not be made`, async () => {
    const folder = join(root, `harmed-${i}`);
    const news: EnvoyFolderNews[] = [];
    const envoy = new EnvoyFolder((each) => news.push(each), times);
    envoy.update(tooLarge);
    envoy.update(() => ({ folder, files: files('a') }));
    await until(() => assert.equal(news.at(-1)!.kind, 'mended'));
    envoy.update(tooLarge);
    news.length = 0;
    harm(folder);
    await until(() => assert.deepEqual(now(folder), whole('a')));
    await until(() => assert.deepEqual(kindsOf(news), told));
    await envoy.close();
  });

test('a folder that is none of ours any more is left as others want it', async () => {
  const folder = join(root, 'given-up');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((each) => news.push(each), times);
  envoy.update(tooLarge);
  envoy.update(() => ({ folder, files: files('a') }));
  await until(() => assert.equal(news.at(-1)!.kind, 'mended'));
  envoy.update(() => undefined);
  rmSync(folder, { recursive: true });
  for (let i = 0; i < 60; i++) await turn();
  assert.ok(!existsSync(folder));
  await envoy.close();
});

test('what could not be written yet is not written once it is wanted no more', async () => {
  const folder = join(root, 'no-more');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await envoy.writeAll({ folder, files: files('a') });
  const inTheWay = join(folder, 'routes.json.new');
  for (const cluster of ['b', 'c']) {
    mkdirSync(join(inTheWay, 'full'), { recursive: true });
    envoy.update(() => ({ folder, files: files(cluster) }));
    await until(() => assert.equal(news.at(-1)?.kind, 'unwritten'));
    envoy.update(() => undefined);
    rmSync(inTheWay, { recursive: true });
    const end = performance.now() + 20 * times.retry;
    await until(() => assert.ok(performance.now() > end));
    assert.equal(at(folder)('routes.json'), 'a');
    assert.deepEqual(news.splice(0).length, 1, 'nothing is mended, and another time it is told again');
  }
  await envoy.close();
});

test('a link that another has put in the place of a file to be is not written through', async () => {
  const folder = join(root, 'linked');
  const others = join(root, 'others');
  mkdirSync(folder);
  writeFileSync(others, 'of another');
  symlinkSync(others, join(folder, 'routes.json.new'));
  const envoy = new EnvoyFolder(() => {}, times);
  await envoy.writeAll({ folder, files: files('a') });
  await envoy.close();
  assert.equal(readFileSync(others, 'utf8'), 'of another');
  assert.equal(at(folder)('routes.json'), 'a');
});

test('what could not be written at the start is written without another change', {
  timeout: 60_000,
}, async () => {
  const folder = join(root, 'service');
  mkdirSync(folder);
  writeFileSync(join(folder, 'envoy'), 'a file');
  const file = join(folder, 'config.toml');
  writeFileSync(
    file,
    `[enforcer.reload]\nwatch = false\n[enforcer.authService]\nport = ${await freePort()}\n[router]\ndynamicFolder = "envoy"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
  );
  const enforcer = await EnforcerProcess.start(file);
  try {
    await enforcer.line(/Envoy's files .* can not be written/);
    rmSync(join(folder, 'envoy'));
    await enforcer.line(/Envoy's files are written again/);
    assert.ok(readdirSync(join(folder, 'envoy')).includes('envoy.yaml'));
  } finally {
    await enforcer.stop();
  }
});

test('a start that fails once it listens ends, and leaves nothing that answers', async () => {
  const port = await freePort();
  const file = join(root, 'half.toml');
  writeFileSync(file, `[enforcer.authService]\nport = ${port}\n`);
  const fails = (): never => {
    throw new Error('a fault of ours');
  };
  const options = { file, env: {}, version: '0', worker: undefined, onSignal: () => {}, onServing: fails };
  await assert.rejects(serve(options), /a fault of ours/);
  // It is free again.
  const next = createServer().listen(port, '127.0.0.1');
  await once(next, 'listening');
  next.close();
});
