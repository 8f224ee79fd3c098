import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { claimSocket, listenOnSocket } from '../../../src/ext-authz/unix-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'socket-'));
after(() => rmSync(folder, { recursive: true }));

test('a socket whose owner is too busy to accept is not taken away', { timeout: 10_000 }, async () => {
  const path = join(folder, 'busy.sock');
  const listen = `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log('up'))`;
  const owner = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'ignore'] });
  after(() => owner.kill('SIGKILL'));
  await once(owner.stdout, 'data');
  owner.kill('SIGSTOP');
  const waiting: Socket[] = [];
  after(() => waiting.map((socket) => socket.destroy()));
  for (let isFull = false; !isFull; ) {
    const socket = connect(path);
    waiting.push(socket);
    isFull = await Promise.race([
      once(socket, 'connect').then(() => false),
      once(socket, 'error').then(() => true),
    ]).catch(() => true);
  }
  await assert.rejects(claimSocket(path), /another process answers on the socket/);
});

for (const umask of [0o000, 0o022])
  test(`nobody else can connect before the mode is set, whatever the umask: ${umask.toString(8)}`, async () => {
    const shared = mkdtempSync(join(folder, 'shared-'));
    chmodSync(shared, 0o777);
    const path = join(shared, 'control.sock');
    const server = createServer();
    const before = process.umask(umask);
    let others: number | undefined;
    let within: string | undefined;
    const remove = await listenOnSocket(path, 0o600, async (name) => {
      server.listen(name);
      await once(server, 'listening');
      within = dirname(dirname(name));
      others = statSync(dirname(name)).mode & statSync(name).mode & 0o077;
    }).finally(() => process.umask(before));
    after(() => server.close());
    assert.equal(others, 0);
    assert.equal(within, shared, 'what is around its folder may be read-only, or another file system');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(shared), ['control.sock']);
    await remove();
    assert.deepEqual(readdirSync(shared), []);
  });
