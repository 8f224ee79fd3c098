import { extname } from 'node:path';
import {
  below,
  elementsAt,
  flagAt,
  isTable,
  neededText,
  notEmptyAt,
  type Place,
  type Problems,
  problemAt,
  slipsAt,
  textAt,
  textsAt,
  typeShown,
  versionAt,
  wordAt,
} from '../place.ts';
import type { DefinitionProblem } from '../written.ts';
import { readConfAuthentication } from './authentication.ts';
import { serviceUrl, urlAt } from './backends.ts';
import type { ApkFiles, BrokenFile } from './files.ts';
import type { ApiType, ApkOperation } from './operations.ts';
import type { Asks } from './security.ts';

/** An API as it stands in the files: an apk-conf, or an `API` resource with its routes. */
export type ApkApi = {
  readonly place: Place;
  /** By what an Authentication's `targetRef` means it. */
  readonly id: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly version: string;
  readonly type: ApiType;
  /** The first is the API's own; the second one, without the version, a default version's. */
  readonly basePaths: readonly string[];
  readonly routes: readonly ApkRoute[];
  readonly asks: Asks;
  readonly problems: readonly DefinitionProblem[];
  readonly warnings: readonly DefinitionProblem[];
  readonly notes: readonly { readonly key: string; readonly text: string }[];
};

/** What it serves on some hosts. */
export type ApkRoute = {
  /** undefined: any. */
  readonly hosts: readonly string[] | undefined;
  readonly backend: string | undefined;
  readonly operations: readonly ApkOperation[];
};

export function readConf(conf: Place, files: ApkFiles): ApkApi {
  const problems: Problems = [];
  const warnings: DefinitionProblem[] = [];
  if (!isTable(conf.value))
    problems.push(
      problemAt(conf, `found ${typeShown(conf.value)}; write name, basePath, version, operations`),
    );
  slipsAt(conf, confKeys, problems);
  const name = neededText(below(conf, 'name'), problems, '"EmployeeServiceAPI"') ?? 'unknown';
  const version = versionAt(below(conf, 'version'), problems, '"3.14"') ?? '0';
  const type = wordAt(below(conf, 'type'), ['REST', 'GRAPHQL', 'GRPC'], problems) ?? 'REST';
  const basePath = neededText(below(conf, 'basePath'), problems, '"/employee"');
  const isDefault = flagAt(below(conf, 'defaultVersion'), problems) === true;
  notEmptyAt(conf, 'authentication', problems);
  const { warnings: doubts, ...ask } = readConfAuthentication(below(conf, 'authentication'), files, problems);
  const operations = readOperations(below(conf, 'operations'), problems);
  const backend = readEndpoints(below(conf, 'endpointConfigurations'), problems, warnings);
  warnings.push(...doubts, ...unbuilt(conf, problems));
  return {
    place: conf,
    id: textAt(below(conf, 'id'), problems, '"mtls-api"'),
    namespace: undefined,
    name,
    version,
    type,
    // One that is not known is no place: '' can't be asked for.
    basePaths: basePath === undefined ? [''] : fullBasePaths(basePath, version, type, isDefault),
    routes: [{ hosts: undefined, backend, operations }],
    asks: { overrides: [], defaults: [ask] },
    problems,
    warnings,
    notes: [],
  };
}

/** Of APK's own schema; later versions have more. */
const confKeys = [
  'name',
  'id',
  'basePath',
  'version',
  'type',
  'defaultVersion',
  'definitionPath',
  'organization',
  'environment',
  'endpointConfigurations',
  'operations',
  'authentication',
  'subscriptionValidation',
  'apiPolicies',
  'rateLimit',
  'apiRateLimit',
  'aiProvider',
  'corsConfiguration',
  'additionalProperties',
  'keyManagers',
];
const operationKeys = [
  'id',
  'target',
  'verb',
  'secured',
  'scopes',
  'endpointConfigurations',
  'operationPolicies',
  'rateLimit',
];

/** APK puts the version behind the base path, unless it ends in it already. A default version is served without it too. */
function fullBasePaths(
  basePath: string,
  version: string,
  type: ApiType,
  isDefault: boolean,
): readonly string[] {
  const between = type === 'GRPC' ? '.' : '/';
  const trimmed = basePath.replace(/\/$/, '');
  const full = trimmed.endsWith(version) ? trimmed : `${trimmed}${between}${version}`;
  const bare = full.endsWith(`${between}${version}`) ? full.slice(0, -version.length - 1) : full;
  return isDefault && bare !== full ? [full, bare || '/'] : [full];
}

