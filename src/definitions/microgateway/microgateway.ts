import { basename } from 'node:path';
import { Cursor, type Findings, noFindings } from '../../documents/cursor.ts';
import { attempt, FileProblem, isUnlisted } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { readYaml } from '../../documents/yaml.ts';
import {
  adviceFor,
  type DefinedApi,
  type Definition,
  type DefinitionEntry,
  filesOf,
  madeMandatory,
  type WrittenApi,
  type WrittenSource,
} from '../written.ts';
import { valueIn } from '../wso2-project/broken-text.ts';
import { type OpenApi, readOpenApi, writeOperations } from '../wso2-project/openapi.ts';
import { checkMutualSsl } from '../wso2-project/openapi-security.ts';
import { apiKey } from './binding.ts';
import { emptyConf, isMicrogatewayConf, type MicrogatewayConf, readMicrogatewayConf } from './conf.ts';

const defaultHeader = 'X-WSO2-CLIENT-CERTIFICATE';

/** API Microgateway: `micro-gw.conf` and OpenAPI files (2 or 3, YAML or JSON), wherever they lie below the path. */
export function readMicrogateway(entry: DefinitionEntry): Definition {
  const found = noFindings();
  const say = (list: Problem[], key: string, message: string, file = entry.path): void => {
    list.push({ file, line: 1, key, message });
  };
  const files = attempt(entry.path, found, () => filesOf(entry).list(entry.path)) ?? [];
  const [confFile, second] = confsAmong(files, entry);
  if (second !== undefined)
    say(
      found.problems,
      '',
      `found a second configuration beside ${confFile}; write one [[definitions]] for each`,
      second,
    );
  const conf = confFile === undefined ? emptyConf : readMicrogatewayConf(confFile, entry, found);
  const apis = files
    .filter((file) => isUnlisted(file) || /\.(ya?ml|json)$/i.test(file))
    .flatMap((file) => readFile(file, conf, entry, found));
  const known = new Set(apis.map(({ written }) => apiKey(written)));
  for (const binding of conf.bindings) {
    if (!known.has(apiKey(binding)))
      binding.at.warn(`is for "${binding.name}" ${binding.version}, which none of the OpenAPI files is`);
  }
  if (entry.trustedSenders === undefined && apis.some(({ written }) => written.mutualSSL !== 'off'))
    say(
      found.warnings,
      'mutualSSLConfig',
      `certificates also come in the header ${conf.header ?? defaultHeader} there, ${adviceFor(entry).trustedSenders}`,
      confFile,
    );
  if (files.length > 0 && apis.length === 0)
    say(found.problems, '', 'has no OpenAPI file; write the folder that has them beside micro-gw.conf');
  return { apis, tokenServices: conf.tokenServices, ...found };
}

/** By name, or by what stands in them; what can't be read may be it where no other is. */
function confsAmong(files: readonly string[], entry: DefinitionEntry): readonly string[] {
  const isNamed = (file: string): boolean => basename(file) === 'micro-gw.conf';
  const isOne = (file: string): boolean => {
    try {
      return isMicrogatewayConf(filesOf(entry).text(file));
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      return !files.some(isNamed);
    }
  };
  return files.filter(
    (file) => isNamed(file) || ((isUnlisted(file) || /\.(conf|toml)$/.test(file)) && isOne(file)),
  );
}

/** OpenAPI documents; other YAML files are none of ours. */
function readFile(
  file: string,
  conf: MicrogatewayConf,
  entry: DefinitionEntry,
  found: Findings,
): readonly DefinedApi[] {
  const broken = noFindings();
  const text = attempt(file, broken, () => filesOf(entry).text(file));
  const documents = text === undefined ? undefined : attempt(file, broken, () => readYaml(text));
  found.problems.push(...broken.problems);
  if (documents === undefined) return placesIn(file, text ?? '', broken.problems[0]!);
  return documents.flatMap((document) => {
    const own = { problems: [...conf.lost], warnings: found.warnings };
    const at = Cursor.of(file, document, own);
    at.noSlips(['openapi', 'swagger']);
    const isOurs = ['openapi', 'swagger'].some((key) => at.get(key).value !== undefined);
    return isOurs || own.problems.length > conf.lost.length ? [readApi(at, conf, entry, own)] : [];
  });
}

/** A file that breaks off keeps the place that can be found in it. */
function placesIn(file: string, text: string, problem: Problem): readonly DefinedApi[] {
  const basePath = (valueIn(text, 'x-wso2-basePath') ?? valueIn(text, 'basePath'))?.split(/\s/, 1)[0];
  if (basePath?.startsWith('/') !== true) return [];
  return [
    {
      origin: { file, line: problem.line },
      problems: [problem],
      notes: [],
      written: {
        name: valueIn(text, 'title') ?? 'unknown',
        version: valueIn(text, 'version') ?? '0',
        basePath,
        mutualSSL: 'mandatory',
        applicationSecurity: 'mandatory',
        errorFormat: 'microgateway',
      },
    },
  ];
}

