import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../support/child.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'control-'));
after(() => rmSync(folder, { recursive: true }));
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const file = join(folder, 'config.toml');
const socket = join(folder, 'control.sock');
const port = await freePort();
const configure = (more = '', api = 'name = "a"'): void =>
  writeFileSync(
    file,
    `[enforcer.reload]\nwatch = false\n[enforcer.authService]\nport = ${port}\ncontrol = "control.sock"\n${more}\n[[apis]]\n${api}\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
  );

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };
const run = (...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });

test('reload and status tell what is in force, by exit code and in JSON', async () => {
  configure();
  const enforcer = await EnforcerProcess.start(file);
  try {
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const first = await run('status', '--config', file);
    assert.equal(first.code, 0, first.err);
    const { since, digest, ...facts } = JSON.parse(first.out);
    const { version } = JSON.parse(first.out);
    assert.deepEqual(facts, {
      pid: enforcer.pid,
      version,
      generation: 1,
      reading: false,
      refused: [],
      faulty: [],
    });
    assert.match(since, /^\d{4}-\d\d-\d\dT/);

    configure('', 'name = "b"');
    const second = await run('reload', '--config', file);
    assert.equal(second.code, 0, second.err);
    assert.equal(JSON.parse(second.out).generation, 2);
    assert.notEqual(JSON.parse(second.out).digest, digest);

    configure('', 'nmae = "b"');
    const refused = await run('reload', '--config', file);
    assert.equal(refused.code, 78);
    assert.match(refused.err, /config\.toml:\d+: .*unknown key; did you mean "name"/);
    assert.equal(JSON.parse(refused.out).generation, 2);
    assert.equal((await run('status', '--config', file)).code, 78, 'as long as it is so');

    writeFileSync(file, '[enforcer.authService]\ncontrol = "control.sock"\n[[apis');
    assert.equal((await run('reload', '--config', file)).code, 78, 'a file that is broken says where to ask');
    configure('', 'name = "b"');
    assert.equal((await run('reload', '--control', socket)).code, 0);
    assert.equal((await run('status', '--control', socket)).code, 0);
  } finally {
    await enforcer.stop();
  }
  const nobody = await run('status', '--config', file);
  assert.equal(nobody.code, 69);
  assert.match(
    nobody.err,
    /^mtls-enforcer: nobody answers on .*control\.sock\nmtls-enforcer: asked where .*config\.toml has the service: .*; if that was changed since the service started \(.*workers\), restart it/,
  );
  const given = await run('status', '--control', socket);
  assert.doesNotMatch(given.err, /config\.toml/);
});

test('what else is said on the socket is hung up on, and whoever says nothing keeps nobody from asking', async () => {
  configure();
  const enforcer = await EnforcerProcess.start(file);
  try {
    const silent = connect(socket);
    await once(silent, 'connect');
    for (const said of ['GET / HTTP/1.1\r\n\r\n', 'stop\n', 'x'.repeat(100_000), '\n']) {
      const other = connect(socket);
      other.on('error', () => {});
      other.write(said);
      const got: Buffer[] = [];
      other.on('data', (chunk: Buffer) => got.push(chunk));
      await new Promise<void>((resolve) => other.once('close', () => resolve()));
      assert.equal(Buffer.concat(got).toString(), '');
    }
    assert.equal((await run('status', '--control', socket)).code, 0);
    silent.destroy();
  } finally {
    await enforcer.stop();
  }
});

test('whoever has his answer and does not hang up keeps nobody from asking', async () => {
  configure();
  const enforcer = await EnforcerProcess.start(file);
  const askers = [];
  try {
    // More than are taken at a time.
    for (let i = 0; i < 20; i++) {
      const asker = connect({ path: socket, allowHalfOpen: true });
      askers.push(asker);
      asker.write('status\nand more');
      const [answer] = (await once(asker, 'data')) as [Buffer];
      assert.equal(JSON.parse(answer.toString()).pid, enforcer.pid);
      await once(asker, 'end');
    }
  } finally {
    for (const asker of askers) asker.destroy();
    await enforcer.stop();
  }
});

test('whoever loses the place of its socket to another stops to listen, and can end', async () => {
  const source = new URL('../../src/service/control-socket.ts', import.meta.url);
  const script = `import { openControl } from ${JSON.stringify(source)};
const open = () => openControl(${JSON.stringify(join(folder, 'wanted.sock'))}, () => {});
for (const { value } of await Promise.allSettled([open(), open()])) await value?.();`;
  const child = execFile(process.execPath, ['--input-type=module', '--eval', script], { timeout: 20_000 });
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
});

test('after other workers were written it says that these need a restart, and what the others answered', async () => {
  configure();
  const enforcer = await EnforcerProcess.start(file);
  configure('workers = 2');
  const asked = await run('reload', '--config', file);
  const { code, err } = await run('health', '--config', file);
  await enforcer.stop();
  assert.equal(asked.code, 69);
  assert.deepEqual(JSON.parse(asked.out).refused, []);
  assert.match(asked.err, /nobody answers on .*\.2\nmtls-enforcer: asked where .*, restart it/);
  assert.equal(code, 0);
  assert.match(err, /nobody answers there\nmtls-enforcer: asked where .*, restart it/);
});

test('of several workers all are asked', async () => {
  configure('workers = 2');
  const child = new Child('workers', [process.execPath, main, 'serve', '--config', file]);
  try {
    await child.line(/all workers serve/);
    const asked = await run('reload', '--config', file);
    assert.equal(asked.code, 0, asked.err);
    const lines = asked.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(lines.length, 2);
    assert.equal(lines[0].digest, lines[1].digest);
    assert.notEqual(lines[0].pid, lines[1].pid);
  } finally {
    await child.stop();
  }
});

test('without a socket it says what to write, and one that can not be is told at the start', async () => {
  writeFileSync(file, '[enforcer.authService]\nport = 8081\n');
  const none = await run('reload', '--config', file);
  assert.equal(none.code, 64);
  assert.match(none.err, /^mtls-enforcer: .* has no control.*; write control = ".*\n$/);
  configure();
  const text = `[enforcer.authService]\nport = ${port}\ncontrol = "none/control.sock"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`;
  writeFileSync(file, text);
  const serve = await run('serve', '--config', file);
  assert.equal(serve.code, 69);
  assert.match(
    serve.err,
    /config\.toml:3: enforcer\.authService\.control: the folder of the socket .* does not exist/,
  );
});
