import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listenOnSocket } from '../../../src/ext-authz/unix-socket.ts';
import { listenTrouble } from '../../../src/service/listen-trouble.ts';

const tcp = { address: '127.0.0.1', port: 8081, tls: undefined };

for (const [what, socket, expected] of [
  [
    'a folder that is missing',
    '/none/authz.sock',
    /^the folder of the socket \/none\/authz\.sock does not exist/,
  ],
  [
    'a path that no socket can have, although the file system can',
    `/tmp/${'ö'.repeat(52)}`,
    /^write a shorter path: it has 109 bytes, and a socket's may have 107$/,
  ],
] as const)
  test(`of a port and a socket it is the socket that can't be: ${what}`, async () => {
    const error = await listenOnSocket(socket, 0o660, async () => assert.fail('it listens')).catch(
      (reason: Error) => reason,
    );
    const { key, message } = listenTrouble(error as Error, { tcp, socket, control: undefined });
    assert.equal(key, 'socket');
    assert.match(message, expected);
  });
