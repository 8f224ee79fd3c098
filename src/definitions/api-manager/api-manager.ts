import type { Findings } from '../../documents/cursor.ts';
import type { Problem } from '../../documents/problem.ts';
import {
  adviceFor,
  type DefinedApi,
  type Definition,
  type DefinitionEntry,
  filesOf,
  tellNothing,
  type WrittenApi,
  type WrittenClient,
  type WrittenSource,
} from '../written.ts';
import { withoutOuterSlashes } from '../wso2-project/broken-text.ts';
import { type ProjectApi, readProjectApi } from '../wso2-project/project-api.ts';
import { eachProject, findProjects } from '../wso2-project/project-files.ts';
import { asProject } from './archive.ts';
import { asIssuer, clientsOf, currentRows, disabled, keyOf } from './clients.ts';
import { type ApiManagerConf, isConf, readApiManagerConf } from './conf.ts';
import type { TableRow } from './table-row.ts';

/** API Manager: exported APIs, its configuration files of all ages, and its table of client certificates. */
export function readApiManager(entry: DefinitionEntry): Definition {
  const files = filesOf(entry);
  const projects = findProjects(entry.path, files);
  const found: Findings = { problems: [...projects.problems], warnings: [] };
  const { problems, warnings } = found;
  const inside = projects.folders.flatMap(({ names, shown }) => names.filter(isConf).map(shown));
  const conf = readApiManagerConf([...projects.others, ...inside], entry, found);
  if (isTableMissing(entry)) problems.push(tableMissing(entry));
  const warn: Surroundings['warn'] = ({ origin }, key, message) => {
    warnings.push({ ...origin, key, message });
  };
  const byApi = Map.groupBy(currentRows(entry), rowKey);
  const exported: ProjectApi[] = [];
  for (const project of eachProject(projects, files, problems)) {
    const read = readProjectApi(asProject(project, entry.keyType ?? 'PRODUCTION'), entry, 'api-manager');
    if (read.apis.every((api) => api.problems.length === 0)) warnings.push(...read.warnings);
    exported.push(read);
  }
  // The table has an API by its versioned place, which comes first.
  const placed = exported.flatMap(({ apis }) => apis.slice(0, 1));
  const known = new Set(placed.map(({ written }) => keyOf(written)));
  const unexported = [...byApi].flatMap(([key, [first]]) =>
    known.has(key) || first === undefined ? [] : [fromTable(first, entry)],
  );
  warnings.push(...otherPlaces(placed, unexported), ...inTableOnly(unexported));
  const apis = [...exported, ...unexported.map((api) => ({ apis: [api], nobody: undefined }))].flatMap(
    ({ apis: [first, ...others], nobody }) => {
      const rows = byApi.get(keyOf(first!.written)) ?? [];
      const whole = complete(first!, rows, { conf, entry, warn });
      if (nobody !== undefined && whole.problems.length === 0 && whole.written.clients?.length === 0)
        warnings.push(nobody);
      return [whole, ...others.map((api) => complete(api, rows, { conf, entry, warn: () => {} }))];
    },
  );
  // The table may be all that there is, and empty.
  if (apis.length + problems.length === 0 && entry.database === undefined)
    tellNothing(entry, found, 'has no exported API in it; it needs a folder (or archive) with an api.yaml');
  if (conf.usesHeader && entry.trustedSenders === undefined)
    warnings.push({
      file: entry.path,
      line: 1,
      key: 'certificate_header',
      message: `a load balancer passes certificates in a header there, ${adviceFor(entry).trustedSenders}`,
    });
  return { apis, tokenServices: [], problems, warnings };
}

const isTableMissing = ({ database, rows }: DefinitionEntry): boolean =>
  database !== undefined && rows === undefined;

const tableMissing = (entry: DefinitionEntry): Problem => ({
  file: entry.path,
  line: 1,
  key: 'database',
  message:
    'the table of client certificates could not be read, for the reason that is told with the database. Until it can, nobody knows whose certificates were removed',
});

const rowKey = (row: TableRow): string => keyOf(placeInTable(row));

const placeInTable = (row: TableRow): Pick<WrittenApi, 'name' | 'version' | 'basePath'> => ({
  name: row.apiName,
  version: row.apiVersion,
  // With the version, there.
  basePath: `/${withoutOuterSlashes(row.apiContext)}`,
});

/**
 * An API that is in the table only. What it asks for besides is not in the database: by a certificate alone, since a
 * token alone may be too little there.
 */
