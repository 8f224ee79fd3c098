import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = mkdtempSync(join(tmpdir(), 'reading-'));
after(() => rmSync(root, { recursive: true }));

test('a file system that hangs ends one reading, and not those after it', async () => {
  for (const name of ['hangs', 'good'])
    writeFileSync(join(root, `${name}.toml`), '[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\n');
  const pipe = join(root, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // What is opened there waits in the system for whoever writes into a pipe, where nothing can end it.
  const hanging = `import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { openSync } = fs;
fs.openSync = (path, flags) => (String(path).endsWith('hangs.toml') ? openSync('${pipe}', 'r') : openSync(path, flags));
syncBuiltinESMExports();`;
  const reading = `import { ReadingThread } from '${new URL('../../../src/provision/reading-thread.ts', import.meta.url)}';
const thread = new ReadingThread({ patience: 1_000, heapMegabytes: 512 });
for (const name of ['hangs', 'good'])
  console.log(await thread.own('${root}/' + name + '.toml', {}).then((own) => 'ok' in own, String));`;
  for (const [name, script] of Object.entries({ hanging, reading }))
    writeFileSync(join(root, `${name}.mjs`), script);
  const child = execFile(process.execPath, [
    '--import',
    join(root, 'hanging.mjs'),
    join(root, 'reading.mjs'),
  ]);
  let out = '';
  child.stdout!.on('data', (text: string) => {
    out += text;
    // It can not end before that thread does.
    if (out.includes('true')) child.kill('SIGKILL');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await once(child, 'close');
  clearTimeout(timer);
  assert.equal(out, 'ReadingError: took more than 1 s\ntrue\n');
});
