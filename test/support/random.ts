import { randomInt } from 'node:crypto';

/** The seed that the environment gives, or a new one; whoever uses it prints it. */
export const seedOf = (given: string | undefined): number => Number(given ?? randomInt(2 ** 31));

export type Random = {
  /** From 0 up to, and without, `below`. */
  readonly below: (below: number) => number;
  readonly of: <T>(some: readonly T[]) => T;
};

/** The same numbers for the same seed, so that what went wrong can be had again (mulberry32). */
export function random(seed: number): Random {
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
  return { below, of: (some) => some[below(some.length)]! };
}
