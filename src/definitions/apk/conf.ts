import { extname } from 'node:path';
import { type Cursor, type Findings, noFindings } from '../../documents/cursor.ts';
import { keyProblem } from '../wso2-project/security-keys.ts';
import { readConfAuthentication } from './authentication.ts';
import { serviceUrl, urlAt } from './backends.ts';
import type { ApkFiles, BrokenFile } from './files.ts';
import type { ApiType, ApkOperation } from './operations.ts';
import type { Asks } from './security.ts';

/** An API as it stands in the files: an apk-conf, or an `API` resource with its routes. */
export type ApkApi = {
  readonly at: Cursor;
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
  /** Where what is wrong with it goes; warnings count for nothing beside a problem. */
  readonly found: Findings;
};

/** What it serves on some hosts. */
export type ApkRoute = {
  /** undefined: any. */
  readonly hosts: readonly string[] | undefined;
  readonly backend: string | undefined;
  readonly operations: readonly ApkOperation[];
};

export function readConf(at: Cursor, files: ApkFiles): ApkApi {
  const found = noFindings();
  const conf = at.into(found);
  if (!conf.isTable) conf.error(`found ${conf.found}; write name, basePath, version, operations`);
  checkKeys(conf, confKeys);
  const name = conf.get('name').neededText('"EmployeeServiceAPI"') ?? 'unknown';
  const version = conf.get('version').version('"3.14"');
  const type = conf.get('type').word(['REST', 'GRAPHQL', 'GRPC']) ?? 'REST';
  const basePath = conf.get('basePath').neededText('"/employee"');
  // What can't be read may mean that: both places are claimed, and refused.
  const isDefault = conf.get('defaultVersion').flag() ?? conf.get('defaultVersion').isWritten;
  conf.notCutOff('authentication');
  const ask = readConfAuthentication(conf.get('authentication'), files);
  const operations = readOperations(conf.get('operations'));
  const backend = readEndpoints(conf.get('endpointConfigurations'));
  const subscriptions = conf.get('subscriptionValidation');
  if (subscriptions.flag() === true) subscriptions.warn(unchecked);
  return {
    at: conf,
    id: conf.get('id').text('"mtls-api"'),
    namespace: undefined,
    name,
    version: version ?? '0',
    type,
    // One that is not known is no place: '' can't be asked for.
    basePaths: basePath === undefined ? [''] : fullBasePaths(basePath, version, type, isDefault),
    routes: [{ hosts: undefined, backend, operations }],
    asks: { overrides: [], defaults: [ask] },
    found,
  };
}

export const unchecked =
  'subscriptions are not checked here; write consumerKeys into [[apis]] to name the clients that may call';

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

/** Besides slips: what is read at another level, or called so, may have been meant to close something. */
function checkKeys(at: Cursor, known: readonly string[]): void {
  for (const key of at.keys()) {
    const problem = keyProblem(key, { known, suspicious: /auth|tls|scope|secur|certificate/i, harmless: [] });
    if (problem !== undefined) at.get(key).error(problem);
  }
}

/** APK puts the version behind the base path, unless it ends in it already. A default version is served without it too. */
function fullBasePaths(
  basePath: string,
  version: string | undefined,
  type: ApiType,
  isDefault: boolean,
): readonly string[] {
  const between = type === 'GRPC' ? '.' : '/';
  const trimmed = basePath.replace(/\/$/, '');
  // Not known: whatever it is, it lies below.
  if (version === undefined) return [trimmed];
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

function readOperations(list: Cursor): readonly ApkOperation[] {
  const operations = list.list().flatMap((at): ApkOperation[] => {
    checkKeys(at, operationKeys);
    at.notCutOff('secured', 'scopes');
    const target = at.get('target').value === undefined ? '/*' : at.get('target').neededText('"/employee"');
    const verb = at.get('verb').neededText('"GET"');
    const secured = at.get('secured').flag() ?? true;
    const scopes = at.get('scopes').texts('"employees:read"');
    // APK's deployer makes `(.*)` of a `{name}`.
    return target === undefined || verb === undefined
      ? []
      : [{ at, target, verb, secured, scopes, reading: 'wide' }];
  });
  if (list.value === undefined || (list.isList && operations.length === 0 && list.list().length === 0))
    list.error('names no operation, which APK refuses too; write target and verb of each');
  return operations;
}

/** The production endpoint; an API with none but a sandbox is served by that. */
function readEndpoints(configurations: Cursor): string | undefined {
  const [production, sandbox] = [configurations.get('production'), configurations.get('sandbox')];
  const chosen = production.value === undefined ? sandbox : production;
  if (chosen === production && sandbox.value !== undefined)
    sandbox.warn('is not served: an apk-conf does not say on which host; all requests go to production');
  // Later versions have a list of them, with weights.
  const [first, ...others] = chosen.each();
  if (first === undefined) return undefined;
  if (others.length > 0) chosen.warn(`has ${others.length + 1} endpoints; the first one is taken`);
  const security = first.get('endpointSecurity');
  if (security.isTable && security.get('enabled').value !== false)
    security.warn('credentials for the backend are not sent from here');
  const certificate = first.get('certificate');
  if (certificate.value !== undefined)
    certificate.warn('is not read; write the backend’s CA into router.upstream.tls.trustedCertPath');
  const endpoint = first.get('endpoint');
  return endpoint.isTable ? serviceUrl(endpoint) : urlAt(endpoint);
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
    const version = isConf ? value('version') : value('apiVersion', '[ \\t]+');
    const type = value('type') === 'GRPC' ? 'GRPC' : 'REST';
    const name = value(isConf ? 'name' : 'apiName') ?? 'unknown';
    const basePaths = isConf
      ? fullBasePaths(basePath, version, type, value('defaultVersion') === 'true')
      : [basePath];
    return basePaths.map((place) => ({ name, version: version ?? '0', basePath: place, line: at }));
  });
}

type FoundPlace = {
  readonly name: string;
  readonly version: string;
  readonly basePath: string;
  readonly line: number;
};
