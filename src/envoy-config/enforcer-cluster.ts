import type { Config } from '../config/schema/config.ts';
import { endpoint, namesHost, serverName } from './backends.ts';
import { enforcerCluster } from './ext-authz-filter.ts';
import { extension, type Message } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { httpProtocolOptions } from './protocols.ts';
import { certificatePair, tlsParameters } from './tls.ts';

/** Where Envoy reaches the enforcer: its unix socket where there is one, else TCP. Health-checked, HTTP/2. */
export function enforcerClusterOf(config: Config, options: EnvoyConfigOptions): Message {
  const { socket, certPath } = config.enforcer.authService;
  return {
    name: enforcerCluster,
    connect_timeout: '0.25s',
    ...(socket === undefined ? tcpEndpoint(config, options) : pipeEndpoint(options.resolvePath(socket))),
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
    ...(socket === undefined &&
      certPath !== undefined && { transport_socket: enforcerTls(config, certPath, options) }),
  };
}

const pipeEndpoint = (path: string): Message => ({
  type: 'STATIC',
  load_assignment: {
    cluster_name: enforcerCluster,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
  },
});

const tcpEndpoint = (config: Config, options: EnvoyConfigOptions): Message =>
  endpoint(enforcerCluster, enforcerHost(config, options), config.enforcer.authService.port);

/** "Any address" is for listening; from here it is this machine. */
const enforcerHost = ({ enforcer }: Config, options: EnvoyConfigOptions): string => {
  const address = options.enforcer?.address ?? enforcer.authService.address;
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address;
};

function enforcerTls(config: Config, ownCertificate: string, options: EnvoyConfigOptions): Message {
  const { resolvePath, enforcer: access = {} } = options;
  const host = enforcerHost(config, options);
  return extension(
    'envoy.transport_sockets.tls',
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    {
      ...serverName(host),
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_params: tlsParameters({ minimumProtocolVersion: 'TLS1_2', maximumProtocolVersion: 'TLS1_3' }),
        ...(access.certPath !== undefined &&
          access.keyPath !== undefined && {
            tls_certificates: [certificatePair(resolvePath(access.certPath), resolvePath(access.keyPath))],
          }),
        // A CA issues to others too, so the name must fit; the enforcer's own certificate needs no second proof.
        validation_context: {
          trusted_ca: { filename: resolvePath(access.trustedCertPath ?? ownCertificate) },
          ...(access.trustedCertPath !== undefined && namesHost(host)),
        },
      },
    },
  );
}
