import type { Cursor } from '../../documents/cursor.ts';
import { shown } from '../../documents/problem.ts';
import type { WrittenApi, WrittenOperation } from '../written.ts';
import { deeperPaths, maxRules, type Reading, type Rule, shapeOf } from './deeper-paths.ts';

export type ApiType = 'REST' | 'GRAPHQL' | 'GRPC';

/** An operation of an apk-conf, or a rule of a route, as APK means it. */
export type ApkOperation = {
  readonly at: Cursor;
  /** A path; GraphQL: a field; gRPC: a service with its package. */
  readonly target: string;
  /** A method; GraphQL: QUERY, MUTATION, SUBSCRIPTION; gRPC: a method of the service. undefined: any. */
  readonly verb: string | undefined;
  readonly secured: boolean;
  /** One of them is enough. */
  readonly scopes: readonly string[];
  readonly applicationSecurity?: WrittenApi['applicationSecurity'] | undefined;
  readonly reading: Reading;
};

/** What is listed below a base path, and what stands between the two. */
export type Placed = {
  readonly behind: string;
  readonly operations: readonly WrittenOperation[];
  readonly notes: readonly { readonly key: string; readonly text: string }[];
};

/**
 * Below the base path. A gRPC API becomes one for each of its services, since the base path and the service make one
 * segment (`/org.apk.v1.student_service.StudentService/GetStudent`).
 */
export function placeOperations(type: ApiType, operations: readonly ApkOperation[]): readonly Placed[] {
  if (type === 'GRPC') return placeServices(operations);
  if (type === 'GRAPHQL') return [placeFields(operations)];
  const [listed, deeper] = placePaths(operations);
  return [{ behind: '', operations: [...listed, ...deeper], notes: deeper.length === 0 ? [] : [deeperNote] }];
}

const deeperNote = {
  key: 'operations',
  text: 'APK fits several segments to a {name}: below one that a broader rule with less security would take, deeper paths ask for the same',
};

const target =
  /^\/(([A-Za-z0-9\-._~!$&'()+,=:@]*\{[^{}/]+\}[A-Za-z0-9\-._~!$&'()+,=:@]*|[A-Za-z0-9\-._~!$&'()+,=:@]+)(\/|$))*\*?$/;

/** Longer ones stand in no API, and make patterns slow. */
const maxPath = 1_000;

/** Those that are listed, and those that APK gives to them besides. */
function placePaths(
  operations: readonly ApkOperation[],
): readonly [listed: readonly WrittenOperation[], deeper: readonly WrittenOperation[]] {
  const rules: Rule[] = [];
  const taken = new Map<string, Taken>();
  for (const operation of operations) {
    const { at, target: path, verb, reading } = operation;
    if (path.length > maxPath || !target.test(path)) {
      at.error(
        `found the target ${shown(path)}; write a path below the base path, with one {name} a segment at most and * at the end only, for example "/employee/{id}"`,
      );
      continue;
    }
    if (verb !== undefined && !/^[A-Za-z]+$/.test(verb)) {
      at.error(`found the verb ${shown(verb)}; write a method, for example GET`);
      continue;
    }
    const security = securityOf(operation);
    const method = verb?.toUpperCase();
    const rule = { path, method, security, reading };
    if (!isTaken(taken, rule, at)) rules.push(rule);
  }
  const deeper = deeperPaths(rules);
  if (deeper === undefined)
    operations[0]!.at.error(
      `has ${rules.length} operations that ask for different things, and more than ${maxRules} are not compared: APK fits several segments to a {name}; split the API`,
    );
  return [written(rules), written(deeper ?? [])];
}

/** One for each path and what it asks for, with all its methods. */
const written = (rules: readonly Rule[]): readonly WrittenOperation[] =>
  [
    ...Map.groupBy(rules, ({ path, method, security }) =>
      JSON.stringify([path, method === undefined, security]),
    ).values(),
  ].map((same) => {
    const { path, security } = same[0]!;
    const methods = same.map(({ method }) => method).filter((method) => method !== undefined);
    return { path, ...(methods.length > 0 && { methods }), ...security };
  });

type Taken = { readonly security: string; readonly at: Cursor };

/** Two for one path and method: APK lets the order decide. Nothing is lost where both ask for the same. */
function isTaken(taken: Map<string, Taken>, { path, method, ...rule }: Rule, at: Cursor): boolean {
  const key = JSON.stringify([shapeOf(path), method]);
  const security = JSON.stringify(rule.security);
  const first = taken.get(key);
  if (first === undefined) taken.set(key, { security, at });
  else if (first.security !== security)
    at.error(
      `found ${method ?? 'all methods'} ${path}, which stands in line ${first.at.line} already and asks for something else there; write one of them`,
    );
  return first !== undefined;
}

function securityOf({ secured, scopes, applicationSecurity }: ApkOperation): Rule['security'] {
  // Scopes are of a token, and here none is asked for.
  if (!secured) return { secured: false };
  return {
    ...(applicationSecurity !== undefined && { applicationSecurity }),
    ...(scopes.length > 0 &&
      applicationSecurity !== 'off' && { scopes: [...new Set(scopes)].sort(), scopesMatch: 'any' as const }),
  };
}

function placeServices(operations: readonly ApkOperation[]): readonly Placed[] {
  const named = operations.filter(({ at, target: service, verb }) => {
    const good = /^[\w.]+$/.test(service) && (verb === undefined || /^\w+$/.test(verb));
    if (!good)
      at.error(
        `found ${shown(service)}, ${shown(verb)}; write target: package.Service and verb: Method, as the .proto file has them`,
      );
    return good;
  });
  const services = Map.groupBy(named, ({ target: service }) => service);
  // Nothing that can be read: it keeps at least the place that it has for sure.
  if (services.size === 0) return [{ behind: '', operations: [], notes: [] }];
  return [...services].map(([service, methods]) => ({
    behind: `.${service}`,
    operations: placePaths(
      methods.map((operation) => ({ ...operation, target: `/${operation.verb ?? '*'}`, verb: 'POST' })),
    )[0],
    notes:
      services.size === 1
        ? []
        : [
            {
              key: '',
              text: `the service ${service}; an API of its own, as its path has no segment of its own`,
            },
          ],
  }));
}

/**
 * All fields go to one path, and which is asked for stands in the body, which nobody reads here: the strictest counts
 * for all. Let in by mistake would be worse than refused.
 */
function placeFields(operations: readonly ApkOperation[]): Placed {
  const secured = operations.filter((operation) => operation.secured);
  const sets = new Set(secured.map(({ scopes }) => JSON.stringify([...new Set(scopes)].sort())));
  const asking = [...sets].filter((set) => set !== '[]');
  const scopes = [...new Set(secured.flatMap((operation) => operation.scopes))].sort();
  const differ = sets.size > 1 || (secured.length > 0 && secured.length < operations.length);
  return {
    behind: '',
    operations: [
      {
        path: '/',
        methods: ['POST'],
        ...(secured.length === 0 && operations.length > 0 && { secured: false }),
        ...(scopes.length > 0 && {
          scopes,
          scopesMatch: asking.length > 1 ? ('all' as const) : ('any' as const),
        }),
      },
    ],
    notes: differ
      ? [
          {
            key: 'operations',
            text: 'GraphQL: which field is asked for stands in the body; all fields ask for what the strictest asks',
          },
        ]
      : [],
  };
}
