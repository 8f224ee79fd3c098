import type { Config } from '../config/schema/config.ts';
import { hostAndPortOf } from '../config/schema/values.ts';
import { asManyAsLetIn, endpoints } from './backends.ts';
import type { Message } from './extension.ts';
import { grpcTls } from './grpc-tls.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { httpProtocolOptions } from './protocols.ts';
import { limitedTiers, rateLimitCluster, tiersIn } from './tiers.ts';

/** Of the rate limit service, where it counts. */
export function rateLimitClusters(config: Config, options: EnvoyConfigOptions): readonly Message[] {
  const { rateLimit } = config.router;
  const at = rateLimit && hostAndPortOf(rateLimit.service);
  if (rateLimit === undefined || at === undefined || limitedTiers(tiersIn(config, options)).length === 0)
    return [];
  return [
    {
      name: rateLimitCluster,
      connect_timeout: '0.25s',
      // What it is not asked about is not counted, with failureMode = "allow".
      circuit_breakers: { thresholds: [asManyAsLetIn(config)] },
      ...endpoints(rateLimitCluster, at.host, [at.port]),
      typed_extension_protocol_options: httpProtocolOptions({
        explicit_http_config: { http2_protocol_options: {} },
      }),
      ...tlsTo(at.host, rateLimit, options),
    },
  ];
}

function tlsTo(
  host: string,
  { trustedCertPath, certPath, keyPath }: NonNullable<Config['router']['rateLimit']>,
  { resolvePath }: EnvoyConfigOptions,
): Message {
  if (trustedCertPath === undefined) return {};
  return {
    transport_socket: grpcTls({
      host,
      trusted: resolvePath(trustedCertPath),
      isCa: true,
      certPath: certPath && resolvePath(certPath),
      keyPath: keyPath && resolvePath(keyPath),
    }),
  };
}
