import { isIPv6 } from 'node:net';
import { hostIn } from '../apis/api-index.ts';
import type { Problem } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { type LastGood, nothingYet, type State, setBack } from './last-good.ts';
import type { Sliced } from './slices.ts';

type Api = Config['apis'][number];

/**
 * So many routes of Envoy may hosts of foreign files have made again. They take it some ten seconds and half a gigabyte,
 * and the enforcer, which makes them beside its decisions, a second.
 */
export const mostRepeatedRoutes = 50_000;

/** Hosts with the same APIs, which are one virtual host of Envoy. */
type Site = { readonly routes: number; hosts: number };

/**
 * A host of a foreign file has the routes of what config.toml has for all hosts made again, and those of all files that
 * name it: a file with many hosts, each with other APIs, would multiply them. Whose hosts find no room any more admits
 * nobody. Who was there before comes first, then files with few hosts: one with many takes no room from others.
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
    // Of all hosts that nobody names: none of them is the last.
    const site = untouched.get(ours) ?? { routes: ours.length, hosts: Number.POSITIVE_INFINITY };
    untouched.set(ours, site);
    return site;
  };
  let repeated = 0;
  const crowding: number[] = [];
  for (const i of yield* inOrder(states, before)) {
    yield;
    const split = [...Map.groupBy(domainsOf(states[i]!.api), siteAt)];
    const more = split.reduce(
      (sum, [site, domains]) => sum + 1 + (domains.length < site.hosts ? site.routes : 0),
      // One it has, wherever it is.
      -1,
    );
    if (more > 0 && repeated + more > most) {
      crowding.push(i);
      continue;
    }
    repeated += more;
    for (const [site, domains] of split) {
      const next = { routes: site.routes + 1, hosts: domains.length };
      site.hosts -= domains.length;
      for (const domain of domains) sites.set(domain, next);
    }
  }
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

function* inOrder(states: readonly State[], before: LastGood): Sliced<readonly number[]> {
  const hosts = new Map<string, Set<string>>();
  for (const { api, origin } of states) {
    yield;
    const there = hosts.get(origin.file) ?? new Set();
    hosts.set(origin.file, there);
    for (const domain of domainsOf(api)) there.add(domain);
  }
  const rank = ({ state, key }: State): number => (state === 'faulty' ? 2 : before.apis.has(key) ? 0 : 1);
  const ranks = states.map((each) => [rank(each), hosts.get(each.origin.file)!.size] as const);
  return ranks
    .map((_, i) => i)
    .sort((a, b) => ranks[a]![0] - ranks[b]![0] || ranks[a]![1] - ranks[b]![1] || a - b);
}

function tooMany([first, ...others]: readonly State[], most: number): Problem {
  const { name, version } = first!.api;
  const more = others.length === 0 ? '' : ` and ${others.length} more of this file`;
  return {
    ...first!.origin,
    key: 'hosts',
    message: `"${name}" ${version}${more}: their hosts would have Envoy's routes of other APIs, as config.toml's that have no hosts, made again beyond ${most} times, which is what hosts of all foreign files may; they are refused. Name fewer hosts in this file, or in config.toml the hosts of its own APIs`,
  };
}

const none: readonly Api[] = [];

/** The same APIs are one list. */
export function* apisByDomain(apis: Iterable<Api>): Sliced<ReadonlyMap<string, readonly Api[]>> {
  const all = [...apis];
  const hosts = new Map<string, number[]>();
  for (const [i, api] of all.entries()) {
    yield;
    for (const domain of domainsOf(api)) {
      const there = hosts.get(domain);
      if (there === undefined) hosts.set(domain, [i]);
      else there.push(i);
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
