import { type Cursor, noFindings } from '../../documents/cursor.ts';
import { type ApkApi, type ApkRoute, withDefaultVersion } from './conf.ts';
import { type ApkFiles, findResource, type Resource } from './files.ts';
import type { ApiType } from './operations.ts';
import { type ReadRoute, readRoute, routeKinds } from './routes.ts';

/** An `API` resource, with the routes that it names. */
export function readApiResource(resource: Resource, files: ApkFiles): ApkApi {
  const found = noFindings();
  const at = resource.at.into(found);
  const spec = at.get('spec');
  at.noSlips(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  spec.noSlips(specKeys);
  if (resource.name === '') at.get('metadata', 'name').error('is missing; write the name of this API');
  const either = (key: string, older: string): Cursor =>
    spec.get(spec.get(key).value === undefined && spec.get(older).value !== undefined ? older : key);
  const name = either('apiName', 'apiDisplayName').neededText('"EmployeeServiceAPI"') ?? 'unknown';
  const version = spec.get('apiVersion').version('"3.14"') ?? '0';
  const type = spec.get('apiType').word(['REST', 'GRAPHQL', 'GRPC']) ?? 'REST';
  const basePath = either('basePath', 'context').neededText('"/employee/3.14"') ?? '';
  // What can't be read may mean that: both places are claimed, and refused.
  const isDefault = spec.get('isDefaultVersion').flag() ?? spec.get('isDefaultVersion').isWritten;
  const routes = readEnvironments({ ...resource, at }, type, files);
  if (['production', 'sandbox'].every((key) => spec.get(key).value === undefined))
    spec.error('names no routes, and APK serves nothing then; write production with routeRefs');
  return {
    at,
    id: resource.name,
    namespace: resource.namespace,
    name,
    version,
    type,
    basePaths: withDefaultVersion(basePath.replace(/(?<=.)\/$/, ''), version, type, isDefault),
    routes: routes.length > 0 ? routes : [{ hosts: undefined, backend: undefined, operations: [] }],
    asks: { overrides: [], defaults: [] },
    found,
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
function readEnvironments(api: Resource, type: ApiType, files: ApkFiles): readonly ApkRoute[] {
  const [production, sandbox] = ['production', 'sandbox'].map((key) => {
    const list = api.at.get('spec', key);
    const references = list.list().flatMap((environment) => {
      environment.known(['routeRefs', 'httpRouteRefs']);
      const lists = ['routeRefs', 'httpRouteRefs'].map((refs) => environment.get(refs));
      return lists.flatMap((list) => list.texts('"employee-route"').map((name) => ({ list, name })));
    });
    if (list.value !== undefined && references.length === 0) list.error('names no routes; write routeRefs');
    const routes = references.flatMap(({ list, name }) => {
      const wanted = { kinds: [routeKinds[type]], name, namespace: api.namespace };
      const route = findResource(files, wanted, list);
      return route === undefined ? [] : [readRoute(route, type, files)];
    });
    return byHosts(routes, list);
  });
  const taken = new Set(production!.flatMap(({ hosts }) => hosts ?? ['*']));
  const isApart = sandbox!.every(({ hosts }) => hosts?.every((host) => !taken.has(host)) ?? false);
  if (production!.length === 0 || (sandbox!.length > 0 && isApart)) return [...production!, ...sandbox!];
  if (sandbox!.length > 0) api.at.get('spec', 'sandbox').warn('is not served: its hosts are production’s');
  return production!;
}

/** APK's deployer writes one route for every eight operations: those of the same hosts belong together. */
function byHosts(routes: readonly ReadRoute[], list: Cursor): readonly ApkRoute[] {
  const groups = Map.groupBy(routes, ({ hosts }) => JSON.stringify(hosts.toSorted()));
  return [...groups.values()].map((group): ApkRoute => {
    const backends = new Set(group.flatMap(({ backends }) => backends));
    if (backends.size > 1)
      list.warn(
        `has several backends (${[...backends].slice(0, 3).join(', ')}), and an API has one here: none is taken; write backend = "…" into [[definitions]]`,
      );
    const { hosts } = group[0]!;
    return {
      hosts: hosts.length === 0 ? undefined : [...new Set(hosts)],
      backend: backends.size === 1 ? [...backends][0] : undefined,
      operations: group.flatMap(({ operations }) => operations),
    };
  });
}
