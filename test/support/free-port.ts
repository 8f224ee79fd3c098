import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A TCP port that nobody listens on.
 *
 * From below the range that the kernel gives to outgoing connections: there, one could be taken between our look and
 * its use. Envoy sets SO_REUSEPORT, so that two on one port would share it without a word: hence a look without it.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000);
    if (await canListen(port, address)) return port;
  }
}

const canListen = (port: number, address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(true)));
  });
