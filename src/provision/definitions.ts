import { keyText, type Problem, shown } from '../config/problem.ts';
import { describeIssue } from '../config/read-config.ts';
import { api as apiSchema } from '../config/schema/api.ts';
import type { Config } from '../config/schema/config.ts';
import { tokenService } from '../config/schema/token-service.ts';
import { basePath as basePathSchema, hostPattern } from '../config/schema/values.ts';
import { parseApi } from '../definitions/api-rules.ts';
import { readDefinition } from '../definitions/readers.ts';
import {
  type DefinedApi,
  type DefinedTokenService,
  type DefinitionEntry,
  filesOf,
} from '../definitions/written.ts';
import { FileProblem, type Files } from '../documents/files.ts';
import type { TableAddress, TableRows } from '../feeds/api-manager-table.ts';

/** The databases that a configuration names. */
export const tablesOf = (config: Pick<Config, 'definitions'>): readonly TableAddress[] =>
  config.definitions.flatMap(({ database, pollIntervalInSeconds }) =>
    database === undefined ? [] : [{ url: database, every: pollIntervalInSeconds * 1000 }],
  );

type Api = Config['apis'][number];
type Service = Config['enforcer']['security']['tokenService'][number];

/** One `[[definitions]]` entry, plain data: all that there is to know for reading its files, wherever that is done. */
export type Entry = Omit<DefinitionEntry, 'files' | 'rows'> & {
  /** What it is known by over reloads. */
  readonly id: string;
  readonly optionalCertificate: Api['optionalCertificate'];
  /** Whose tokens its APIs take. */
  readonly issuers: readonly string[] | undefined;
};

/** Whether an entry wants an issuer that its files name. */
export const isNamed = (
  { issuers }: Pick<Entry, 'issuers'>,
  { name, issuer }: Pick<Service, 'name' | 'issuer'>,
): boolean => issuers?.some((wanted) => wanted === name || wanted === issuer) ?? false;

/** An API of a foreign file, as config.toml would have it. */
export type ForeignApi = {
  readonly api: Api;
  readonly origin: DefinedApi['origin'];
  /** Of which entry. */
  readonly entry: string;
  /** What it is known by over reloads: entry, file, name, version, base path and hosts. */
  readonly key: string;
  /** What is wrong with it. It keeps its place and admits nobody, unless there is a good one from before. */
  readonly problems: readonly Problem[];
};

/** An issuer of access tokens that a foreign file names. */
export type ForeignService = {
  readonly service: Service;
  readonly origin: DefinedApi['origin'];
  /** Why its tokens are not taken, whatever config.toml names. */
  readonly fault?: string;
};

