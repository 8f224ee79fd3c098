import { isIPv6 } from 'node:net';
import { hostIn, trimSlash } from '../apis/api-index.ts';
import type { Config } from '../config/schema/config.ts';
import { backendOf } from './backends.ts';
import { corsPolicy } from './cors.ts';
import { contextExtensions } from './ext-authz-filter.ts';
import { type Message, seconds } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { escapeRegex, methodOverrides } from './request-headers.ts';
import { tiersIn } from './tiers.ts';

type Api = Config['apis'][number];
export type Scheme = 'https' | 'http';

/**
 * All APIs, found as the enforcer finds them by itself: exact host, longest wildcard, `*`; the longest base path on
 * whole segments; a host with APIs of its own never falls on to another's.
 */
export function routeConfiguration(config: Config, scheme: Scheme, options: EnvoyConfigOptions): Message {
  const { ownApis = config.apis.length } = options;
  return {
    name: 'apis',
    ignore_port_in_host_matching: true,
    typed_per_filter_config: {
      ...corsPolicy(config, tiersIn(config, options)),
      ...(scheme === 'http' && contextExtensions({ listener: 'plain' })),
    },
    virtual_hosts: sites(config.apis, ownApis).map(({ domains, apis }) => ({
      name: domains[0],
      domains,
      // The enforcer finds the same under each of them.
      routes: [...longestFirst(apis).map((api) => apiRoute(config, api, domains[0], scheme)), noApi],
    })),
  };
}

/** Hosts that lead to the same APIs. */
type Site = { readonly domains: readonly [string, ...string[]]; readonly apis: readonly Api[] };

/**
 * What foreign files alone claim has the APIs of config.toml, too, which come first. Thousands of hosts of one API are
 * one site: each for itself would have all of config.toml's anew.
 */
function sites(apis: readonly Api[], ownApis: number): readonly Site[] {
  const own = apisByDomain(apis.slice(0, ownApis));
  const foreign = apisByDomain(apis.slice(ownApis));
  const found = new Map<readonly Api[], Map<readonly Api[], [string, ...string[]]>>();
  // Hosts that nobody knows are asked about too: the enforcer says 404, and why.
  for (const domain of new Set([...own.keys(), ...foreign.keys()].filter((one) => one !== '*')).add('*')) {
    const ours = hostIn(own, domain) ?? none;
    const theirs = foreign.get(domain) ?? none;
    const beside = found.get(ours) ?? new Map<readonly Api[], [string, ...string[]]>();
    found.set(ours, beside);
    const domains = beside.get(theirs);
    if (domains === undefined) beside.set(theirs, [domain]);
    else domains.push(domain);
  }
  return [...found].flatMap(([ours, beside]) =>
    [...beside].map(([theirs, domains]) => ({ domains, apis: [...ours, ...theirs] })),
  );
}

const none: readonly Api[] = [];

/** The same APIs are one list. */
function apisByDomain(apis: readonly Api[]): ReadonlyMap<string, readonly Api[]> {
  const hosts = new Map<string, number[]>();
  for (const [i, api] of apis.entries())
    for (const domain of new Set(api.hosts.map(domainOf))) {
      const there = hosts.get(domain);
      if (there === undefined) hosts.set(domain, [i]);
      else there.push(i);
    }
  const lists = new Map<string, readonly Api[]>();
  return new Map(
    [...hosts].map(([domain, indices]) => {
      const key = indices.join();
      const list = lists.get(key) ?? indices.map((i) => apis[i]!);
      lists.set(key, list);
      return [domain, list];
    }),
  );
}

const longestFirst = (apis: readonly Api[]): readonly Api[] =>
  apis.toSorted((a, b) => trimSlash(b.basePath).length - trimSlash(a.basePath).length);

/** Envoy matches domains without case; an IPv6 address stands in brackets, as in the Host header. */
function domainOf(host: string): string {
  const name = host.toLowerCase().replace(/\.$/, '');
  return isIPv6(name) ? `[${name}]` : name;
}

/** Through ext_authz without context extensions: the enforcer finds no API either, and answers 404 with its reason. */
const noApi: Message = {
  name: 'no API',
  match: { prefix: '/' },
  direct_response: { status: 404 },
};

function apiRoute(config: Config, api: Api, domain: string, scheme: Scheme): Message {
  const basePath = trimSlash(api.basePath);
  return {
    name: `${api.name} ${api.version}`,
    match: basePath === '' ? { prefix: '/' } : { path_separated_prefix: basePath },
    typed_per_filter_config: contextExtensions({
      name: api.name,
      version: api.version,
      basePath: basePath || '/',
      vHost: domain,
    }),
    // An operation was judged by the request's own method.
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
