import { isIPv6 } from 'node:net';
import type { Api } from '../apis/api.ts';
import { type ApiIndex, indexApis, spelledAt, trimSlash } from '../apis/api-index.ts';
import { madeFor } from '../apis/made-for.ts';
import { mostSpecificFirst, type Operation, parseTemplate, repeatedOperations } from '../apis/operations.ts';
import { normalizeHost, withoutCase } from '../apis/request-path.ts';
import type { Path } from '../config/problem.ts';
import { sharedByKind } from './directory.ts';
import type { Findings } from './findings.ts';
import { apiSecurity, type Ground, operationSecurity } from './security.ts';
import { atOnce, type Sliced } from './slices.ts';

type Written = Ground['config']['apis'][number];

/** `[[apis]]` with their aliases looked up, indexed. What does not add up is reported. */
export function* buildApis(ground: Ground): Sliced<ApiIndex> {
  const { config, findings } = ground;
  const apis: Api[] = [];
  const shared = { ...ground, byKind: sharedByKind() };
  for (const [i, api] of config.apis.entries()) {
    const hosts = yield* hostsOf(api);
    const { together, tell } = gathered(api, findings);
    const own = { ...shared, findings: together };
    const security = apiSecurity(api, i, own);
    const operations = api.operations.map(
      (operation, j): Operation => ({
        ...parseTemplate(operation.path),
        methods: operation.methods && new Set(operation.methods),
        security: operationSecurity(j, { written: api, index: i, security }, own),
      }),
    );
    tell();
    checkOperations(operations, ['apis', i], findings);
    apis.push({
      name: api.name,
      version: api.version,
      basePath: trimSlash(api.basePath),
      hosts: [...hosts],
      security,
      operations: operations.length === 0 ? undefined : mostSpecificFirst(operations),
      servesUnlisted: api.unlistedOperations === 'api',
      errorFormat: api.errorFormat ?? config.enforcer.answers.errorFormat,
      madeFor: madeFor(ground.fileOf(i), api.backend),
      fault: ground.faults.get(i),
    });
  }

  const { index, taken } = yield* indexApis(apis, ground.foreignFrom);
  for (const { host, basePath, first, second } of taken) {
    findings.error(
      ['apis', apis.indexOf(second), 'basePath'],
      `"${second.name}" ${second.version} claims ${host}${basePath || '/'}, which "${first.name}" ${first.version} has already; give one of them another basePath or host`,
    );
  }
  if (ground.foreignFrom < apis.length) yield* warnAboutBelow(index, ground.foreignFrom, findings);
  return index;
}

/**
 * A foreign file's API below one of config.toml's takes requests from it, and asks of them what it likes. Below it in
 * another case it keeps them from being answered, as what might be meant for it (`otherWithoutCase`).
 */
function* warnAboutBelow({ apis, byHost }: ApiIndex, foreignFrom: number, findings: Findings): Sliced<void> {
  const own = new Set<Api>();
  let depth = 0;
  for (const [i, api] of apis.entries()) {
    yield;
    if (i < foreignFrom) {
      own.add(api);
      depth = Math.max(depth, api.basePath.split('/').length - 1);
      continue;
    }
    const segments = api.basePath.split('/');
    // Longest first; who has "/" has what nobody else claims.
    const paths = Array.from({ length: Math.min(depth, segments.length - 2) }, (_, n) =>
      segments.slice(0, n + 2).join('/'),
    ).reverse();
    const places = api.hosts.flatMap((host) => byHost.get(host) ?? []);
    const above = places
      .flatMap((there) =>
        paths.flatMap((path) => [there.own?.byBasePath.get(path), there.byBasePath.get(path)]),
      )
      .find((found) => found !== undefined && own.has(found));
    if (above !== undefined)
      findings.warn(
        ['apis', i, 'basePath'],
        `"${api.name}" ${api.version} takes the requests below ${api.basePath} from "${above.name}" ${above.version} (${above.basePath}) of config.toml, and is not bound by what that asks for; where this is not meant, give it another basePath`,
      );
    const spelled = places
      .flatMap((there) =>
        [api.basePath, ...paths].flatMap((path) => spelledAt(there, withoutCase(path)) ?? []),
      )
      .find((found) => own.has(found) && !api.basePath.startsWith(`${found.basePath}/`));
    const rest = spelled && segments.slice(spelled.basePath.split('/').length);
    // What has the whole of it keeps its own spelling.
    if (rest !== undefined && rest.length > 0)
      findings.warn(
        ['apis', i, 'basePath'],
        `"${api.name}" ${api.version} has ${api.basePath}, which in another case is below "${spelled!.name}" ${spelled!.version} (${spelled!.basePath}) of config.toml: requests of that one at ${[spelled!.basePath, ...rest].join('/')} are refused (path_ambiguous) where this one asks for something else; give it another basePath`,
      );
  }
}

/** One cause, one error, where it is as wrong with an API as with each of its operations. */
function gathered({ name, operations }: Written, findings: Findings) {
  const told = new Map<string, { readonly path: Path; readonly message: string; others: number }>();
  const error = (path: Path, message: string): void => {
    const [, , key, j, ...rest] = path;
    const isOperation = key === 'operations' && typeof j === 'number';
    const who = isOperation ? `"${name} ${operations[j]!.path}" ` : `"${name}" `;
    const cause = message.startsWith(who)
      ? [isOperation ? rest : path.slice(2), message.slice(who.length)]
      : [path, message];
    const known = told.get(JSON.stringify(cause));
    if (known === undefined) told.set(JSON.stringify(cause), { path, message, others: 0 });
    else if (isOperation) known.others++;
  };
  const tell = (): void => {
    for (const { path, message, others } of told.values()) {
      const more = others === 0 ? '' : ` (${others} of its operations as well)`;
      findings.error(path, `${message}${more}`);
    }
  };
  return { together: { ...findings, error }, tell };
}

function* hostsOf({ hosts }: Written): Sliced<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const host of hosts) {
    yield;
    found.add(asInRequests(host));
  }
  return found;
}

/** What it claims: as many as it has hosts. */
export const placesOf = (api: Written): readonly string[] =>
  [...atOnce(hostsOf(api))].map((host) => `${host}${trimSlash(api.basePath) || '/'}`);

/** As it stands in the Host header: an IPv6 address in brackets. */
const asInRequests = (host: string): string =>
  isIPv6(host) ? `[${host.toLowerCase()}]` : normalizeHost(host);

/** Two operations that fit the same path and method: one of them would never be asked. */
function checkOperations(operations: readonly Operation[], at: Path, findings: Findings): void {
  for (const { index, before } of repeatedOperations(operations))
    findings.error(
      [...at, 'operations', index, 'path'],
      `found "${operations[index]!.path}", which an operation before ("${before.path}") has already for the same methods; write one of them`,
    );
}
