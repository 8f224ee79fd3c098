import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerOptions,
} from 'node:http2';
import type { Socket } from 'node:net';
import { Call, type CallOptions } from './call.ts';
import { status } from './status.ts';

/**
 * A small gRPC server on node:http2: unary calls and streams of answers, over TCP, TLS or a unix socket. It knows gRPC
 * (https://grpc.io: "gRPC over HTTP2") and nothing of what its methods do. grpc-js does more, and costs a call three
 * times as much.
 */
export type GrpcServerOptions = CallOptions & {
  readonly limits?: Partial<Limits>;
};

/** Bounds on what callers can make us hold. */
type Limits = {
  readonly connections: number;
  /** In hand at a time, streams of answers included; what comes beyond it is told so at once (RESOURCE_EXHAUSTED). */
  readonly calls: number;
  readonly streamsPerConnection: number;
  /** Bytes of a call's headers. */
  readonly headerListBytes: number;
  /** Milliseconds that a call has for sending its message, and for fetching its answer. */
  readonly patience: number;
  /** Milliseconds that a connection may stand without a call. */
  readonly idle: number;
};

const defaults: Limits = {
  connections: 4096,
  // Ten times what an Envoy asks at once by its own bounds. Each may hold a message.
  calls: 10_000,
  // Each may hold half a message. HTTP/2's own advice (RFC 9113 6.5.2); an Envoy that needs more opens a connection more.
  streamsPerConnection: 100,
  headerListBytes: 16_384,
  patience: 10_000,
  // Envoy gives up an idle connection of its own after an hour.
  idle: 2 * 3_600_000,
};

export type Endpoint = { readonly socket: string } | { readonly host: string; readonly port: number };
export type ServerTls = {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Set: the caller must present a certificate that leads up to one of these. */
  readonly clientCaPem: string | undefined;
};

const secureContext = ({ certificatePem, privateKeyPem, clientCaPem }: ServerTls) => ({
  cert: certificatePem,
  key: privateKeyPem,
  minVersion: 'TLSv1.2' as const,
  ...(clientCaPem !== undefined && { ca: clientCaPem }),
});

/** Milliseconds that a caller has for hanging up once it has all its answers; Envoy takes one or two. */
const untilHungUp = 1_000;

/** How often it is looked what has expired, in milliseconds. Who waits for an answer has a timer of his own beside. */
const tick = 500;

const tooMany = status('resourceExhausted', 'too many calls in hand');

/** A server of these methods, on any number of endpoints. */
export class GrpcServer {
  readonly #options: CallOptions;
  readonly #limits: Limits;
  readonly #secure = new Set<Http2SecureServer>();
  /** With what is kept once they have closed. */
  readonly #servers = new Map<Http2Server, Promise<unknown>>();
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Map<ServerHttp2Session, { lastCall: number }>();
  readonly #calls = new CallsInHand();
  readonly #timer: NodeJS.Timeout;
  #draining = false;
  #onChange = (): void => {};

  constructor({ limits, ...options }: GrpcServerOptions) {
    this.#options = options;
    this.#limits = { ...defaults, ...limits };
    this.#timer = setInterval(() => this.#expire(), tick);
    this.#timer.unref();
  }

