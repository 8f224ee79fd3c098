import type { Attributes } from '../../../src/attributes.ts';
import { readCheckRequest } from '../../../src/ext-authz/check-request.ts';
import type { CheckResponse } from '../../../src/ext-authz/check-response.ts';
import { encodeCheckResponse } from '../../../src/ext-authz/encode.ts';
import type { Method } from '../../../src/grpc/call.ts';
import { createHealth } from '../../../src/grpc/health.ts';
import { GrpcServer } from '../../../src/grpc/server.ts';
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
  const health = createHealth([]);
  const check: Method = {
    kind: 'unary',
    handle: async (message) => {
      const attributes = readCheckRequest(message)!;
      authz.asked.push(attributes);
      return encodeCheckResponse(response(await authz.script(attributes)));
    },
  };
  const server = new GrpcServer({
    methods: new Map([...health.methods, ['/envoy.service.auth.v3.Authorization/Check', check]]),
    maxMessageBytes: 1 << 20,
    onError: (error) => {
      throw error;
    },
  });
  const authz: ScriptedAuthz = {
    port: 0,
    asked: [],
    script: () => ({ allow: false, status: 500, reason: 'no_script' }),
    stop: () => void server.close(),
  };
  health.setServing(true);
  const port = await server.listen(
    socket ? { socket } : { host: '127.0.0.1', port: 0 },
    tls && { ...tls, clientCaPem: tls.clientCaPem },
  );
  return Object.assign(authz, { port });
}

function response(verdict: Verdict): CheckResponse {
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
