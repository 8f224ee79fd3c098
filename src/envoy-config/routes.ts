import { hostIn, trimSlash } from '../apis/api-index.ts';
import { madeFor, madeForKey } from '../apis/made-for.ts';
import type { Config } from '../config/schema/config.ts';
import { apisByDomain } from '../provision/hosts.ts';
import { atOnce } from '../provision/slices.ts';
import { methodOverrides } from '../upstream/overrides.ts';
import { backendOf } from './backends.ts';
import { corsPolicy } from './cors.ts';
import { contextExtensions } from './ext-authz-filter.ts';
import { type Message, seconds } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { escapeRegex } from './request-headers.ts';
import { tiersIn } from './tiers.ts';

type Api = Config['apis'][number];
export type Scheme = 'https' | 'http';

/**
 * All APIs, found as the enforcer finds them by itself: exact host, longest wildcard, `*`; the longest base path on
 * whole segments; a host with APIs of its own never falls on to another's.
 */
export function routeConfiguration(config: Config, scheme: Scheme, options: EnvoyConfigOptions): Message {
  const { ownApis = config.apis.length, foreignFiles } = options;
  // Once, on however many hosts.
  const made = new Map(config.apis.map((api) => [api, madeFor(foreignFiles?.get(api), api.backend)]));
  return {
    name: 'apis',
    ignore_port_in_host_matching: true,
    typed_per_filter_config: {
      ...corsPolicy(config, tiersIn(config, options)),
      ...(scheme === 'http' && contextExtensions({ listener: 'plain' })),
    },
    virtual_hosts: sites(config.apis, ownApis, options.crowding).map((site) => ({
      name: site.domains[0],
      domains: site.domains,
      // The enforcer finds the same under each of them.
      routes: [...routesOf(site, config, scheme, made), noApi],
    })),
  };
}

/** Hosts that lead to the same APIs. */
type Site = {
  readonly domains: [string, ...string[]];
  readonly apis: readonly Api[];
  /** Base paths that are refused here, and at which of these hosts. */
  readonly refused: Map<string, Set<string>>;
};

/**
 * What foreign files alone claim has the APIs of config.toml, too, which come first. Thousands of hosts of one API are
 * one site: each for itself would have all of config.toml's anew.
 */
function sites(
  apis: readonly Api[],
  ownApis: number,
  crowding: ReadonlySet<Api> = new Set(),
): readonly Site[] {
  const own = atOnce(apisByDomain(apis.slice(0, ownApis)));
  const foreign = atOnce(apisByDomain(apis.slice(ownApis).filter((api) => !crowding.has(api))));
  const crowd = atOnce(apisByDomain(crowding));
  const ids = new Map<readonly Api[], number>();
  const idOf = (list: readonly Api[]): number => {
    const id = ids.get(list) ?? ids.size;
    ids.set(list, id);
    return id;
  };
  const found = new Map<string, Site>();
  const named = [...own.keys(), ...foreign.keys(), ...crowd.keys()].filter((one) => one !== '*');
  // Hosts that nobody knows are asked about too: the enforcer says 404, and why.
  for (const domain of new Set(named).add('*')) {
    const ours = hostIn(own, domain) ?? none;
    const theirs = foreign.get(domain) ?? none;
    const crowded = crowd.get(domain);
    const key = `${idOf(ours)} ${idOf(theirs)} ${crowded !== undefined}`;
    const site = found.get(key);
    if (site !== undefined) site.domains.push(domain);
    const there = site ?? { domains: [domain], apis: [...ours, ...theirs], refused: new Map() };
    found.set(key, there);
    for (const { basePath } of crowded ?? none) {
      const path = trimSlash(basePath);
      there.refused.set(path, (there.refused.get(path) ?? new Set()).add(domain));
    }
  }
  return [...found.values()];
}

const none: readonly Api[] = [];

/** The longest base path first; of those as long as it the APIs. */
function routesOf(
  { domains, apis, refused }: Site,
  config: Config,
  scheme: Scheme,
  made: ReadonlyMap<Api, string>,
): readonly Message[] {
  const routes = apis.map((api) => {
    const whose = { vHost: domains[0], [madeForKey]: made.get(api)! };
    return [trimSlash(api.basePath), apiRoute(config, api, whose, scheme)] as const;
  });
  const refusals = [...refused].flatMap(([basePath, hosts]) =>
    onlyAt(hosts, domains).map((only) => [basePath, refusedRoute(basePath, only)] as const),
  );
  return [...routes, ...refusals].sort(([a], [b]) => b.length - a.length).map(([, route]) => route);
}

