import { createServer, type Server as Listener, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import type { Method, Reply } from '../grpc/call.ts';
import { prefixLength } from '../grpc/message.ts';
import type { Endpoint, GrpcServerOptions, ServerTls } from '../grpc/server.ts';

const protoFolder = fileURLToPath(new URL('../../proto/', import.meta.url));

/**
 * The same methods behind grpc-js, which can be asked what it serves (reflection, for grpcurl and the like). A Check
 * costs three times as much here, so it is for trying things; and for comparing our own server with.
 */
export class GrpcJsServer {
  readonly #server: Server;
  readonly #listeners: Listener[] = [];
  readonly #sockets = new Set<Socket>();

  constructor({ methods, maxMessageBytes }: Pick<GrpcServerOptions, 'methods' | 'maxMessageBytes'>) {
    // It tells its errors to its caller; its own lines on standard error would break a JSON log.
    setLogVerbosity(logVerbosity.NONE);
    this.#server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes });
    for (const [path, method] of methods) {
      const isStream = method.kind === 'server-stream';
      this.#server.register(
        path,
        isStream ? streaming(method.handle) : unary(method.handle),
        (message: Buffer) => message,
        (bytes: Buffer) => bytes,
        isStream ? 'serverStream' : 'unary',
      );
    }
    new ReflectionService(
      loadSync('envoy/service/auth/v3/external_auth.proto', { includeDirs: [protoFolder], keepCase: true }),
    ).addToServer(this.#server);
  }

  /** Sockets are of our own making: those of `bindAsync` have no listener for errors, and a failed accept(2) ends the process. */
  async listen(endpoint: Endpoint, tls?: ServerTls): Promise<number> {
    const injector = this.#server.createConnectionInjector(credentialsOf(tls));
    const listener = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      injector.injectConnection(socket);
    });
    await new Promise<void>((resolve, reject) => {
      listener.on('error', reject);
      if ('socket' in endpoint) listener.listen(endpoint.socket, resolve);
      else listener.listen(endpoint.port, endpoint.host, resolve);
    });
    this.#listeners.push(listener);
    const address = listener.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** It does not say who is connected. */
  alone(): Promise<void> {
    return new Promise(() => {});
  }

  drain(): Promise<void> {
    this.#stopListening();
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#server.forceShutdown();
    // It waits for callers to hang up, and does not know of those who are still at their TLS handshake: one would keep the
    // process from ending.
    for (const socket of this.#sockets) socket.destroy();
  }

  #stopListening(): void {
    for (const listener of this.#listeners) listener.close();
  }
}

const credentialsOf = (tls: ServerTls | undefined): ServerCredentials =>
  tls === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(
        tls.clientCaPem === undefined ? null : Buffer.from(tls.clientCaPem),
        [{ cert_chain: Buffer.from(tls.certificatePem), private_key: Buffer.from(tls.privateKeyPem) }],
        tls.clientCaPem !== undefined,
      );

const unary =
  (handle: Extract<Method, { kind: 'unary' }>['handle']) =>
  (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const answer = (reply: Reply): void => {
      if (Buffer.isBuffer(reply)) callback(null, reply.subarray(prefixLength));
      else callback({ code: reply.code, details: reply.message });
    };
    new Promise<Reply>((resolve) => resolve(handle(call.request))).then(answer, callback);
  };

const streaming =
  (handle: Extract<Method, { kind: 'server-stream' }>['handle']) =>
  (call: ServerWritableStream<Buffer, Buffer>): void => {
    const stop = handle(call.request, (framed) => void call.write(framed.subarray(prefixLength)));
    if (typeof stop === 'function') call.on('cancelled', stop);
    else call.emit('error', { code: stop.code, details: stop.message });
  };
