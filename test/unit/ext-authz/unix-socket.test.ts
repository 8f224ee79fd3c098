import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
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

for (const [umask, length] of [
  [0o000, undefined],
  [0o022, undefined],
  [0o000, 97],
  [0o000, 98],
  [0o000, 107],
] as const)
  test(`nobody else can connect before the mode is set: umask ${umask.toString(8)}, a path of ${length ?? 'few'} bytes`, async () => {
    const name = 'a.sock';
    const longest = (length ?? 0) - `${folder}//XXXXXX${name}`.length;
    const shared = mkdtempSync(join(folder, 'shared-'.padEnd(longest, 'x')));
    chmodSync(shared, 0o777);
    const path = join(shared, name);
    if (length !== undefined) assert.equal(path.length, length);
    const server = createServer();
    const before = process.umask(umask);
    let others: number | undefined;
    let within: string | undefined;
    const remove = await listenOnSocket(path, 0o600, async (address) => {
      server.listen(address);
      await once(server, 'listening');
      within = dirname(realpathSync(dirname(address)));
      others = statSync(dirname(address)).mode & statSync(address).mode & 0o077;
    }).finally(() => process.umask(before));
    after(() => server.close());
    const client = connect(path);
    await once(client, 'connect');
    client.destroy();
    assert.equal(others, 0);
    assert.equal(within, shared, 'what is around its folder may be read-only, or another file system');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(shared), [name]);
    await remove();
    assert.deepEqual(readdirSync(shared), []);
  });
