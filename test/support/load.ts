import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { ClientCertificate } from './client.ts';

export type LoadOptions = {
  readonly port: number;
  /** CA of the gateway. */
  readonly ca: string;
  readonly path: string;
  readonly certificate: ClientCertificate | undefined;
  /** Requests that are under way at any moment. */
  readonly concurrency: number;
};

/** A client that keeps one HTTP/2 connection busy until it is stopped, and counts what it is answered. */
export class Load {
  readonly #session: ClientHttp2Session;
  readonly #path: string;
  readonly #counts = new Map<string, number>();
  readonly #loops: readonly Promise<void>[];
  #isOver = false;

  constructor({ port, ca, path, certificate, concurrency }: LoadOptions) {
    this.#path = path;
    this.#session = connect(`https://localhost:${port}`, {
      ca,
      servername: 'localhost',
      ...(certificate && { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
    });
    this.#session.on('error', () => {});
    this.#loops = Array.from({ length: concurrency }, () => this.#loop());
  }

  get answered(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Status, or the stream's error -> how often. */
  async stop(): Promise<Readonly<Record<string, number>>> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    this.#session.close();
    return Object.fromEntries(this.#counts);
  }

  async #loop(): Promise<void> {
    while (!this.#isOver) {
      const outcome = await this.#request();
      this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1);
    }
  }

  #request(): Promise<string> {
    return new Promise((resolve) => {
      const stream = this.#session.request({ [constants.HTTP2_HEADER_PATH]: this.#path });
      let status = 'no answer';
      stream
        .on('response', (headers) => {
          status = String(headers[constants.HTTP2_HEADER_STATUS]);
        })
        .on('error', () => {})
        .on('close', () => resolve(status))
        .resume();
    });
  }
}
