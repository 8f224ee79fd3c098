import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { ClientCertificate } from './client.ts';

export type LoadOptions = {
  readonly port: number;
  /** CA of the gateway. */
  readonly ca: string;
  readonly path: string;
  readonly certificate: ClientCertificate | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Requests that are under way at any moment. */
  readonly concurrency: number;
  /** Milliseconds that each of them pauses before the next; 0 unless said. */
  readonly pause?: number;
  /** Called as a request begins; what it returns names the answer in what is counted: the status, unless said. */
  readonly begin?: () => (answer: LoadAnswer) => string;
};

export type LoadAnswer = {
  /** Or `no answer`. */
  readonly status: string;
  /** Of a denial: its code. */
  readonly reason: string | undefined;
  readonly body: string;
};

const byStatus = () => (answer: LoadAnswer) => answer.status;

/** A client that keeps one HTTP/2 connection busy until it is stopped, and counts what it is answered. */
export class Load {
  readonly #options: LoadOptions;
  readonly #counts = new Map<string, number>();
  readonly #loops: readonly Promise<void>[];
  #session: ClientHttp2Session;
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#session = this.#connect();
    this.#loops = Array.from({ length: options.concurrency }, () => this.#loop());
  }

  get answered(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** What was answered until now -> how often. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  async stop(): Promise<Readonly<Record<string, number>>> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    this.#session.close();
    return this.counts;
  }

  #connect(): ClientHttp2Session {
    const { port, ca, certificate } = this.#options;
    return connect(`https://localhost:${port}`, {
      ca,
      servername: 'localhost',
      ...(certificate && { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
    }).on('error', () => {});
  }

  async #loop(): Promise<void> {
    const { pause = 0, begin = byStatus } = this.#options;
    while (!this.#isOver) {
      const name = begin();
      const outcome = name(await this.#request());
      this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #request(): Promise<LoadAnswer> {
    // A gateway may end a connection; what was under way on it is counted as it ended.
    if (this.#session.closed || this.#session.destroyed) this.#session = this.#connect();
    const { path, headers } = this.#options;
    return new Promise((resolve) => {
      const stream = this.#session.request({ [constants.HTTP2_HEADER_PATH]: path, ...headers });
      const chunks: Buffer[] = [];
      let status = 'no answer';
      let reason: string | undefined;
      stream
        .on('response', (received) => {
          status = String(received[constants.HTTP2_HEADER_STATUS]);
          reason = received['x-mtls-reason']?.toString();
        })
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('error', () => {})
        .on('close', () => resolve({ status, reason, body: Buffer.concat(chunks).toString('utf8') }));
    });
  }
}
