import { type Findings, noFindings } from '../../documents/cursor.ts';
import { type Problem, shown } from '../../documents/problem.ts';
import {
  adviceFor,
  type DefinedApi,
  type Definition,
  type DefinitionEntry,
  filesOf,
  tellNothing,
  type WrittenApi,
  type WrittenOperation,
} from '../written.ts';
import { readApiResource } from './api-resource.ts';
import { authenticationKeys, readAuthenticationSpec } from './authentication.ts';
import { type ApkApi, type ApkRoute, placesIn, readConf, unchecked } from './conf.ts';
import { type ApkFiles, type Resource, readApkFiles } from './files.ts';
import { type Placed, placeOperations } from './operations.ts';
import { type Ask, type Asks, type Combined, combine } from './security.ts';
import { readTokenIssuers } from './token-issuers.ts';

/** WSO2 APK: `*.apk-conf` files and Kubernetes manifests, together. Never throws for what stands in them. */
export function readApk(entry: DefinitionEntry): Definition {
  const files = readApkFiles(entry.path, filesOf(entry));
  const found: Findings = { problems: [...files.problems], warnings: [] };
  const apis = [
    ...files.confs.map((conf) => readConf(conf, files)),
    ...(files.resources.get('API') ?? []).map((api) => readApiResource(api, files)),
  ];
  const { attached, unclear } = attach(apis, files, found);
  const lost = [...files.lost, ...unclear];
  const tokenServices = readTokenIssuers(files, found.warnings);
  warnOfPolicies(files, found);
  found.problems.push(...lost.filter((problem) => !found.problems.includes(problem)));
  const defined = apis.flatMap((api) => {
    const asks = asksOf(api, attached.get(api) ?? [], files);
    // Each is told once; at each API some are enough to refuse it.
    api.found.problems.push(...lost.slice(0, 10).map(mayBeMeant));
    const own = define(api, asks, entry);
    if (api.found.problems.length === 0) found.warnings.push(...api.found.warnings);
    return own;
  });
  const broken = files.broken.flatMap(({ problem, ...file }) =>
    placesIn({ problem, ...file }).map(({ line, ...place }) =>
      brokenApi(place, { ...problem, line }, problem),
    ),
  );
  const isEmpty = defined.length + broken.length + tokenServices.length + found.problems.length === 0;
  if (isEmpty)
    tellNothing(entry, found, 'has nothing of APK in it: no *.apk-conf, and no manifest of an API');
  if (entry.trustedSenders === undefined && defined.some(({ written }) => written.mutualSSL !== 'off'))
    found.warnings.push({
      file: entry.path,
      line: 1,
      key: '',
      message: `APK reads the client's certificate from the header ${header}, ${adviceFor(entry).trustedSenders}`,
    });
  return { apis: [...defined, ...broken], tokenServices, ...found };
}

const header = 'X-WSO2-CLIENT-CERTIFICATE';

/** What an APIPolicy asks for that concerns security and is not done here. */
function warnOfPolicies(files: ApkFiles, found: Findings): void {
  for (const { at } of files.resources.get('APIPolicy') ?? [])
    for (const level of ['default', 'override']) {
      const subscriptions = at.into(found).get('spec', level, 'subscriptionValidation');
      if (subscriptions.value === true) subscriptions.warn(unchecked);
    }
}

/** A name that more APIs have is a mistake, and each Authentication would be read for each of them. */
const maxMeant = 20;

