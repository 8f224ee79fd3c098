import { dirname, resolve } from 'node:path';
import { FileProblem } from '../../documents/files.ts';
import { parseToml, type TomlFile, TomlSyntaxError } from '../../documents/toml.ts';
import { readKeyStore } from '../../pki/containers/key-store.ts';
import { type KeyStoreEntry, KeyStoreError } from '../../pki/containers/key-store-entry.ts';
import { certificateProblem, pemOf } from '../pem-clients.ts';
import {
  type DefinedTokenService,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
  type WrittenClient,
} from '../written.ts';

/** One `[[mutualSSLConfig.api.certificates]]`: who may call an API. */
export type Binding = {
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
  /** Its own header; the original ignored it, but it is what its reader means. */
  readonly header: string | undefined;
  readonly file: string;
  readonly line: number;
  readonly key: string;
};

/** Name and version without case, as there. */
export const apiKey = ({ name, version }: { readonly name: string; readonly version: string }): string =>
  JSON.stringify([name.toLowerCase(), version.toLowerCase()]);

export type MicrogatewayConf = {
  readonly sslVerifyClient: 'optional' | 'require';
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
  const mutual = table(toml.value, ['mutualSSLConfig']);
  checkKeys(mutual, fail);
  const sslVerifyClient = mutual.sslVerifyClient ?? 'optional';
  if (sslVerifyClient !== 'optional' && sslVerifyClient !== 'require')
    fail(
      ['mutualSSLConfig', 'sslVerifyClient'],
      `found ${JSON.stringify(sslVerifyClient)}; write "optional" or "require"`,
    );
  const header = headerIn(mutual, ['mutualSSLConfig'], fail);
  const bindings = readBindings(toml, file, fail);
  const byApi = Map.groupBy(bindings, apiKey);
  const store = trustStore(toml, file, entry, problemAt);
  problems.push(...lost);
  return {
    sslVerifyClient: sslVerifyClient === 'require' ? 'require' : 'optional',
    header,
    bindings,
    bindingsOf: (name, version) => byApi.get(apiKey({ name, version })) ?? [],
    tokenServices: issuers(toml, store, problemAt, warnings),
    lost,
    clientsOf: (own, wrong) => own.flatMap((binding) => clientsOf(binding, store, wrong)),
  };
}

const known = [
  'sslVerifyClient',
  'certificateHeaderName',
  'certificateHeadername',
  'isClientCertificateValidationEnabled',
  'api',
];

/** A key that nobody knows may be a misspelt one that would have closed something. */
function checkKeys(mutual: Table, fail: Say): void {
  for (const key of Object.keys(mutual)) {
    if (!known.includes(key))
      fail(['mutualSSLConfig', key], `is not known here; there are: ${known.join(', ')}`);
  }
  const validation = mutual.isClientCertificateValidationEnabled;
  if (validation !== undefined && typeof validation !== 'boolean')
    fail(
      ['mutualSSLConfig', 'isClientCertificateValidationEnabled'],
      `found ${JSON.stringify(validation)}; write true or false`,
    );
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

/** Aliases without case, as Java stores them; or what is wrong with the store. */
type Store = ReadonlyMap<string, readonly KeyStoreEntry[]> | DefinitionProblem;

function trustStore(
  toml: TomlFile,
  file: string,
  entry: DefinitionEntry,
  problemAt: (path: Path, message: string) => DefinitionProblem,
): Store {
  const { home } = entry;
  const listener = table(toml.value, ['listenerConfig']);
  const path = ['listenerConfig', 'trustStorePath'];
  const written = listener.trustStorePath;
  const password = listener.trustStorePassword;
  if (typeof written !== 'string' || typeof password !== 'string')
    return problemAt(
      path,
      'trustStorePath and trustStorePassword are needed to find the clients’ certificates; write both',
    );
  const placeholder = /\$\{mgw-runtime\.home\}/g;
  if (placeholder.test(written) && home === undefined)
    return problemAt(
      path,
      `found "${written}", and where the Microgateway is installed is not known; write home = "…" at this [[definitions]]`,
    );
  const store = resolve(dirname(file), written.replace(placeholder, home ?? ''));
  try {
    return Map.groupBy(readKeyStore(filesOf(entry).bytes(store), password), ({ alias }) =>
      alias.toLowerCase(),
    );
  } catch (error) {
    if (!(error instanceof FileProblem || error instanceof KeyStoreError)) throw error;
    return problemAt(path, `found ${store}, which ${error.message}`);
  }
}

function clientsOf(binding: Binding, store: Store, problems: DefinitionProblem[]): readonly WrittenClient[] {
  const say = (message: string): void => {
    const { file, line, key } = binding;
    problems.push({ file, line, key: `${key}.aliasList`, message });
  };
  if (!(store instanceof Map)) {
    problems.push(store as DefinitionProblem);
    return [];
  }
  return binding.aliases.flatMap((alias): WrittenClient[] => {
    const found = (store.get(alias.toLowerCase()) ?? []) as readonly KeyStoreEntry[];
    const [first] = found;
    if (first === undefined) {
      say(
        `found "${alias}", which the trust store does not have; it has: ${[...store.keys()].slice(0, 8).join(', ')}`,
      );
      return [];
    }
    if (found.length > 1) {
      say(`found "${alias}", and the trust store has ${found.length} that differ by case only; rename one`);
      return [];
    }
    if (first.kind === 'private-key') {
      say(
        `found "${alias}", which is the entry of a private key; import the client's certificate alone under that alias`,
      );
      return [];
    }
    const problem = certificateProblem(first.der);
    if (problem !== undefined) {
      say(
        `found "${alias}", whose certificate in the trust store of trustStorePath can't be read: ${problem}`,
      );
      return [];
    }
    return [{ alias, pem: pemOf(first.der) }];
  });
}

/** `[[jwtTokenConfig]]`: whose tokens count, by certificates of the trust store. */
function issuers(
  toml: TomlFile,
  store: Store,
  problemAt: (path: Path, message: string) => DefinitionProblem,
  warnings: DefinitionProblem[],
): readonly DefinedTokenService[] {
  const list = toml.value.jwtTokenConfig;
  return (Array.isArray(list) ? (list as unknown[]) : []).flatMap((item, i): DefinedTokenService[] => {
    const { issuer, audience, certificateAlias, jwksURL, validateSubscription, consumerKeyClaim } = isTable(
      item,
    )
      ? item
      : {};
    if (typeof issuer !== 'string') return [];
    const alias = typeof certificateAlias === 'string' ? certificateAlias.toLowerCase() : '';
    const entry =
      store instanceof Map ? ((store.get(alias) ?? []) as readonly KeyStoreEntry[])[0] : undefined;
    const hasJwks = typeof jwksURL === 'string' && jwksURL !== '';
    if (!hasJwks && entry === undefined) {
      warnings.push(
        problemAt(
          ['jwtTokenConfig', i],
          `has no jwksURL, and its certificateAlias is not in the trust store: its tokens are refused`,
        ),
      );
      return [];
    }
    const { file, line } = problemAt(['jwtTokenConfig', i], '');
    return [
      {
        origin: { file, line },
        written: {
          name: issuer,
          issuer,
          ...(hasJwks && { jwksURL }),
          ...(entry && { certificatePem: pemOf(entry.der) }),
          ...(typeof audience === 'string' && audience !== '' && { audiences: [audience] }),
          ...(typeof consumerKeyClaim === 'string' && { consumerKeyClaim }),
          ...(validateSubscription === true && { validateSubscription: true }),
          tokenTypes: ['at+jwt', 'JWT', 'none'],
        },
      },
    ];
  });
}
