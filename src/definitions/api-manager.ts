import { CertificateError, readCertificate } from '../pki/certificate.ts';
import { PemError, parsePem } from '../pki/pem.ts';
import { type ApiManagerConf, readApiManagerConf } from './api-manager-conf.ts';
import { certificatesIn, pemOf } from './pem-clients.ts';
import { eitherOf, readProjectApi } from './project-api.ts';
import { findProjects } from './project-files.ts';
import type {
  ClientCertificateRow,
  DefinedApi,
  Definition,
  DefinitionEntry,
  DefinitionProblem,
  WrittenApi,
  WrittenClient,
  WrittenSource,
} from './written.ts';

/** API Manager: exported APIs, its configuration files of all ages, and its table of client certificates. */
export function readApiManager(entry: DefinitionEntry): Definition {
  const { projects, others, problems: unfound } = findProjects(entry.path);
  const problems: DefinitionProblem[] = [...unfound];
  const warnings: DefinitionProblem[] = [];
  const conf = readApiManagerConf(others, entry, problems, warnings);
  if (entry.database !== undefined && entry.rows === undefined)
    problems.push({
      file: entry.path,
      line: 1,
      key: 'database',
      message: 'the table of client certificates could not be read; the log says why',
    });
  const rows = currentRows(entry);
  const exported = projects.map((project) => {
    const read = readProjectApi(project, entry, 'api-manager');
    if (read.api.problems.length === 0) warnings.push(...read.warnings);
    return read.api;
  });
  const known = new Set(exported.map(({ written }) => keyOf(written.name, written.version)));
  const byApi = Map.groupBy(rows, ({ apiName, apiVersion }) => keyOf(apiName, apiVersion));
  const unexported = [...byApi]
    .filter(([key]) => !known.has(key))
    .map(([, own]) => fromTable(own[0]!, entry));
  const apis = [...exported, ...unexported].map((api) =>
    complete(api, byApi.get(keyOf(api.written.name, api.written.version)) ?? [], conf, entry),
  );
  if (conf.usesHeader && entry.trustedSenders === undefined)
    warnings.push({
      file: entry.path,
      line: 1,
      key: 'certificate_header',
      message:
        'a load balancer passes certificates in a header there, but nobody is trusted to send it: only certificates of TLS clients count. Add trustedSenders = ["10.20.0.0/16"] (its addresses) to this [[definitions]]',
    });
  return { apis, tokenServices: [], problems, warnings };
}

const keyOf = (name: string, version: string): string => JSON.stringify([name, version]);

/** Of the tenant and the key type, not removed, and of one API's revisions the current (the one without an id, or the last). */
function currentRows({ rows = [], tenant, keyType }: DefinitionEntry): readonly ClientCertificateRow[] {
  const own = rows.filter(
    (row) =>
      (tenant === undefined || row.tenant === tenant) &&
      (keyType === undefined || row.keyType === undefined || row.keyType === keyType),
  );
  return own.filter(
    (row) => row.revision === undefined || row.revision === '' || row.revision === 'Current API',
  );
}

/** An API that is in the table only: it has certificates, and whether it asks for a token nobody says, so that either admits. */
const fromTable = (row: ClientCertificateRow, entry: DefinitionEntry): DefinedApi => ({
  origin: { file: entry.path, line: 1 },
  problems: [],
  notes: [
    { key: '', text: 'known from the table of client certificates alone; export the API for its operations' },
    ...eitherOf.notes,
  ],
  written: {
    name: row.apiName,
    version: row.apiVersion,
    basePath: row.apiContext,
    mutualSSL: eitherOf.mutualSSL,
    applicationSecurity: eitherOf.applicationSecurity,
    errorFormat: 'api-manager',
    ...(entry.backend !== undefined && { backend: entry.backend }),
  },
});

/** With the clients of the table, the header's name, and CAs where chains are validated. */
function complete(
  api: DefinedApi,
  rows: readonly ClientCertificateRow[],
  conf: ApiManagerConf,
  entry: DefinitionEntry,
): DefinedApi {
  const problems: DefinitionProblem[] = [...api.problems, ...conf.lost];
  const { written } = api;
  if (written.mutualSSL === 'off') return { ...api, problems };
  const fromRows = rows.flatMap((row) => clientOf(row, api, problems));
  const all = [...(written.clients ?? []), ...fromRows].filter(
    (client, i, clients) =>
      clients.findIndex(
        (other) => other.alias.toLowerCase() === client.alias.toLowerCase() && other.pem === client.pem,
      ) === i,
  );
  // The archive could not have them: they are in the table.
  const mended =
    fromRows.length > 0
      ? problems.filter(({ message }) => !message.startsWith('asks for a certificate, and no client has one'))
      : problems;
  checkAliases(all, api, mended);
  return {
    ...api,
    problems: mended,
    written: {
      ...written,
      clients: conf.isChainMode ? all.map(asIssuer) : all,
      optionalCertificate: 'ignore-wrong',
      sources: sourcesOf(conf, entry),
    } satisfies WrittenApi,
  };
}

const sourcesOf = (
  { header }: ApiManagerConf,
  { trustedSenders }: DefinitionEntry,
): readonly WrittenSource[] => [
  { format: 'peer' },
  ...(trustedSenders === undefined || header === undefined
    ? []
    : [{ format: 'auto', header, trustedSenders }]),
];

function clientOf(
  row: ClientCertificateRow,
  api: DefinedApi,
  problems: DefinitionProblem[],
): readonly WrittenClient[] {
  const bytes = Buffer.from(row.certificate);
  const ders = bytes[0] === 0x30 ? [bytes] : certificatesIn(pemText(bytes));
  if (typeof ders === 'string' || ders.length !== 1) {
    problems.push({
      ...api.origin,
      key: `AM_API_CLIENT_CERTIFICATE ${row.alias}`,
      message: typeof ders === 'string' ? ders : `has ${ders.length} certificates where one belongs`,
    });
    return [];
  }
  return [{ alias: row.alias, pem: pemOf(ders[0]!), ...(row.tier !== undefined && { tier: row.tier }) }];
}

/** Its Publisher stores PEM, or the base64 of it. */
function pemText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (text.includes('-----BEGIN')) return text;
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  return decoded.includes('-----BEGIN') ? decoded : text;
}

function checkAliases(
  clients: readonly WrittenClient[],
  api: DefinedApi,
  problems: DefinitionProblem[],
): void {
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

/** With chain validation on, an uploaded CA admits what it issued; anything else is exactly itself. */
function asIssuer(client: WrittenClient): WrittenClient {
  const { pem, ...rest } = client;
  try {
    const [block] = parsePem(pem ?? '');
    const certificate = block && readCertificate(block.der);
    if (certificate?.isCa && certificate.keyUsage?.has('keyCertSign') !== false && pem !== undefined)
      return { ...rest, caPem: pem };
  } catch (error) {
    if (!(error instanceof CertificateError || error instanceof PemError)) throw error;
  }
  return client;
}
