import type { Cursor } from '../../documents/cursor.ts';
import { shown } from '../../documents/problem.ts';
import { authenticationKeys, readAuthenticationSpec } from './authentication.ts';
import { referredBackend } from './backends.ts';
import { type ApkFiles, findResource, type Kind, type Resource } from './files.ts';
import type { ApiType, ApkOperation } from './operations.ts';

export type ReadRoute = {
  readonly hosts: readonly string[];
  readonly backends: readonly string[];
  readonly operations: readonly ApkOperation[];
};

export const routeKinds: Readonly<Record<ApiType, Kind>> = {
  REST: 'HTTPRoute',
  GRAPHQL: 'GQLRoute',
  GRPC: 'GRPCRoute',
};

/** One HTTPRoute, GQLRoute or GRPCRoute: its rules' paths stand below the API's base path. */
export function readRoute(route: Resource, type: ApiType, files: ApkFiles): ReadRoute {
  const spec = route.at.get('spec');
  spec.noSlips(['parentRefs', 'hostnames', 'rules', 'backendRefs']);
  const rules = spec.get('rules').list();
  if (rules.length === 0) spec.get('rules').error('are none; write at least one rule');
  const backends = [spec, ...rules].map((at) =>
    referredBackend(at.get('backendRefs'), route.namespace, files),
  );
  return {
    hosts: spec
      .get('hostnames')
      .texts('"api.example.com"')
      .map((host) => host.toLowerCase()),
    backends: [...new Set(backends.filter((backend) => backend !== undefined))],
    operations: rules.flatMap((rule) => {
      rule.known(ruleKeys);
      rule.notCutOff('matches', 'filters');
      const security = readFilters(rule.get('filters'), route.namespace, files);
      for (const at of rule
        .get('backendRefs')
        .list()
        .flatMap((backend) => backend.get('filters').list()))
        if (at.get('extensionRef').isWritten)
          at.error('stands at a backend, where nobody asks for it; write it into the filters of the rule');
      const matches = rule.get('matches').list();
      // A rule without any takes everything, as the Gateway API has it.
      return (matches.length === 0 ? [rule.get('matches')] : matches).flatMap((match) => {
        if (matches.length > 0 && !match.isTable) match.error(`found ${match.found}; write path and method`);
        const read = readMatch(match, type);
        return read === undefined ? [] : [{ at: match, ...read, ...security }];
      });
    }),
  };
}

const ruleKeys = ['name', 'matches', 'filters', 'backendRefs', 'timeouts', 'retry', 'sessionPersistence'];
const matchKeys: Readonly<Record<ApiType, readonly string[]>> = {
  REST: ['path', 'method', 'headers', 'queryParams'],
  GRAPHQL: ['type', 'path'],
  GRPC: ['method', 'headers'],
};

type Match = Pick<ApkOperation, 'target' | 'verb' | 'reading'>;

function readMatch(match: Cursor, type: ApiType): Match | undefined {
  match.known(matchKeys[type]);
  for (const key of ['headers', 'queryParams']) {
    if (match.get(key).list().length > 0) {
      match
        .get(key)
        .error(
          'operations are told apart by path and method only; leave this out, or give the API a route for each',
        );
    }
  }
  if (type === 'GRAPHQL')
    return {
      target: match.get('path').text('"hero"') ?? '*',
      verb: match.get('type').text('"QUERY"'),
      reading: 'as-written',
    };
  if (type === 'GRPC') return readGrpcMatch(match.get('method'));
  const path = match.get('path');
  match.notCutOff('path');
  path.notCutOff('value');
  const value = path.get('value').text('"/employee"') ?? '/';
  const kind = path.get('type').text('"PathPrefix"') ?? 'PathPrefix';
  const target = targetOf(kind, value);
  if (target === undefined)
    return path.error(
      `found ${shown(path.value)}, which can not be told in paths; write type: Exact or PathPrefix, or (.*) for whole segments`,
    );
  const verb = match.get('method').text('"GET"');
  return { target, verb, reading: kind === 'RegularExpression' ? readingOf(value) : 'as-written' };
}

/** `[^/]+` stays in its segment; `(.*)` doesn't, and takes what stands right behind a name without a slash. */
function readingOf(expression: string): ApkOperation['reading'] {
  if (!expression.includes('.*')) return 'as-written';
  return /[^/]\(?\.\*\)?\$?$/.test(expression) ? 'wide-and-without-slash' : 'wide';
}

