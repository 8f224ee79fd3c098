import type { Unit } from '../config/schema/tier.ts';

/**
 * The throttling policies that API Manager and Microgateway come with, subscription policies first, by the numbers that
 * their documents give. undefined: no limit.
 */
export const publishedTiers: ReadonlyMap<
  string,
  { readonly requests: number; readonly per: Unit } | undefined
> = new Map([
  ['Unlimited', undefined],
  ...(
    [
      ['Gold', 5_000],
      ['Silver', 2_000],
      ['Bronze', 1_000],
      ['Unauthenticated', 500],
      ['DefaultSubscriptionless', 10_000],
      ['10PerMin', 10],
      ['20PerMin', 20],
      ['50PerMin', 50],
      ['10KPerMin', 10_000],
      ['20KPerMin', 20_000],
      ['50KPerMin', 50_000],
    ] as const
  ).map(([name, requests]) => [name, { requests, per: 'minute' }] as const),
]);
