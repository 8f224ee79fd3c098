import { FileProblem } from '../../documents/files.ts';
import { parseToml, type TomlFile, TomlSyntaxError } from '../../documents/toml.ts';
import { pemOf } from '../pem-clients.ts';
import {
  type DefinedTokenService,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
  type WrittenClient,
} from '../written.ts';
import { keyProblem, type SecurityKeys } from '../wso2-project/security-keys.ts';
import { apiKey, type Binding } from './binding.ts';
import { clientsOf, openTrustStore, type TrustStore } from './trust-store.ts';

export type MicrogatewayConf = {
  readonly sslVerifyClient: (typeof words)[number];
  readonly header: string | undefined;
  readonly bindings: readonly Binding[];
  readonly bindingsOf: (name: string, version: string) => readonly Binding[];
  readonly tokenServices: readonly DefinedTokenService[];
  /** What makes all APIs doubtful: the file could not be read. */
  readonly lost: readonly DefinitionProblem[];
  readonly clientsOf: (
    bindings: readonly Binding[],
    problems: DefinitionProblem[],
  ) => readonly WrittenClient[];
};

export const emptyConf: MicrogatewayConf = {
  sslVerifyClient: 'optional',
  header: undefined,
  bindings: [],
  bindingsOf: () => [],
  tokenServices: [],
  lost: [],
  clientsOf: () => [],
};

type Path = readonly (string | number)[];
type Say = (path: Path, message: string) => void;

/** Whether a file has tables of `micro-gw.conf`, by whatever name: what `import` printed beside it has none. */
export function isMicrogatewayConf(text: string): boolean {
  try {
    return Object.keys(parseToml(text).value).some(
      (key) => tables.known.includes(key) || keyProblem(key, tables) !== undefined,
    );
  } catch (error) {
    if (!(error instanceof TomlSyntaxError)) throw error;
    return true;
  }
}

/** `micro-gw.conf`, with its trust store. */
export function readMicrogatewayConf(
  file: string,
  entry: DefinitionEntry,
  problems: DefinitionProblem[],
  warnings: DefinitionProblem[],
): MicrogatewayConf {
  let toml: TomlFile;
  try {
    toml = parseToml(filesOf(entry).text(file));
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof TomlSyntaxError)) throw error;
    const line = error instanceof TomlSyntaxError ? error.line : 1;
    const problem = { file, line, key: '', message: error.message };
    problems.push(problem);
    return { ...emptyConf, lost: [problem] };
  }
  const lost: DefinitionProblem[] = [];
  const problemAt = (path: Path, message: string): DefinitionProblem => ({
    file,
    line: toml.lineOf(path),
    key: path.join('.'),
    message,
  });
  const fail: Say = (path, message) => {
    lost.push(problemAt(path, message));
  };
  for (const key of Object.keys(toml.value)) {
    const problem = keyProblem(key, tables);
    if (problem !== undefined) fail([key], problem);
  }
  const mutual = table(toml.value, ['mutualSSLConfig']);
  checkKeys(mutual, ['mutualSSLConfig'], known, fail);
  checkKeys(table(mutual, ['api']), ['mutualSSLConfig', 'api'], ['certificates'], fail);
  const sslVerifyClient = words.find((word) => word === (mutual.sslVerifyClient ?? 'optional'));
  if (sslVerifyClient === undefined)
    fail(
      ['mutualSSLConfig', 'sslVerifyClient'],
      `found ${JSON.stringify(mutual.sslVerifyClient)}; write "optional", "require" or "not_require"`,
    );
  const validation = mutual.isClientCertificateValidationEnabled;
  if (validation !== undefined && typeof validation !== 'boolean')
    fail(
      ['mutualSSLConfig', 'isClientCertificateValidationEnabled'],
      `found ${JSON.stringify(validation)}; write true or false`,
    );
  const header = headerIn(mutual, ['mutualSSLConfig'], fail);
  const bindings = readBindings(toml, file, fail);
  const byApi = Map.groupBy(bindings, apiKey);
  const store = openTrustStore(toml.value.listenerConfig, file, entry, problemAt);
  problems.push(...lost);
  return {
    sslVerifyClient: sslVerifyClient ?? 'require',
    header,
    bindings,
    bindingsOf: (name, version) => byApi.get(apiKey({ name, version })) ?? [],
    tokenServices: issuers(toml, store, problemAt, warnings),
    lost,
    clientsOf: (own, wrong) => own.flatMap((binding) => clientsOf(binding, store, wrong, warnings)),
  };
}

/** By the template that the product ships, of all its versions. TLS itself is Envoy's here, with its own settings. */
const known = [
  'sslVerifyClient',
  'certificateHeaderName',
  'certificateHeadername',
  'isClientCertificateValidationEnabled',
  'api',
  'protocolName',
  'protocolVersions',
  'ciphers',
];

