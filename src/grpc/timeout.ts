const milliseconds: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * `grpc-timeout`: at most eight digits and a unit.
 *
 * @returns milliseconds; undefined: none was given; NaN: it is none
 */
export function readTimeout(value: string | readonly string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = typeof value === 'string' ? /^(\d{1,8})([HMSmun])$/.exec(value) : null;
  return match === null ? NaN : Number(match[1]) * milliseconds[match[2]!]!;
}
