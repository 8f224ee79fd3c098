import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));

/** `--version` of a Node that says it is this one. */
function startedBy(version: string) {
  const versions = `{...process.versions,node:${JSON.stringify(version)}}`;
  const pretend = `Object.defineProperty(process,'versions',{value:${versions}})`;
  return spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, start, '--version'],
    { encoding: 'utf8' },
  );
}

for (const version of ['20.19.0', '22.23.2', '24.2.0', '24.7.0', '24.16.0'])
  test(`Node ${version} is too old`, () => {
    const { status, stdout, stderr } = startedBy(version);
    assert.deepEqual([status, stdout], [69, '']);
    assert.equal(
      stderr,
      `mtls-enforcer: this is Node ${version}, and 24.17 or newer is needed; install it, or run: npx -y -p node@24 mtls-enforcer\n`,
    );
  });

for (const version of ['24.17.0', '24.21.0', '25.0.0', '26.5.1', '27.0.0-nightly20270101abcdef0123'])
  test(`Node ${version} is new enough`, () => {
    const { status, stdout } = startedBy(version);
    assert.equal(status, 0);
    assert.match(stdout, /^mtls-enforcer \d/);
  });

test('the package says the same', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  assert.equal((JSON.parse(text) as { engines: { node: string } }).engines.node, '>=24.17');
});
