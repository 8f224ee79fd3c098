import { isIP } from 'node:net';
import type { Config } from '../config/schema/config.ts';
import { extension, type Message, socketAddress } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { httpProtocolOptions, streamsPerConnection } from './protocols.ts';
import { tlsParameters } from './tls.ts';

type Backend = {
  /** Name of its cluster: one for each scheme, host and port. */
  readonly cluster: string;
  readonly tls: boolean;
  /** Requests may be upgraded: what follows is no HTTP, and nobody judges it. */
  readonly webSocket: boolean;
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** For the Host header. */
  readonly authority: string;
  /** '' or begins with a slash; no slash at the end. */
  readonly path: string;
};

/** @param url http://, https://, ws:// or wss://, as the configuration has checked */
export function backendOf(url: string): Backend {
  const { protocol, hostname, port, host, origin, pathname } = new URL(url);
  const tls = protocol === 'https:' || protocol === 'wss:';
  return {
    cluster: origin,
    tls,
    webSocket: protocol === 'ws:' || protocol === 'wss:',
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (tls ? 443 : 80) : Number(port),
    authority: host,
    path: pathname.replace(/(?<!\/)\/+$/, ''),
  };
}

/** One cluster for each distinct backend. */
export function backendClusters(config: Config, options: EnvoyConfigOptions): readonly Message[] {
  const backends = new Map<string, Backend>();
  const own = new Set<string>();
  const { ownApis = config.apis.length } = options;
  for (const [i, { backend }] of config.apis.entries()) {
    if (backend === undefined) continue;
    const found = backendOf(backend);
    backends.set(found.cluster, found);
    if (i < ownApis) own.add(found.cluster);
  }
  return [...backends.values()].map((backend) => ({
    name: backend.cluster,
    alt_stat_name: statName(backend),
    connect_timeout: '5s',
    // Envoy listens once it has looked up all hosts: for two minutes not at all, where a publisher's name server gives no
    // answer. config.toml's own it does wait for, so that one that is changed is ready before it replaces the one before.
    ...(isIP(backend.host) === 0 && !own.has(backend.cluster) && { wait_for_warm_on_init: false }),
    circuit_breakers: { thresholds: [asManyAsLetIn(config)] },
    ...endpoints(backend.cluster, backend.host, [backend.port]),
    typed_extension_protocol_options: httpProtocolOptions(
      // HTTP/2 where the backend agrees to it (ALPN), so that gRPC works. There is no ALPN in clear text, and an upgrade
      // is of HTTP/1.1 (RFC 6455).
      backend.tls && !backend.webSocket
        ? { auto_config: { http_protocol_options: {}, http2_protocol_options: {} } }
        : { explicit_http_config: { http_protocol_options: {} } },
    ),
    ...(backend.tls && { transport_socket: backendTls(backend, config, options) }),
  }));
}

/**
 * As many requests as clients may have open in all. APIs on one host share a cluster: at Envoy's 1024, what one client
 * holds open at its own API would be everybody's 503.
 */
export function asManyAsLetIn({ router }: Config): Message {
  const most = Math.min(router.maxConnections * streamsPerConnection, 2 ** 32 - 1);
  return { max_connections: most, max_pending_requests: most, max_requests: most };
}

/** Envoy's Prometheus names take what stands before a dot for the cluster, and the rest for the metric's own name. */
const statName = ({ host, port, webSocket }: Backend): string =>
  [...(webSocket ? ['ws'] : []), host.replace(/[^A-Za-z0-9-]/g, '_'), port].join('_');

/** How a cluster on one host is found. */
export const endpoints = (cluster: string, host: string, ports: readonly number[]): Message => ({
  ...(isIP(host) === 0
    ? // localhost is ::1 first where Envoy may choose, and backends often listen on 127.0.0.1 only.
      { type: 'STRICT_DNS', dns_lookup_family: 'V4_PREFERRED' }
    : { type: 'STATIC' }),
  load_assignment: {
    cluster_name: cluster,
    endpoints: [
      { lb_endpoints: ports.map((port) => ({ endpoint: { address: socketAddress(host, port) } })) },
    ],
  },
});

function backendTls({ host }: Backend, config: Config, { resolvePath }: EnvoyConfigOptions): Message {
  const { tls } = config.router.upstream;
  return extension(
    'envoy.transport_sockets.tls',
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    {
      ...serverName(host),
      common_tls_context: {
        tls_params: tlsParameters(tls),
        ...(!tls.disableSslVerification && {
          validation_context: {
            trusted_ca: { filename: resolvePath(tls.trustedCertPath) },
            ...(tls.verifyHostName && namesHost(host)),
          },
        }),
      },
    },
  );
}

/** SNI is for names only (RFC 6066 section 3), without the dot at the end. */
export const serverName = (host: string): Message =>
  isIP(host) === 0 ? { sni: host.replace(/\.$/, '') } : {};

/** The certificate must be for this host; `exact` takes a certificate's own wildcard into account. */
export const namesHost = (host: string): Message => ({
  match_typed_subject_alt_names: [
    {
      san_type: isIP(host) === 0 ? 'DNS' : 'IP_ADDRESS',
      matcher: { exact: host.replace(/\.$/, '') },
    },
  ],
});
