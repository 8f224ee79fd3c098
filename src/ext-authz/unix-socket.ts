import { chmod, link, lstat, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { longestSocketPath, socketPathTrouble } from '../config/worker.ts';

/**
 * Listens on a unix socket, in the place of one that nobody answers on any more. It is made under a name of its own and
 * linked to its place: Node removes the name that it listens by when it closes, whoever may have that place by then (the
 * next instance, whose start removed the file of this one). That name is in a folder which nobody else may look into:
 * the system makes a socket as the umask has it, and whoever is connected before its mode is set stays so.
 *
 * @param listen begins to listen by the name that it is given
 * @returns how to remove it, once that is closed: what another has put in its place stays
 * @throws Error: too long, no such folder, another process answers there, or it is no socket (which is never removed)
 */
export async function listenOnSocket(
  path: string,
  mode: number,
  listen: (path: string) => Promise<unknown>,
): Promise<() => Promise<void>> {
  try {
    const trouble = socketPathTrouble(path);
    if (trouble !== undefined) throw new Error(trouble);
    await claimSocket(path);
    // Not by `join`, which takes a dot for nothing: then it would be beside the socket's folder, which may be read-only.
    const folder = await mkdtemp(`${dirname(path)}/.`);
    const handle = await open(folder);
    try {
      // As nothing else is called: what Node removes at the end may by then be looked for in another folder, see below.
      const own = basename(folder);
      const aside = join(folder, own);
      const isTooLong = Buffer.byteLength(aside) > longestSocketPath;
      // Through what is open (Linux), a path of any length is short.
      await listen(isTooLong ? `/proc/self/fd/${handle.fd}/${own}` : aside);
      await chmod(aside, mode);
      await putInPlace(aside, path);
    } finally {
      await handle.close();
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw Object.assign(error as Error, { address: path });
  }
  const own = await identityOf(path);
  return async () => {
    if ((await identityOf(path)) === own) await rm(path, { force: true });
  };
}

/** Never in the place of another's that came first; but where the file system has no links. */
async function putInPlace(name: string, path: string): Promise<void> {
  try {
    await link(name, path);
    await rm(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return rename(name, path);
    await rm(name, { force: true });
    throw error;
  }
}

/** A number is given again to the next file: its birth tells them apart. */
async function identityOf(path: string): Promise<string | undefined> {
  const there = await lstat(path, { bigint: true }).catch(() => undefined);
  return there && `${there.dev} ${there.ino} ${there.birthtimeNs}`;
}

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
