import { below, isTable, type Place, type Problems, problemAt, shown } from '../place.ts';
import type { WrittenOperation } from '../written.ts';

/** What an OpenAPI 2 or 3 document says that concerns us, with WSO2's extensions. */
export type OpenApi = {
  readonly operations: readonly WrittenOperation[];
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  /** The path that its server's URL, or `basePath`, has. */
  readonly basePath: string | undefined;
  readonly backend: string | undefined;
};

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/** @param problems what makes the API's meaning doubtful */
export function readOpenApi(document: Place, problems: Problems): OpenApi {
  const paths = below(document, 'paths');
  const notes: { key: string; text: string }[] = [];
  const groups = new Map<string, { operation: WrittenOperation; methods: string[] }>();
  const disabled = isDisabled(document);
  // Once for all operations: their number times that of its scopes has no bound.
  const inherited = scopesOf(below(document, 'security'), problems);
  if (paths.value !== undefined && !isTable(paths.value))
    problems.push(problemAt(paths, `found ${shown(paths.value)}; write a table of paths`));
  for (const path of isTable(paths.value) ? Object.keys(paths.value) : []) {
    if (path.startsWith('x-')) continue;
    const item = below(paths, path);
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
    if (template !== path)
      notes.push({ key: 'operations', text: `${path}: a segment with several names is read as one name` });
    for (const method of methods) {
      const operation = below(item, method);
      if (operation.value === undefined) continue;
      const security = securityOf(operation, item, disabled, inherited, problems);
      const key = JSON.stringify([template, security]);
      const group = groups.get(key) ?? { operation: { path: template, ...security }, methods: [] };
      group.methods.push(method.toUpperCase());
      groups.set(key, group);
    }
  }
  return {
    operations: [...groups.values()].map(({ operation, methods: taken }) => ({
      ...operation,
      methods: taken,
    })),
    notes,
    basePath: basePathOf(document),
    backend: endpointOf(document),
  };
}

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
    return isMixed(part) ? '{several}' : undefined;
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

type Security = Pick<WrittenOperation, 'secured' | 'scopes' | 'scopesMatch'>;

/** `x-wso2-disable-security`, `x-auth-type: None` and `security: []` switch it off; the nearest counts. */
function securityOf(
  operation: Place,
  item: Place,
  disabled: boolean,
  inherited: readonly string[],
  problems: Problems,
): Security {
  const own = switched(operation) ?? switched(item) ?? disabled;
  if (own) return { secured: false };
  const security = below(operation, 'security');
  const older = below(operation, 'x-scope').value;
  const scopes = [
    ...(security.value === undefined ? inherited : scopesOf(security, problems)),
    ...(typeof older === 'string' ? older.split(/[ ,]+/).filter(Boolean) : []),
  ];
  return scopes.length === 0 ? {} : { scopes: [...new Set(scopes)].sort(), scopesMatch: 'any' };
}

const isDisabled = (place: Place): boolean => switched(place) ?? false;

/** true: off. undefined: nothing is said. */
function switched(place: Place): boolean | undefined {
  const disable =
    below(place, 'x-wso2-disable-security').value ?? below(place, 'x-wso2-security-disable').value;
  if (typeof disable === 'boolean') return disable;
  const type = below(place, 'x-auth-type').value;
  if (typeof type === 'string') return type.toLowerCase() === 'none';
  const security = below(place, 'security').value;
  return Array.isArray(security) && security.length === 0 ? true : undefined;
}

/** More than any token carries. */
const maxScopes = 256;

/** Of a list of requirements, whatever their schemes are called. */
function scopesOf(security: Place, problems: Problems): readonly string[] {
  const { value } = security;
  if (value !== undefined && !Array.isArray(value))
    problems.push(problemAt(security, `found ${shown(value)}; write a list`));
  const scopes = (Array.isArray(value) ? (value as unknown[]) : [])
    .flatMap((requirement) => (isTable(requirement) ? Object.values(requirement) : []))
    .flat()
    .filter((scope) => typeof scope === 'string');
  if (scopes.length <= maxScopes) return scopes;
  problems.push(
    problemAt(security, `has ${scopes.length} scopes, more than ${maxScopes} are not read; write fewer`),
  );
  return [];
}

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
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === ''
    ? text
    : undefined;
};
