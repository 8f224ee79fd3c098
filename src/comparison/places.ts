import type { Api } from '../apis/api.ts';
import { type Operation, type Segment, templateKey } from '../apis/operations.ts';
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

/**
 * Example path -> how it is called: of each template, and of each two that meet. Where one decides before and another
 * after, the example of both is decided by the same two: what else fits it fits all that both fit.
 */
function pathsOf(operations: readonly Operation[]): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const templates = [...new Map(operations.map((one) => [templateKey(one), one])).values()];
  for (const one of templates) {
    paths.set(pathOf(one.segments), one.path);
    if (one.isOpenEnded) paths.set(pathOf([...one.segments, any]), one.path);
  }
  for (const [i, one] of templates.entries())
    for (const other of templates.slice(i + 1)) {
      const both = meeting(one, other);
      if (both === undefined) continue;
      const path = pathOf(both);
      if (!paths.has(path)) paths.set(path, `${one.path} and ${other.path}`);
    }
  return paths;
}

const any: Segment = { before: '', after: '' };

/** The widest template that fits only what both fit. */
function meeting(a: Operation, b: Operation): readonly Segment[] | undefined {
  const length = Math.max(a.segments.length, b.segments.length);
  const reaches = ({ segments, isOpenEnded }: Operation): boolean =>
    isOpenEnded || segments.length === length;
  if (!reaches(a) || !reaches(b)) return undefined;
  const both: Segment[] = [];
  for (let i = 0; i < length; i++) {
    const segment = segmentOfBoth(a.segments[i] ?? any, b.segments[i] ?? any);
    if (segment === undefined) return undefined;
    both.push(segment);
  }
  return both;
}

function segmentOfBoth(a: Segment, b: Segment): Segment | undefined {
  if (typeof a === 'string' || typeof b === 'string') {
    const [text, other] = typeof a === 'string' ? [a, b] : [b as string, a];
    if (typeof other === 'string') return text === other ? text : undefined;
    const isLong = text.length > other.before.length + other.after.length;
    return isLong && text.startsWith(other.before) && text.endsWith(other.after) ? text : undefined;
  }
  const before = longer(a.before, b.before, (one, end) => one.startsWith(end));
  const after = longer(a.after, b.after, (one, end) => one.endsWith(end));
  return before === undefined || after === undefined ? undefined : { before, after };
}

const longer = (a: string, b: string, holds: (one: string, other: string) => boolean): string | undefined =>
  holds(a, b) ? a : holds(b, a) ? b : undefined;

const pathOf = (segments: readonly Segment[]): string => `/${segments.map(exampleOf).join('/')}`;

const exampleOf = (segment: Segment): string =>
  typeof segment === 'string'
    ? encodeURIComponent(segment)
    : `${encodeURIComponent(segment.before)}${anySegment}${encodeURIComponent(segment.after)}`;
