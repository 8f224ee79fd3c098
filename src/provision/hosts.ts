import { isIPv6 } from 'node:net';
import { hostIn } from '../apis/api-index.ts';
import type { Problem } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { byTurns } from '../feeds/owner.ts';
import { type LastGood, nothingYet, type State, setBack } from './last-good.ts';
import type { Sliced } from './slices.ts';

type Api = Config['apis'][number];

/**
 * So many routes of Envoy may hosts of foreign files have made again. They take it some ten seconds and half a gigabyte,
 * and the enforcer, which makes them beside its decisions, a second.
 */
export const mostRepeatedRoutes = 50_000;

/** Hosts with the same APIs, which are one virtual host of Envoy, where there are any. */
type Site = { readonly routes: number; hosts: number };

/** What the hosts of an entry of `[[definitions]]` have had repeated, and would have with its next API. */
type Share = { readonly claims: readonly number[]; at: number; used: number; wanted: number };

/**
 * A host of a foreign file has the routes of what config.toml has for all hosts made again, and those of all files that
 * name it: a file with many hosts, each with other APIs, would multiply them. Whose hosts find no room any more admits
 * nobody. Each entry has its share, for others may write its files: next is always the one that would have had least, so
 * that who needs little has it, whoever was there before, and who needs most is cut.
 *
 * @returns the states, in the same order
 */
export function* settleHosts(
  states: readonly State[],
  own: readonly Api[],
  before: LastGood,
  most = mostRepeatedRoutes,
): Sliced<{ readonly states: State[]; readonly problems: readonly Problem[] }> {
  if (states.length === 0) return { states: [], problems: [] };
  const ownLists = yield* apisByDomain(own);
  const untouched = new Map<readonly Api[], Site>();
  const sites = new Map<string, Site>();
  const siteAt = (domain: string): Site => {
    const known = sites.get(domain);
    if (known !== undefined) return known;
    const ours = hostIn(ownLists, domain) ?? none;
    const site = untouched.get(ours) ?? { routes: ours.length, hosts: 0 };
    untouched.set(ours, site);
    return site;
  };
  const isThere = (domain: string): boolean => domain === '*' || ownLists.has(domain) || sites.has(domain);
  for (const domain of new Set(ownLists.keys()).add('*')) {
    yield;
    siteAt(domain).hosts += 1;
  }
  const claimOf = (i: number) => {
    const split = [...Map.groupBy(domainsOf(states[i]!.api), siteAt)].map(([site, domains]) => ({
      site,
      domains,
      leaving: domains.filter(isThere).length,
    }));
    const more = split.reduce(
      (sum, { site, leaving }) => sum + 1 + (leaving > 0 && leaving === site.hosts ? 0 : site.routes),
      // One it has, wherever it is.
      -1,
    );
    return { split, more };
  };
  const weigh = (share: Share): void => {
    const i = share.claims[share.at];
    if (i !== undefined) share.wanted = isFaulty(states[i]!) ? Infinity : share.used + claimOf(i).more;
  };
  const shares = yield* sharesOf(states, before);
  for (const share of shares) {
    yield;
    weigh(share);
  }
  const isHeld = ({ claims, at }: Share): boolean => before.apis.has(states[claims[at]!]!.key);
  let repeated = 0;
  const crowding: number[] = [];
  while (shares.length > 0) {
    yield;
    const share = shares.reduce((first, each) => {
      const isBefore =
        each.wanted === first.wanted ? isHeld(each) && !isHeld(first) : each.wanted < first.wanted;
      return isBefore ? each : first;
    });
    const i = share.claims[share.at]!;
    share.at += 1;
    const { split, more } = claimOf(i);
    if (more > 0 && repeated + more > most) crowding.push(i);
    else {
      repeated += more;
      share.used += more;
      for (const { site, domains, leaving } of split) {
        const next = { routes: site.routes + 1, hosts: domains.length };
        site.hosts -= leaving;
        for (const domain of domains) sites.set(domain, next);
      }
    }
    if (share.at === share.claims.length) shares.splice(shares.indexOf(share), 1);
    else weigh(share);
  }
  crowding.sort((a, b) => a - b);
  const settled = states.map((each) => (each.isCrowding ? { ...each, isCrowding: false } : each));
  const problems: Problem[] = [];
  for (const some of Map.groupBy(crowding, (i) => states[i]!.origin.file).values()) {
    const problem = tooMany(
      some.map((i) => states[i]!),
      most,
    );
    problems.push(problem);
    for (const i of some)
      settled[i] = {
        ...setBack(states[i]!, nothingYet, [problem]),
        problems: [problem],
        isCrowding: true,
      };
  }
  return { states: settled, problems };
}

/** Within an entry its files take turns, each with what was there before first; what admits nobody anyhow comes last. */
function* sharesOf(states: readonly State[], before: LastGood): Sliced<Share[]> {
  const entries = Map.groupBy(states.keys(), (i) => states[i]!.entry);
  const shares: Share[] = [];
  for (const all of entries.values()) {
    yield;
    const faulty = all.filter((i) => isFaulty(states[i]!));
    const [held, others] = [true, false].map((isHeld) =>
      all.filter((i) => !isFaulty(states[i]!) && before.apis.has(states[i]!.key) === isHeld),
    );
    const claims = [...byTurns([...held!, ...others!], (i) => states[i]!.origin.file), ...faulty];
    shares.push({ claims, at: 0, used: 0, wanted: 0 });
  }
  return shares;
}

const isFaulty = ({ state }: State): boolean => state === 'faulty';

function tooMany([first, ...others]: readonly State[], most: number): Problem {
  const { name, version } = first!.api;
  const more = others.length === 0 ? '' : ` and ${others.length} more of this file`;
  return {
    ...first!.origin,
    key: 'hosts',
    message: `"${name}" ${version}${more}: their hosts would have Envoy's routes of other APIs, as config.toml's that have no hosts, made again beyond ${most} times, which is what hosts of all foreign files may, and this entry of [[definitions]] has had its share; they are refused. Name fewer hosts in this entry's files, or in config.toml the hosts of its own APIs`,
  };
}

const none: readonly Api[] = [];

/** The same APIs are one list. */
export function* apisByDomain(apis: Iterable<Api>): Sliced<ReadonlyMap<string, readonly Api[]>> {
  const all = [...apis];
  const hosts = new Map<string, number[]>();
  for (const [i, api] of all.entries()) {
    for (const host of api.hosts) {
      yield;
      const domain = domainOf(host);
      const there = hosts.get(domain);
      if (there === undefined) hosts.set(domain, [i]);
      else if (there.at(-1) !== i) there.push(i);
    }
  }
  const lists = new Map<string, readonly Api[]>();
  const found = new Map<string, readonly Api[]>();
  for (const [domain, indices] of hosts) {
    yield;
    const key = indices.join();
    const list = lists.get(key) ?? indices.map((i) => all[i]!);
    lists.set(key, list);
    found.set(domain, list);
  }
  return found;
}

const domainsOf = ({ hosts }: Api): ReadonlySet<string> => new Set(hosts.map(domainOf));

/** Envoy matches domains without case; an IPv6 address stands in brackets, as in the Host header. */
function domainOf(host: string): string {
  const name = host.toLowerCase().replace(/\.$/, '');
  return isIPv6(name) ? `[${name}]` : name;
}
