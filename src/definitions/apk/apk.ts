import { below, knownKeysAt, lineOf, neededText, type Problems, problemAt, shown } from '../place.ts';
import {
  type DefinedApi,
  type Definition,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
  type WrittenApi,
  type WrittenOperation,
} from '../written.ts';
import { readApiResource } from './api-resource.ts';
import { authenticationKeys, type ReadAsk, readAuthenticationSpec } from './authentication.ts';
import { type ApkApi, type ApkRoute, placesIn, readConf } from './conf.ts';
import { type ApkFiles, type Resource, readApkFiles } from './files.ts';
import { type Placed, placeOperations } from './operations.ts';
import { type Asks, type Settled, settle } from './security.ts';
import { readTokenIssuers } from './token-issuers.ts';

/** WSO2 APK: `*.apk-conf` files and Kubernetes manifests, together. Never throws for what stands in them. */
export function readApk(entry: DefinitionEntry): Definition {
  const files = readApkFiles(entry.path, filesOf(entry));
  const problems: DefinitionProblem[] = [...files.problems];
  const warnings: DefinitionProblem[] = [];
  const lost: DefinitionProblem[] = [...files.lost];
  const apis = [
    ...files.confs.map((conf) => readConf(conf, files)),
    ...(files.resources.get('API') ?? []).map((api) => readApiResource(api, files)),
  ];
  const attached = attach(apis, files, problems, lost);
  const tokenServices = readTokenIssuers(files, warnings);
  warnings.push(...unbuiltPolicies(files));
  problems.push(...lost.filter((problem) => !problems.includes(problem)));
  const defined = apis.flatMap((api) => define(api, attached.get(api) ?? [], files, lost, entry, warnings));
  const broken = files.broken.flatMap(({ problem, ...file }) =>
    placesIn({ problem, ...file }).map(({ line, ...place }) =>
      brokenApi(place, { ...problem, line }, problem),
    ),
  );
  if (entry.trustedSenders === undefined && defined.some(({ written }) => written.mutualSSL !== 'off'))
    warnings.push({
      file: entry.path,
      line: 1,
      key: '',
      message: `APK reads the client's certificate from the header ${header}, but nobody is trusted to send it: only certificates of TLS clients count. Where a load balancer ends TLS, add trustedSenders = ["10.20.0.0/16"] (its addresses) to this [[definitions]]`,
    });
  return { apis: [...defined, ...broken], tokenServices, problems, warnings };
}

const header = 'X-WSO2-CLIENT-CERTIFICATE';

/** What an APIPolicy asks for that concerns security and is not done here. */
const unbuiltPolicies = (files: ApkFiles): readonly DefinitionProblem[] =>
  (files.resources.get('APIPolicy') ?? []).flatMap((policy) =>
    ['default', 'override']
      .map((level) => below(policy, 'spec', level, 'subscriptionValidation'))
      .filter(({ value }) => value === true)
      .map((place) => problemAt(place, unchecked)),
  );

const unchecked =
  'subscriptions are not checked here; write consumerKeys into [[apis]] to name the clients that may call';

/** Authentications by the API that they are for. What can't be attached may have been meant for any of them. */
function attach(
  apis: readonly ApkApi[],
  files: ApkFiles,
  problems: DefinitionProblem[],
  lost: DefinitionProblem[],
): ReadonlyMap<ApkApi, readonly Resource[]> {
  const byId = Map.groupBy(apis, ({ id }) => id);
  const attached = new Map<ApkApi, Resource[]>();
  for (const resource of files.resources.get('Authentication') ?? []) {
    const target = below(resource, 'spec', 'targetRef');
    const kind = below(target, 'kind').value;
    // Those of resources are found by the routes that name them.
    if (kind === 'Resource') continue;
    const name = neededText(below(target, 'name'), lost, '"mtls-api"');
    if (kind !== 'API')
      lost.push(
        problemAt(
          below(target, 'kind'),
          `found ${shown(kind)}; write API, and one Authentication for each API`,
        ),
      );
    if (name === undefined || kind !== 'API') continue;
    const own = below(target, 'namespace').value;
    const namespace = typeof own === 'string' && own !== '' ? own : resource.namespace;
    const meant = (byId.get(name) ?? []).filter(
      (api) => namespace === undefined || api.namespace === undefined || api.namespace === namespace,
    );
    if (meant.length === 0)
      problems.push(
        problemAt(
          below(target, 'name'),
          `found ${shown(name)}, which is no API of this definition (id of an apk-conf, or metadata.name of an API); put it beside the others, or correct the name`,
        ),
      );
    // Several of that name: each of them may be meant, and one too many asked for lets nobody in by mistake.
    for (const api of meant) attached.set(api, [...(attached.get(api) ?? []), resource]);
  }
  return attached;
}

