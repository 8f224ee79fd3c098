import { fileURLToPath } from 'node:url';
import {
  type Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { SeenRequest } from '../test/support/backend.ts';
import { bearer } from './bearer.ts';
import { codings } from './certificate-header.ts';
import type { Outcome, Send } from './outcome.ts';
import type { Pki } from './pki.ts';
import type { DemoRequest } from './requests.ts';

type HeaderOption = { readonly header: { readonly key: string; readonly value: string } };
type CheckResponse = {
  readonly status?: { readonly code: number };
  readonly denied_response?: {
    readonly status?: { readonly code: number };
    readonly headers: HeaderOption[];
  };
  readonly ok_response?: { readonly headers: HeaderOption[]; readonly headers_to_remove: string[] };
};
type CheckClient = Client & {
  Check(request: object, done: (error: Error | null, response: CheckResponse) => void): void;
};
type Header = readonly [name: string, value: string];

/** Asks the enforcer what Envoy would ask it, over gRPC, and does with its answers what Envoy would do. */
export function withoutEnvoy(pki: Pki, enforcer: string): { readonly send: Send; close(): void } {
  const client = new Authorization(enforcer, credentials.createInsecure()) as unknown as CheckClient;
  const send: Send = (request) =>
    new Promise((resolve, reject) => {
      const headers = headersOf(pki, request);
      client.Check(checkRequest(pki, request, headers), (error, response) => {
        if (error) reject(error);
        else resolve(asEnvoyWould(request, headers, response));
      });
    });
  return { send, close: () => client.close() };
}

const protos = fileURLToPath(new URL('../proto/', import.meta.url));
const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  keepCase: true,
  arrays: true,
  includeDirs: [protos],
});
const Authorization = (
  loadPackageDefinition(definition) as unknown as {
    envoy: { service: { auth: { v3: { Authorization: ServiceClientConstructor } } } };
  }
).envoy.service.auth.v3.Authorization;

const headersOf = (pki: Pki, { protocol, header, token }: DemoRequest): readonly Header[] => [
  ...(token ? ([['authorization', bearer(pki, token)]] as const) : []),
  ...(protocol === 'grpc' ? ([['content-type', 'application/grpc']] as const) : []),
  ...(header
    ? [[header.name.toLowerCase(), codings[header.coding](pki.clients[header.of].certificatePem)] as const]
    : []),
];

function checkRequest(
  pki: Pki,
  { path, protocol, certificate, from }: DemoRequest,
  headers: readonly Header[],
) {
  const address = from ?? '127.0.0.1';
  return {
    attributes: {
      source: {
        address: { socket_address: { address, port_value: 50_000 } },
        certificate: certificate ? encodeURIComponent(pki.clients[certificate].certificatePem) : '',
      },
      request: {
        http: {
          method: protocol === 'grpc' ? 'POST' : 'GET',
          path,
          host: 'localhost',
          scheme: 'https',
          protocol: protocol === undefined ? 'HTTP/1.1' : 'HTTP/2',
          header_map: {
            headers: headers.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') })),
          },
        },
      },
    },
  };
}

/** Envoy admits by `status.code` 0 alone, sets and removes headers, and turns 401 into grpc-status 16. */
function asEnvoyWould(request: DemoRequest, sent: readonly Header[], response: CheckResponse): Outcome {
  const grpc = request.protocol === 'grpc';
  if ((response.status?.code ?? 0) === 0) {
    return {
      status: 200,
      ...(grpc && { grpcStatus: 0 }),
      seen: seenBehind(request, sent, response.ok_response),
    };
  }
  const { status, headers = [] } = response.denied_response ?? {};
  const reason = headers.find(({ header }) => header.key.toLowerCase() === 'x-mtls-reason')?.header.value;
  const code = status?.code || 403;
  return grpc ? { status: 200, grpcStatus: code === 401 ? 16 : 2, reason } : { status: code, reason };
}

function seenBehind(
  request: DemoRequest,
  sent: readonly Header[],
  ok: CheckResponse['ok_response'],
): SeenRequest {
  const removed = new Set(ok?.headers_to_remove.map((name) => name.toLowerCase()));
  const set = (ok?.headers ?? []).map(({ header }): Header => [header.key.toLowerCase(), header.value]);
  const kept = sent.filter(([name]) => !removed.has(name) && !set.some(([ours]) => ours === name));
  const method = request.protocol === 'grpc' ? 'POST' : 'GET';
  return { method, path: request.path, httpVersion: '2.0', headers: [...kept, ...set] };
}
