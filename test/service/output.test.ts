import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'output-'));
after(() => rmSync(folder, { recursive: true }));
const config = join(folder, 'config.toml');
const port = await freePort();
writeFileSync(
  config,
  `[enforcer.authService]\nport = ${port}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
);

/** Writes to the file descriptor given, or to a pipe that nobody reads. */
async function run(args: readonly string[], stdout: number | 'nobody') {
  const child = spawn(process.execPath, [start, ...args], {
    stdio: ['ignore', stdout === 'nobody' ? 'pipe' : stdout, 'pipe'],
  });
  child.stdout?.destroy();
  const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
  return { code, stderr };
}

const printing: readonly (readonly string[])[] = [
  ['--version'],
  ['--help'],
  ['serve', '--help'],
  ['import', '--help'],
  ['check-config', '--config', config],
  ['envoy-config', '--config', config],
  ['health', '--config', config],
  ['import', '--from', 'apk', fileURLToPath(new URL('../../examples/apk', import.meta.url))],
];
test('a command whose output can’t be written says so and exits 74', async (t) => {
  const enforcer = await EnforcerProcess.start(config); // `health` has nothing to print without
  const full = openSync('/dev/full', 'w');
  for (const args of printing) {
    await t.test(`${args[0]} ${args.includes('--help') ? '--help ' : ''}> /dev/full`, async () => {
      const { code, stderr } = await run(args, full);
      assert.equal(code, 74, stderr);
      assert.match(
        stderr,
        /^mtls-enforcer: standard output could not be written \(ENOSPC\): what is there is not all of it$/m,
      );
    });
  }
  closeSync(full);
  await enforcer.stop();
});

test('so does one whose reader goes away before it has read all', async () => {
  const { code, stderr } = await run(['envoy-config', '--config', config], 'nobody');
  assert.equal(code, 74, stderr);
  assert.match(stderr, /standard output could not be written \(EPIPE\)/);
});
