import type { Attributes, Headers } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import type { Method, Reply } from '../grpc/call.ts';
import { createHealth } from '../grpc/health.ts';
import { GrpcServer, type ServerTls } from '../grpc/server.ts';
import { status } from '../grpc/status.ts';
import type { Decided } from '../observability/audit.ts';
import type { AnswerSettings } from '../snapshot.ts';
import type { Soon } from '../soon.ts';
import { writeAnswer } from './answer.ts';
import { readCheckRequest } from './check-request.ts';
import { listenOnSocket } from './unix-socket.ts';

export type Listener = TcpListener | UnixListener;
type TcpListener = {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: ServerTls | undefined;
};
/** Path of a unix socket. */
type UnixListener = { readonly socket: string };

type ServerOptions = {
  readonly listeners: readonly Listener[];
  readonly check: (attributes: Attributes) => Soon<Checked>;
  /** How answers are written where `check` could not say it. */
  readonly answers: () => AnswerSettings;
  readonly maxMessageBytes: number;
  readonly reflection: boolean;
  /** Told of each Check whose answer is written, how many milliseconds after its headers. */
  readonly onAnswered?: ((milliseconds: number, decided: Decided | undefined) => void) | undefined;
  /** A fault of ours on the way to a decision; the request was denied with `internal_error`. */
  readonly onError: (error: Error) => void;
};

export type Checked = {
  readonly decision: Decision;
  readonly answers: AnswerSettings;
  /** What the backend gets in the header for it. */
  readonly backendJwt: string | undefined;
  /** For `onAnswered`. */
  readonly decided?: Decided;
};

export type ExtAuthzServer = {
  /** `host:port` and `unix:path`. */
  readonly addresses: readonly string[];
  /** What grpc.health.v1 answers. */
  readonly setServing: (serving: boolean) => void;
  /**
   * For connections from now on, where TLS is spoken.
   *
   * @returns false: this server can't, it has to be started again
   * @throws Error: files that don't fit; all stays as it was
   */
  readonly renewTls: (tls: ServerTls) => boolean;
  /**
   * NOT_SERVING, and for `delay` milliseconds all else as before, until whoever is connected has noticed; then answers
   * the calls in flight, for `longest` at most, and closes.
   */
  readonly drain: (longest: number, delay?: number) => Promise<void>;
  /** At once. */
  readonly close: () => Promise<void>;
};

const authorization = 'envoy.service.auth.v3.Authorization';

/**
 * Serves Check and health. Our own gRPC server does, or, where reflection is asked for, grpc-js.
 *
 * @throws Error: an address in use, a socket that another process answers on, TLS files that don't fit
 */
export async function startServer(options: ServerOptions): Promise<ExtAuthzServer> {
  const health = createHealth([authorization]);
  const check: Method = {
    kind: 'unary',
    handle: (message, startedAt) => answer(message, startedAt, options),
  };
  const methods = new Map([...health.methods, [`/${authorization}/Check`, check]]);
  const { maxMessageBytes, onError } = options;
  const server = options.reflection
    ? // Only here: what it imports takes 25 MB.
      new (await import('./grpc-js-lane.ts')).GrpcJsServer({ methods, maxMessageBytes })
    : new GrpcServer({ methods, maxMessageBytes, onError });
  const close = async (): Promise<void> => {
    await server.close();
    for (const remove of sockets) await remove();
  };
  const addresses: string[] = [];
  const sockets: (() => Promise<void>)[] = [];
  try {
    for (const listener of options.listeners) addresses.push(await listen(server, listener, sockets));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    addresses,
    setServing: health.setServing,
    renewTls: (tls) => {
      if (!(server instanceof GrpcServer)) return false;
      server.renewTls(tls);
      return true;
    },
    close,
    drain: async (longest, delay = 0) => {
      health.setServing(false);
      await atMost(delay, server.alone());
      await atMost(longest, server.drain());
      await close();
    },
  };
}

/**
 * Every Check that can be read is answered: a fault on the way is a denial, never an error to Envoy, never an admission.
 * What even the denial fails of is an error to Envoy, which refuses the request.
 */
function answer(message: Buffer, startedAt: number | undefined, options: ServerOptions): Soon<Reply> {
  let received: Headers = [];
  try {
    const attributes = readCheckRequest(message);
    if (attributes === undefined) return status('internal', 'no CheckRequest');
    received = attributes.http.headers;
    const checked = options.check(attributes);
    return checked instanceof Promise
      ? checked
          .then((known) => written(known, received, startedAt, options))
          .catch((error: unknown) => fault(error, received, startedAt, options))
      : written(checked, received, startedAt, options);
  } catch (error) {
    return fault(error, received, startedAt, options);
  }
}

function written(
  { decision, answers, backendJwt, decided }: Checked,
  received: Headers,
  startedAt: number | undefined,
  { onAnswered }: ServerOptions,
): Buffer {
  const framed = writeAnswer(decision, answers, received, backendJwt);
  if (startedAt !== undefined) onAnswered?.(performance.now() - startedAt, decided);
  return framed;
}

function fault(
  error: unknown,
  received: Headers,
  startedAt: number | undefined,
  options: ServerOptions,
): Reply {
  options.onError(error instanceof Error ? error : new Error(String(error)));
  const decision = { outcome: 'deny', code: 'internal_error', detail: '' } as const;
  return written(
    { decision, answers: options.answers(), backendJwt: undefined },
    received,
    startedAt,
    options,
  );
}

/** @param sockets how to remove the one that was made goes here */
async function listen(
  server: Pick<GrpcServer, 'listen'>,
  listener: Listener,
  sockets: (() => Promise<void>)[],
): Promise<string> {
  if ('socket' in listener) {
    // For its owner and group: Envoy runs as either.
    sockets.push(await listenOnSocket(listener.socket, 0o660, (socket) => server.listen({ socket })));
    return `unix:${listener.socket}`;
  }
  const { address, port, tls } = listener;
  const bound = await server.listen({ host: address, port }, tls);
  return `${address.includes(':') ? `[${address}]` : address}:${bound}`;
}

async function atMost(milliseconds: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([done, enough]);
  clearTimeout(timer);
}
