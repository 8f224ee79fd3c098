import type { Cursor } from '../../documents/cursor.ts';
import { shown } from '../../documents/problem.ts';
import type { WrittenOperation } from '../written.ts';
import {
  checkElsewhere,
  type OwnSecurity,
  readOwnSecurity,
  type TokenAsk,
  type WrittenMutualSsl,
} from './openapi-security.ts';

/** What an OpenAPI 2 or 3 document (or AsyncAPI 2) says that concerns us, with WSO2's extensions. */
export type OpenApi = {
  /** Of the document as a whole; undefined: nothing is said. */
  readonly token: TokenAsk | undefined;
  readonly operations: readonly ApiOperation[];
  /** `x-wso2-mutual-ssl`, wherever it stands. */
  readonly mutualSsl: readonly WrittenMutualSsl[];
  /** Beside tokens, which are. */
  readonly untaken: Untaken | undefined;
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  /** The path that its server's URL, or `basePath`, has. */
  readonly basePath: string | undefined;
  readonly backend: string | undefined;
};

type Untaken = { readonly at: Cursor; readonly what: string; readonly isAll: boolean };

export type ApiOperation = {
  readonly path: string;
  readonly methods: readonly string[];
  /** By itself, its path item or the document, the nearest first; undefined: none of them says anything. */
  readonly token: TokenAsk | undefined;
  readonly scopes: readonly string[];
  /** The first that is so, for messages. */
  readonly at: Cursor;
};

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

const noOperation = 'has no operation that is read here (references are not followed); write the methods';

/** What else may be a table in a path item, extensions aside. */
const itemKeys: readonly string[] = ['servers', 'parameters', 'security'];

/** The same of a channel. */
const channelKeys: readonly string[] = ['publish', 'subscribe', 'parameters', 'bindings'];

export function readOpenApi(document: Cursor): OpenApi {
  const notes: { key: string; text: string }[] = [];
  const groups = new Map<string, ApiOperation & { readonly methods: string[] }>();
  // Once for all operations: their number times that of its scopes has no bound.
  const whole = readOwnSecurity(document);
  document.noSlips(['paths', 'channels', 'x-wso2-basePath', 'basePath']);
  const { isAsync } = partOf(document);
  // In version 3 operations stand beside the channels, and their security with them.
  if (isAsync && !String(document.get('asyncapi').value).startsWith('2.'))
    document.get('asyncapi').error('is read in version 2 only; export the definition in that');
  if (!partOf(document).at.isWritten)
    document.error('has no paths, so that nobody knows what its operations ask for; write them');
  for (const at of [document.get('info'), document.get('components'), partOf(document).at])
    checkElsewhere(at);
  const mutualSsl = [whole.mutualSsl];
  const untaken: (Untaken | undefined)[] = [];
  const [widened, openEnded] = [new Map<string, Cursor>(), new Set<string>()];
  for (const { path, item } of itemsOf(document)) {
    const template = readTemplate(path);
    if (template === undefined) {
      item.error(
        `found the path ${shown(path)}; write one that begins with "/", unencoded, with * at the end only`,
      );
      continue;
    }
    const isWidened = template !== path;
    if (isWidened)
      notes.push({ key: 'operations', text: `${path}: a segment with several names is read as one name` });
    const ofItem = readOwnSecurity(item);
    mutualSsl.push(ofItem.mutualSsl);
    for (const { method, at, own } of operationsOf(item)) {
      mutualSsl.push(own.mutualSsl);
      const nearest = [own, ofItem, whole];
      const token = tokenOf(nearest);
      untaken.push(untakenIn(nearest, token));
      const scopes = nearest.find((one) => one.scopes !== undefined)?.scopes ?? [];
      const ask = JSON.stringify([token, scopes]);
      if (isWidened) widened.set(ask, at);
      if (template.endsWith('*')) openEnded.add(ask);
      const key = JSON.stringify([template, ask]);
      const group = groups.get(key) ?? { path: template, methods: [], token, scopes, at };
      group.methods.push(method);
      groups.set(key, group);
    }
  }
  if (groups.size === 0) {
    untaken.push(untakenIn([whole], tokenOf([whole])));
    const { at } = partOf(document);
    if (at.keys().length > 0) at.error(noOperation);
  }
  const found = untaken.filter((one) => one !== undefined);
  for (const { at, what } of new Map(found.filter(({ isAll }) => isAll).map((one) => [one.at, one])).values())
    at.error(`can be called by ${what}, which is not taken here; add oauth2, or take it out`);
  // Read as one name it fits more than it does there, and would take that from the broader one.
  for (const [ask, at] of widened) {
    if (openEnded.size > 1 || (openEnded.size === 1 && !openEnded.has(ask)))
      at.error(
        'has several names in one segment, which is read as one name, and a path that ends in * asks for something else; write the same security at both',
      );
  }
  return {
    token: tokenOf([whole]),
    operations: [...groups.values()],
    untaken: found.find(({ isAll }) => !isAll),
    mutualSsl: mutualSsl.filter((one) => one !== undefined),
    notes,
    basePath: basePathOf(document),
    backend: endpointOf(document),
  };
}

