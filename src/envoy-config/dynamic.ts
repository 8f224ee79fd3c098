import { posix } from 'node:path';
import type { Config } from '../config/schema/config.ts';
import { bootstrap } from './bootstrap.ts';
import { type Message, typed } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { rateLimitCluster } from './tiers.ts';
import { asYaml } from './yaml.ts';

/** By name in its folder, in the order in which Envoy needs them: what is named by a later one stands in an earlier. */
export type EnvoyFiles = ReadonlyMap<string, string>;

export const clustersFile = 'clusters.json';
export const bootstrapFile = 'envoy.yaml';

/** What a secret is called, by where it is used. */
type Roles = { readonly certificate: string; readonly ca: string };
const towardsClients: Roles = { certificate: 'router-certificate', ca: 'client-ca' };
const towardsBackends: Roles = { certificate: 'backend-certificate', ca: 'backend-ca' };
const towardsLimits: Roles = { certificate: 'rate-limit-client-certificate', ca: 'rate-limit-ca' };
const towardsEnforcer: Roles = { certificate: 'enforcer-client-certificate', ca: 'enforcer-ca' };

/**
 * The same configuration as the bootstrap alone would be, in files that Envoy watches: listeners (LDS), routes (RDS),
 * backends (CDS), and certificates and CAs (SDS, which reads the files that they name again when they are renamed over).
 * Only the enforcer's own cluster, and what is no resource, stays in the bootstrap: a change there needs another Envoy.
 *
 * @param folder absolute, as Envoy sees it
 */
export function dynamicEnvoyFiles(config: Config, options: EnvoyConfigOptions, folder: string): EnvoyFiles {
  const { static_resources: all, ...others } = bootstrap(config, options) as Message & {
    readonly static_resources: {
      readonly listeners: readonly Message[];
      readonly clusters: readonly Message[];
    };
  };
  const secrets = new Map<string, Message>();
  const routes = new Map<string, Message>();
  const source = (file: string): Message => ({
    resource_api_version: 'V3',
    path_config_source: { path: posix.join(folder, file), watched_directory: { path: folder } },
  });
  const secret = (name: string, content: Message): Message => {
    keepSecret(secrets, name, { name, ...content });
    return { name, sds_config: source(`${name}.json`) };
  };
  const rewritten = (value: unknown, roles: Roles, listener = ''): unknown => {
    if (Array.isArray(value)) return value.map((inner) => rewritten(inner, roles, listener));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, field]): [string, unknown] => {
        if (key === 'tls_certificates')
          return [
            'tls_certificate_sds_secret_configs',
            (field as readonly Message[]).map((pair) => secret(roles.certificate, { tls_certificate: pair })),
          ];
        if (key === 'validation_context' && Object.hasOwn(field as Message, 'trusted_ca')) {
          const { trusted_ca, ...asked } = field as Message;
          return [
            'combined_validation_context',
            {
              default_validation_context: asked,
              validation_context_sds_secret_config: secret(roles.ca, { validation_context: { trusted_ca } }),
            },
          ];
        }
        if (key === 'route_config') {
          const file = `routes-${listener}.json`;
          routes.set(file, field as Message);
          return ['rds', { route_config_name: (field as Message).name, config_source: source(file) }];
        }
        return [key, rewritten(field, roles, listener)];
      }),
    );
  };
  const [enforcer, ...backends] = all.clusters;
  const listeners = all.listeners.map((one) => rewritten(one, towardsClients, String(one.name)) as Message);
  const clusters = backends.map(
    (one) => rewritten(one, one.name === rateLimitCluster ? towardsLimits : towardsBackends) as Message,
  );
  const own = {
    node: { id: 'mtls-enforcer', cluster: 'mtls-enforcer' },
    ...others,
    static_resources: { clusters: [rewritten(enforcer, towardsEnforcer)] },
    dynamic_resources: { lds_config: source('listeners.json'), cds_config: source(clustersFile) },
  };
  return new Map([
    ...[...secrets].map(
      ([name, content]) =>
        [`${name}.json`, resources('envoy.extensions.transport_sockets.tls.v3.Secret', [content])] as const,
    ),
    [clustersFile, resources('envoy.config.cluster.v3.Cluster', clusters)],
    ...[...routes].map(
      ([file, content]) => [file, resources('envoy.config.route.v3.RouteConfiguration', [content])] as const,
    ),
    ['listeners.json', resources('envoy.config.listener.v3.Listener', listeners)],
    [bootstrapFile, head + asYaml(own)],
  ]);
}

/**
 * What has one name is one: else the CA that stood there last would be trusted for all.
 *
 * @throws Error: a fault of ours, another one has this name
 */
export function keepSecret(secrets: Map<string, Message>, name: string, secret: Message): void {
  const known = secrets.get(name);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(secret))
    throw new Error(`two secrets of Envoy would be called ${name}`);
  secrets.set(name, secret);
}

const head = `# Written by "mtls-enforcer" from config.toml: change that. Start Envoy once with this file; what stands in the others
# beside it is in force by itself.
`;

const resources = (type: string, all: readonly Message[]): string =>
  asJson({ resources: all.map((one) => typed(type, one)) });

/** YAML of ten thousand APIs would take seconds to write. */
const asJson = (message: Message): string => `${JSON.stringify(message, null, 1)}\n`;

/**
 * Clusters with those of before that are none any more: routes of before still name them.
 *
 * @param isOver whether none does any more
 * @returns the file, and the names of those of before
 */
export function withClustersOfBefore(
  now: string,
  before: string,
  isOver: (name: string) => boolean,
): { readonly text: string; readonly kept: readonly string[] } {
  try {
    const [old, all] = [before, now].map(
      (text) => JSON.parse(text) as { readonly resources: readonly { readonly name: string }[] },
    );
    const names = new Set(all!.resources.map(({ name }) => name));
    const kept = old!.resources.filter(({ name }) => !names.has(name) && !isOver(name));
    const text = kept.length === 0 ? now : asJson({ resources: [...all!.resources, ...kept] });
    return { text, kept: kept.map(({ name }) => name) };
  } catch {
    // Somebody else's, or half of one.
    return { text: now, kept: [] };
  }
}
