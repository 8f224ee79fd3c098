import type { Api } from '../apis/api.ts';
import type { Operation, Segment } from '../apis/operations.ts';
import type { Attributes } from '../attributes.ts';
import type { Snapshot } from '../snapshot.ts';

/** Where two configurations may differ: a request that stands for all that are decided like it in both. */
export type Place = {
  /** As configurations have it, an API's own part first. */
  readonly api: string;
  /** `GET /list/{id}`; undefined: all that the API does not list. */
  readonly operation: string | undefined;
  readonly attributes: Attributes;
};

/** Literals that are no API's. */
const anyHost = 'any-host.invalid';
const anySegment = 'any-segment';
const anyMethod = 'ANY-METHOD';
/** Beyond it, an API's templates are tried one by one, and not each segment with each. */
const mostMixed = 64;

/** Of every host and base path of either, every operation that either lists, by every method, and what neither lists. */
export function* placesOf(before: Snapshot, after: Snapshot): Generator<Place> {
  for (const [host, basePaths] of hostsOf(before, after))
    for (const basePath of basePaths) {
      const apis = [before, after].flatMap(
        ({ apis }) => apis.byHost.get(host)?.byBasePath.get(basePath) ?? [],
      );
      yield* placesBelow(host, basePath, apis);
    }
}

function hostsOf(before: Snapshot, after: Snapshot): ReadonlyMap<string, ReadonlySet<string>> {
  const hosts = new Map<string, Set<string>>();
  const add = (host: string, basePaths: Iterable<string>): void =>
    void hosts.set(host, new Set([...(hosts.get(host) ?? []), ...basePaths]));
  const all = [before, after].map(({ apis }) => apis.byHost);
  for (const byHost of all) for (const [host, { byBasePath }] of byHost) add(host, byBasePath.keys());
  // A host with APIs of its own falls on to no other's: the first that it gets, or the last that it loses, is news there.
  for (const host of hosts.keys())
    if (all.some((byHost) => !byHost.has(host)))
      for (const byHost of all)
        for (const [other, { byBasePath }] of byHost)
          if (other === '*' || (other.startsWith('*') && host.endsWith(other.slice(1))))
            add(host, byBasePath.keys());
  return hosts;
}

function* placesBelow(host: string, basePath: string, apis: readonly Api[]): Generator<Place> {
  const operations = apis.flatMap((api) => api.operations ?? []);
  const api = `${host === '*' ? 'any host' : host}${basePath || '/'}`;
  const methods = [...new Set(operations.flatMap((one) => [...(one.methods ?? [])])), anyMethod];
  const request = (path: string, method: string): Attributes => ({
    source: { address: undefined, certificate: '' },
    http: {
      method,
      path: basePath + path,
      host: host === '*' ? anyHost : host.replace('*', anySegment),
      scheme: 'https',
      protocol: 'HTTP/1.1',
      headers: [],
      headersAreRaw: true,
    },
    contextExtensions: new Map(),
  });
  for (const [path, template] of pathsOf(operations))
    for (const method of methods)
      yield {
        api,
        operation: `${method === anyMethod ? 'other methods' : method} ${template}`,
        attributes: request(path, method),
      };
  yield {
    api,
    operation: undefined,
    attributes: request(`/${anySegment}/${anySegment}/${anySegment}`, anyMethod),
  };
}

/** Example path -> how it is called. Where templates meet, which is the most specific may change: so they are mixed. */
function pathsOf(operations: readonly Operation[]): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const { path, segments, isOpenEnded } of operations) {
    paths.set(`/${segments.map(exampleOf).join('/')}`, path);
    if (isOpenEnded) paths.set(`/${[...segments.map(exampleOf), anySegment].join('/')}`, path);
  }
  const depth = Math.max(0, ...operations.map(({ segments }) => segments.length));
  const choices = Array.from({ length: depth }, (_, i) => [
    ...new Set([
      anySegment,
      ...operations.flatMap(({ segments }) => (segments[i] === undefined ? [] : [exampleOf(segments[i])])),
    ]),
  ]);
  if (choices.reduce((product, { length }) => product * length, 1) > mostMixed) return paths;
  let mixed: readonly string[] = [''];
  for (const some of choices) {
    mixed = mixed.flatMap((path) => some.map((segment) => `${path}/${segment}`));
    for (const path of mixed) if (!paths.has(path)) paths.set(path, path.replaceAll(anySegment, '{…}'));
  }
  return paths;
}

const exampleOf = (segment: Segment): string =>
  typeof segment === 'string'
    ? encodeURIComponent(segment)
    : `${encodeURIComponent(segment.before)}${anySegment}${encodeURIComponent(segment.after)}`;
