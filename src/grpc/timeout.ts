const milliseconds: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Short of the longest that node's timers can wait: of anything longer they make one millisecond. */
const longest = 2 ** 31 - 1000;

/**
 * `grpc-timeout`: at most eight digits and a unit.
 *
 * @returns milliseconds, 25 days at most; undefined: none was given; NaN: it is none
 */
export function readTimeout(value: string | readonly string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value !== last.value) last = { value, milliseconds: parse(value) };
  return last.milliseconds;
}

/** Envoy gives each call the same. */
let last: { readonly value: unknown; readonly milliseconds: number } = { value: '', milliseconds: NaN };

function parse(value: string | readonly string[]): number {
  const match = typeof value === 'string' ? /^(\d{1,8})([HMSmun])$/.exec(value) : null;
  return match === null ? NaN : Math.min(Number(match[1]) * milliseconds[match[2]!]!, longest);
}
