import type { WrittenOperation } from '../written.ts';

/** A path with what it asks for. */
export type Rule = {
  readonly path: string;
  /** undefined: any. */
  readonly method: string | undefined;
  readonly security: Pick<WrittenOperation, 'applicationSecurity' | 'scopes' | 'scopesMatch' | 'secured'>;
  /** How APK reads a `{name}`: as `(.*)`, which fits several segments, and `*` at the end perhaps without a slash. */
  readonly reading: Reading;
};

export type Reading = 'as-written' | 'wide' | 'wide-and-without-slash';

/** Each is compared with each. */
export const maxRules = 2_000;

/**
 * What APK reads into a path beyond what it says here: `/files/{name}/delete` takes `/files/a/b/delete` there. Where
 * another rule that asks for less would get that request here, the deeper paths are listed with what the rule asks
 * for; elsewhere they are refused as not listed, which opens nothing.
 *
 * @returns undefined: there are more rules than are compared
 */
export function deeperPaths(rules: readonly Rule[]): readonly Rule[] | undefined {
  if (
    rules.every(
      ({ security }) => asksAsMuch(security, rules[0]!.security) && asksAsMuch(rules[0]!.security, security),
    )
  )
    return [];
  const wide = new Set(rules.filter(({ path, reading }) => reading !== 'as-written' && /[{*]/.test(path)));
  if (wide.size === 0) return [];
  if (rules.length > maxRules) return undefined;
  return listed(rules, widened(rules, wide));
}

/** Those that others undercut. Each takes more by that, and may undercut another one. */
function widened(rules: readonly Rule[], wide: ReadonlySet<Rule>): readonly Rule[] {
  const all = rules.map((rule) => ({ rule, segments: segmentsOf(rule.path) }));
  const found = new Set<Rule>();
  let left = all.filter(({ rule }) => wide.has(rule));
  const take = (by: (one: Segmented) => boolean): readonly Segmented[] => {
    const taken = left.filter(by);
    for (const { rule } of taken) found.add(rule);
    left = left.filter(({ rule }) => !found.has(rule));
    return taken;
  };
  const waiting = [...take((one) => all.some((other) => undercuts(other, one, false)))];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const by = next;
    waiting.push(...take((one) => undercuts(by, one, true)));
  }
  return [...found];
}

/** Of all together; a request is compared with each. */
const maxListed = 2_000;

function listed(rules: readonly Rule[], wide: readonly Rule[]): readonly Rule[] {
  const strictest = strictestOf(rules);
  const taken = new Set(rules.map(keyOf));
  const found = new Map<string, Rule & { readonly from: number }>();
  for (const rule of wide) {
    const from = segmentsOf(rule.path).length;
    for (const { path, isBeyond } of pathsBelow(rule, Math.floor(maxListed / wide.length))) {
      const deeper = { ...rule, path, security: isBeyond ? strictest : rule.security, from };
      const key = keyOf(deeper);
      const same = found.get(key);
      // APK asks the longer of two first.
      if (taken.has(key) || (same !== undefined && same.from > from)) continue;
      const isClear = same === undefined || same.from < from || asksAsMuch(deeper.security, same.security);
      found.set(key, isClear ? deeper : { ...deeper, security: strictest });
    }
  }
  return [...found.values()].map(({ from, ...rule }) => rule);
}

/** Equal where two rules are for the same requests. */
const keyOf = ({ path, method }: Rule): string => JSON.stringify([shapeOf(path), method]);

/** Equal where two paths fit the same requests. */
export const shapeOf = (path: string): string =>
  path.replaceAll(/\{[^{}]*\}/g, '{}').replace(/(?<=.)\/$/, '');

type Segmented = { readonly rule: Rule; readonly segments: readonly string[] };