/** Of OpenAPI the paths, of AsyncAPI the channels. */
function partOf(document: Cursor): { readonly at: Cursor; readonly isAsync: boolean } {
  const isAsync = document.get('asyncapi').value !== undefined;
  return { at: document.get(isAsync ? 'channels' : 'paths'), isAsync };
}

/** What is upgraded to a WebSocket is asked for by GET. */
function itemsOf(document: Cursor): readonly { path: string; item: Cursor }[] {
  const { at, isAsync } = partOf(document);
  return at
    .entries()
    .filter(([path]) => !path.startsWith('x-'))
    .map(([path, item]) => ({ path: isAsync && !path.startsWith('/') ? `/${path}` : path, item }));
}

type Asking = { readonly method: string; readonly at: Cursor; readonly own: OwnSecurity };

function operationsOf(item: Cursor): readonly Asking[] {
  const asked = (key: string): readonly Asking[] => {
    const at = item.get(key);
    return at.value === undefined ? [] : [{ method: key.toUpperCase(), at, own: readOwnSecurity(at) }];
  };
  if (item.path[0] === 'paths') {
    // An operation that nobody finds asks for nothing.
    for (const [key, at] of item.entries()) {
      const isMethod = (methods as readonly string[]).includes(key);
      if (isMethod && at.isWritten && !at.isTable) at.error(`found ${at.found}; write a table`);
      if (!isMethod && at.isTable && !itemKeys.includes(key) && !key.startsWith('x-'))
        at.error(`is no method; there are: ${methods.join(', ')}`);
    }
    item.notCutOff(...methods);
    // A path that ends in * would have what was meant here.
    if (!methods.some((key) => item.get(key).isWritten)) item.error(noOperation);
    return methods.flatMap(asked);
  }
  for (const [key, at] of item.entries())
    if (at.isTable && !channelKeys.includes(key) && !key.startsWith('x-'))
      at.error('is no operation; there are: publish, subscribe');
  // Both ways go through one connection: what either of them asks for.
  const [one, other] = ['publish', 'subscribe'].flatMap(asked).map(({ own }) => own);
  const scopes = [...new Set([...(one?.scopes ?? []), ...(other?.scopes ?? [])])];
  const own: OwnSecurity = {
    disabled: undefined,
    optional: undefined,
    types: undefined,
    mutualSsl: one?.mutualSsl ?? other?.mutualSsl,
    scopes: scopes.length > 0 ? scopes : undefined,
  };
  return [{ method: 'GET', at: item, own }];
}

