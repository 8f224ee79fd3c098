import type { Attributes, Extensions } from '../attributes.ts';
import type { Api } from './api.ts';
import { isAmbiguousHost, normalizeHost, type Reading, withoutCase } from './request-path.ts';

/** All APIs, made to be found in time that does not grow with their number. */
export type ApiIndex = {
  readonly apis: readonly Api[];
  readonly byHost: ReadonlyMap<string, HostApis>;
  readonly byNameAndVersion: ReadonlyMap<string, readonly Api[]>;
  /** No base path and no operation has a capital. */
  readonly isLowerCase: boolean;
};

type HostApis = {
  readonly byBasePath: ReadonlyMap<string, Api>;
  /** By the base path in lower case, those that have capitals in it. */
  readonly byLowerCase?: ReadonlyMap<string, readonly Api[]> | undefined;
  /** Most segments that a base path here has. */
  readonly depth: number;
  /** A host that foreign files alone claim is not theirs alone: what config.toml has for it by a wildcard, and comes first. */
  readonly own?: HostApis | undefined;
};

/** Two APIs claim one host and base path: no request could tell them apart. */
type PlaceTaken = {
  readonly host: string;
  readonly basePath: string;
  readonly first: Api;
  readonly second: Api;
};

/**
 * Can be put down at each `yield`.
 *
 * @param foreignFrom from this one on they are of foreign files, which take no host, place or name from the others
 * @returns the index, in which the first of two claimants keeps the place, and every place claimed twice.
 */
export function* indexApis(
  apis: readonly Api[],
  foreignFrom = apis.length,
): Generator<void, { index: ApiIndex; taken: readonly PlaceTaken[] }> {
  const byHost = new Map<
    string,
    HostApis & { byBasePath: Map<string, Api>; byLowerCase: Map<string, Api[]> | undefined; depth: number }
  >();
  const byNameAndVersion = new Map<string, Api[]>();
  const taken: PlaceTaken[] = [];
  let isLowerCase = true;
  const own = foreignFrom < apis.length ? (yield* indexApis(apis.slice(0, foreignFrom))).index : undefined;
  for (const [i, api] of apis.entries()) {
    isLowerCase &&= isInLowerCase(api);
    const isForeign = i >= foreignFrom;
    const name = nameKey(api.name, api.version);
    if (!isForeign || own?.byNameAndVersion.has(name) !== true) append(byNameAndVersion, name, api);
    for (const host of api.hosts) {
      yield;
      const there = byHost.get(host) ?? {
        byBasePath: new Map<string, Api>(),
        byLowerCase: undefined,
        depth: 0,
        own: isForeign && own !== undefined ? hostApis(host, own) : undefined,
      };
      byHost.set(host, there);
      const first = apiAt(there, api.basePath);
      if (first !== undefined) {
        taken.push({ host, basePath: api.basePath, first, second: api });
        continue;
      }
      there.byBasePath.set(api.basePath, api);
      const lowerCase = withoutCase(api.basePath);
      if (lowerCase !== api.basePath) {
        there.byLowerCase ??= new Map();
        append(there.byLowerCase, lowerCase, api);
      }
      there.depth = Math.max(there.depth, api.basePath.split('/').length - 1);
    }
  }
  return { index: { apis, byHost, byNameAndVersion, isLowerCase }, taken };
}

const isInLowerCase = ({ basePath, operations = [] }: Api): boolean =>
  basePath === withoutCase(basePath) && operations.every(({ segments, lowerCase }) => segments === lowerCase);

/** The API that the request is for; undefined: none, which admits nothing. */
export function findApi(attributes: Attributes, index: ApiIndex): Api | undefined {
  const { contextExtensions, http } = attributes;
  const routeNamesIt =
    contextExtensions.has('vHost') ||
    contextExtensions.has('basePath') ||
    contextExtensions.has('version') ||
    contextExtensions.has('name');
  return routeNamesIt ? findByRoute(contextExtensions, index) : findByPath(http.host, http.path, index);
}

/**
 * Whether a backend that decodes the path finds another API in it than we did. Only what would change the API is told: an
 * API below another one must not be reached as the other.
 */
export function isAnotherApi(
  attributes: Attributes,
  reading: Reading | undefined,
  found: Api,
  index: ApiIndex,
): boolean {
  if (reading === undefined) return false;
  const host = hostAsked(attributes, found, index);
  return findByPath(host, reading.cut, index) !== findByPath(host, attributes.http.path, index);
}

/**
 * The host at which other readings of the path are looked for. Routes that several hosts share name one of them; at each
 * of the others the API that they lead to is as well, beside what else is there. Of a router that calls hosts otherwise
 * than clients do, its own word counts.
 */
function hostAsked({ contextExtensions, http }: Attributes, found: Api, index: ApiIndex): string {
  const vHost = contextExtensions.get('vHost');
  const isThere = vHost === undefined || apiAt(apisAt(http.host, index), found.basePath) === found;
  return isThere ? http.host : vHost;
}