const fromTable = (row: TableRow, entry: DefinitionEntry): DefinedApi => ({
  origin: { file: entry.path, line: 1 },
  problems: [],
  notes: [{ key: '', text: 'known from the table of client certificates alone' }],
  written: {
    ...placeInTable(row),
    mutualSSL: 'mandatory',
    applicationSecurity: 'off',
    errorFormat: 'api-manager',
    ...(entry.backend !== undefined && { backend: entry.backend }),
  },
});

/** One line, be they thousands. */
function inTableOnly([first, ...others]: readonly DefinedApi[]): readonly Problem[] {
  if (first === undefined) return [];
  const { name, version } = first.written;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  const message = `in the table only: "${name}" ${version}${more}. It does not say what an API asks for: each of its certificates is admitted, and nobody without one. Export it into this path for its security scheme and its operations`;
  return [{ ...first.origin, key: 'AM_API_CLIENT_CERTIFICATE', message }];
}

/** An archive and the table that mean one API, perhaps, but not one place. */
function otherPlaces(exported: readonly DefinedApi[], unexported: readonly DefinedApi[]): readonly Problem[] {
  const nameOf = ({ written: { name, version } }: DefinedApi): string => JSON.stringify([name, version]);
  const elsewhere = Map.groupBy(unexported, nameOf);
  return exported.flatMap((api) =>
    (elsewhere.get(nameOf(api)) ?? []).map(({ written }) => ({
      ...api.origin,
      key: 'context',
      message: `the table has an API of this name and version at ${written.basePath}, not at ${api.written.basePath}: its certificates do not count here. If it is the same, export it anew`,
    })),
  );
}

type Surroundings = {
  readonly conf: ApiManagerConf;
  readonly entry: DefinitionEntry;
  /** What does not close it. */
  readonly warn: (api: DefinedApi, key: string, message: string) => void;
};

/** With the clients of the table, the header's name, and CAs where chains are validated. */
function complete(
  api: DefinedApi,
  rows: readonly TableRow[],
  { conf, entry, warn }: Surroundings,
): DefinedApi {
  const problems: Problem[] = [...api.problems, ...conf.lost];
  const { written } = api;
  if (written.mutualSSL === 'off') return { ...api, problems };
  if (isTableMissing(entry)) problems.push(tableMissing(entry));
  const archived = (written.clients ?? []).map((client) => (conf.isChainMode ? asIssuer(client) : client));
  const clients =
    entry.database === undefined
      ? archived
      : isTableMissing(entry)
        ? disabled(archived)
        : inTable(rows, archived, conf.isChainMode, (key, message) => warn(api, key, message));
  checkAliases(clients, api, problems);
  return {
    ...api,
    problems,
    written: {
      ...written,
      clients,
      optionalCertificate: 'ignore-wrong',
      sources: sourcesOf(conf, entry),
    } satisfies WrittenApi,
  };
}

/**
 * Where there is a table it alone says who is a client: an archive is older, and names those that were removed since.
 * Those of the archive only keep the place of an API that has none left.
 */
function inTable(
  rows: readonly TableRow[],
  archived: readonly WrittenClient[],
  isChainMode: boolean,
  warn: (key: string, message: string) => void,
): readonly WrittenClient[] {
  const clients = clientsOf(rows, isChainMode, ({ alias }, message) =>
    warn(`AM_API_CLIENT_CERTIFICATE ${alias}`, `is left out: ${message}`),
  );
  const known = new Set(clients.filter((client) => !client.disabled).map(({ alias }) => alias.toLowerCase()));
  for (const { alias } of archived) {
    if (!known.has(alias.toLowerCase()))
      warn('AM_API_CLIENT_CERTIFICATE', `"${alias}" is in the archive and not in the table: not admitted`);
  }
  return clients.length > 0 ? clients : disabled(archived);
}

const sourcesOf = (
  { header }: ApiManagerConf,
  { trustedSenders }: DefinitionEntry,
): readonly WrittenSource[] => [
  { format: 'peer' },
  ...(trustedSenders === undefined || header === undefined
    ? []
    : [{ format: 'auto' as const, header, trustedSenders }]),
];

function checkAliases(clients: readonly WrittenClient[], api: DefinedApi, problems: Problem[]): void {
  const seen = new Map<string, WrittenClient>();
  for (const client of clients) {
    const other = seen.get(client.alias.toLowerCase());
    seen.set(client.alias.toLowerCase(), client);
    if (other !== undefined && (other.alias !== client.alias || other.tier !== client.tier))
      problems.push({
        ...api.origin,
        key: '',
        message: `has the alias "${client.alias}" beside "${other.alias}", of another case or tier; rename one`,
      });
  }
}
