import { basename } from 'node:path';
import { FileProblem } from '../../documents/files.ts';
import { readYaml, YamlProblem } from '../../documents/yaml.ts';
import {
  below,
  documentPlace,
  lineOf,
  neededText,
  type Place,
  type Problems,
  problemAt,
  versionAt,
} from '../place.ts';
import {
  adviceFor,
  type DefinedApi,
  type Definition,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
  type WrittenApi,
  type WrittenClient,
  type WrittenSource,
} from '../written.ts';
import { valueIn } from '../wso2-project/broken-text.ts';
import { type OpenApi, readOpenApi, writeOperations } from '../wso2-project/openapi.ts';
import { checkMutualSsl } from '../wso2-project/openapi-security.ts';
import { apiKey, type Binding } from './binding.ts';
import { emptyConf, isMicrogatewayConf, type MicrogatewayConf, readMicrogatewayConf } from './conf.ts';

const defaultHeader = 'X-WSO2-CLIENT-CERTIFICATE';

/** API Microgateway: `micro-gw.conf` and OpenAPI files (2 or 3, YAML or JSON), wherever they lie below the path. */
export function readMicrogateway(entry: DefinitionEntry): Definition {
  const problems: DefinitionProblem[] = [];
  const warnings: DefinitionProblem[] = [];
  let files: readonly string[] = [];
  try {
    files = filesOf(entry).list(entry.path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    problems.push({ file: entry.path, line: 1, key: '', message: error.message });
  }
  const confs = confsAmong(files, entry);
  if (confs.length > 1)
    problems.push({
      file: confs[1]!,
      line: 1,
      key: '',
      message: `found a second configuration beside ${confs[0]}; write one [[definitions]] for each`,
    });
  const conf = confs[0] === undefined ? emptyConf : readMicrogatewayConf(confs[0], entry, problems, warnings);
  const apis = files
    .filter((file) => /\.(ya?ml|json)$/i.test(file))
    .flatMap((file) => readFile(file, conf, entry, problems, warnings));
  const known = new Set(apis.map(({ written }) => apiKey(written)));
  for (const binding of conf.bindings) {
    if (!known.has(apiKey(binding)))
      warnings.push(
        problemOf(binding, `is for "${binding.name}" ${binding.version}, which none of the OpenAPI files is`),
      );
  }
  if (entry.trustedSenders === undefined && apis.some(({ written }) => written.mutualSSL !== 'off'))
    warnings.push({
      file: confs[0] ?? entry.path,
      line: 1,
      key: 'mutualSSLConfig',
      message: `certificates also come in the header ${conf.header ?? defaultHeader} there, but nobody is trusted to send it: only those of TLS clients count. Where a load balancer ends TLS, ${adviceFor(entry).trustedSenders}, its addresses`,
    });
  if (files.length > 0 && apis.length === 0)
    problems.push({
      file: entry.path,
      line: 1,
      key: '',
      message: 'has no OpenAPI file; write the folder that has them beside micro-gw.conf',
    });
  return { apis, tokenServices: conf.tokenServices, problems, warnings };
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
  return files.filter((file) => isNamed(file) || (/\.(conf|toml)$/.test(file) && isOne(file)));
}

/** OpenAPI documents; other YAML files are none of ours. */
function readFile(
  file: string,
  conf: MicrogatewayConf,
  entry: DefinitionEntry,
  problems: DefinitionProblem[],
  warnings: DefinitionProblem[],
): readonly DefinedApi[] {
  try {
    const places = readYaml(filesOf(entry).text(file)).map((document) => documentPlace(file, document));
    return places
      .filter(
        (place) => below(place, 'openapi').value !== undefined || below(place, 'swagger').value !== undefined,
      )
      .map((place) => readApi(place, conf, entry, warnings));
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof YamlProblem)) throw error;
    const line = error instanceof YamlProblem ? error.line : 1;
    problems.push({ file, line, key: '', message: error.message });
    return placesIn(file, entry, { file, line, key: '', message: error.message });
  }
}

