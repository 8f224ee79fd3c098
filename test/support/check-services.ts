import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import type { Attributes } from '../../src/attributes.ts';
import type { Decision } from '../../src/decision.ts';
import { decide } from '../../src/enforcer.ts';
import { writeCheckResponse } from '../../src/ext-authz/check-response.ts';
import { type ExtAuthzServer, startServer } from '../../src/ext-authz/server.ts';
import type { Snapshot } from '../../src/snapshot.ts';
import { after, type Soon } from '../../src/soon.ts';
import { attributesOf, codec, type Decoded } from './plain-codec.ts';

export const checkPath = '/envoy.service.auth.v3.Authorization/Check';

type Service = { readonly address: string; readonly close: () => Promise<void> };
type Deciding = {
  readonly snapshot: Snapshot;
  /** What decides, where it is not the enforcer alone. */
  readonly decide?: (attributes: Attributes) => Soon<Decision>;
  /** Any free one unless given. */
  readonly port?: number;
};

/** The ext_authz service as it is, deciding by one snapshot at one time. */
export async function startService(
  now: number,
  { snapshot, decide: decided, port = 0 }: Deciding,
): Promise<Service & { readonly server: ExtAuthzServer }> {
  const { answers } = snapshot;
  const server = await startServer({
    listeners: [{ address: '127.0.0.1', port, tls: undefined }],
    check: (attributes) =>
      after((decided ?? ((its) => decide(its, snapshot, now)))(attributes), (decision) => ({
        decision,
        answers,
        backendJwt: undefined,
      })),
    answers: () => answers,
    maxMessageBytes: 65_536,
    reflection: false,
    onError: (error) => {
      throw error;
    },
  });
  server.setServing(true);
  return { server, address: server.addresses[0]!, close: server.close };
}

/** The same decisions behind what everybody uses: grpc-js, and proto-loader's reader and writer. */
export async function startPlainService(now: number, { snapshot }: Deciding): Promise<Service> {
  const server = new Server({ 'grpc.max_receive_message_length': 65_536 });
  server.register(
    checkPath,
    ({ request }: ServerUnaryCall<Decoded, object>, callback: sendUnaryData<object>) => {
      const attributes = attributesOf(request);
      void Promise.resolve(decide(attributes, snapshot, now)).then((decision) =>
        callback(null, writeCheckResponse(decision, snapshot.answers, attributes.http.headers)),
      );
    },
    codec.responseSerialize,
    codec.requestDeserialize,
    'unary',
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  return { address: `127.0.0.1:${port}`, close: async () => server.forceShutdown() };
}

/** Sends messages as they are; what comes back: the status, and the message's bytes. */
export class RawClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  check(message: Buffer): Promise<{ readonly status: number; readonly message: string }> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        checkPath,
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        message,
        { deadline: Date.now() + 10_000 },
        (error: ServiceError | null, answer?: Buffer) =>
          resolve({ status: error?.code ?? 0, message: answer?.toString('hex') ?? '' }),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
