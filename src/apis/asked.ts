import type { Attributes } from '../attributes.ts';
import type { Api } from './api.ts';
import { type ApiIndex, apisWithoutCase } from './api-index.ts';
import {
  depthOf,
  findOperation,
  findWithoutCase,
  isNamed,
  type Operation,
  type OperationFailure,
  writesExtension,
} from './operations.ts';
import {
  decodings,
  hasDotSegment,
  hasNoExtension,
  isLowerCase,
  type Reading,
  withoutCase,
  withoutExtension,
  withoutFrontController,
} from './request-path.ts';
import { asksNoMore } from './security.ts';

/** The operation, where the API lists any, else the API as a whole. */
export function findAsked(api: Api, { http }: Attributes): Api | Operation | OperationFailure {
  if (api.operations === undefined) return api;
  const path = http.path.split('?', 1)[0]!;
  const below = path.slice(api.basePath.length);
  // The route named the API, and its path is another: no operation of it can be meant.
  if (!path.startsWith(api.basePath) || !(below === '' || below.startsWith('/')))
    return 'operation_not_found';
  return orUnlisted(api, findOperation(api.operations, http.method, below));
}

const orUnlisted = <T>(api: Api, found: T | OperationFailure): Api | T | OperationFailure =>
  found === 'operation_not_found' && api.servesUnlisted ? api : found;

/**
 * What a backend may find that reads the path otherwise, or to which upper and lower case are one, in place of what was
 * found, if that asks for something else: what is closed must not be reached, in another spelling, as something open.
 * Where several spellings are written, the exact one counts.
 *
 * @returns for the log; undefined: nothing
 */
export function readOtherwise(
  attributes: Attributes,
  read: Reading | undefined,
  index: ApiIndex,
  found: Judged,
): string | undefined {
  const { path } = attributes.http;
  if (index.isLowerCase && isLowerCase(path) && hasNoExtension(path)) return undefined;
  const whole = path.split('?', 1)[0]!;
  const decoded = decodings(read ?? { whole, cut: whole });
  const all = readings(whole, decoded, found);
  // Dot segments as they are written were judged before.
  if ((read !== undefined && decoded.some(hasDotSegment)) || all.size * whole.length > mostRead)
    return describe({ api: found.api, asked: 'path_ambiguous' });
  for (const [reading, find] of all) {
    const other = otherIn(reading, find, attributes, index, found);
    if (other !== undefined) return describe(other);
  }
  return undefined;
}

/** Characters, of all readings together: a few of the longest path, or all that there are of one of 10,000. */
const mostRead = 2 ** 19;

/** What is written with the name of a front controller or an extension is not read without. */
function readings(
  whole: string,
  [first, ...others]: readonly string[],
  { api, asked }: Judged,
): ReadonlyMap<string, Find> {
  const all = new Map<string, Find>();
  const add = (paths: readonly string[], find: Find): void => {
    for (const path of paths) if (!all.has(path)) all.set(path, find);
  };
  add([first!], findIn);
  add(others, findInCut);
  const written = 'path' in asked ? api.basePath + asked.path : api.basePath;
  if (withoutFrontController(written) === (written || '/'))
    add([...all.keys()].map(withoutFrontController), findInCut);
  const isWritten =
    isNamedBy(asked, depthOf(whole.slice(api.basePath.length))) ||
    ('segments' in asked && writesExtension(asked));
  if (!isWritten) add([...all.keys()].flatMap(withoutExtension), findNamed);
  return all;
}

type Judged = { readonly api: Api; readonly asked: Api | Operation };
type Find = typeof findInCut;
type Found = Api | Operation | OperationFailure | 'api_misconfigured';
type Other = { readonly api: Api; readonly asked: Found };

/** More of one base path mean nothing to anybody, and to look into each would take its time at each request. */
const mostSpellings = 16;

function otherIn(
  path: string,
  find: Find,
  attributes: Attributes,
  index: ApiIndex,
  found: Judged,
): Other | undefined {
  const reading = withoutCase(path);
  const apis = apisWithoutCase(attributes, reading, found.api, index);
  if (apis.length > mostSpellings || apis.length * path.length > mostRead)
    return { api: apis[0]!, asked: 'path_ambiguous' };
  let other: Other | undefined;
  for (const api of apis)
    for (const asked of find(api, attributes.http.method, reading.slice(api.basePath.length), found)) {
      if (asked === found.asked) return undefined;
      // What fits as written fits in lower case as well: so it is by the cut, and an id may begin with such a sign.
      if (api === found.api && asked === 'operation_not_found') continue;
      if (typeof asked === 'string' || !asksNoMore(asked.security, found.asked.security))
        other ??= { api, asked };
    }
  return other;
}

/**
 * An id may hold an encoded `#` or `?`, and hardly a backend ends the path there: that the API does not take the method
 * there is no reason by itself, but what it asks for there by any.
 */
const findInCut = (api: Api, method: string, below: string, found: Judged): readonly Found[] => {
  const asked = findIn(api, method, below);
  if (api !== found.api || !asked.includes('method_not_allowed')) return asked;
  return [...asked.filter((one) => one !== 'method_not_allowed'), ...findIn(api, undefined, below)];
};

/** Without an extension a path means the same to some alone, and an id may hold a dot: what is written so counts, by any method. */
const findNamed = (api: Api, _method: string, below: string): readonly Found[] => {
  const depth = depthOf(below);
  return findIn(api, undefined, below).filter((asked) =>
    typeof asked === 'string' ? asked === 'api_misconfigured' && depth === 0 : isNamedBy(asked, depth),
  );
};

/** @param depth of the path: how many segments it has, counted once for all operations */
const isNamedBy = (asked: Api | Operation, depth: number): boolean =>
  'segments' in asked ? isNamed(asked, depth) : depth === 0;

function findIn(api: Api, method: string | undefined, below: string): readonly Found[] {
  if (api.fault !== undefined) return ['api_misconfigured'];
  if (api.operations === undefined) return [api];
  return findWithoutCase(api.operations, method, below).map((found) => orUnlisted(api, found));
}

function describe({ api, asked }: Other): string {
  const place = `"${api.name}" ${api.version} (${api.basePath || '/'})`;
  if (typeof asked === 'string') return `${place}, which answers ${asked}`;
  return 'segments' in asked
    ? `${asked.path} of ${place}, which asks for something else`
    : `${place}, which asks for something else`;
}
