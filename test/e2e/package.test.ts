import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'package-'));
after(() => rmSync(folder, { recursive: true }));

test('the packed package runs on plain Node, installed into an empty folder', {
  timeout: 180_000,
}, async () => {
  // npm as it was called with, and the Node that these tests run on.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  const npm = (args: string[], cwd: string) => run('npm', args, { cwd, env });
  await npm(['pack', '--pack-destination', folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  await npm(['install', '--omit=dev', '--ignore-scripts', '--prefer-offline', tarball], folder);

  const command = join(folder, 'node_modules/.bin/mtls-enforcer');
  const call = (...args: string[]) =>
    run(command, args, { cwd: folder, env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        stdout,
        stderr,
      }),
    );
  assert.match((await call('--version')).stdout, /^mtls-enforcer \d+\.\d+\.\d+\n$/);
  assert.match((await call('--help')).stdout, /mtls-enforcer serve/);
  assert.equal((await call('--nonsense')).code, 64);
  assert.equal((await call('check-config')).code, 78);

  const port = await freePort();
  writeFileSync(
    join(folder, 'config.toml'),
    `[enforcer.authService]\nport = ${port}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\nbackend = "https://127.0.0.1:1/"\n`,
  );
  assert.match((await call('check-config')).stdout, /good \(1 API, 0 clients, 1 warning\)/);
  assert.match((await call('envoy-config')).stdout, /static_resources:/);
  assert.equal((await call('health')).code, 69, 'nothing runs yet');
  const service = execFile(command, ['serve'], { cwd: folder, env });
  try {
    let log = '';
    await new Promise<void>((resolve, reject) => {
      service.stderr?.on('data', (text: string) => {
        log += text;
        if (log.includes('started')) resolve();
      });
      service.once('exit', () => reject(new Error(log)));
    });
    assert.equal((await call('health')).stdout, 'SERVING\n');
  } finally {
    const ended = new Promise<number | null>((resolve) => service.once('exit', resolve));
    service.kill('SIGTERM');
    assert.equal(await ended, 0);
  }
});
