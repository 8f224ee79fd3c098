import type { TierKey } from '../config/schema/tier.ts';

/** Fields of the enforcer's dynamic metadata by which requests are counted apart: the tier, and what else. */
export const keyFields: Readonly<Record<TierKey, readonly string[]>> = {
  alias: ['tier', 'alias'],
  certificate: ['tier', 'fingerprint'],
  api: ['tier', 'alias', 'api', 'version'],
};

/** What the rate limit service knows our limits by. */
export const rateLimitDomain = 'mtls-enforcer';