/** Authentications by the API that they are for. What can't be attached may have been meant for any of them. */
function attach(
  apis: readonly ApkApi[],
  files: ApkFiles,
  found: Findings,
): { readonly attached: ReadonlyMap<ApkApi, readonly Resource[]>; readonly unclear: readonly Problem[] } {
  const byId = Map.groupBy(apis, ({ id }) => id);
  const known = new Map<string, readonly ApkApi[]>();
  // Looked for once: thousands may be of one name, and as many Authentications for it.
  const apisMeant = (name: string, namespace: string | undefined): readonly ApkApi[] => {
    const key = JSON.stringify([name, namespace]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const meant = (byId.get(name) ?? []).filter(
      (api) => namespace === undefined || api.namespace === undefined || api.namespace === namespace,
    );
    known.set(key, meant);
    return meant;
  };
  const attached = new Map<ApkApi, Resource[]>();
  const lost = noFindings();
  for (const resource of files.resources.get('Authentication') ?? []) {
    const target = resource.at.into(lost).get('spec', 'targetRef');
    const kind = target.get('kind').value;
    // Those of resources are found by the routes that name them.
    if (kind === 'Resource') continue;
    const name = target.get('name').neededText('"mtls-api"');
    if (kind !== 'API')
      target.get('kind').error(`found ${shown(kind)}; write API, and one Authentication for each API`);
    if (name === undefined || kind !== 'API') continue;
    const own = target.get('namespace').value;
    const namespace = typeof own === 'string' && own !== '' ? own : resource.namespace;
    const meant = apisMeant(name, namespace);
    if (meant.length === 0)
      target
        .into(found)
        .get('name')
        .error(
          `found ${shown(name)}, which is no API of this definition (id of an apk-conf, or metadata.name of an API); put it beside the others, or correct the name`,
        );
    if (meant.length > maxMeant)
      target.get('name').error(`is the name of ${meant.length} APIs; give each a name of its own`);
    // Several of that name: each of them may be meant, and one too many asked for lets nobody in by mistake.
    for (const api of meant.slice(0, maxMeant)) {
      const own = attached.get(api);
      if (own === undefined) attached.set(api, [resource]);
      else own.push(resource);
    }
  }
  return { attached, unclear: lost.problems };
}

function define(api: ApkApi, asks: Asks, entry: DefinitionEntry): readonly DefinedApi[] {
  const { problems, warnings } = api.found;
  const origin = { file: api.at.file, line: api.at.line };
  const named = (message: string): Problem => ({ ...origin, key: '', message: `"${api.name}" ${message}` });
  const combined = combine(asks);
  problems.push(...combined.wrong.map(named));
  warnings.push(...combined.warnings.map(named));
  return api.routes.flatMap((route) => {
    const all = placeOperations(api.type, route.operations);
    return api.basePaths.flatMap((basePath) =>
      all.map((placed) => ({
        origin,
        problems,
        notes: [...combined.notes, ...placed.notes],
        written: write({ api, combined, route, placed, basePath }, entry),
      })),
    );
  });
}

const mayBeMeant = ({ file, line, message }: Problem): Problem => ({
  file,
  line,
  key: '',
  message: `an Authentication that can not be attached to its API (${message}) may have been meant for this one; mend it`,
});

/** What the apk-conf itself says, and what each Authentication adds. */
function asksOf({ asks, found }: ApkApi, authentications: readonly Resource[], files: ApkFiles): Asks {
  const own = authentications.map((resource) => ({ ...resource, at: resource.at.into(found) }));
  for (const { at } of own) {
    const spec = at.get('spec');
    spec.known(authenticationKeys);
    if (['override', 'default'].every((level) => spec.get(level).value === undefined))
      spec.error('has neither default nor override; write what it asks for');
  }
  const read = (level: 'override' | 'default'): readonly Ask[] =>
    own
      .map((resource) => readAuthenticationSpec(resource.at.get('spec', level), resource, files))
      .filter((ask) => ask !== undefined);
  return {
    overrides: [...asks.overrides, ...read('override')],
    defaults: [...asks.defaults, ...read('default')],
  };
}

type Whole = {
  readonly api: ApkApi;
  readonly combined: Combined;
  readonly route: ApkRoute;
  readonly placed: Placed;
  readonly basePath: string;
};

function write({ api, combined, route, placed, basePath }: Whole, entry: DefinitionEntry): WrittenApi {
  const { mutualSSL, applicationSecurity, clients } = combined;
  const url = entry.backend ?? route.backend;
  // A default version's requests go where those with the version go.
  const upstream = `${api.basePaths[0]}${placed.behind}`;
  return {
    name: api.name,
    version: api.version,
    basePath: `${basePath}${placed.behind}`,
    ...(route.hosts && { hosts: route.hosts }),
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
    ...(placed.operations.length > 0 && {
      operations: placed.operations.map((operation) => fit(operation, mutualSSL, applicationSecurity)),
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
  problem: Problem,
): DefinedApi {
  return {
    origin: { file: origin.file, line: origin.line },
    problems: [problem],
    notes: [],
    written: { ...place, mutualSSL: 'mandatory', applicationSecurity: 'mandatory' },
  };
}
