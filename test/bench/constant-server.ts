import { encodeCheckResponse } from '../../src/ext-authz/encode.ts';
import { createHealth } from '../../src/grpc/health.ts';
import { GrpcServer } from '../../src/grpc/server.ts';

/**
 * What test/bench/attack.ts compares the enforcer with: admits whose message holds a text, refuses all others, and looks
 * at nothing else. `node constant-server.ts PORT TEXT`.
 */
const [port, text] = process.argv.slice(2);
const authorization = 'envoy.service.auth.v3.Authorization';
const admission = encodeCheckResponse({
  status: { code: 0 },
  ok_response: { headers: [], headers_to_remove: [] },
  dynamic_metadata: { fields: {} },
});
const denial = encodeCheckResponse({
  status: { code: 16 },
  denied_response: { status: { code: 401 }, headers: [], body: 'x'.repeat(200) },
  dynamic_metadata: { fields: {} },
});
const health = createHealth([authorization]);
const server = new GrpcServer({
  methods: new Map([
    ...health.methods,
    [
      `/${authorization}/Check`,
      { kind: 'unary', handle: (message) => (message.includes(text!) ? admission : denial) },
    ],
  ]),
  maxMessageBytes: 1_048_576,
  onError: (error) => {
    throw error;
  },
});
await server.listen({ host: '127.0.0.1', port: Number(port) });
health.setServing(true);
console.log('listening');
