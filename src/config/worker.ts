/**
 * Several processes share the work, each with an address of its own: Envoy then sees all of them, and spreads its
 * requests itself. The first has port and socket as they are written, the second the next port and the socket's path
 * with `.2` behind it, and so on.
 */
export const portOfWorker = (port: number, worker: number): number => port + worker - 1;

export const socketOfWorker = (socket: string, worker: number): string =>
  worker === 1 ? socket : `${socket}.${worker}`;

/** Beyond any machine that a gateway runs on: a wrong number must not fork until nothing is left. */
export const maxWorkers = 64;