/** What the files of one entry say, and of no other. What is wrong stays with the API that it is wrong with. */
export type Definitions = {
  /** The entry's. */
  readonly id: string;
  /** As in the entry, absolute: what is wrong with it as such is told by this name. */
  readonly path: string;
  readonly apis: readonly ForeignApi[];
  readonly services: readonly ForeignService[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

export function entriesOf(config: Config, resolve: (path: string) => string): readonly Entry[] {
  const { trustedSenders } = config.enforcer.security.mutualSSL;
  const seen = new Map<string, number>();
  return config.definitions.map((written) => {
    const path = resolve(written.path);
    const name = JSON.stringify([written.kind, path]);
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return {
      // Twice the same: told apart by their order.
      id: before === 0 ? name : `${name}#${before}`,
      kind: written.kind,
      path,
      trustedSenders: written.trustedSenders ?? trustedSenders,
      backend: written.backend,
      home: written.home === undefined ? undefined : resolve(written.home),
      database: written.database,
      tenant: written.tenant,
      keyType: written.keyType,
      optionalCertificate: written.optionalCertificate,
      issuers: written.issuers,
    };
  });
}

export function readEntry(
  entry: Entry,
  tables: TableRows = new Map(),
  files: Files = filesOf(entry),
): Definitions {
  const { id, path, database } = entry;
  const rows = database === undefined ? undefined : tables.get(database);
  const read = readDefinition({ ...entry, rows, files });
  const problems: Problem[] = [...read.problems];
  return {
    id,
    path,
    apis: read.apis.map((defined) => foreignApi(defined, entry)),
    services: read.tokenServices.flatMap((defined) => foreignService(defined, entry, files, problems)),
    problems,
    warnings: read.warnings,
  };
}

function foreignApi(defined: DefinedApi, { id, backend, optionalCertificate }: Entry): ForeignApi {
  const { origin } = defined;
  const bounded = { ...defined, problems: [...defined.problems, ...tooManyHosts(defined)] };
  const { api: parsed, problems } = parseApi(bounded, {
    ...(backend !== undefined && defined.written.backend === undefined && { backend }),
    ...(optionalCertificate !== undefined && { optionalCertificate }),
  });
  const { name, version, basePath, hosts } = defined.written;
  const key = JSON.stringify([id, origin.file, name, version, basePath, hosts]);
  const api = parsed ?? placeholder(defined.written);
  return { api: problems.length === 0 ? api : placeholder(api), origin, entry: id, key, problems };
}

/** All that is done for an API's hosts is done beside decisions and, of its routes, in Envoy. */
const mostHosts = 1_000;

function tooManyHosts({ origin, written: { hosts = [] } }: DefinedApi): readonly Problem[] {
  if (hosts.length <= mostHosts) return [];
  const message = `found ${hosts.length} hosts, more than ${mostHosts} of one API are not taken; write "*.example.com" for those of one domain, or share them among several APIs`;
  return [{ ...origin, key: 'hosts', message }];
}

/**
 * It claims its place, so that nothing falls through to a shorter base path, and asks for nothing: it is refused as
 * faulty. Of what can't be read of the place that which can is claimed: the path up to there, the hosts that are some.
 * In place of hosts that are too many, all that nobody names.
 */
export function placeholder({
  name,
  version,
  basePath,
  hosts = ['*'],
}: Pick<DefinedApi['written'], 'name' | 'version' | 'basePath' | 'hosts'>): Api {
  const path = readablePath(basePath);
  const some = hosts.length > mostHosts ? [...hosts.slice(0, mostHosts), '*'] : hosts;
  const named = some.filter((host) => aHost.safeParse(host).success);
  return apiSchema.parse({
    name: name.toWellFormed() || 'unknown',
    version: version.toWellFormed() || '0',
    basePath: path ?? '/',
    // Without a path there is no place: nobody can ask for it, and Envoy has no route for it.
    hosts: path === undefined ? ['unreadable.invalid'] : named.length === 0 ? ['*'] : named,
    mutualSSL: 'off',
  });
}

const [aPath, aHost] = [basePathSchema(), hostPattern()];

function readablePath(basePath: string): string | undefined {
  if (aPath.safeParse(basePath).success) return basePath;
  // What WSO2's samples have behind a blank is a comment (`/ticker   // the context`).
  const [first, ...segments] = basePath.split(/\s/, 1)[0]!.split('/');
  const wrong = segments.findIndex((segment) => segment === '' || !aPath.safeParse(`/${segment}`).success);
  if (first !== '' || segments.length === 0 || wrong === 0) return undefined;
  return `/${segments.slice(0, wrong === -1 ? undefined : wrong).join('/')}`;
}

/** Its certificate is taken in: the file may be away later, when it is fallen back on. */
function foreignService(
  { origin, written }: DefinedTokenService,
  entry: Entry,
  files: Files,
  problems: Problem[],
): readonly ForeignService[] {
  const { certificateFilePath: path, ...others } = written;
  if (path !== undefined && isNamed(entry, written)) {
    try {
      return foreignService(
        { origin, written: { ...others, certificatePem: files.text(path) } },
        entry,
        files,
        problems,
      );
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      const message = `found ${shown(path)}, which ${error.message}; tokens of it are refused`;
      problems.push({ ...origin, key: 'certificateFilePath', message });
      return [];
    }
  }
  const parsed = tokenService.safeParse(written);
  for (const issue of parsed.error?.issues ?? [])
    describeIssue(issue, written, (path, message) => {
      problems.push({ ...origin, key: keyText(path), message: `${message}; tokens of it are refused` });
    });
  return parsed.success ? [{ service: parsed.data, origin }] : [];
}

/** What is said of an entry whose files nobody has read. */
export const unreadable = ({ id, path }: Pick<Entry, 'id' | 'path'>, why: string): Definitions => ({
  id,
  path,
  apis: [],
  services: [],
  problems: [
    {
      file: path,
      line: 1,
      key: '',
      message: `reading it ${why}: what is known of its files from before stays in force; look for the file that does it, and take it out`,
    },
  ],
  warnings: [],
});