/** A file that breaks off keeps the place that can be found in it. */
function placesIn(file: string, entry: DefinitionEntry, problem: DefinitionProblem): readonly DefinedApi[] {
  let text = '';
  try {
    text = filesOf(entry).text(file);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
  }
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

function readApi(
  place: Place,
  conf: MicrogatewayConf,
  entry: DefinitionEntry,
  warnings: DefinitionProblem[],
): DefinedApi {
  const problems: Problems = [...conf.lost];
  const notes: { key: string; text: string }[] = [];
  const info = below(place, 'info');
  const name = neededText(below(info, 'title'), problems, '"Swagger Petstore"') ?? 'unknown';
  const version = versionAt(below(info, 'version'), problems, '"1.0.5"') ?? '0';
  const openApi = readOpenApi(place, problems);
  const bindings = conf.bindingsOf(name, version);
  const clients = conf.clientsOf(bindings, problems);
  const asked = askedBy(place, openApi, conf, clients, { problems, notes, warnings });
  const header =
    bindings.find((binding) => binding.header !== undefined)?.header ?? conf.header ?? defaultHeader;
  const backend = entry.backend ?? openApi.backend;
  return {
    origin: { file: place.file, line: lineOf(info) },
    problems,
    notes: [...notes, ...openApi.notes],
    written: {
      name,
      version,
      basePath: basePathOf(openApi.basePath, place, problems),
      mutualSSL: asked.mutualSSL,
      ...(asked.mutualSSL !== 'off' && {
        clients,
        optionalCertificate: 'ignore-wrong' as const,
        sources: sourcesOf(header, entry),
      }),
      applicationSecurity: asked.applicationSecurity,
      ...(openApi.operations.length > 0 && {
        operations: writeOperations(openApi.operations, asked.applicationSecurity),
      }),
      errorFormat: 'microgateway',
      ...(backend !== undefined && { backend }),
    },
  };
}

/** The TLS client's own certificate, or the header's, from those who may send it. */
const sourcesOf = (header: string, { trustedSenders }: DefinitionEntry): readonly WrittenSource[] => [
  { format: 'peer' },
  ...(trustedSenders === undefined ? [] : [{ format: 'auto', header, trustedSenders }]),
];

function basePathOf(written: string | undefined, place: Place, problems: Problems): string {
  if (written !== undefined && written !== '') return written.startsWith('/') ? written : `/${written}`;
  problems.push(
    problemAt(
      place,
      'has no x-wso2-basePath (nor basePath, nor a path in servers); write it, for example "/petstore/v1"',
    ),
  );
  return '/';
}

type Asked = Pick<WrittenApi, 'mutualSSL' | 'applicationSecurity'>;

type Said = {
  readonly problems: Problems;
  readonly notes: { key: string; text: string }[];
  readonly warnings: DefinitionProblem[];
};

function askedBy(
  place: Place,
  openApi: OpenApi,
  conf: MicrogatewayConf,
  clients: readonly WrittenClient[],
  { problems, notes, warnings }: Said,
): Asked {
  const at = below(place, 'x-wso2-mutual-ssl');
  const own = openApi.mutualSsl.find((one) => one.place.path.length === at.path.length)?.word;
  let mutualSSL: WrittenApi['mutualSSL'] =
    own ??
    ({ require: 'mandatory', optional: 'optional', not_require: 'off' } as const)[conf.sslVerifyClient];
  const applicationSecurity = openApi.token ?? 'mandatory';
  warnings.push(...openApi.warnings);
  checkOptional(place, openApi, mutualSSL, problems);
  if (clients.length === 0 && mutualSSL === 'optional' && at.value === undefined) mutualSSL = 'off';
  if (clients.length === 0 && mutualSSL === 'mandatory')
    warnings.push(
      problemAt(
        at,
        'asks for a certificate, and no [[mutualSSLConfig.api.certificates]] of micro-gw.conf is for this API: nobody is admitted; add one with its name, version and aliasList',
      ),
    );
  if (applicationSecurity === 'off' && mutualSSL === 'optional') {
    notes.push({
      key: 'mutualSSL',
      text: 'optional in the file; as the only security it would leave the API open',
    });
    mutualSSL = 'mandatory';
  }
  if (applicationSecurity === 'off' && mutualSSL === 'off')
    warnings.push(
      problemAt(place, 'has its security switched off, and no client certificate is asked for: it is open'),
    );
  checkMutualSsl(openApi.mutualSsl, mutualSSL, 'write it for the API as a whole', { problems, warnings });
  return { mutualSSL, applicationSecurity };
}

/** The Microgateway does not build such an API. */
function checkOptional(
  place: Place,
  { token, operations }: OpenApi,
  mutualSSL: WrittenApi['mutualSSL'],
  problems: Problems,
): void {
  if (mutualSSL === 'mandatory') return;
  const optional =
    token === 'optional' ? place : operations.find((operation) => operation.token === 'optional')?.place;
  if (optional !== undefined)
    problems.push(
      problemAt(
        below(optional, 'x-wso2-application-security'),
        'is optional, which needs x-wso2-mutual-ssl: "mandatory"; write that, or take optional out',
      ),
    );
}

const problemOf = ({ file, line, key }: Binding, message: string): DefinitionProblem => ({
  file,
  line,
  key,
  message,
});
