import { below, isTable, type Place, type Problems, problemAt, shown } from '../place.ts';
import type { WrittenOperation } from '../written.ts';
import { type OwnSecurity, readOwnSecurity, type TokenAsk } from './openapi-security.ts';

/** What an OpenAPI 2 or 3 document (or AsyncAPI 2) says that concerns us, with WSO2's extensions. */
export type OpenApi = {
  /** Of the document as a whole; undefined: nothing is said. */
  readonly token: TokenAsk | undefined;
  readonly operations: readonly ApiOperation[];
  /** `x-wso2-mutual-ssl`, wherever it stands. */
  readonly mutualSsl: readonly NonNullable<OwnSecurity['mutualSsl']>[];
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  readonly warnings: readonly ReturnType<typeof problemAt>[];
  /** The path that its server's URL, or `basePath`, has. */
  readonly basePath: string | undefined;
  readonly backend: string | undefined;
};

export type ApiOperation = {
  readonly path: string;
  readonly methods: readonly string[];
  /** By itself, its path item or the document, the nearest first; undefined: none of them says anything. */
  readonly token: TokenAsk | undefined;
  readonly scopes: readonly string[];
  /** The first that is so, for messages. */
  readonly place: Place;
};

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/** @param problems what makes the API's meaning doubtful */
export function readOpenApi(document: Place, problems: Problems): OpenApi {
  const notes: { key: string; text: string }[] = [];
  const groups = new Map<string, ApiOperation & { readonly methods: string[] }>();
  // Once for all operations: their number times that of its scopes has no bound.
  const whole = readOwnSecurity(document, problems);
  const mutualSsl = [whole.mutualSsl];
  const types = new TokenTypes();
  const [widened, openEnded] = [new Map<string, Place>(), new Set<string>()];
  for (const { path, item } of itemsOf(document, problems)) {
    const template = readTemplate(path);
    if (template === undefined) {
      problems.push(
        problemAt(
          item,
          `found the path ${shown(path)}; write one that begins with "/", unencoded, with * at the end only`,
        ),
      );
      continue;
    }
    const isWidened = template !== path;
    if (isWidened)
      notes.push({ key: 'operations', text: `${path}: a segment with several names is read as one name` });
    const ofItem = readOwnSecurity(item, problems);
    mutualSsl.push(ofItem.mutualSsl);
    for (const { method, place, own } of operationsOf(item, problems)) {
      mutualSsl.push(own.mutualSsl);
      const nearest = [own, ofItem, whole];
      const token = tokenOf(nearest);
      types.add(nearest, token);
      const scopes = nearest.find((one) => one.scopes !== undefined)?.scopes ?? [];
      const ask = JSON.stringify([token, scopes]);
      if (isWidened) widened.set(ask, place);
      if (template.endsWith('*')) openEnded.add(ask);
      const key = JSON.stringify([template, ask]);
      const group = groups.get(key) ?? { path: template, methods: [], token, scopes, place };
      group.methods.push(method);
      groups.set(key, group);
    }
  }
  if (groups.size === 0) types.add([whole], tokenOf([whole]));
  // Read as one name it fits more than it does there, and would take that from the broader one.
  for (const [ask, place] of widened) {
    if (openEnded.size > 1 || (openEnded.size === 1 && !openEnded.has(ask)))
      problems.push(
        problemAt(
          place,
          'has several names in one segment, which is read as one name, and a path that ends in * asks for something else; write the same security at both',
        ),
      );
  }
  problems.push(...types.problems);
  return {
    token: tokenOf([whole]),
    operations: [...groups.values()],
    mutualSsl: mutualSsl.filter((one) => one !== undefined),
    notes,
    warnings: types.warnings,
    basePath: basePathOf(document),
    backend: endpointOf(document),
  };
}

/** Of OpenAPI the paths, of AsyncAPI the channels: what is upgraded to a WebSocket is asked for by GET. */
function itemsOf(document: Place, problems: Problems): readonly { path: string; item: Place }[] {
  const isAsync = below(document, 'asyncapi').value !== undefined;
  const paths = below(document, isAsync ? 'channels' : 'paths');
  if (paths.value !== undefined && !isTable(paths.value))
    problems.push(problemAt(paths, `found ${shown(paths.value)}; write a table of paths`));
  return Object.keys(isTable(paths.value) ? paths.value : {})
    .filter((path) => !path.startsWith('x-'))
    .map((path) => ({
      path: isAsync && !path.startsWith('/') ? `/${path}` : path,
      item: below(paths, path),
    }));
}

type Asking = { readonly method: string; readonly place: Place; readonly own: OwnSecurity };

function operationsOf(item: Place, problems: Problems): readonly Asking[] {
  const asked = (key: string): readonly Asking[] => {
    const place = below(item, key);
    if (place.value === undefined) return [];
    return [{ method: key.toUpperCase(), place, own: readOwnSecurity(place, problems) }];
  };
  if (item.path[0] === 'paths') return methods.flatMap(asked);
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
  return [{ method: 'GET', place: item, own }];
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

/** What of `security-types` is not taken here, each place told once. */
class TokenTypes {
  readonly problems: ReturnType<typeof problemAt>[] = [];
  readonly warnings: ReturnType<typeof problemAt>[] = [];
  readonly #seen = new Set<readonly string[]>();

  add(nearest: readonly OwnSecurity[], token: TokenAsk | undefined): void {
    const types = nearest.find((one) => one.types !== undefined)?.types;
    if (types === undefined || token === 'off' || this.#seen.has(types.names)) return;
    const others = types.names.filter((type) => !['oauth2', 'jwt'].includes(type));
    const what = others.join(' and ');
    if (others.length === types.names.length && token !== 'optional') {
      this.#seen.add(types.names);
      this.problems.push(
        problemAt(
          types.place,
          `can be called by ${what || 'nothing'}, which is not taken here; add oauth2, or take it out`,
        ),
      );
    } else if (others.length > 0 && this.warnings.length === 0)
      this.warnings.push(problemAt(types.place, `${what} is not taken here: callers need an OAuth2 token`));
  }
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

function basePathOf(document: Place): string | undefined {
  const own = below(document, 'x-wso2-basePath').value ?? below(document, 'basePath').value;
  if (typeof own === 'string') return own;
  const url = below(document, 'servers', 0, 'url').value;
  if (typeof url !== 'string') return undefined;
  return URL.parse(url, 'http://localhost')?.pathname;
}

/** `x-wso2-production-endpoints`: a table with urls, or a list of tables or URLs. The first counts. */
export function endpointOf(document: Place): string | undefined {
  const { value } = below(document, 'x-wso2-production-endpoints');
  const candidates: unknown[] = Array.isArray(value) ? value : [value];
  for (const candidate of candidates) {
    if (typeof candidate === 'string') return usable(candidate);
    const urls = isTable(candidate) ? (candidate.urls ?? candidate.url) : undefined;
    const [first] = Array.isArray(urls) ? (urls as unknown[]) : [urls];
    if (typeof first === 'string') return usable(first);
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