function define(
  api: ApkApi,
  authentications: readonly Resource[],
  files: ApkFiles,
  lost: readonly DefinitionProblem[],
  entry: DefinitionEntry,
  warnings: DefinitionProblem[],
): readonly DefinedApi[] {
  const problems: Problems = [...api.problems];
  const origin = { file: api.place.file, line: lineOf(api.place) };
  const ownWarnings = [...api.warnings];
  const settled = settle(asksOf(api, authentications, files, problems, ownWarnings));
  const named = (message: string): DefinitionProblem => ({
    ...origin,
    key: '',
    message: `"${api.name}" ${message}`,
  });
  problems.push(...settled.wrong.map(named), ...lost.map(unclear));
  const placed = api.routes.flatMap((route) =>
    api.basePaths.flatMap((basePath, i) =>
      placeOperations(api.type, basePath, route.operations, i === 0 ? problems : []).map((place, j) => ({
        route,
        place,
        // A default version's requests go where those with the version go.
        upstream: placeOperations(api.type, api.basePaths[0]!, route.operations, [])[j]!.basePath,
      })),
    ),
  );
  if (problems.length === 0) warnings.push(...ownWarnings, ...settled.warnings.map(named));
  return placed.map(({ route, place, upstream }) => ({
    origin,
    problems,
    notes: [...api.notes, ...settled.notes, ...place.notes],
    written: write(api, settled, route, place, upstream, entry),
  }));
}

const unclear = ({ file, line, message }: DefinitionProblem): DefinitionProblem => ({
  file,
  line,
  key: '',
  message: `an Authentication that can not be attached to its API (${message}) may have been meant for this one; mend it`,
});

/** What the apk-conf itself says, and what each Authentication adds. */
function asksOf(
  api: ApkApi,
  authentications: readonly Resource[],
  files: ApkFiles,
  problems: Problems,
  warnings: DefinitionProblem[],
): Asks {
  const read = (level: 'override' | 'default'): readonly ReadAsk[] =>
    authentications.flatMap((resource) => {
      const ask = readAuthenticationSpec(below(resource, 'spec', level), resource, files, problems);
      warnings.push(...(ask?.warnings ?? []));
      return ask === undefined ? [] : [ask];
    });
  for (const resource of authentications) {
    knownKeysAt(below(resource, 'spec'), authenticationKeys, problems);
    if (['override', 'default'].every((level) => below(resource, 'spec', level).value === undefined))
      problems.push(
        problemAt(below(resource, 'spec'), 'has neither default nor override; write what it asks for'),
      );
  }
  return {
    overrides: [...api.asks.overrides, ...read('override')],
    defaults: [...api.asks.defaults, ...read('default')],
  };
}

function write(
  api: ApkApi,
  { mutualSSL, applicationSecurity, clients }: Settled,
  { hosts, backend }: ApkRoute,
  { basePath, operations }: Placed,
  upstream: string,
  entry: DefinitionEntry,
): WrittenApi {
  const url = entry.backend ?? backend;
  return {
    name: api.name,
    version: api.version,
    basePath,
    ...(hosts && { hosts }),
    mutualSSL,
    ...(mutualSSL !== 'off' && {
      clients,
      optionalCertificate: 'reject-wrong',
      sources: [
        entry.trustedSenders === undefined
          ? { format: 'peer' }
          : { format: 'auto', header, trustedSenders: entry.trustedSenders },
      ],
    }),
    applicationSecurity,
    ...(operations.length > 0 && {
      operations: operations.map((operation) => fit(operation, mutualSSL, applicationSecurity)),
    }),
    errorFormat: 'apk',
    // A gRPC path is the same on both sides; the backend's own path takes the place of the base path.
    ...(url !== undefined && { backend: api.type === 'GRPC' ? `${url.replace(/\/$/, '')}${upstream}` : url }),
  };
}

/** An operation's own security beside its API's. */
function fit(
  operation: WrittenOperation,
  mutualSSL: WrittenApi['mutualSSL'],
  inherited: WrittenApi['applicationSecurity'],
): WrittenOperation {
  const { scopes, scopesMatch, ...bare } = operation;
  const asked = operation.applicationSecurity ?? inherited;
  // Scopes are of a token: where none is asked for, APK does not look at them either.
  if (asked === 'off') return bare;
  // The only security that there is can't be optional.
  return asked === 'optional' && mutualSSL === 'off'
    ? { ...operation, applicationSecurity: 'mandatory' }
    : operation;
}

function brokenApi(
  place: Pick<WrittenApi, 'name' | 'version' | 'basePath'>,
  origin: DefinedApi['origin'],
  problem: DefinitionProblem,
): DefinedApi {
  return {
    origin: { file: origin.file, line: origin.line },
    problems: [problem],
    notes: [],
    written: { ...place, mutualSSL: 'mandatory', applicationSecurity: 'mandatory' },
  };
}