  /**
   * @returns the port; 0 for a unix socket
   * @throws Error: node's own, such as EADDRINUSE, and those of TLS files that don't fit
   */
  async listen(endpoint: Endpoint, tls?: ServerTls): Promise<number> {
    const server = this.#create(tls);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const listening = (): void => {
        server.off('error', reject);
        resolve();
      };
      if ('socket' in endpoint) server.listen(endpoint.socket, listening);
      else server.listen(endpoint.port, endpoint.host, listening);
    });
    this.#servers.set(server, new Promise((resolve) => server.once('close', resolve)));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /**
   * For connections that are made from now on; sessions of before are not resumed. Whether a caller must present a
   * certificate at all stays as it was.
   *
   * @throws Error: files that don't fit; all stays as it was
   */
  renewTls(tls: ServerTls): void {
    for (const server of this.#secure) server.setSecureContext(secureContext(tls));
  }

  /** Returns once nobody is connected. */
  alone(): Promise<void> {
    return this.#until(() => this.#sockets.size === 0);
  }

  /**
   * Takes no more calls, and returns once those in hand are answered and the callers have hung up; streams of answers are
   * ended. What comes later is not answered, and its caller hears so (GOAWAY; RFC 9113 6.8): it may ask another. Who hung
   * up on them instead would lose what they have not read yet.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const server of this.#servers.keys()) server.close();
    for (const call of this.#calls.all) call.end();
    for (const session of this.#sessions.keys()) session.close();
    const isAnswered = (): boolean => this.#calls.size === 0;
    await this.#until(isAnswered);
    await this.#until(() => this.#sockets.size === 0, untilHungUp);
    await this.#until(isAnswered);
  }

  /** At once, whatever is in hand. */
  async close(): Promise<void> {
    this.#draining = true;
    clearInterval(this.#timer);
    for (const server of this.#servers.keys()) server.close();
    for (const session of this.#sessions.keys()) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.values());
    this.#servers.clear();
  }

  #create(tls: ServerTls | undefined): Http2Server {
    const { streamsPerConnection, headerListBytes, connections } = this.#limits;
    const options = {
      settings: {
        enablePush: false,
        maxConcurrentStreams: streamsPerConnection,
        maxHeaderListSize: headerListBytes,
        // A connection's stays HTTP/2's own 64 KiB: by it connections take turns, some dozen Checks each (docs/performance.md).
        initialWindowSize: 1 << 20,
      },
      maxHeaderListPairs: 128,
      // Megabytes; what a session holds beyond it is refused.
      maxSessionMemory: 32,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      // Rapid reset (CVE-2023-44487): a connection that resets more than this is ended. Envoy resets what timed out.
      streamResetBurst: 1000,
      streamResetRate: 200,
    };
    const server = tls === undefined ? createServer(options) : this.#createSecure(tls, options);
    server.maxConnections = connections;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.setKeepAlive(true, 60_000);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#onChange();
      });
    });
    // After it listens: one connection that the kernel could not give us (accept(2)). Without this it would end the process.
    server.on('error', () => {});
    // Whoever speaks no HTTP/2, or breaks it, is hung up on; that is all there is to say.
    server.on('sessionError', () => {});
    server.on('tlsClientError', (_: Error, socket: Socket) => socket.destroy());
    server.on('unknownProtocol', (socket: Socket) => socket.destroy());
    server.on('session', (session) => this.#serve(session));
    return server;
  }

  #createSecure(tls: ServerTls, options: ServerOptions): Http2SecureServer {
    const server = createSecureServer({
      ...options,
      ...secureContext(tls),
      handshakeTimeout: 10_000,
      ALPNProtocols: ['h2'],
      ...(tls.clientCaPem !== undefined && { requestCert: true, rejectUnauthorized: true }),
    });
    this.#secure.add(server);
    return server;
  }

  #serve(session: ServerHttp2Session): void {
    const state = { lastCall: performance.now() };
    this.#sessions.set(session, state);
    session.on('close', () => this.#sessions.delete(session));
    session.on('stream', (stream, headers) => {
      // Not the tick's: a deadline counted from there would pass up to a tick too early.
      const now = performance.now();
      state.lastCall = now;
      const call = new Call(stream, headers, this.#optionsNow, now);
      this.#calls.add(call);
      stream.on('close', () => {
        call.closed();
        this.#calls.delete(call);
        this.#onChange();
      });
    });
    if (this.#draining) session.close();
  }

  get #optionsNow(): CallOptions {
    const { calls } = this.#limits;
    return this.#calls.size < calls ? this.#options : { ...this.#options, refusal: tooMany };
  }

  /** @param atMost milliseconds */
  async #until(isSo: () => boolean, atMost?: number): Promise<void> {
    let isOver = false;
    const timer =
      atMost === undefined
        ? undefined
        : setTimeout(() => {
            isOver = true;
            this.#onChange();
          }, atMost);
    while (!isSo() && !isOver)
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    clearTimeout(timer);
  }

  #expire(): void {
    const now = performance.now();
    for (const call of this.#calls.all) call.expire(now, this.#limits.patience);
    for (const [session, { lastCall }] of this.#sessions) {
      const isIdle = now - lastCall >= this.#limits.idle;
      if (isIdle && !this.#calls.all.some(({ stream }) => stream.session === session)) session.close();
    }
  }
}

/**
 * A set of calls. JavaScript's own, once it has lived for a while, makes its tables in V8's old space, and those that it
 * has outgrown hold what was in them until the next full collection: each call, its stream, and all that hangs on it.
 */
class CallsInHand {
  readonly #calls: Call[] = [];

  get size(): number {
    return this.#calls.length;
  }

  /** A copy: a call may end meanwhile. */
  get all(): readonly Call[] {
    return [...this.#calls];
  }

  add(call: Call): void {
    call.place = this.#calls.length;
    this.#calls.push(call);
  }

  delete(call: Call): void {
    const last = this.#calls.pop()!;
    if (last === call) return;
    this.#calls[call.place] = last;
    last.place = call.place;
  }
}
