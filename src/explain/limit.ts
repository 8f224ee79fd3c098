import type { Config } from '../config/schema/config.ts';
import type { Decision } from '../decision.ts';
import { descriptorKey, keyFields, rateLimitDomain } from '../provision/tier-keys.ts';
import { type Limit, type Tier, tierLine } from '../provision/tiers.ts';
import type { Snapshot } from '../snapshot.ts';
import { admissionMetadata, identityOf } from '../upstream/backend-headers.ts';
import { type Stage, told } from './stage.ts';

/** What an admitted request is counted as, and by whom: not here, and after the decision. */
export type CountedAs = Omit<Limit, 'burst'> & {
  readonly tier: string;
  /** undefined: the service knows none. */
  readonly burst: number | undefined;
  readonly countedBy: 'Envoy' | { readonly service: string; readonly domain: string };
  /** What its bucket is found by: metadata that Envoy got, for the service by the names that it knows. */
  readonly bucket: Readonly<Record<string, string>>;
};

export type Known = { readonly config: Config; readonly tiers: readonly Tier[]; readonly snapshot: Snapshot };

type Told = { readonly stage: Stage; readonly counted?: CountedAs };

/** Of a client that has a tier. */
export function limitTold(decision: Decision, known: Known): Told | undefined {
  const name = decision.outcome === 'allow' ? decision.client?.tier : undefined;
  if (decision.outcome !== 'allow' || name === undefined) return undefined;
  const tier = known.tiers.find((one) => one.name === name);
  if (tier === undefined) return { stage: told('limit', `none: no [[tiers]] has the name "${name}"`) };
  if (tier.limit === undefined) return { stage: told('limit', tierLine(tier)) };
  const said = admissionMetadata(decision, identityOf(decision), known.snapshot.answers);
  const counted = countedAs(tier.name, tier.limit, said, known);
  return { stage: told('limit', tierLine(tier), counterLine(counted)), counted };
}

function countedAs(
  tier: string,
  limit: Limit,
  said: Readonly<Record<string, string | undefined>>,
  { config: { router } }: Known,
): CountedAs {
  const service = router.rateLimit?.service;
  return {
    tier,
    ...limit,
    burst: service === undefined ? limit.burst : undefined,
    countedBy: service === undefined ? 'Envoy' : { service, domain: rateLimitDomain },
    bucket: Object.fromEntries(
      keyFields[limit.key].map((field) => [
        service === undefined ? field : descriptorKey(field),
        said[field] ?? '',
      ]),
    ),
  };
}

function counterLine({ countedBy, bucket }: CountedAs): string {
  const by =
    countedBy === 'Envoy'
      ? 'by each Envoy for itself'
      : `by the service at ${countedBy.service}, domain ${countedBy.domain}`;
  const fields = Object.entries(bucket).map(([field, value]) => `${field} "${value}"`);
  return `counted ${by}, under ${fields.join(', ')}`;
}