/** Through ext_authz without context extensions: the enforcer finds no API either, and answers 404 with its reason. */
const noApi: Message = {
  name: 'no API',
  match: { prefix: '/' },
  direct_response: { status: 404 },
};

/** Nor does this one name an API: the enforcer finds by itself whether one is refused there. */
const refusedRoute = (basePath: string, only: Message): Message => ({
  name: 'refused',
  match: { ...matchOf(basePath), ...only },
  direct_response: { status: 503 },
});

/** What a publisher writes must not become a regular expression that is too long for Envoy. */
const hostsOfOne = 100;

/**
 * Each host that is refused for itself would be a site of its own, for which there is no room: so they share one, and
 * where that has others' hosts as well, the route says which are meant. Of a wildcard also what is below it there.
 */
function onlyAt(hosts: ReadonlySet<string>, domains: readonly string[]): readonly Message[] {
  if (hosts.size === domains.length) return [{}];
  const patterns = [...hosts].map((host) => escapeRegex(host).replace(/^\\\*/, '\\C*'));
  const count = Math.ceil(patterns.length / hostsOfOne);
  return Array.from({ length: count }, (_, i) => {
    const some = patterns.slice(i * hostsOfOne, (i + 1) * hostsOfOne);
    // As the client wrote it, but for one dot at its end.
    const regex = `(?i)(${some.join('|')})(:\\C*)?`;
    return { headers: [{ name: ':authority', string_match: { safe_regex: { regex } } }] };
  });
}

const matchOf = (basePath: string): Message =>
  basePath === '' ? { prefix: '/' } : { path_separated_prefix: basePath };

function apiRoute(
  config: Config,
  api: Api,
  whose: Readonly<Record<string, string>>,
  scheme: Scheme,
): Message {
  const basePath = trimSlash(api.basePath);
  return {
    name: `${api.name} ${api.version}`,
    match: matchOf(basePath),
    typed_per_filter_config: contextExtensions({
      name: api.name,
      version: api.version,
      basePath: basePath || '/',
      ...whose,
    }),
    // An operation was judged by the request's own method. The enforcer's answer removes them, too: of an API that has got
    // operations since.
    ...(api.operations.length > 0 && { request_headers_to_remove: methodOverrides }),
    ...action(config, api, basePath, scheme),
  };
}

function action(config: Config, api: Api, basePath: string, scheme: Scheme): Message {
  // Not left out: its requests would fall on to the route of a shorter base path. The enforcer refuses them; should it
  // not, they end here.
  if (scheme === 'http' && !isServedOverPlaintext(config, api)) return { direct_response: { status: 403 } };
  if (api.backend === undefined) return { direct_response: { status: 503 } };
  const { timeouts } = config.router.upstream;
  const backend = backendOf(api.backend);
  return {
    ...(backend.webSocket && { request_headers_to_add: [ownConnection] }),
    route: {
      cluster: backend.cluster,
      host_rewrite_literal: backend.authority,
      ...rewrite(basePath, backend.path),
      // A WebSocket's answer ends with the connection.
      timeout: seconds(backend.webSocket ? 0 : timeouts.routeTimeoutInSeconds),
      ...(backend.webSocket && { upgrade_configs: [{ upgrade_type: 'websocket' }] }),
      idle_timeout: seconds(timeouts.routeIdleTimeoutInSeconds),
    },
  };
}

/**
 * Of an upgrade, `Connection` would reach the backend as the client wrote it, and a proxy on the way drops what is named
 * in it (RFC 9110 section 7.6.1): who the client is. All other requests have none here.
 */
const ownConnection: Message = {
  header: { key: 'connection', value: 'Upgrade' },
  append_action: 'OVERWRITE_IF_EXISTS',
};

const isServedOverPlaintext = ({ enforcer }: Config, api: Api): boolean =>
  (api.mutualSSL ?? 'mandatory') !== 'mandatory' || enforcer.security.mutualSSL.allowHeaderOverPlaintext;

/** The backend's path in the base path's place; both begin with a slash and end without, or are empty. */
function rewrite(basePath: string, backendPath: string): Message {
  if (basePath === backendPath) return {};
  // A prefix match on '/' takes that slash with it.
  if (basePath === '') return { prefix_rewrite: `${backendPath}/` };
  if (backendPath !== '') return { prefix_rewrite: backendPath };
  // As a prefix, '/' in place of '/orders' would turn /orders/7 into //7.
  return {
    regex_rewrite: { pattern: { regex: `^${escapeRegex(basePath)}/?(.*)$` }, substitution: '/\\1' },
  };
}