/** As an `API` resource has it: the version is inside already. */
export function withDefaultVersion(
  basePath: string,
  version: string,
  type: ApiType,
  isDefault: boolean,
): readonly string[] {
  const tail = `${type === 'GRPC' ? '.' : '/'}${version}`;
  return isDefault && basePath.endsWith(tail)
    ? [basePath, basePath.slice(0, -tail.length) || '/']
    : [basePath];
}

function readOperations(list: Place, problems: Problems): readonly ApkOperation[] {
  const operations = elementsAt(list, problems).flatMap((place): ApkOperation[] => {
    slipsAt(place, operationKeys, problems);
    for (const key of ['secured', 'scopes']) notEmptyAt(place, key, problems);
    const target =
      below(place, 'target').value === undefined
        ? '/*'
        : neededText(below(place, 'target'), problems, '"/employee"');
    const verb = neededText(below(place, 'verb'), problems, '"GET"');
    const secured = flagAt(below(place, 'secured'), problems) ?? true;
    const scopes = textsAt(below(place, 'scopes'), problems, '"employees:read"');
    // APK's deployer makes `(.*)` of a `{name}`.
    return target === undefined || verb === undefined
      ? []
      : [{ place, target, verb, secured, scopes, reading: 'wide' }];
  });
  if (list.value === undefined || (Array.isArray(list.value) && list.value.length === 0))
    problems.push(
      problemAt(list, 'names no operation, which APK refuses too; write target and verb of each'),
    );
  return operations;
}

/** The production endpoint; an API with none but a sandbox is served by that. */
function readEndpoints(
  configurations: Place,
  problems: Problems,
  warnings: DefinitionProblem[],
): string | undefined {
  const [production, sandbox] = ['production', 'sandbox'].map((key) => below(configurations, key));
  const chosen = production!.value === undefined ? sandbox! : production!;
  if (chosen === production && sandbox!.value !== undefined)
    warnings.push(
      problemAt(
        sandbox!,
        'is not served: an apk-conf does not say on which host; all requests go to production',
      ),
    );
  // Later versions have a list of them, with weights.
  const first = Array.isArray(chosen.value) ? below(chosen, 0) : chosen;
  if (Array.isArray(chosen.value) && chosen.value.length > 1)
    warnings.push(problemAt(chosen, `has ${chosen.value.length} endpoints; the first one is taken`));
  if (
    isTable(below(first, 'endpointSecurity').value) &&
    below(first, 'endpointSecurity', 'enabled').value !== false
  )
    warnings.push(
      problemAt(below(first, 'endpointSecurity'), 'credentials for the backend are not sent from here'),
    );
  if (below(first, 'certificate').value !== undefined)
    warnings.push(
      problemAt(
        below(first, 'certificate'),
        'is not read; write the backend’s CA into router.upstream.tls.trustedCertPath',
      ),
    );
  const endpoint = below(first, 'endpoint');
  return isTable(endpoint.value) ? serviceUrl(endpoint, problems) : urlAt(endpoint, problems);
}

/** What concerns security and is not done here. */
function unbuilt(conf: Place, problems: Problems): readonly DefinitionProblem[] {
  return flagAt(below(conf, 'subscriptionValidation'), problems) === true
    ? [
        problemAt(
          below(conf, 'subscriptionValidation'),
          'subscriptions are not checked here; write consumerKeys into [[apis]] to name the clients',
        ),
      ]
    : [];
}

/** A file that breaks off keeps the places that can be found in it, so that nothing falls through to a shorter path. */
export function placesIn({ file, text }: BrokenFile): readonly FoundPlace[] {
  const isConf = extname(file) === '.apk-conf';
  let line = 1;
  return text.split(/^(?=---)/m).flatMap((document) => {
    const value = (key: string, before = '[ \\t]*'): string | undefined => {
      const found = new RegExp(
        `^${before}"?${key}"?[ \\t]*:[ \\t]*(?:"([^"\\n]*)"|'([^'\\n]*)'|([^"'\\s#][^\\n#]*))`,
        'm',
      ).exec(document);
      return (found?.[1] ?? found?.[2] ?? found?.[3])?.trim();
    };
    const at = line;
    line += document.split('\n').length - 1;
    const basePath = value('basePath');
    if (basePath === undefined || !(isConf || value('kind') === 'API')) return [];
    const version = (isConf ? value('version') : value('apiVersion', '[ \\t]+')) ?? '0';
    const type = value('type') === 'GRPC' ? 'GRPC' : 'REST';
    const name = value(isConf ? 'name' : 'apiName') ?? 'unknown';
    const basePaths = isConf
      ? fullBasePaths(basePath, version, type, value('defaultVersion') === 'true')
      : [basePath];
    return basePaths.map((place) => ({ name, version, basePath: place, line: at }));
  });
}

type FoundPlace = {
  readonly name: string;
  readonly version: string;
  readonly basePath: string;
  readonly line: number;
};
