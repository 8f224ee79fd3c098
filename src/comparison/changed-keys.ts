import { keyText, type Path } from '../config/problem.ts';

/** Keys whose values differ, as deep as both have them. */
function* changedKeys(before: unknown, after: unknown, at: Path = []): Generator<string> {
  if (Object.is(before, after)) return;
  if (isTable(before) && isTable(after) && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      yield* changedKeys(before[key], after[key], [...at, Array.isArray(before) ? Number(key) : key]);
    return;
  }
  if (JSON.stringify(before) !== JSON.stringify(after)) yield keyText(at);
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !(value instanceof Date);

/** Nothing that is decided depends on these. */
const beside =
  /^(router(?!\.downstream\.tls\.(trustedCertPath|intermediatesPath|mTLSAPIsEnabled))|enforcer\.(authService|log|answers|jwtGenerator|metrics|audit|reload|shadow)|apis\[\d+\]\.(backend|errorFormat))(\.|\[|$)/;

/** Those that changed without effect: all where nothing is decided differently, else those that nothing depends on. */
export const withoutEffect = (before: unknown, after: unknown, isSame: boolean): readonly string[] =>
  [...changedKeys(before, after)].filter((key) => isSame || beside.test(key));
