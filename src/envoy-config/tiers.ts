import type { Config } from '../config/schema/config.ts';
import { descriptorKey, keyFields, rateLimitDomain } from '../provision/tier-keys.ts';
import { type Limit, ownTiers, type Tier } from '../provision/tiers.ts';
import { nameValue } from '../upstream/field-value.ts';
import { decidedAt } from './ext-authz-filter.ts';
import { extension, type Message, seconds } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';

type Limited = { readonly name: string; readonly limit: Limit };

/** Those that are meant. */
export const tiersIn = (config: Config, { tiers }: EnvoyConfigOptions): readonly Tier[] =>
  tiers ?? ownTiers(config);

export const limitedTiers = (tiers: readonly Tier[]): readonly Limited[] =>
  tiers.flatMap(({ name, limit }) => (limit === undefined ? [] : [{ name: nameValue(name), limit }]));

/** Behind ext_authz: who was refused has used up nothing, and who had no certificate has no tier. */
export function tierFilters(tiers: readonly Tier[], { router }: Config): readonly Message[] {
  const limited = limitedTiers(tiers);
  if (limited.length === 0) return [];
  return router.rateLimit === undefined
    ? limited.map(localLimit)
    : [globalLimit(limited, router.rateLimit.failureMode)];
}

const answers: Message = {
  // Only one of both is known without these: how many there are left, or that there are none.
  enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
  enable_retry_after_header: true,
  // gRPC's RESOURCE_EXHAUSTED, in place of the UNAVAILABLE that callers try again at once.
  rate_limited_as_resource_exhausted: true,
};

/** What is counted apart, out of what the enforcer has answered: metadata is no header, so that no client can write it. */
const countedBy = (key: Limit['key']): Message => ({
  actions: keyFields[key].map((field) => ({
    metadata: { descriptor_key: descriptorKey(field), metadata_key: decidedAt(field) },
  })),
});

/** A bucket for each that is counted apart. One filter a tier, so that each has its own statistics. */
const localLimit = ({ name, limit }: Limited): Message =>
  extension(
    'envoy.filters.http.local_ratelimit',
    'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
    {
      stat_prefix: `tier_${statName(name)}`,
      filter_enabled: { default_value: { numerator: 100 } },
      filter_enforced: { default_value: { numerator: 100 } },
      ...answers,
      // The least recently used bucket is forgotten beyond that, and its client begins anew with a full one.
      max_dynamic_descriptors: 100_000,
      rate_limits: [countedBy(limit.key)],
      descriptors: [
        {
          entries: keyFields[limit.key].map((field, i) =>
            i === 0 ? { key: field, value: name } : { key: descriptorKey(field) },
          ),
          token_bucket: {
            max_tokens: limit.burst,
            tokens_per_fill: limit.requests,
            fill_interval: seconds(secondsOf[limit.per]),
          },
          ...(!limit.stopOnQuotaReach && { shadow_mode: true }),
        },
      ],
    },
  );

/** Different names stay different; a dot would end one. `nameValue` has begun its own escapes with a backslash. */
const statName = (name: string): string =>
  name.replace(/[^A-Za-z0-9_-]/g, (sign) =>
    sign === '\\' ? '~' : `~${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const secondsOf: Readonly<Record<Limit['per'], number>> = { second: 1, minute: 60, hour: 3_600, day: 86_400 };

export const rateLimitCluster = 'rate_limit';

const globalLimit = (limited: readonly Limited[], failureMode: 'allow' | 'deny'): Message =>
  extension('envoy.filters.http.ratelimit', 'envoy.extensions.filters.http.ratelimit.v3.RateLimit', {
    domain: rateLimitDomain,
    failure_mode_deny: failureMode === 'deny',
    status_on_error: { code: 'ServiceUnavailable' },
    // So long at most waits a request where the service hangs; Envoy's 20 ms are less than a busy Redis takes.
    timeout: '0.1s',
    ...answers,
    disable_x_envoy_ratelimited_header: true,
    rate_limit_service: {
      transport_api_version: 'V3',
      grpc_service: { envoy_grpc: { cluster_name: rateLimitCluster } },
    },
    // One is asked about a request by each of them that the request has a tier and a key for.
    rate_limits: [...new Set(limited.map(({ limit }) => limit.key))].map(countedBy),
  });
