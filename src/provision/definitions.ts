import type { Problem } from '../config/problem.ts';
import { describeIssue } from '../config/read-config.ts';
import { api as apiSchema } from '../config/schema/api.ts';
import type { Config } from '../config/schema/config.ts';
import { tokenService } from '../config/schema/token-service.ts';
import { readDefinition } from '../definitions/readers.ts';
import type { DefinedApi, DefinitionProblem, WrittenTokenService } from '../definitions/written.ts';
import type { TableAddress, TableRows } from '../feeds/api-manager-table.ts';

/** The databases that a configuration names. */
export const tablesOf = (config: Config): readonly TableAddress[] =>
  config.definitions.flatMap(({ database, pollIntervalInSeconds }) =>
    database === undefined ? [] : [{ url: database, every: pollIntervalInSeconds * 1000 }],
  );

type Api = Config['apis'][number];

/** An API of a foreign file, as config.toml would have it. */
export type ForeignApi = {
  readonly api: Api;
  readonly origin: DefinedApi['origin'];
  /** What it is known by over reloads: file, name, version, base path and hosts. */
  readonly key: string;
  /** What is wrong with it. It keeps its place and admits nobody, unless there is a good one from before. */
  readonly problems: readonly Problem[];
};

export type Definitions = {
  readonly apis: readonly ForeignApi[];
  readonly services: Config['enforcer']['security']['tokenService'];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

/** All `[[definitions]]`, read. What is wrong stays with the API that it is wrong with. */
export function readDefinitions(
  config: Config,
  resolve: (path: string) => string,
  tables: TableRows = new Map(),
): Definitions {
  const { mutualSSL, tokenService: own } = config.enforcer.security;
  const all = config.definitions.map((entry) => {
    const definition = readDefinition({
      kind: entry.kind,
      path: resolve(entry.path),
      trustedSenders: entry.trustedSenders ?? mutualSSL.trustedSenders,
      backend: entry.backend,
      home: entry.home === undefined ? undefined : resolve(entry.home),
      database: entry.database,
      rows: entry.database === undefined ? undefined : tables.get(entry.database),
      tenant: entry.tenant,
      keyType: entry.keyType,
    });
    return {
      ...definition,
      apis: definition.apis.map((defined) => foreignApi(defined, entry.backend, entry.optionalCertificate)),
    };
  });
  const known = new Set(own.map(({ issuer }) => issuer));
  return {
    apis: all.flatMap(({ apis }) => apis),
    services: all.flatMap(({ tokenServices }) => tokenServices).flatMap((written) => service(written, known)),
    problems: all.flatMap(({ problems }) => problems),
    warnings: all.flatMap(({ warnings }) => warnings),
  };
}

function foreignApi(
  defined: DefinedApi,
  backend: string | undefined,
  optionalCertificate: Api['optionalCertificate'],
): ForeignApi {
  const { origin } = defined;
  const written = {
    ...(backend !== undefined && { backend }),
    ...defined.written,
    ...(optionalCertificate !== undefined && { optionalCertificate }),
  };
  const problems: DefinitionProblem[] = [...defined.problems];
  const parsed = apiSchema.safeParse(written);
  // Where its reader has found fault already, what follows from that is no news.
  for (const issue of problems.length === 0 ? (parsed.error?.issues ?? []) : [])
    describeIssue(issue, written, (path, message) => {
      problems.push({ ...origin, key: path.map(String).join('.'), message });
    });
  const { name, version, basePath, hosts } = defined.written;
  const key = JSON.stringify([origin.file, name, version, basePath, hosts]);
  const api = parsed.data ?? placeholder(defined);
  return {
    api: problems.length === 0 ? api : placeholder({ ...defined, written: api }),
    origin,
    key,
    problems,
  };
}

/** It claims its place, so that nothing falls through to a shorter base path, and asks for nothing: it is refused as faulty. */
export function placeholder({
  written,
}: {
  readonly written: Pick<DefinedApi['written'], 'name' | 'version' | 'basePath' | 'hosts'>;
}): Api {
  const { name, version, basePath, hosts } = written;
  const place = apiSchema.safeParse({
    name,
    version,
    basePath,
    ...(hosts && { hosts }),
    mutualSSL: 'off',
  });
  // A place that can not be read is no place: nobody can ask for it, and Envoy has no route for it.
  return (
    place.data ??
    apiSchema.parse({
      name: name || 'unknown',
      version: version || '0',
      basePath: '/',
      hosts: ['unreadable.invalid'],
      mutualSSL: 'off',
    })
  );
}

/** The first that says who issues is the one that counts: config.toml's own before all others. */
function service(
  written: WrittenTokenService,
  known: Set<string>,
): Config['enforcer']['security']['tokenService'] {
  if (known.has(written.issuer)) return [];
  known.add(written.issuer);
  const parsed = tokenService.safeParse(written);
  return parsed.success ? [parsed.data] : [];
}
