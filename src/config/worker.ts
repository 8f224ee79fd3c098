/**
 * Several processes share the work, each with an address of its own: Envoy then sees all of them, and spreads its
 * requests itself. The first has port and socket as they are written, the second the next port and the socket's path
 * with `.2` behind it, and so on.
 */
export const portOfWorker = (port: number, worker: number): number => port + worker - 1;

export const socketOfWorker = (socket: string, worker: number): string =>
  worker === 1 ? socket : `${socket}.${worker}`;

/** "Any address" is for listening; from here it is this machine. */
export const hostToReach = (address: string): string =>
  ({ '0.0.0.0': '127.0.0.1', '::': '::1' })[address] ?? address;

/** Bytes that a unix socket's address has room for (unix(7)). */
export const longestSocketPath = 107;

/** What is wrong with a path that no socket can have, be it that of the last of several processes. */
export function socketPathTrouble(socket: string, workers = 1): string | undefined {
  const bytes = Buffer.byteLength(socketOfWorker(socket, workers));
  if (bytes <= longestSocketPath) return undefined;
  const whose = workers === 1 ? 'it' : `that of worker ${workers}`;
  return `write a shorter path: ${whose} has ${bytes} bytes, and a socket's may have ${longestSocketPath}`;
}

/** Beyond any machine that a gateway runs on: a wrong number must not fork until nothing is left. */
export const maxWorkers = 64;
