import { chmod, lstat, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/**
 * Makes room for a unix socket: removes one that nobody answers on any more.
 * @throws Error: no such folder, another process answers there, or it is no socket (which is never removed)
 */
export async function claimSocket(path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory())
    throw new Error(`the folder of the socket ${path} does not exist; make it, or write another socket path`);
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket())
    throw new Error(`${path} is there and is no socket; remove it, or write another socket path`);
  if (await answers(path))
    throw new Error(`another process answers on the socket ${path}; stop it, or write another socket path`);
  await rm(path, { force: true });
}

/** For its owner and group: Envoy runs as either. */
export const openSocket = (path: string): Promise<void> => chmod(path, 0o660);

export const removeSocket = (path: string): Promise<void> => rm(path, { force: true });

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // A socket that is busy (EAGAIN) has its owner still.
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
