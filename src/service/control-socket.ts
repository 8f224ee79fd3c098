import { connect, createServer, type Socket } from 'node:net';
import { listenOnSocket } from '../ext-authz/unix-socket.ts';

/** What a running service says of its configuration: no secret, no name of a client. */
export type Status = {
  readonly pid: number;
  readonly version: string;
  readonly generation: number;
  /** In force since then (ISO 8601). */
  readonly since: string;
  /** Of config.toml and the files it names. */
  readonly digest: string;
  /** Files of `[[definitions]]` are still being read. */
  readonly reading: boolean;
  /** Why what the files say now is not in force; empty: it is. */
  readonly refused: readonly string[];
  /** What is wrong with foreign files: their APIs are in their last good state, or refuse everybody. */
  readonly faulty: readonly string[];
};

export type ControlWord = 'reload' | 'status';

const longestAsk = 64;
/** Milliseconds for asking. */
const patience = 5_000;
const connections = 16;

/**
 * A unix socket for whoever runs the service, and for nobody else (mode 0600): one word comes in, one line of JSON goes
 * out. Nothing that decides a request can be changed by it but that the files are read again.
 *
 * @returns how to end it
 * @throws Error: no such folder, another process answers there, or it is no socket
 */
export async function openControl(
  path: string,
  answer: (asked: ControlWord) => Promise<Status>,
): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    void serve(socket, answer);
  });
  server.maxConnections = connections;
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const listen = (name: string): Promise<void> =>
    new Promise((resolve, reject) => {
      // Later ones are of one connection that could not be taken, and no reason to end.
      server.on('error', reject);
      server.listen(name, resolve);
    });
  try {
    const remove = await listenOnSocket(path, 0o600, listen);
    return async () => {
      close();
      await remove();
    };
  } catch (error) {
    // It may listen already, by a name that nobody knows.
    close();
    throw error;
  }
}

async function serve(socket: Socket, answer: (asked: ControlWord) => Promise<Status>): Promise<void> {
  socket.setTimeout(patience, () => socket.destroy());
  const asked = await line(socket, longestAsk).catch(() => undefined);
  if (asked !== 'reload' && asked !== 'status') return void socket.destroy();
  socket.setTimeout(0);
  const status = await answer(asked);
  // Whoever does not fetch it, or does not hang up, keeps nobody from asking.
  socket.setTimeout(patience);
  socket.write(`${JSON.stringify(status)}\n`);
  socket.destroySoon();
}

/** Of what a service may say of itself: each of ten thousand faulty APIs has a line. */
const longestAnswer = 64 * 1024 * 1024;

/** @throws Error: nobody answers there, or not in time, or no status */
export async function askControl(path: string, asked: ControlWord, milliseconds: number): Promise<Status> {
  const socket = connect(path);
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer on ${path} within ${milliseconds / 1000} s`)),
    milliseconds,
  );
  try {
    socket.write(`${asked}\n`);
    return JSON.parse(await line(socket, longestAnswer)) as Status;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function line(socket: Socket, longest: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const add = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (chunk.includes(0x0a)) {
        socket.off('data', add).resume(); // what follows is of no account
        resolve(Buffer.concat(chunks).toString('utf8').split('\n')[0]!);
      } else if (length > longest) reject(new Error('too long'));
    };
    socket.on('data', add);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed without an answer')));
  });
}
