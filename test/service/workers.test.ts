import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../support/child.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { openCheck } from '../support/open-check.ts';

const folder = mkdtempSync(join(tmpdir(), 'workers-'));
after(() => rmSync(folder, { recursive: true }));
const main = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const sockets = [join(folder, 'authz.sock'), join(folder, 'authz.sock.2')] as const;
const config = join(folder, 'config.toml');

const configure = (more = '', apis = 1): void =>
  writeFileSync(
    config,
    `[enforcer.authService]\nsocket = "authz.sock"\nworkers = 2\n${more}\n${Array.from(
      { length: apis },
      (_, i) => `[[apis]]\nname = "a${i}"\nversion = "1"\nbasePath = "/a${i}"\nmutualSSL = "off"\n`,
    ).join('')}`,
  );

let enforcer: EnforcerProcess | undefined;
afterEach(async () => {
  await enforcer?.stop();
  enforcer = undefined;
});
async function start(more = ''): Promise<EnforcerProcess> {
  configure(more);
  enforcer = await EnforcerProcess.start(config);
  await enforcer.line(/all workers serve workers=2/);
  return enforcer;
}

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
const run = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
const pidOf = ({ lines }: EnforcerProcess, worker: number): number => {
  const line = lines.findLast((line) => new RegExp(`info +started .*worker=${worker}$`).test(line));
  return Number(/ pid=(\d+)/.exec(line!)![1]);
};

test('each worker listens on a socket of its own; all are told, and SIGTERM ends all in good order', async () => {
  const enforcer = await start();
  for (const [i, socket] of sockets.entries()) {
    assert.ok(existsSync(socket));
    await enforcer.line(new RegExp(`info +started .*listening=unix:${socket} .*worker=${i + 1}$`));
  }
  const from = enforcer.lines.length;
  configure('', 3);
  enforcer.kill('SIGHUP');
  for (const worker of [1, 2])
    await enforcer.line(new RegExp(`info +reloaded .* apis=3 .*worker=${worker}$`), from);
  enforcer.kill('SIGUSR1');
  await enforcer.line(/warn +this signal is not used; .*SIGUSR2 renews the workers/, from);
  assert.deepEqual(await enforcer.stop(), { code: 0, signal: null });
  assert.match(enforcer.lines.at(-1)!, /info +stopped$/);
  for (const socket of sockets) assert.equal(existsSync(socket), false);
});

test('the supervisor writes its log as the configuration says that is in force', async () => {
  const enforcer = await start();
  const from = enforcer.lines.length;
  configure('[enforcer.log]\nformat = "json"');
  enforcer.kill('SIGHUP');
  for (const worker of [1, 2])
    await enforcer.line(new RegExp(`"message":"reloaded".*"worker":${worker}`), from);
  // It hears of it a moment later.
  enforcer.kill('SIGUSR2');
  await enforcer.line(/^\{.*"message":"renewed"/, from);
});

test('health: one worker that serves is enough, and the other is told', async () => {
  const enforcer = await start();
  assert.deepEqual(await run('health', '--config', config), { code: 0, stdout: 'SERVING\n', stderr: '' });
  process.kill(pidOf(enforcer, 1), 'SIGSTOP');
  const { code, stdout, stderr } = await run('health', '--config', config);
  process.kill(pidOf(enforcer, 1), 'SIGCONT');
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'SERVING\n' });
  assert.match(stderr, /^mtls-enforcer: .*\n$/);
  await enforcer.stop();
  assert.equal((await run('health', '--config', config)).code, 69);
});

test('a renewal that fails leaves the others as they are; SIGHUP starts the failed one as soon as it is mended', async () => {
  const enforcer = await start();
  const good = readFileSync(config);
  writeFileSync(config, 'nonsense');
  const second = pidOf(enforcer, 2);
  enforcer.kill('SIGUSR2');
  await enforcer.line(/error not renewed: this worker did not start again, .* worker=1$/);
  // As after many tries, but for the waiting: the pause is long enough for the reload to come into it.
  await enforcer.line(/error a worker ended, and is started again code=78 worker=1 inSeconds=0\.[48]/);
  assert.equal((await run('health', '--socket', sockets[1])).code, 0);
  assert.equal(pidOf(enforcer, 2), second);
  writeFileSync(config, good);
  const from = enforcer.lines.length;
  enforcer.kill('SIGHUP');
  await enforcer.line(/info +started .*worker=1$/, from);
  await enforcer.line(/info +reloaded .*worker=2$/, from);
});

test('one request to stop may come twice, from a terminal and from the supervisor: calls are still answered', async () => {
  const enforcer = await start('drainDelayInSeconds = 0\ndrainTimeoutInSeconds = 1');
  const call = await openCheck({ socketPath: sockets[0] });
  const pid = pidOf(enforcer, 1);
  process.kill(pid, 'SIGINT');
  await enforcer.line(/stopping: answering the calls in flight signal=SIGINT .*worker=1/);
  process.kill(pid, 'SIGINT');
  enforcer.kill('SIGINT');
  assert.deepEqual(await enforcer.exited, { code: 0, signal: null });
  assert.ok(!enforcer.lines.some((line) => line.includes('at once')), enforcer.lines.join('\n'));
  call.destroy();
});

