import {
  below,
  elementsAt,
  flagAt,
  knownKeysAt,
  neededText,
  type Place,
  type Problems,
  problemAt,
  slipsAt,
  textsAt,
  versionAt,
  wordAt,
} from '../place.ts';
import type { DefinitionProblem } from '../written.ts';
import { type ApkApi, type ApkRoute, withDefaultVersion } from './conf.ts';
import { type ApkFiles, findResource, type Resource } from './files.ts';
import type { ApiType } from './operations.ts';
import { type ReadRoute, readRoute, routeKinds } from './routes.ts';

/** An `API` resource, with the routes that it names. */
export function readApiResource(api: Resource, files: ApkFiles): ApkApi {
  const problems: Problems = [];
  const warnings: DefinitionProblem[] = [];
  const spec = below(api, 'spec');
  slipsAt(api, ['apiVersion', 'kind', 'metadata', 'spec', 'status'], problems);
  slipsAt(spec, specKeys, problems);
  if (api.name === '')
    problems.push(problemAt(below(api, 'metadata', 'name'), 'is missing; write the name of this API'));
  const either = (key: string, older: string): Place =>
    below(spec, below(spec, key).value === undefined && below(spec, older).value !== undefined ? older : key);
  const name = neededText(either('apiName', 'apiDisplayName'), problems, '"EmployeeServiceAPI"') ?? 'unknown';
  const version = versionAt(below(spec, 'apiVersion'), problems, '"3.14"') ?? '0';
  const type = wordAt(below(spec, 'apiType'), ['REST', 'GRAPHQL', 'GRPC'], problems) ?? 'REST';
  const basePath = neededText(either('basePath', 'context'), problems, '"/employee/3.14"') ?? '';
  const isDefault = flagAt(below(spec, 'isDefaultVersion'), problems) === true;
  const routes = readEnvironments(api, type, files, problems, warnings);
  if (['production', 'sandbox'].every((key) => below(spec, key).value === undefined))
    problems.push(
      problemAt(spec, 'names no routes, and APK serves nothing then; write production with routeRefs'),
    );
  return {
    place: api,
    id: api.name,
    namespace: api.namespace,
    name,
    version,
    type,
    basePaths: withDefaultVersion(basePath.replace(/(?<=.)\/$/, ''), version, type, isDefault),
    routes: routes.length > 0 ? routes : [{ hosts: undefined, backend: undefined, operations: [] }],
    asks: { overrides: [], defaults: [] },
    problems,
    warnings,
    notes: [],
  };
}

/** Of APK's own definitions, in their versions up to now. */
const specKeys = [
  'apiName',
  'apiDisplayName',
  'apiVersion',
  'apiType',
  'basePath',
  'context',
  'isDefaultVersion',
  'production',
  'sandbox',
  'definitionFileRef',
  'definitionPath',
  'organization',
  'environment',
  'systemAPI',
  'apiProperties',
];

/** Production, and the sandbox where it has hosts of its own. */
function readEnvironments(
  api: Resource,
  type: ApiType,
  files: ApkFiles,
  problems: Problems,
  warnings: DefinitionProblem[],
): readonly ApkRoute[] {
  const [production, sandbox] = ['production', 'sandbox'].map((key) => {
    const place = below(api, 'spec', key);
    const references = elementsAt(place, problems).flatMap((environment) => {
      knownKeysAt(environment, ['routeRefs', 'httpRouteRefs'], problems);
      const lists = ['routeRefs', 'httpRouteRefs'].map((refs) => below(environment, refs));
      return lists.flatMap((list) =>
        textsAt(list, problems, '"employee-route"').map((name) => ({ list, name })),
      );
    });
    if (place.value !== undefined && references.length === 0)
      problems.push(problemAt(place, 'names no routes; write routeRefs'));
    const routes = references.flatMap(({ list, name }) => {
      const route = findResource(files, routeKinds[type], name, api.namespace);
      if (typeof route === 'object') return [readRoute(route, type, files, problems, warnings)];
      problems.push(problemAt(list, route));
      return [];
    });
    return byHosts(routes, place, warnings);
  });
  const taken = new Set(production!.flatMap(({ hosts }) => hosts ?? ['*']));
  const isApart = sandbox!.every(({ hosts }) => hosts?.every((host) => !taken.has(host)) ?? false);
  if (production!.length === 0 || (sandbox!.length > 0 && isApart)) return [...production!, ...sandbox!];
  if (sandbox!.length > 0)
    warnings.push(problemAt(below(api, 'spec', 'sandbox'), 'is not served: its hosts are production’s'));
  return production!;
}

/** APK's deployer writes one route for every eight operations: those of the same hosts belong together. */
function byHosts(
  routes: readonly ReadRoute[],
  place: Place,
  warnings: DefinitionProblem[],
): readonly ApkRoute[] {
  const groups = Map.groupBy(routes, ({ hosts }) => JSON.stringify(hosts.toSorted()));
  return [...groups.values()].map((group): ApkRoute => {
    const backends = new Set(group.flatMap(({ backends }) => backends));
    if (backends.size > 1)
      warnings.push(
        problemAt(
          place,
          `has several backends (${[...backends].slice(0, 3).join(', ')}), and an API has one here: none is taken; write backend = "…" into [[definitions]]`,
        ),
      );
    const { hosts } = group[0]!;
    return {
      hosts: hosts.length === 0 ? undefined : [...new Set(hosts)],
      backend: backends.size === 1 ? [...backends][0] : undefined,
      operations: group.flatMap(({ operations }) => operations),
    };
  });
}