/** Whether `other` would take a request that APK gives to `one`, and asks for less. */
function undercuts(other: Segmented, one: Segmented, isWidened: boolean): boolean {
  const { rule, segments } = one;
  const isDeeper = isWidened || other.segments.at(-1) === '*' || other.segments.length > segments.length;
  const meets =
    rule.method === undefined || other.rule.method === undefined || rule.method === other.rule.method;
  if (other.rule === rule || !isDeeper || !meets || asksAsMuch(other.rule.security, rule.security))
    return false;
  // Up to the first that is open in either, they must be the same.
  for (const [i, segment] of segments.entries()) {
    const its = other.segments[i];
    if (its === undefined || isOpen(segment) || isOpen(its)) return true;
    if (segment !== its) return false;
  }
  return true;
}

const segmentsOf = (path: string): readonly string[] => path.split('/').slice(1);
const isOpen = (segment: string): boolean => segment === '*' || segment.includes('{');

/** Whatever fulfils the one fulfils the other. What is inherited from the API is equal to itself only. */
function asksAsMuch(it: Rule['security'], than: Rule['security']): boolean {
  if (than.secured === false || than.applicationSecurity === 'off') return true;
  if (it.secured === false) return false;
  if (it.applicationSecurity !== than.applicationSecurity && it.applicationSecurity !== 'mandatory')
    return false;
  // One of them is enough.
  return than.scopes === undefined || (it.scopes?.every((scope) => than.scopes!.includes(scope)) ?? false);
}

/** All that any of them asks for. */
function strictestOf(rules: readonly Rule[]): Rule['security'] {
  const scopes = [...new Set(rules.flatMap(({ security }) => security.scopes ?? []))].sort();
  const isMandatory = rules.some(({ security }) => security.applicationSecurity === 'mandatory');
  return {
    ...(isMandatory && { applicationSecurity: 'mandatory' as const }),
    ...(scopes.length > 0 && { scopes, scopesMatch: 'all' as const }),
  };
}

/** More segments than any backend has below one name. What is longer still has to fulfil all rules. */
const maxDepth = 10;

function* pathsBelow({ path, reading }: Rule, most: number): Generator<{ path: string; isBeyond: boolean }> {
  const bare = path.replace(/\/\*$/, '');
  const hasStar = bare !== path;
  if (!hasStar && bare.endsWith('}')) yield { path: `${path}/*`, isBeyond: false };
  if (hasStar && reading === 'wide-and-without-slash' && /[^/}]$/.test(bare) && !/\}[^/]*$/.test(bare))
    yield { path: `${bare}{more}/*`, isBeyond: false };
  // Names at the end have nothing behind them that could be further down.
  const core = bare.replace(/(?:\/\{[^{}]*\})+$/, '');
  const pieces = core.split(/(?<=\})(?=.)/);
  const names = pieces.length - 1;
  if (names === 0) return;
  let depth = 0;
  for (let left = Math.min(64, most); depth < maxDepth; depth++) {
    const shares = sharesOf(depth + 1, names, left + 1);
    if (shares.length > left) break;
    left -= shares.length;
    for (const share of shares) {
      const deeper = pieces.map((piece, i) => piece + '/{more}'.repeat(share[i] ?? 0)).join('');
      yield { path: deeper + path.slice(core.length), isBeyond: false };
    }
  }
  const prefix = path.slice(0, path.indexOf('{')).replace(/[^/]*$/, '');
  const length = segmentsOf(bare).length - segmentsOf(prefix).length + depth + 2;
  yield { path: `${prefix}${'{more}/'.repeat(length)}*`, isBeyond: true };
}

/** The ways to share `depth` among `count`, `most` of them at most. */
function sharesOf(depth: number, count: number, most: number): readonly (readonly number[])[] {
  if (count === 1) return [[depth]];
  const shares: (readonly number[])[] = [];
  for (let first = 0; first <= depth && shares.length < most; first++)
    for (const rest of sharesOf(depth - first, count - 1, most - shares.length))
      shares.push([first, ...rest]);
  return shares;
}
