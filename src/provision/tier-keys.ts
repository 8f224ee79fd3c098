import type { TierKey } from '../config/schema/tier.ts';

/** Fields of the enforcer's dynamic metadata (`admissionMetadata`) by which requests are counted apart: the tier, and what else. */
export const keyFields: Readonly<Record<TierKey, readonly string[]>> = {
  alias: ['tier', 'account'],
  certificate: ['tier', 'fingerprint'],
  api: ['tier', 'account', 'api', 'version'],
};

/**
 * A field as descriptors name it. The rate limit service joins keys and values with `_`, which names may have, too: at
 * an API "c" the alias "a_api_b" would use up what is left to "a" at "b_api_c". No value has a backslash but before two
 * hexadecimal digits (`nameValue`).
 */
export const descriptorKey = (field: string): string => (field === 'tier' ? field : `\\${field}`);

/** What the rate limit service knows our limits by. */
export const rateLimitDomain = 'mtls-enforcer';
