import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
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
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

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
  assert.deepEqual(news, [{ kind: 'needs-envoy' }]);
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
  assert.equal(news[0]!.kind, 'failed');
  rmSync(folder);
  while (news.length < 2) await turn();
  assert.deepEqual(news.at(-1), { kind: 'mended' });
  assert.equal(at(folder)('routes.json'), 'a');
  await envoy.close();
});

test('what can not even be made is told, leaves the last good ones, and ends nothing', async () => {
  const folder = join(root, 'unmade');
  const news: EnvoyFolderNews[] = [];
  const envoy = new EnvoyFolder((told) => news.push(told), times);
  await envoy.writeAll({ folder, files: files('a') });
  const tooLarge = (): never => {
    throw new RangeError('Invalid string length');
  };
  envoy.update(tooLarge);
  envoy.update(tooLarge);
  assert.deepEqual(news, [{ kind: 'failed', reason: 'Invalid string length' }]);
  assert.equal(at(folder)('routes.json'), 'a');
  envoy.update(() => ({ folder, files: files('b') }));
  while (news.length < 2) await turn();
  assert.deepEqual(news.at(-1), { kind: 'mended' });
  assert.equal(at(folder)('routes.json'), 'b');
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