/** `type: RegularExpression` is what APK writes there, with plain names behind it. */
function readGrpcMatch(method: Cursor): Match | undefined {
  const service = method.get('service').text('"student_service.StudentService"');
  if (service !== undefined)
    return {
      target: service,
      verb: method.get('method').text('"GetStudent"'),
      reading: 'as-written',
    };
  return method.error('names no service; write service: package.Service');
}

/**
 * Regular expressions are read as APK's deployer writes them: `(.*)` for a `{name}`, and for `*` at the end. At the end
 * both fit whatever follows, as there; a dot stands for itself. undefined: it says more than a path can.
 */
function targetOf(type: string, value: string): string | undefined {
  if (type === 'Exact') return value;
  if (type === 'PathPrefix') return `${value.replace(/\/$/, '')}/*`;
  if (type !== 'RegularExpression') return undefined;
  const bare = value
    .replace(/^\^/, '')
    .replace(/\$$/, '')
    .replaceAll('\\.', '.')
    .replaceAll(/\(?\[\^\/\][+*]\)?/g, '{}');
  const whole = bare.replace(/\/?(?:\(\.\*\)|\.\*)$/, '/*');
  const isOpen = whole !== bare;
  const segments = (isOpen ? whole.slice(0, -2) : whole).split('/').slice(1);
  const named = segments.map((segment, i) =>
    /^(?:\(\.\*\)|\.\*|\{\})$/.test(segment) ? `{p${i + 1}}` : segment,
  );
  if (!bare.startsWith('/') && whole !== '/*') return undefined;
  if (named.some((segment) => !/^(?:\{p\d+\}|[A-Za-z0-9\-._~]*)$/.test(segment))) return undefined;
  return `${named.map((segment) => `/${segment}`).join('')}${isOpen ? '/*' : ''}`;
}

type RuleSecurity = Pick<ApkOperation, 'secured' | 'scopes' | 'applicationSecurity'>;

/** The Gateway API's filters, and the key that each has its settings under. */
const filterKeys: Readonly<Record<string, string>> = {
  ExtensionRef: 'extensionRef',
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  CORS: 'cors',
};

/** What an extension may be; all but the first two close nothing. */
const extensionKinds = [
  'Authentication',
  'Scope',
  'RateLimitPolicy',
  'AIRateLimitPolicy',
  'APIPolicy',
  'InterceptorService',
] as const;

/** What a rule's `ExtensionRef` filters ask for. */
function readFilters(filters: Cursor, namespace: string | undefined, files: ApkFiles): RuleSecurity {
  let secured = true;
  let applicationSecurity: ApkOperation['applicationSecurity'];
  const scopes: string[] = [];
  for (const filter of filters.list()) {
    filter.known(['type', ...Object.values(filterKeys)]);
    const type = filter.get('type').word(Object.keys(filterKeys));
    const reference = filter.get('extensionRef');
    if (reference.value === undefined && type !== 'ExtensionRef') continue;
    const kind = reference.get('kind').neededWord(extensionKinds);
    const name = reference.get('name').neededText('"orders-write"');
    if ((kind !== 'Authentication' && kind !== 'Scope') || name === undefined) continue;
    const resource = findResource(files, { kinds: [kind], name, namespace }, reference);
    if (resource === undefined) continue;
    if (kind === 'Scope') {
      const at = resource.at.get('spec', 'names');
      const names = at.texts('"employees:read"');
      if (names.length === 0) at.error('names no scope; write at least one');
      scopes.push(...names);
    } else {
      const own = readRuleAuthentication(resource, files);
      secured &&= own.secured;
      applicationSecurity = own.applicationSecurity ?? applicationSecurity;
    }
  }
  return { secured, scopes, ...(applicationSecurity !== undefined && { applicationSecurity }) };
}

/** At a resource only OAuth2 can be set; APK refuses mTLS there, too. */
function readRuleAuthentication(
  resource: Resource,
  files: ApkFiles,
): Pick<RuleSecurity, 'secured' | 'applicationSecurity'> {
  const spec = resource.at.get('spec');
  spec.known(authenticationKeys);
  const specs = ['override', 'default'].map((level) => spec.get(level));
  const chosen = specs.find(({ value }) => value !== undefined);
  if (chosen === undefined) return { secured: true };
  if (chosen.get('disabled').value === true) return { secured: false };
  const ask = readAuthenticationSpec(chosen, resource, files);
  if (ask?.mtls !== undefined)
    chosen.error(
      'asks for mTLS at a resource, which APK refuses too; write it into an Authentication for the API',
    );
  if (ask?.others === 'mandatory') chosen.error('asks for an API key, which is not read here');
  return ask?.oauth2 === 'off' ? { secured: false } : { secured: true, applicationSecurity: ask?.oauth2 };
}
