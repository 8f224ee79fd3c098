import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { claimSocket } from '../../../src/ext-authz/unix-socket.ts';

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