/** The nearest that says something decides, key by key. */
function tokenOf(nearest: readonly OwnSecurity[]): TokenAsk | undefined {
  const isDisabled = nearest.find(({ disabled }) => disabled !== undefined)?.disabled === true;
  if (isDisabled) return 'off';
  const optional = nearest.find((one) => one.optional !== undefined)?.optional;
  if (optional !== undefined) return optional ? 'optional' : 'mandatory';
  // What is switched on again where all else is off asks for something.
  return nearest.at(-1)?.disabled === true ? 'mandatory' : undefined;
}

/** Kinds of credentials that callers may have there and are not taken here: an error where there is no other. */
function untakenIn(nearest: readonly OwnSecurity[], token: TokenAsk | undefined): Untaken | undefined {
  const types = nearest.find((one) => one.types !== undefined)?.types;
  if (types === undefined || token === 'off') return undefined;
  const others = types.names.filter((type) => !['oauth2', 'jwt'].includes(type));
  const isAll = others.length === types.names.length && token !== 'optional';
  return isAll || others.length > 0
    ? { at: types.at, what: others.join(' and ') || 'nothing', isAll }
    : undefined;
}

/** Operations for an API that asks for `token` where they say nothing themselves. */
export const writeOperations = (
  operations: readonly ApiOperation[],
  token: TokenAsk,
): readonly WrittenOperation[] =>
  operations.map(({ path, methods: taken, scopes, ...operation }) => {
    const asked = operation.token ?? token;
    return {
      path,
      methods: taken,
      // Switches and scopes are of tokens: where none is asked for, they say nothing.
      ...(asked === 'off'
        ? token !== 'off' && { secured: false }
        : asked !== token && { applicationSecurity: asked }),
      ...(asked !== 'off' && scopes.length > 0 && { scopes, scopesMatch: 'any' as const }),
    };
  });

const segment =
  /^([A-Za-z0-9\-._~!$&'()+,=:@]*\{[^{}/]+\}[A-Za-z0-9\-._~!$&'()+,=:@]*|[A-Za-z0-9\-._~!$&'()+,=:@]+)$/;

/** As our operations have it; undefined: it can't be written so. */
function readTemplate(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined;
  const parts = path.slice(1).split('/');
  const read = parts.map((part, i) => {
    const isLast = i === parts.length - 1;
    if ((part === '*' || part === '') && isLast) return part;
    if (segment.test(part)) return part;
    return isMixed(part) ? oneName(part) : undefined;
  });
  return read.includes(undefined) ? undefined : `/${read.join('/')}`;
}

/** Names in braces with text around, and no wildcard there. By hand: a pattern would try every pair of braces. */
function isMixed(part: string): boolean {
  const [open, close] = [part.indexOf('{'), part.lastIndexOf('}')];
  return (
    open !== -1 && close > open && !part.slice(0, open).includes('*') && !part.slice(close).includes('*')
  );
}

const oneName = (part: string): string =>
  `${part.slice(0, part.indexOf('{'))}{several}${part.slice(part.lastIndexOf('}') + 1)}`;

function basePathOf(document: Cursor): string | undefined {
  const own = document.get('x-wso2-basePath').value ?? document.get('basePath').value;
  if (typeof own === 'string') return own;
  const url = document.get('servers', 0, 'url').value;
  if (typeof url !== 'string') return undefined;
  return URL.parse(url, 'http://localhost')?.pathname;
}

/** `x-wso2-production-endpoints`: a table with urls, or a list of tables or URLs. The first counts. */
function endpointOf(document: Cursor): string | undefined {
  for (const candidate of document.get('x-wso2-production-endpoints').each()) {
    const urls = ['urls', 'url'].flatMap((key) => candidate.get(key).each());
    const first = [candidate, ...urls].find(({ value }) => typeof value === 'string');
    if (first !== undefined) return usable(first.value as string);
  }
  return undefined;
}

/** What can stand as a backend; another kind of endpoint (a variable, a service name) is left to `backend`. */
export const usable = (text: string): string | undefined => {
  const url = URL.parse(text);
  return url !== null &&
    /^(?:http|ws)s?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === ''
    ? text
    : undefined;
};
