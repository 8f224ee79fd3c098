import type { Config } from '../config/schema/config.ts';
import { hostToReach, portOfWorker, socketOfWorker } from '../config/worker.ts';
import { endpoints } from './backends.ts';
import { enforcerCluster } from './ext-authz-filter.ts';
import type { Message } from './extension.ts';
import { grpcTls } from './grpc-tls.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { httpProtocolOptions } from './protocols.ts';

/** Where Envoy reaches the enforcer, each of its processes: its unix sockets where there are any, else TCP. */
export function enforcerClusterOf(config: Config, options: EnvoyConfigOptions): Message {
  const { socket, certPath } = config.enforcer.authService;
  const workers = numbersOf(config, options);
  return {
    name: enforcerCluster,
    connect_timeout: '0.25s',
    ...(socket === undefined
      ? endpoints(
          enforcerCluster,
          enforcerHost(config, options),
          workers.map((worker) => portOfWorker(config.enforcer.authService.port, worker)),
        )
      : pipeEndpoints(workers.map((worker) => socketOfWorker(options.resolvePath(socket), worker)))),
    typed_extension_protocol_options: httpProtocolOptions({
      explicit_http_config: { http2_protocol_options: {} },
    }),
    health_checks: [
      {
        timeout: '0.5s',
        interval: '1s',
        no_traffic_interval: '1s',
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        grpc_health_check: {},
      },
    ],
    // Envoy's three at a time are fewer than what waits for a worker that dies.
    circuit_breakers: { thresholds: [{ max_retries: 1024 }] },
    // A process that died or hangs is left alone before its health check fails; where none is well, all are tried.
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 2,
      enforcing_consecutive_local_origin_failure: 100,
      consecutive_5xx: 0,
      consecutive_gateway_failure: 0,
      interval: '0.5s',
      base_ejection_time: '1s',
      max_ejection_time: '5s',
      max_ejection_percent: 100,
    },
    common_lb_config: {
      healthy_panic_threshold: { value: 1 },
      // What is found out about one counts at once: Envoy would gather news for a second.
      update_merge_window: '0s',
    },
    ...(socket === undefined &&
      certPath !== undefined && { transport_socket: enforcerTls(config, certPath, options) }),
  };
}

const numbersOf = ({ enforcer }: Config, { workers }: EnvoyConfigOptions): readonly number[] =>
  Array.from({ length: workers ?? enforcer.authService.workers }, (_, i) => i + 1);

const pipeEndpoints = (paths: readonly string[]): Message => ({
  type: 'STATIC',
  load_assignment: {
    cluster_name: enforcerCluster,
    endpoints: [{ lb_endpoints: paths.map((path) => ({ endpoint: { address: { pipe: { path } } } })) }],
  },
});

const enforcerHost = ({ enforcer }: Config, options: EnvoyConfigOptions): string =>
  hostToReach(options.enforcer?.address ?? enforcer.authService.address);

/** Its own certificate needs no second proof. */
function enforcerTls(config: Config, ownCertificate: string, options: EnvoyConfigOptions): Message {
  const { resolvePath, enforcer: { trustedCertPath, certPath, keyPath } = {} } = options;
  return grpcTls({
    host: enforcerHost(config, options),
    trusted: resolvePath(trustedCertPath ?? ownCertificate),
    isCa: trustedCertPath !== undefined,
    certPath: certPath && resolvePath(certPath),
    keyPath: keyPath && resolvePath(keyPath),
  });
}
