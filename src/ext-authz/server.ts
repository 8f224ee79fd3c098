import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type sendUnaryData,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Attributes } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import type { AnswerSettings } from '../snapshot.ts';
import { type CheckRequest, readCheckRequest } from './check-request.ts';
import { type CheckResponse, writeCheckResponse } from './check-response.ts';
import { claimSocket, openSocket, removeSocket } from './unix-socket.ts';

export type Listener = TcpListener | UnixListener;
export type TcpListener = {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls:
    | {
        readonly certificatePem: string;
        readonly privateKeyPem: string;
        /** Set: the caller must present a certificate that leads up to one of these. */
        readonly clientCaPem: string | undefined;
      }
    | undefined;
};
/** Path of a unix socket. */
export type UnixListener = { readonly socket: string };

export type ServerOptions = {
  readonly listeners: readonly Listener[];
  readonly check: (attributes: Attributes) => Promise<Checked>;
  /** How answers are written where `check` could not say it. */
  readonly answers: () => AnswerSettings;
  readonly maxMessageBytes: number;
  readonly reflection: boolean;
  /** A fault of ours on the way to a decision; the request was denied with `internal_error`. */
  readonly onError: (error: Error) => void;
};

export type Checked = {
  readonly decision: Decision;
  readonly answers: AnswerSettings;
  /** What the backend gets in the header for it. */
  readonly backendJwt: string | undefined;
};

export type ExtAuthzServer = {
  /** `host:port` and `unix:path`. */
  readonly addresses: readonly string[];
  /** What grpc.health.v1 answers. */
  readonly setServing: (serving: boolean) => void;
  /** NOT_SERVING, answers the calls in flight, at most for this long, then closes. */
  readonly drain: (milliseconds: number) => Promise<void>;
  /** At once. */
  readonly close: () => Promise<void>;
};

const authorization = 'envoy.service.auth.v3.Authorization';
const protoFolder = fileURLToPath(new URL('../../proto/', import.meta.url));

/**
 * Calls that one connection may have open, each with memory for half a message. HTTP/2's own advice (RFC 9113 section
 * 6.5.2); an Envoy that needs more opens another connection.
 */
const maxStreams = 100;

/** @throws Error: an address in use, a socket that another process answers on, TLS files that don't fit */
export async function startServer(options: ServerOptions): Promise<ExtAuthzServer> {
  // It tells its errors to its caller; its own lines on standard error would break a JSON log.
  setLogVerbosity(logVerbosity.NONE);
  const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [protoFolder],
    keepCase: true,
    longs: Number,
    defaults: false,
    oneofs: false,
  });
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_concurrent_streams': maxStreams,
    // Not 'grpc.enable_channelz': 0, though it would save 3 %: grpc-js 1.14 then forgets its sessions, and
    // forceShutdown leaves them open for ever.
  });
  const { service } = serviceOf(loadPackageDefinition(definition), authorization);
  server.addService(service, {
    Check: (call: ServerUnaryCall<CheckRequest, CheckResponse>, callback: sendUnaryData<CheckResponse>) => {
      // What even the denial fails of is an error to Envoy, which refuses the request.
      answer(call.request, options).then((response) => callback(null, response), callback);
    },
  });
  const health = new HealthImplementation({ '': 'NOT_SERVING', [authorization]: 'NOT_SERVING' });
  health.addToServer(server);
  if (options.reflection) new ReflectionService(definition).addToServer(server);

  const addresses: string[] = [];
  try {
    for (const listener of options.listeners) addresses.push(await listen(server, listener));
  } catch (error) {
    server.forceShutdown();
    throw error;
  }
  const setServing = (serving: boolean): void => {
    for (const name of ['', authorization]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  const close = async (): Promise<void> => {
    server.forceShutdown();
    for (const listener of options.listeners) if ('socket' in listener) await removeSocket(listener.socket);
  };
  return {
    addresses,
    setServing,
    close,
    drain: (milliseconds) => drain(server, setServing, close, milliseconds),
  };
}

/** Every Check is answered: a fault on the way is a denial, never an error to Envoy, never an admission. */
async function answer(
  request: CheckRequest,
  { check, answers, onError }: ServerOptions,
): Promise<CheckResponse> {
  let received: Attributes['http']['headers'] = [];
  try {
    const attributes = readCheckRequest(request);
    received = attributes.http.headers;
    const checked = await check(attributes);
    return writeCheckResponse(checked.decision, checked.answers, received, checked.backendJwt);
  } catch (error) {
    onError(error instanceof Error ? error : new Error(String(error)));
    const denial = { outcome: 'deny', code: 'internal_error', detail: '' } as const;
    return writeCheckResponse(denial, answers(), received);
  }
}

async function listen(server: Server, listener: Listener): Promise<string> {
  if ('socket' in listener) {
    await claimSocket(listener.socket);
    await bind(server, `unix:${listener.socket}`, ServerCredentials.createInsecure());
    await openSocket(listener.socket);
    return `unix:${listener.socket}`;
  }
  const { address, port, tls } = listener;
  const host = address.includes(':') ? `[${address}]` : address;
  const credentials = tls
    ? ServerCredentials.createSsl(
        tls.clientCaPem === undefined ? null : Buffer.from(tls.clientCaPem),
        [{ cert_chain: Buffer.from(tls.certificatePem), private_key: Buffer.from(tls.privateKeyPem) }],
        tls.clientCaPem !== undefined,
      )
    : ServerCredentials.createInsecure();
  return `${host}:${await bind(server, `${host}:${port}`, credentials)}`;
}

const bind = (server: Server, address: string, credentials: ServerCredentials): Promise<number> =>
  new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });

async function drain(
  server: Server,
  setServing: (serving: boolean) => void,
  close: () => Promise<void>,
  milliseconds: number,
): Promise<void> {
  setServing(false);
  let timer: NodeJS.Timeout | undefined;
  // A health Watch that stays open would hold tryShutdown for ever.
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await Promise.race([finished, enough]);
  clearTimeout(timer);
  await close();
}

function serviceOf(root: GrpcObject, name: string): ServiceClientConstructor {
  return name
    .split('.')
    .reduce<unknown>((at, part) => (at as GrpcObject)[part], root) as ServiceClientConstructor;
}
