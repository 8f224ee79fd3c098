/** Not oftener, whatever a publisher says. */
const shortest = 30_000;

/**
 * In how many milliseconds to ask again for what says when it will be out of date: at half to three quarters of that
 * time, each at its own, so that not all ask at once. undefined: it does not say.
 */
export function refetchIn(
  { thisUpdate, nextUpdate }: { readonly thisUpdate: number; readonly nextUpdate: number | undefined },
  now: number,
  random: number,
): number | undefined {
  if (nextUpdate === undefined || !Number.isFinite(nextUpdate)) return undefined;
  const at = thisUpdate + (0.5 + 0.25 * random) * (nextUpdate - thisUpdate);
  // Past that, and nothing newer is published yet: four more times before it ends, and then as often as may be.
  return Math.max(shortest, at > now ? at - now : (nextUpdate - now) / 4);
}
