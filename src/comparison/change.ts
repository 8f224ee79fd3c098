/**
 * What is decided otherwise. widening: somebody may be let in who was not; narrowing: shut out who was not; tier: neither,
 * but how much he may ask for.
 */
export type Change = { readonly effect: 'widening' | 'narrowing' | 'tier'; readonly text: string };

export const widening = (text: string): Change => ({ effect: 'widening', text });
export const narrowing = (text: string): Change => ({ effect: 'narrowing', text });

export const ofTier = (text: string): Change => ({ effect: 'tier', text });

/** Where it can't be told which way it works, it counts as both. */
export const either = (text: string): readonly Change[] => [widening(text), narrowing(text)];

/** A value that lets in more the further behind it stands in `order`. */
export function byOrder<T extends string>(
  what: string,
  order: readonly T[],
  before: T,
  after: T,
): readonly Change[] {
  if (before === after) return [];
  const text = `${what}: ${before} -> ${after}`;
  return [order.indexOf(after) > order.indexOf(before) ? widening(text) : narrowing(text)];
}

/** A set of which each more lets in more; undefined: any. */
export function bySet(
  what: string,
  before: ReadonlySet<string> | undefined,
  after: ReadonlySet<string> | undefined,
): readonly Change[] {
  if (before === undefined || after === undefined) {
    if (before === after) return [];
    const text = (set: ReadonlySet<string> | undefined): string =>
      set === undefined ? 'any' : [...set].join(', ');
    const words = `${what}: ${text(before)} -> ${text(after)}`;
    return [after === undefined ? widening(words) : narrowing(words)];
  }
  return [
    ...[...after].filter((one) => !before.has(one)).map((one) => widening(`${what}: ${one} counts now`)),
    ...[...before].filter((one) => !after.has(one)).map((one) => narrowing(`${what}: ${one} counts no more`)),
  ];
}