/**
 * The APIs that a backend may take the path for to which upper and lower case are one. The one that we found counts alone
 * where it is among them, and where the route named it in spite of the path.
 *
 * @param reading the path decoded and in lower case
 */
export function apisWithoutCase(
  attributes: Attributes,
  reading: string,
  found: Api,
  index: ApiIndex,
): readonly Api[] {
  const host = hostAsked(attributes, found, index);
  const apis = findAlong(host, reading, index, spelledAt) ?? [found];
  return apis.includes(found) || findByPath(host, attributes.http.path, index) !== found ? [found] : apis;
}

/**
 * By what the route says of itself: Choreo Connect's router sends vHost, basePath and version; others may send name
 * and version, which must then be unique. Where both are sent they must agree. Never a second try by path: a route
 * that names an API is not to be overruled by what the client wrote.
 */
function findByRoute(route: Extensions, index: ApiIndex): Api | undefined {
  const vHost = route.get('vHost');
  const basePath = route.get('basePath');
  const version = route.get('version');
  const name = route.get('name');
  if (version === undefined) return undefined;
  if (vHost === undefined && basePath === undefined) {
    const named = name === undefined ? undefined : index.byNameAndVersion.get(nameKey(name, version));
    return named?.length === 1 ? named[0] : undefined;
  }
  if (vHost === undefined || basePath === undefined) return undefined;
  const placed = apiAt(index.byHost.get(normalizeHost(vHost)), trimSlash(basePath));
  if (placed?.version !== version) return undefined;
  return name === undefined || placed.name === name ? placed : undefined;
}

/** By host and longest base path on whole segments. */
function findByPath(host: string, path: string, index: ApiIndex): Api | undefined {
  const query = path.indexOf('?');
  return findAlong(host, query === -1 ? path : path.slice(0, query), index, apiAt);
}

/** @param path without the query */
function findAlong<T>(
  host: string,
  path: string,
  index: ApiIndex,
  at: (there: HostApis, basePath: string) => T | undefined,
): T | undefined {
  const there = apisAt(host, index);
  if (there === undefined || !path.startsWith('/')) return undefined;
  let found = at(there, '');
  // Only as many segments as a base path has: a path of 30,000 of them costs no more than its first few.
  const depth = Math.max(there.depth, there.own?.depth ?? 0);
  for (let end = 0, segments = 0; end < path.length && segments < depth; segments++) {
    const slash = path.indexOf('/', end + 1);
    end = slash === -1 ? path.length : slash;
    found = at(there, path.slice(0, end)) ?? found;
  }
  return found;
}

/** @param host as it is asked for */
const apisAt = (host: string, index: ApiIndex): HostApis | undefined =>
  isAmbiguousHost(host) ? undefined : hostApis(normalizeHost(host), index);

const apiAt = (there: HostApis | undefined, basePath: string): Api | undefined =>
  there?.own?.byBasePath.get(basePath) ?? there?.byBasePath.get(basePath);

/** @param basePath in lower case */
export function spelledAt(there: HostApis, basePath: string): readonly Api[] | undefined {
  const lower = apiAt(there, basePath);
  const own = there.own?.byLowerCase?.get(basePath);
  const others = there.byLowerCase?.get(basePath);
  if (own === undefined && others === undefined) return lower && [lower];
  return [...(lower === undefined ? [] : [lower]), ...(own ?? []), ...(others ?? [])];
}

const hostApis = (host: string, { byHost }: ApiIndex): HostApis | undefined => hostIn(byHost, host);

/** Exact, else the longest wildcard, else '*'. A host with APIs of its own never falls on to another's. */
export function hostIn<T>(byHost: ReadonlyMap<string, T>, host: string): T | undefined {
  const exact = byHost.get(host);
  if (exact !== undefined && !host.startsWith('*')) return exact;
  // A host of 30,000 labels costs no more than the longest that anybody has.
  const first = Math.max(1, host.length + 1 - longestIn(byHost));
  for (let dot = host.indexOf('.', first); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    const wildcard = byHost.get(`*${host.slice(dot)}`);
    if (wildcard !== undefined) return wildcard;
  }
  return byHost.get('*');
}

/** Of maps that are whole. */
const longest = new WeakMap<object, number>();

function longestIn(byHost: ReadonlyMap<string, unknown>): number {
  let known = longest.get(byHost);
  if (known === undefined) {
    known = 0;
    for (const host of byHost.keys()) known = Math.max(known, host.length);
    longest.set(byHost, known);
  }
  return known;
}

/** As one string that no name can forge, its length standing before it. */
const nameKey = (name: string, version: string): string => `${name.length}:${name}${version}`;

export const trimSlash = (path: string): string => (path.endsWith('/') ? path.slice(0, -1) : path);

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
