import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { Child } from '../support/child.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'systemd-'));
after(() => rmSync(folder, { recursive: true }));

/** What systemd is to a service: a datagram socket. BARRIER=1 comes with a descriptor, which is closed once all is read. */
const receiver = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(64))
    for level, kind, fds in ancillary:
        if kind == socket.SCM_RIGHTS:
            for fd in array.array("i", fds[:len(fds) - len(fds) % 4]): os.close(fd)
    print(data.decode().strip(), flush=True)
`;
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const skip = ['systemd-notify', 'python3'].every(has) ? false : 'no systemd-notify, or no python3 to receive';

async function listen(t: TestContext, name: string): Promise<{ socket: string; systemd: Child }> {
  const socket = join(folder, `${name}.sock`);
  const systemd = new Child('systemd', ['python3', '-c', receiver, socket]);
  t.after(() => systemd.stop());
  await systemd.line(/^bound$/);
  return { socket, systemd };
}

const configure = (name: string, more = '', api = ''): string => {
  const file = join(folder, `${name}.toml`);
  writeFileSync(
    file,
    `[enforcer.authService]\nsocket = "${name}.authz"\n${more}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n${api}`,
  );
  return file;
};

const told = ({ lines }: Child): readonly string[] =>
  lines.filter((line) => /^(READY|STOPPING|RELOADING)=/.test(line));

async function start(t: TestContext, file: string, env: NodeJS.ProcessEnv): Promise<EnforcerProcess> {
  const enforcer = await EnforcerProcess.start(file, env);
  t.after(() => enforcer.stop());
  return enforcer;
}

for (const [what, more] of [
  ['one process', ''],
  ['several workers', 'workers = 2'],
] as const) {
  test(`${what}: systemd hears once that it serves, again and again that it lives, and that it stops`, {
    skip,
  }, async (t) => {
    const { socket, systemd } = await listen(t, `told-${what.length}`);
    const file = configure(`told-${what.length}`, more);
    const enforcer = await start(t, file, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' });
    await systemd.line(/^READY=1$/);
    const from = systemd.lines.length;
    await systemd.line(/^WATCHDOG=1$/, from);
    await enforcer.reload();
    await systemd.line(/^WATCHDOG=1$/, systemd.lines.length);
    enforcer.kill('SIGTERM');
    await systemd.line(/^STOPPING=1$/);
    assert.deepEqual(await enforcer.exited, { code: 0, signal: null });
    assert.deepEqual(told(systemd), ['READY=1', 'STOPPING=1']);
  });
}

test('no sign of life is given that nobody asked for', { skip }, async (t) => {
  const { socket, systemd } = await listen(t, 'quiet');
  const enforcer = await start(t, configure('quiet'), { NOTIFY_SOCKET: socket });
  await systemd.line(/^READY=1$/);
  await enforcer.stop();
  await systemd.line(/^STOPPING=1$/);
  assert.equal(systemd.lines.includes('WATCHDOG=1'), false);
});

test('a configuration that is wrong is never said to be in force', { skip }, async (t) => {
  const { socket, systemd } = await listen(t, 'wrong');
  const file = configure('wrong', '', 'basepath = "/typo"\n');
  await assert.rejects(EnforcerProcess.start(file, { NOTIFY_SOCKET: socket }), /basepath/);
  assert.deepEqual(told(systemd), []);
});

test('a service that hangs gives no more signs of life, so that systemd ends it', { skip }, async (t) => {
  const { socket, systemd } = await listen(t, 'hangs');
  const enforcer = await start(t, configure('hangs'), { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' });
  t.after(() => enforcer.kill('SIGCONT'));
  await systemd.line(/^WATCHDOG=1$/);
  enforcer.kill('SIGSTOP');
  // One may have been on its way.
  await systemd.line(/^WATCHDOG=1$/, systemd.lines.length, 2_000).catch(() => {});
  await assert.rejects(systemd.line(/^WATCHDOG=1$/, systemd.lines.length, 1_000), /said nothing/);
  enforcer.kill('SIGCONT');
  await systemd.line(/^WATCHDOG=1$/, systemd.lines.length);
});

test('a worker that hangs is killed and started again, and the other one is left alone', {
  skip,
}, async (t) => {
  const { socket, systemd } = await listen(t, 'worker');
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '3000000' };
  const enforcer = await start(t, configure('worker', 'workers = 2'), env);
  await systemd.line(/^READY=1$/);
  const second = await enforcer.line(/info +started .*worker=2$/);
  const from = enforcer.lines.length;
  process.kill(Number(/ pid=(\d+)/.exec(second)![1]), 'SIGSTOP');
  await enforcer.line(/error +a worker hangs, and is killed worker=2 silentForSeconds=3$/, from);
  await enforcer.line(/error +a worker ended, and is started again signal=SIGKILL worker=2 /, from);
  await enforcer.line(/info +started .*worker=2$/, from);
  assert.deepEqual(
    enforcer.lines.slice(from).filter((line) => /worker=1$/.test(line)),
    [],
  );
});

// All that a test's own processes need.
const bare = join(folder, 'bin');
mkdirSync(bare);
symlinkSync('/bin/cat', join(bare, 'cat'));

for (const [what, env, says] of [
  ['that is not there', { NOTIFY_SOCKET: '/nowhere/notify' }, /READY=1: .*(No such file|notify)/],
  ['where there is no systemd-notify', { NOTIFY_SOCKET: '/nowhere/notify', PATH: bare }, /ENOENT/],
] as const) {
  test(`a socket ${what}: told once, with what to do, and the service serves`, { skip }, async (t) => {
    const enforcer = await start(t, configure(`trouble-${what.length}`), { ...env, WATCHDOG_USEC: '50000' });
    const line = await enforcer.line(/systemd could not be told/);
    assert.match(line, says);
    assert.match(line, /it needs the program systemd-notify and NotifyAccess=all/);
    assert.deepEqual(await enforcer.stop(), { code: 0, signal: null });
    assert.equal(enforcer.lines.filter((line) => line.includes('could not be told')).length, 1);
  });
}
