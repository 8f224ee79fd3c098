import { lineOf, type Place, type Problems, problemAt, shown } from '../place.ts';
import type { WrittenApi, WrittenOperation } from '../written.ts';
import { deeperPaths, maxRules, type Reading, type Rule, shapeOf } from './deeper-paths.ts';

export type ApiType = 'REST' | 'GRAPHQL' | 'GRPC';

/** An operation of an apk-conf, or a rule of a route, as APK means it. */
export type ApkOperation = {
  readonly place: Place;
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

/** What an API's base path becomes, and what is listed below it. */
export type Placed = {
  readonly basePath: string;
  readonly operations: readonly WrittenOperation[];
  readonly notes: readonly { readonly key: string; readonly text: string }[];
};

/**
 * Below the base path. A gRPC API becomes one for each of its services, since the base path and the service make one
 * segment (`/org.apk.v1.student_service.StudentService/GetStudent`).
 */
export function placeOperations(
  type: ApiType,
  basePath: string,
  operations: readonly ApkOperation[],
  problems: Problems,
): readonly Placed[] {
  if (type === 'GRPC') return placeServices(basePath, operations, problems);
  if (type === 'GRAPHQL') return [placeFields(basePath, operations)];
  const [listed, deeper] = placePaths(operations, problems);
  return [{ basePath, operations: [...listed, ...deeper], notes: deeper.length === 0 ? [] : [deeperNote] }];
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
  problems: Problems,
): readonly [listed: readonly WrittenOperation[], deeper: readonly WrittenOperation[]] {
  const rules: Rule[] = [];
  const taken = new Map<string, { readonly security: string; readonly at: Place }>();
  for (const operation of operations) {
    const { place, target: path, verb, reading } = operation;
    if (path.length > maxPath || !target.test(path)) {
      problems.push(
        problemAt(
          place,
          `found the target ${shown(path)}; write a path below the base path, with one {name} a segment at most and * at the end only, for example "/employee/{id}"`,
        ),
      );
      continue;
    }
    if (verb !== undefined && !/^[A-Za-z]+$/.test(verb)) {
      problems.push(problemAt(place, `found the verb ${shown(verb)}; write a method, for example GET`));
      continue;
    }
    const security = securityOf(operation);
    const method = verb?.toUpperCase();
    if (isTaken(taken, path, method, JSON.stringify(security), place, problems)) continue;
    rules.push({ path, method, security, reading });
  }
  const deeper = deeperPaths(rules);
  if (deeper === undefined)
    problems.push(
      problemAt(
        operations[0]!.place,
        `has ${rules.length} operations that ask for different things, and more than ${maxRules} are not compared: APK fits several segments to a {name}; split the API`,
      ),
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

/** Two for one path and method: APK lets the order decide. Nothing is lost where both ask for the same. */
function isTaken(
  taken: Map<string, { readonly security: string; readonly at: Place }>,
  path: string,
  method: string | undefined,
  security: string,
  place: Place,
  problems: Problems,
): boolean {
  const shape = shapeOf(path);
  const first = taken.get(JSON.stringify([shape, method]));
  if (first === undefined) {
    taken.set(JSON.stringify([shape, method]), { security, at: place });
    return false;
  }
  if (first.security !== security)
    problems.push(
      problemAt(
        place,
        `found ${method ?? 'all methods'} ${path}, which stands in line ${lineOf(first.at)} already and asks for something else there; write one of them`,
      ),
    );
  return true;
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

function placeServices(
  basePath: string,
  operations: readonly ApkOperation[],
  problems: Problems,
): readonly Placed[] {
  const named = operations.filter(({ place, target: service, verb }) => {
    const good = /^[\w.]+$/.test(service) && (verb === undefined || /^\w+$/.test(verb));
    if (!good)
      problems.push(
        problemAt(
          place,
          `found ${shown(service)}, ${shown(verb)}; write target: package.Service and verb: Method, as the .proto file has them`,
        ),
      );
    return good;
  });
  const services = Map.groupBy(named, ({ target: service }) => service);
  // Nothing that can be read: it keeps at least the place that it has for sure.
  if (services.size === 0) return [{ basePath, operations: [], notes: [] }];
  return [...services].map(([service, methods]) => ({
    basePath: `${basePath}.${service}`,
    operations: placePaths(
      methods.map((operation) => ({ ...operation, target: `/${operation.verb ?? '*'}`, verb: 'POST' })),
      problems,
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
function placeFields(basePath: string, operations: readonly ApkOperation[]): Placed {
  const secured = operations.filter((operation) => operation.secured);
  const sets = new Set(secured.map(({ scopes }) => JSON.stringify([...new Set(scopes)].sort())));
  const asking = [...sets].filter((set) => set !== '[]');
  const scopes = [...new Set(secured.flatMap((operation) => operation.scopes))].sort();
  const differ = sets.size > 1 || (secured.length > 0 && secured.length < operations.length);
  return {
    basePath,
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