/** `not_require`: mutual TLS is off, but for APIs that ask for it themselves. */
const words = ['optional', 'require', 'not_require'] as const;

const tables: SecurityKeys = {
  known: ['mutualSSLConfig', 'listenerConfig', 'jwtTokenConfig'],
  suspicious: /mutual|mtls/i,
  harmless: [],
};

/** A key that nobody knows may be a misspelt one that would have closed something. */
function checkKeys(of: Table, path: Path, names: readonly string[], fail: Say): void {
  for (const key of Object.keys(of)) {
    if (!names.includes(key)) fail([...path, key], `is not known here; there are: ${names.join(', ')}`);
  }
}

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function table(root: Table, path: Path): Table {
  let at: unknown = root;
  for (const key of path) at = isTable(at) ? at[key] : undefined;
  return isTable(at) ? at : {};
}

/** Both spellings are met, in both places. */
function headerIn(from: Table, path: Path, fail: Say): string | undefined {
  for (const key of ['certificateHeaderName', 'certificateHeadername']) {
    const value = from[key];
    if (value === undefined) continue;
    if (typeof value === 'string' && /^[A-Za-z0-9-_]+$/.test(value)) return value;
    fail([...path, key], `found ${JSON.stringify(value)}; write the name of a header`);
  }
  return undefined;
}

function readBindings(toml: TomlFile, file: string, fail: Say): readonly Binding[] {
  const path = ['mutualSSLConfig', 'api', 'certificates'];
  const list = table(toml.value, ['mutualSSLConfig', 'api']).certificates;
  if (list !== undefined && !Array.isArray(list))
    fail(path, 'is no list; write [[mutualSSLConfig.api.certificates]]');
  return (Array.isArray(list) ? (list as unknown[]) : []).flatMap((item, i): Binding[] => {
    const at = [...path, i];
    const { name, version, aliasList } = isTable(item) ? item : {};
    const aliases = Array.isArray(aliasList) ? (aliasList as unknown[]) : [];
    if (
      typeof name !== 'string' ||
      !['string', 'number'].includes(typeof version) ||
      aliases.length === 0 ||
      !aliases.every((alias) => typeof alias === 'string')
    ) {
      fail(at, 'needs name, version and aliasList, for example aliasList = ["ballerina"]');
      return [];
    }
    return [
      {
        name,
        version: String(version),
        aliases,
        header: headerIn(item as Table, at, fail),
        file,
        line: toml.lineOf(at),
        key: at.join('.'),
      },
    ];
  });
}

/** `[[jwtTokenConfig]]`, in 3.0 `[jwtTokenConfig]`: whose tokens count, by certificates of the trust store. */
function issuers(
  toml: TomlFile,
  store: TrustStore,
  problemAt: (path: Path, message: string) => DefinitionProblem,
  warnings: DefinitionProblem[],
): readonly DefinedTokenService[] {
  const written = toml.value.jwtTokenConfig;
  const list: unknown[] = Array.isArray(written) ? written : written === undefined ? [] : [written];
  return list.flatMap((item, i): DefinedTokenService[] => {
    const at = Array.isArray(written) ? ['jwtTokenConfig', i] : ['jwtTokenConfig'];
    const { issuer, audience, certificateAlias, jwksURL, validateSubscription, consumerKeyClaim } = isTable(
      item,
    )
      ? item
      : {};
    if (typeof issuer !== 'string' || issuer === '') return [];
    const alias = typeof certificateAlias === 'string' ? certificateAlias : '';
    const certificate = 'entries' in store ? store.entries.get(alias.toLowerCase())?.[0] : undefined;
    const hasJwks = typeof jwksURL === 'string' && jwksURL !== '';
    if (!hasJwks && certificate === undefined) {
      const why =
        'entries' in store
          ? 'its certificateAlias is not in the trust store'
          : `its certificate can not be looked up: ${store.problem.message}`;
      warnings.push(problemAt(at, `has no jwksURL, and ${why}: its tokens are refused`));
      return [];
    }
    const { file, line } = problemAt(at, '');
    return [
      {
        origin: { file, line },
        written: {
          name: issuer,
          issuer,
          ...(hasJwks && { jwksURL }),
          ...(certificate && { certificatePem: pemOf(certificate.der) }),
          ...(typeof audience === 'string' && audience !== '' && { audiences: [audience] }),
          ...(typeof consumerKeyClaim === 'string' && consumerKeyClaim !== '' && { consumerKeyClaim }),
          ...(validateSubscription === true && { validateSubscription: true }),
          tokenTypes: ['at+jwt', 'JWT', 'none'],
        },
      },
    ];
  });
}