test('a second SIGTERM kills all, whatever they wait for', { timeout: 30_000 }, async () => {
  const enforcer = await start('drainTimeoutInSeconds = 3600');
  const call = await openCheck({ socketPath: sockets[1] });
  enforcer.kill('SIGTERM');
  await enforcer.line(/stopping: answering .*worker=2/);
  enforcer.kill('SIGTERM');
  assert.deepEqual(await enforcer.exited, { code: 0, signal: null });
  assert.ok(enforcer.lines.some((line) => /workers are killed, calls in flight are lost/.test(line)));
  call.destroy();
});

test('--worker 2: the second alone, for a supervisor that is not ours', async () => {
  configure();
  // Who was killed before may have left its own.
  for (const socket of sockets) rmSync(socket, { force: true });
  const child = new Child('worker', [process.execPath, main, 'serve', '--config', config, '--worker', '2']);
  try {
    await child.line(new RegExp(`info +started .*listening=unix:${sockets[1]} .*worker=2$`));
    assert.equal(existsSync(sockets[0]), false);
  } finally {
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
  }
});

test('without their supervisor the workers stop: nobody would start them again', async () => {
  const enforcer = await start();
  enforcer.kill('SIGKILL');
  await enforcer.exited; // once nobody writes to its log any more, workers included
  assert.equal(enforcer.lines.filter((line) => /info +stopped worker=/.test(line)).length, 2);
  for (const socket of sockets) assert.equal(existsSync(socket), false);
});

test('a first start that fails: the exit code of its worker, and each error once', async () => {
  configure('port = "x"');
  const wrong = await run('serve', '--config', config);
  assert.equal(wrong.code, 78);
  assert.equal(wrong.stderr.match(/authService\.port/g)?.length, 1, wrong.stderr);
  assert.doesNotMatch(wrong.stderr, /is started again/);
  configure();
  const taken = createServer().listen(sockets[1]);
  await once(taken, 'listening');
  const { code, stderr } = await run('serve', '--config', config);
  taken.close();
  assert.equal(code, 69, stderr);
  assert.match(stderr, /authService\.socket: .*another process answers on the socket .*authz\.sock\.2;/);
  assert.match(stderr, /info +stopped worker=1/);
  assert.equal(existsSync(sockets[0]), false);
});

for (const [args, message] of [
  [['serve', '--workers', '0'], '--workers needs a number from 1 to 64 or "auto"'],
  [['envoy-config', '--workers', '65'], '--workers needs a number from 1 to 64 or "auto"'],
  [['serve', '--worker', 'auto'], '--worker needs a number from 1 to 64'],
] as const)
  test(`mtls-enforcer ${args.join(' ')}: exit 64`, async () => {
    const { code, stderr } = await run(...args);
    assert.equal(code, 64);
    assert.equal(stderr.split('\n')[0], `mtls-enforcer: ${message}`);
  });

const ports: readonly [what: string, args: readonly string[], toml: string, says: RegExp][] = [
  [
    'envoy-config',
    ['envoy-config', '--workers', '2'],
    '[enforcer.authService]\nport = 65535\n',
    /^error: \S+:2: enforcer\.authService\.port: found 65535, from which on each of 2 workers has a port of its own, and ports end at 65535; write a lower port$/m,
  ],
  [
    'serve --workers',
    ['serve', '--workers', '2'],
    '[enforcer.authService]\nport = 65535\n',
    /^error: \S+:2: enforcer\.authService\.port: found 65535, from which on each of 2 workers has a port of its own, and ports end at 65535; write a lower port\n$/,
  ],
  [
    'serve --worker',
    ['serve', '--worker', '2'],
    '[enforcer.authService]\nport = 65535\n',
    /^error: \S+:2: enforcer\.authService\.port: found 65535, .*; write a lower port\n$/,
  ],
  [
    'serve --worker, of its metrics',
    ['serve', '--worker', '2'],
    '[enforcer.metrics]\nport = 65535\n',
    /^error: \S+:2: enforcer\.metrics\.port: found 65535, .*; write a lower port\n$/,
  ],
  [
    "serve --workers, metrics at the second one's port",
    ['serve', '--workers', '2'],
    '[enforcer.authService]\nport = 9463\n[enforcer.metrics]\n',
    /^error: \S+:3: enforcer\.metrics\.port: found 9464, where the ext_authz service listens .*; write another port\n$/,
  ],
];
for (const [what, args, toml, says] of ports)
  test(`more workers than there are ports for, by the command line: ${what}`, async () => {
    const file = join(folder, 'ports.toml');
    writeFileSync(file, toml);
    const { code, stderr } = await run(...args, '--config', file);
    assert.match(stderr, says);
    assert.equal(code, 78);
  });
