import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';
import type { Attributes } from '../../../src/attributes.ts';
import { type CheckRequest, readCheckRequest } from '../../../src/ext-authz/check-request.ts';
import type { ClientCertificate } from '../../support/client.ts';

/** What the script says of a request; header values are written as they are. */
export type Verdict =
  | {
      readonly allow: true;
      readonly set?: Readonly<Record<string, string>>;
      readonly remove?: readonly string[];
      readonly metadata?: Readonly<Record<string, string>>;
    }
  | { readonly allow: false; readonly status: number; readonly reason: string };

export type ScriptedAuthz = {
  readonly port: number;
  /** Every request asked about, as the enforcer would see it. */
  readonly asked: Attributes[];
  /** Decides from now on. */
  script: (attributes: Attributes) => Verdict | Promise<Verdict>;
  stop(): void;
};

export type AuthzOptions = {
  /** Path of a unix socket; TCP on a free port unless given. */
  readonly socket?: string;
  readonly tls?: ClientCertificate & { readonly clientCaPem?: string };
};

/** An ext_authz service that does what a test says, so that Envoy's part can be seen by itself. */
export async function startScriptedAuthz({ socket, tls }: AuthzOptions = {}): Promise<ScriptedAuthz> {
  const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [fileURLToPath(new URL('../../../proto/', import.meta.url))],
    keepCase: true,
  });
  const root = loadPackageDefinition(definition) as unknown as {
    envoy: { service: { auth: { v3: { Authorization: ServiceClientConstructor } } } };
  };
  const server = new Server();
  const authz: ScriptedAuthz = {
    port: 0,
    asked: [],
    script: () => ({ allow: false, status: 500, reason: 'no_script' }),
    stop: () => server.forceShutdown(),
  };
  server.addService(root.envoy.service.auth.v3.Authorization.service, {
    Check: ({ request }: { request: CheckRequest }, reply: (error: null, response: object) => void) => {
      const attributes = readCheckRequest(request);
      authz.asked.push(attributes);
      void Promise.resolve(authz.script(attributes)).then((verdict) => reply(null, response(verdict)));
    },
  });
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  const credentials = tls
    ? ServerCredentials.createSsl(
        tls.clientCaPem ? Buffer.from(tls.clientCaPem) : null,
        [{ cert_chain: Buffer.from(tls.certificatePem), private_key: Buffer.from(tls.privateKeyPem) }],
        tls.clientCaPem !== undefined,
      )
    : ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(socket ? `unix:${socket}` : '127.0.0.1:0', credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return Object.assign(authz, { port });
}

function response(verdict: Verdict): object {
  const headers = (fields: Readonly<Record<string, string>>) =>
    Object.entries(fields).map(([key, value]) => ({ header: { key, value } }));
  if (verdict.allow) {
    const { set = {}, remove = [], metadata = {} } = verdict;
    return {
      status: { code: 0 },
      ok_response: { headers: headers(set), headers_to_remove: remove },
      dynamic_metadata: struct(metadata),
    };
  }
  return {
    status: { code: 7 },
    denied_response: {
      status: { code: verdict.status },
      headers: headers({ 'x-mtls-reason': verdict.reason }),
      body: verdict.reason,
    },
    dynamic_metadata: struct({ reason: verdict.reason }),
  };
}

const struct = (values: Readonly<Record<string, string>>) => ({
  fields: Object.fromEntries(Object.entries(values).map(([name, stringValue]) => [name, { stringValue }])),
});
