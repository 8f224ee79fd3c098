import { descriptorKey, keyFields, rateLimitDomain } from '../provision/tier-keys.ts';
import type { Limit, Tier } from '../provision/tiers.ts';
import { limitedTiers } from './tiers.ts';
import { asYaml } from './yaml.ts';

const head = `# Written by "mtls-enforcer ratelimit-config" from config.toml: change that, and write this again.
# For envoyproxy/ratelimit: a file in $RUNTIME_ROOT/$RUNTIME_SUBDIRECTORY/config/. More in docs/tiers.md of mtls-enforcer.
`;

/** What envoyproxy/ratelimit counts for the Envoys that `envoy-config` writes for. */
export const writeRateLimitConfig = (tiers: readonly Tier[]): string =>
  head +
  asYaml({
    domain: rateLimitDomain,
    descriptors: limitedTiers(tiers).map(({ name, limit }) => ({
      key: keyFields[limit.key][0],
      value: name,
      descriptors: [below(keyFields[limit.key].slice(1), limit)],
    })),
  });

/** Without a value: each value is counted apart. */
function below([field = '', ...others]: readonly string[], limit: Limit): object {
  const key = descriptorKey(field);
  if (others.length > 0) return { key, descriptors: [below(others, limit)] };
  return {
    key,
    rate_limit: { unit: limit.per, requests_per_unit: limit.requests },
    ...(!limit.stopOnQuotaReach && { shadow_mode: true }),
  };
}
