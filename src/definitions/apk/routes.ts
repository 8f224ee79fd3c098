import {
  below,
  elementsAt,
  isTable,
  isWritten,
  knownKeysAt,
  neededText,
  notEmptyAt,
  type Place,
  type Problems,
  problemAt,
  shown,
  slipsAt,
  textAt,
  textsAt,
  wordAt,
} from '../place.ts';
import type { DefinitionProblem } from '../written.ts';
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
export function readRoute(
  route: Resource,
  type: ApiType,
  files: ApkFiles,
  problems: Problems,
  warnings: DefinitionProblem[],
): ReadRoute {
  const spec = below(route, 'spec');
  slipsAt(spec, ['parentRefs', 'hostnames', 'rules', 'backendRefs'], problems);
  const rules = elementsAt(below(spec, 'rules'), problems);
  if (rules.length === 0) problems.push(problemAt(below(spec, 'rules'), 'are none; write at least one rule'));
  const backends = [spec, ...rules].map((place) =>
    referredBackend(below(place, 'backendRefs'), route.namespace, files, problems),
  );
  return {
    hosts: textsAt(below(spec, 'hostnames'), problems, '"api.example.com"').map((host) => host.toLowerCase()),
    backends: [...new Set(backends.filter((backend) => backend !== undefined))],
    operations: rules.flatMap((rule) => {
      knownKeysAt(rule, ruleKeys, problems);
      for (const key of ['matches', 'filters']) notEmptyAt(rule, key, problems);
      const security = readFilters(below(rule, 'filters'), route, files, problems, warnings);
      const matches = elementsAt(below(rule, 'matches'), problems);
      // A rule without any takes everything, as the Gateway API has it.
      return (matches.length === 0 ? [below(rule, 'matches')] : matches).flatMap((match) => {
        if (matches.length > 0 && !isTable(match.value))
          problems.push(problemAt(match, `found ${shown(match.value)}; write path and method`));
        const read = readMatch(match, type, problems);
        return read === undefined ? [] : [{ place: match, ...read, ...security }];
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

function readMatch(match: Place, type: ApiType, problems: Problems): Match | undefined {
  knownKeysAt(match, matchKeys[type], problems);
  for (const key of ['headers', 'queryParams']) {
    if (elementsAt(below(match, key), problems).length > 0) {
      problems.push(
        problemAt(
          below(match, key),
          'operations are told apart by path and method only; leave this out, or give the API a route for each',
        ),
      );
    }
  }
  if (type === 'GRAPHQL')
    return {
      target: textAt(below(match, 'path'), problems, '"hero"') ?? '*',
      verb: textAt(below(match, 'type'), problems, '"QUERY"'),
      reading: 'as-written',
    };
  if (type === 'GRPC') return readGrpcMatch(below(match, 'method'), problems);
  const path = below(match, 'path');
  notEmptyAt(match, 'path', problems);
  notEmptyAt(path, 'value', problems);
  const value = textAt(below(path, 'value'), problems, '"/employee"') ?? '/';
  const kind = textAt(below(path, 'type'), problems, '"PathPrefix"') ?? 'PathPrefix';
  const target = targetOf(kind, value);
  if (target === undefined) {
    problems.push(
      problemAt(
        path,
        `found ${shown(path.value)}, which can not be told in paths; write type: Exact or PathPrefix, or (.*) for whole segments`,
      ),
    );
    return undefined;
  }
  const verb = textAt(below(match, 'method'), problems, '"GET"');
  return { target, verb, reading: kind === 'RegularExpression' ? readingOf(value) : 'as-written' };
}

/** `[^/]+` stays in its segment; `(.*)` doesn't, and takes what stands right behind a name without a slash. */
function readingOf(expression: string): ApkOperation['reading'] {
  if (!expression.includes('.*')) return 'as-written';
  return /[^/]\(?\.\*\)?\$?$/.test(expression) ? 'wide-and-without-slash' : 'wide';
}

/** `type: RegularExpression` is what APK writes there, with plain names behind it. */
function readGrpcMatch(method: Place, problems: Problems): Match | undefined {
  const service = textAt(below(method, 'service'), problems, '"student_service.StudentService"');
  if (service !== undefined)
    return {
      target: service,
      verb: textAt(below(method, 'method'), problems, '"GetStudent"'),
      reading: 'as-written',
    };
  problems.push(problemAt(method, 'names no service; write service: package.Service'));
  return undefined;
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
function readFilters(
  filters: Place,
  route: Resource,
  files: ApkFiles,
  problems: Problems,
  warnings: DefinitionProblem[],
): RuleSecurity {
  let secured = true;
  let applicationSecurity: ApkOperation['applicationSecurity'];
  const scopes: string[] = [];
  for (const filter of elementsAt(filters, problems)) {
    knownKeysAt(filter, ['type', ...Object.values(filterKeys)], problems);
    const type = wordAt(below(filter, 'type'), Object.keys(filterKeys), problems);
    const reference = below(filter, 'extensionRef');
    if (reference.value === undefined && type !== 'ExtensionRef') continue;
    const kind = wordAt(below(reference, 'kind'), extensionKinds, problems);
    const name = neededText(below(reference, 'name'), problems, '"orders-write"');
    if (!isWritten(below(reference, 'kind')))
      problems.push(problemAt(below(reference, 'kind'), `is missing; write ${extensionKinds.join(' or ')}`));
    if ((kind !== 'Authentication' && kind !== 'Scope') || name === undefined) continue;
    const resource = findResource(files, kind, name, route.namespace);
    if (typeof resource === 'string') {
      problems.push(problemAt(reference, resource));
    } else if (kind === 'Scope') {
      const names = textsAt(below(resource, 'spec', 'names'), problems, '"employees:read"');
      if (names.length === 0)
        problems.push(problemAt(below(resource, 'spec', 'names'), 'names no scope; write at least one'));
      scopes.push(...names);
    } else {
      const own = readRuleAuthentication(resource, files, problems, warnings);
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
  problems: Problems,
  warnings: DefinitionProblem[],
): Pick<RuleSecurity, 'secured' | 'applicationSecurity'> {
  knownKeysAt(below(resource, 'spec'), authenticationKeys, problems);
  const specs = ['override', 'default'].map((level) => below(resource, 'spec', level));
  const chosen = specs.find(({ value }) => value !== undefined);
  if (chosen === undefined) return { secured: true };
  if (below(chosen, 'disabled').value === true) return { secured: false };
  const ask = readAuthenticationSpec(chosen, resource, files, problems);
  if (ask?.mtls !== undefined)
    problems.push(
      problemAt(
        chosen,
        'asks for mTLS at a resource, which APK refuses too; write it into an Authentication for the API',
      ),
    );
  if (ask?.others === 'mandatory')
    problems.push(problemAt(chosen, 'asks for an API key, which is not read here'));
  warnings.push(...(ask?.warnings ?? []));
  return ask?.oauth2 === 'off' ? { secured: false } : { secured: true, applicationSecurity: ask?.oauth2 };
}
