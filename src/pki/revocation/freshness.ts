/** When something that is published anew from time to time counts. All in milliseconds. */
export type Freshness = {
  /** Clocks may differ by this, either way. */
  readonly clockSkew: number;
  /** Counted from thisUpdate, also where there is a later nextUpdate, or none. */
  readonly maxAge: number;
  /** For this long after nextUpdate the last good one still counts. */
  readonly staleGrace: number;
};

/** As RFC 5280 6.3.3 and RFC 6960 3.2 have it, and nothing beside. */
export const byTheBook: Freshness = { clockSkew: 0, maxAge: Infinity, staleGrace: 0 };

/** For what was revoked, which stays so (RFC 5280 5.3.1). */
export const withoutEnd = ({ clockSkew }: Freshness): Freshness => ({
  clockSkew,
  maxAge: Infinity,
  staleGrace: Infinity,
});

export type Window = {
  /** First and last millisecond in which it counts. Dates count whole seconds, as those of certificates do. */
  readonly from: number;
  readonly until: number;
};

export function windowOf(
  { thisUpdate, nextUpdate }: { readonly thisUpdate: number; readonly nextUpdate: number | undefined },
  { clockSkew, maxAge, staleGrace }: Freshness,
): Window {
  const next = nextUpdate === undefined ? Infinity : nextUpdate + staleGrace;
  return {
    from: thisUpdate - clockSkew,
    until: Math.min(next, thisUpdate + maxAge) + clockSkew + 999,
  };
}

export const isWithin = ({ from, until }: Window, now: number): boolean => from <= now && now <= until;

/** The next instant at which it begins or ends to count. */
export const nextTurn = ({ from, until }: Window, now: number): number => {
  if (now < from) return from;
  return now <= until ? until + 1 : Infinity;
};