function readApi(at: Cursor, conf: MicrogatewayConf, entry: DefinitionEntry, found: Findings): DefinedApi {
  const info = at.get('info');
  const name = info.get('title').neededText('"Swagger Petstore"') ?? 'unknown';
  const version = info.get('version').version('"1.0.5"') ?? '0';
  const openApi = readOpenApi(at);
  openApi.untaken?.at.warn(`${openApi.untaken.what} is not taken here: callers need an OAuth2 token`);
  const bindings = conf.bindingsOf(name, version);
  const before = found.problems.length;
  const clients = conf.clientsOf(bindings, found);
  const isKnown = conf.lost.length === 0 && found.problems.length === before;
  const asked = { clients: clients.length, bindings: bindings.length, isKnown };
  const { notes, mutualSSL, applicationSecurity } = askedBy(at, openApi, conf, asked);
  const header =
    bindings.find((binding) => binding.header !== undefined)?.header ?? conf.header ?? defaultHeader;
  const backend = entry.backend ?? openApi.backend;
  return {
    origin: { file: at.file, line: info.line },
    problems: found.problems,
    notes: [...notes, ...openApi.notes],
    written: {
      name,
      version,
      basePath: basePathOf(openApi.basePath, at),
      mutualSSL,
      ...(mutualSSL !== 'off' && {
        clients,
        optionalCertificate: 'ignore-wrong' as const,
        sources: sourcesOf(header, entry),
      }),
      applicationSecurity,
      ...(openApi.operations.length > 0 && {
        operations: writeOperations(openApi.operations, applicationSecurity),
      }),
      errorFormat: 'microgateway',
      ...(backend !== undefined && { backend }),
    },
  };
}

/** The TLS client's own certificate, or the header's, from those who may send it. */
const sourcesOf = (header: string, { trustedSenders }: DefinitionEntry): readonly WrittenSource[] => [
  { format: 'peer' },
  ...(trustedSenders === undefined ? [] : [{ format: 'auto' as const, header, trustedSenders }]),
];

function basePathOf(written: string | undefined, at: Cursor): string {
  if (written !== undefined && written !== '') return written.startsWith('/') ? written : `/${written}`;
  at.error(
    'has no x-wso2-basePath (nor basePath, nor a path in servers); write it, for example "/petstore/v1"',
  );
  return '/';
}

type Asked = Pick<WrittenApi, 'mutualSSL' | 'applicationSecurity'> & Pick<DefinedApi, 'notes'>;

const bySslVerifyClient = { require: 'mandatory', optional: 'optional', not_require: 'off' } as const;

/** How many there are; known: unless what is told already kept some from being found. */
type Listed = { readonly clients: number; readonly bindings: number; readonly isKnown: boolean };

function askedBy(at: Cursor, openApi: OpenApi, conf: MicrogatewayConf, listed: Listed): Asked {
  const hasClients = listed.clients > 0;
  const own = openApi.mutualSsl.find((written) => written.at.path.length === 1)?.word;
  const applicationSecurity = openApi.token ?? 'mandatory';
  let mutualSSL: WrittenApi['mutualSSL'] = own ?? bySslVerifyClient[conf.sslVerifyClient];
  if (mutualSSL !== 'mandatory') checkOptional(at, openApi);
  // Where nobody says anything of a certificate, none is asked for.
  if (!hasClients && mutualSSL === 'optional' && own === undefined) mutualSSL = 'off';
  if (!hasClients && mutualSSL === 'mandatory' && listed.isKnown)
    at.get('x-wso2-mutual-ssl').warn(
      listed.bindings === 0
        ? 'asks for a certificate, and no [[mutualSSLConfig.api.certificates]] of micro-gw.conf is for this API: nobody is admitted; add one with its name, version and aliasList'
        : 'asks for a certificate, and of the aliases that [[mutualSSLConfig.api.certificates]] has for this API none is in the trust store: nobody is admitted; import one there, or write another into aliasList',
    );
  const isAlone = applicationSecurity === 'off' && mutualSSL === 'optional';
  if (isAlone) mutualSSL = 'mandatory';
  if (applicationSecurity === 'off' && mutualSSL === 'off' && listed.isKnown)
    at.warn('has its security switched off, and no client certificate is asked for: it is open');
  checkMutualSsl(openApi.mutualSsl, mutualSSL, 'write it for the API as a whole');
  return { mutualSSL, applicationSecurity, notes: isAlone ? [madeMandatory('mutualSSL')] : [] };
}

/** The Microgateway does not build such an API. */
function checkOptional(at: Cursor, { token, operations }: OpenApi): void {
  const optional =
    token === 'optional' ? at : operations.find((operation) => operation.token === 'optional')?.at;
  optional
    ?.get('x-wso2-application-security')
    .error('is optional, which needs x-wso2-mutual-ssl: "mandatory"; write that, or take optional out');
}
