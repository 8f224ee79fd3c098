/** Not oftener, whatever a publisher says. */
const shortest = 30_000;

export type Validity = { readonly thisUpdate: number; readonly nextUpdate: number | undefined };
type Moment = {
  readonly now: number;
  /** Longest time between two. */
  readonly refresh: number;
  /** 0 to 1: each at its own, so that not all ask at once. */
  readonly random: number;
};

/**
 * In how many milliseconds to ask again for what says when it will be out of date: at half to three quarters of that
 * time, and within `refresh`, since CAs publish before their time when they have revoked something.
 */
export function refetchIn({ thisUpdate, nextUpdate }: Validity, { now, refresh, random }: Moment): number {
  const usual = (0.75 + 0.25 * random) * refresh;
  if (nextUpdate === undefined || !Number.isFinite(nextUpdate)) return usual;
  const at = thisUpdate + (0.5 + 0.25 * random) * (nextUpdate - thisUpdate);
  // Past that, and nothing newer is published yet: some more times before it ends, and then as often as may be.
  const own = at > now ? at - now : (nextUpdate - now) / 4;
  return Math.min(usual, Math.max(shortest, own));
}

/** The same for what is there already, and begins to count then. */
export const refetchAt = (begins: number, { now, refresh }: Omit<Moment, 'random'>): number =>
  Math.min(refresh, Math.max(shortest, begins - now));
