import { z } from 'zod';
import { table, text } from './values.ts';

/** Envoy's buckets and the rate limit service count in 32 bits. */
const count = () => {
  const error = 'write a whole number from 1 to 4294967295';
  return z.int({ error }).min(1, { error }).max(4_294_967_295, { error }).optional();
};

const units = ['second', 'minute', 'hour', 'day'] as const;
export type Unit = (typeof units)[number];

/** What Envoy counts apart. */
const keys = ['alias', 'certificate', 'api'] as const;
export type TierKey = (typeof keys)[number];

/** `[[tiers]]`: how much the clients of a tier may ask for. Counted by Envoy, never here. */
export const tier = table({
  name: text('a name, for example "Gold"')
    .optional()
    .describe(
      'As `tier` of a client has it. One of WSO2’s (Unlimited, Gold, Silver, Bronze, Unauthenticated, DefaultSubscriptionless, 10PerMin, 20PerMin, 50PerMin, 10KPerMin, 20KPerMin, 50KPerMin) needs no more: it then has their published number. A client’s own `tier` is compared letter by letter.',
    ),
  file: text('a policy file, for example "policies/Subscription-Gold.yaml"')
    .optional()
    .describe(
      'In place of `name` and numbers: throttling policies of WSO2’s systems as they are (API Manager’s export, Microgateway’s `policies.yaml`), each a tier. An entry with the `name` of one counts over it.',
    ),
  requests: count().describe('So many requests in each `per`.'),
  per: z.enum(units).optional().describe('Unset: `"minute"`.'),
  burst: count().describe(
    'So many at once, while as many have been left over. Unset: as many as `requests`. With `[router.rateLimit]` it does not count.',
  ),
  key: z
    .enum(keys)
    .default('alias')
    .describe(
      'What is counted apart: each alias, each certificate, or each alias at each API. (Not all of a tier together: one could use up what is another’s.)',
    ),
  stopOnQuotaReach: z
    .boolean()
    .optional()
    .describe(
      'Unset: true, or what the `file` says. false: beyond the limit requests go on, and only `x-ratelimit-remaining` and Envoy’s statistics tell.',
    ),
});
