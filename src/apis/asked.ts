import type { Attributes } from '../attributes.ts';
import type { Api } from './api.ts';
import { type ApiIndex, apisWithoutCase } from './api-index.ts';
import { findOperation, findWithoutCase, type Operation, type OperationFailure } from './operations.ts';
import { decodings, isLowerCase, type Reading, withoutCase } from './request-path.ts';
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
  if (index.isLowerCase && isLowerCase(path)) return undefined;
  const whole = path.split('?', 1)[0]!;
  for (const [i, reading] of decodings(read ?? { whole, cut: whole }).entries()) {
    const other = otherIn(reading, i === 0 ? findIn : findInCut, attributes, index, found);
    if (other !== undefined) return describe(other);
  }
  return undefined;
}

type Judged = { readonly api: Api; readonly asked: Api | Operation };
type Found = Api | Operation | OperationFailure | 'api_misconfigured';
type Other = { readonly api: Api; readonly asked: Found };

/** More of one base path mean nothing to anybody, and to look into each would take its time at each request. */
const mostSpellings = 16;

function otherIn(
  path: string,
  find: typeof findInCut,
  attributes: Attributes,
  index: ApiIndex,
  found: Judged,
): Other | undefined {
  const reading = withoutCase(path);
  const apis = apisWithoutCase(attributes, reading, found.api, index);
  if (apis.length > mostSpellings) return { api: apis[0]!, asked: 'path_ambiguous' };
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
const findInCut = (api: Api, method: string, below: string, found: Judged): readonly Found[] =>
  findIn(api, method, below).flatMap((asked) =>
    api === found.api && asked === 'method_not_allowed' ? findIn(api, undefined, below) : asked,
  );

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
