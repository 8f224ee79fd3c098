import type { Config } from '../config/schema/config.ts';
import { backendClusters } from './backends.ts';
import { enforcerClusterOf } from './enforcer-cluster.ts';
import { extension, type Message, socketAddress } from './extension.ts';
import { listeners } from './listeners.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { rateLimitClusters } from './rate-limit-cluster.ts';
import { asYaml } from './yaml.ts';

const head = `# Written by "mtls-enforcer envoy-config" from config.toml: change that, and write this again.
# Tried with Envoy 1.40. Relative paths are relative to the folder that Envoy is started in:
#   envoy -c envoy.yaml --disable-hot-restart
# What each setting is for: docs/envoy.md of mtls-enforcer.
`;

/**
 * Envoy's whole static bootstrap for this configuration, as YAML without anchors. Pure: no file is read.
 *
 * What can be toggled on a running enforcer needs no change here: the certificate header's name, header or peer mode,
 * the outbound header, aliases, and `mutualSSL` of an API (but for what the plain listener serves).
 */
export const writeEnvoyConfig = (config: Config, options: EnvoyConfigOptions): string =>
  head + asYaml(bootstrap(config, options));

export const bootstrap = (config: Config, options: EnvoyConfigOptions): Message => ({
  admin: {
    address: socketAddress('127.0.0.1', config.router.adminPort),
    // Still there for the operator when clients have used up all connections.
    ignore_global_conn_limit: true,
  },
  // Envoy's limit of 100 is for patterns from strangers; ours come from config.toml, one long one in place of many.
  layered_runtime: {
    layers: [{ name: 'regex', static_layer: { 're2.max_program_size.error_level': 100_000 } }],
  },
  overload_manager: {
    resource_monitors: [
      extension(
        'envoy.resource_monitors.global_downstream_max_connections',
        'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
        { max_active_downstream_connections: config.router.maxConnections },
      ),
    ],
  },
  static_resources: {
    listeners: listeners(config, options),
    clusters: [
      enforcerClusterOf(config, options),
      ...rateLimitClusters(config, options),
      ...backendClusters(config, options),
    ],
  },
});
