import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Takes connections and bytes, and passes on nothing more while it is frozen: as a host that hangs, or a firewall. */
export class FreezableProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isFrozen = false;
  /** Bytes that came while it was frozen. */
  swallowed = 0;

  private constructor(to: number) {
    this.#server = createServer((near) => {
      const far = connect(to, '127.0.0.1');
      for (const [from, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => {});
        from.on('data', (data) => {
          if (this.#isFrozen) this.swallowed += data.length;
          else other.write(data);
        });
        from.on('end', () => this.#isFrozen || other.end());
        from.on('close', () => {
          this.#sockets.delete(from);
          if (!this.#isFrozen) other.destroy();
        });
      }
    });
  }

  static async start(to: number): Promise<FreezableProxy> {
    const proxy = new FreezableProxy(to);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** What came meanwhile is lost, and every connection with it. */
  thaw(): void {
    this.#isFrozen = false;
    this.#drop();
  }

  close(): void {
    this.#server.close();
    this.#drop();
  }

  #drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
