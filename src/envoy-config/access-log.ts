import { decided } from './ext-authz-filter.ts';
import { extension, type Message } from './extension.ts';

const toStdout = (fields: Readonly<Record<string, string>>): Message =>
  extension('envoy.access_loggers.stdout', 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
    log_format: { json_format: fields, omit_empty_values: true },
  });

/** As the client wrote it: the router has put the backend's in its place by now. */
const host =
  "('x-envoy-original-host' in request.headers ? request.headers['x-envoy-original-host'] : request.host)";

/** One line a request: who came, and what the enforcer said. Without the query, which may hold a token, and without a host behind an `@`, before which a password stands. */
export const requestLog: Message = toStdout({
  time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  host: `%CEL(${host}.contains('@') ? '…@' : ${host})%`,
  path: '%PATH(NQ:ORIG_OR_PATH)%',
  protocol: '%PROTOCOL%',
  status: '%RESPONSE_CODE%',
  details: '%RESPONSE_CODE_DETAILS%',
  flags: '%RESPONSE_FLAGS%',
  duration_ms: '%DURATION%',
  client_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  request_id: '%REQ(X-REQUEST-ID)%',
  upstream: '%UPSTREAM_HOST%',
  api: decided('api'),
  version: decided('version'),
  alias: decided('alias'),
  tier: decided('tier'),
  fingerprint: decided('fingerprint'),
  subject: decided('subject'),
  client_id: decided('clientId'),
  reason: decided('reason'),
});

/** One line for each connection whose handshake failed: such a one never becomes a request. */
export const handshakeLog: Message = {
  ...toStdout({
    time: '%START_TIME%',
    client_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
    handshake_failure: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
  }),
  filter: {
    extension_filter: extension(
      'envoy.access_loggers.extension_filters.cel',
      'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
      { expression: "has(connection.transport_failure_reason) && connection.transport_failure_reason != ''" },
    ),
  },
};
