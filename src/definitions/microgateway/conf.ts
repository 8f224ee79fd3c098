import { Cursor, type Findings } from '../../documents/cursor.ts';
import { attempt } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseForeignToml } from '../../documents/toml.ts';
import { issuerKeysProblem, textIn } from '../issuer-keys.ts';
import { pemOf } from '../pem-clients.ts';
import { type DefinedTokenService, type DefinitionEntry, filesOf, type WrittenClient } from '../written.ts';
import { checkSecurityKeys, keyProblem, type SecurityKeys } from '../wso2-project/security-keys.ts';
import { apiKey, type Binding } from './binding.ts';
import { clientsOf, openTrustStore, type TrustStore } from './trust-store.ts';

export type MicrogatewayConf = {
  readonly sslVerifyClient: (typeof words)[number];
  readonly header: string | undefined;
  readonly bindings: readonly Binding[];
  readonly bindingsOf: (name: string, version: string) => readonly Binding[];
  readonly tokenServices: readonly DefinedTokenService[];
  /** What makes all APIs doubtful. */
  readonly lost: readonly Problem[];
  readonly clientsOf: (bindings: readonly Binding[], found: Findings) => readonly WrittenClient[];
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

const tables: SecurityKeys = {
  known: ['mutualSSLConfig', 'listenerConfig', 'jwtTokenConfig'],
  suspicious: /mutual|mtls/i,
  harmless: [],
};

/** By the template that the product ships, of all its versions. TLS itself is Envoy's here, with its own settings. */
const keys = [
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

/**
 * Whether a file has tables of `micro-gw.conf`, by whatever name: what `import` printed beside it has none.
 *
 * @throws FileProblem: no TOML
 */
export const isMicrogatewayConf = (text: string): boolean =>
  Object.keys(parseForeignToml(text).value).some(
    (key) => tables.known.includes(key) || keyProblem(key, tables) !== undefined,
  );

/** `micro-gw.conf`, with its trust store. */
export function readMicrogatewayConf(
  file: string,
  entry: DefinitionEntry,
  found: Findings,
): MicrogatewayConf {
  const lost: Problem[] = [];
  const toml = attempt(file, { problems: lost }, () => parseForeignToml(filesOf(entry).text(file)));
  const conf =
    toml === undefined
      ? emptyConf
      : readConf(Cursor.of(file, toml, { problems: lost, warnings: found.warnings }), entry);
  found.problems.push(...lost);
  return { ...conf, lost };
}

function readConf(at: Cursor, entry: DefinitionEntry): MicrogatewayConf {
  checkSecurityKeys(at, tables);
  const mutual = at.get('mutualSSLConfig');
  mutual.known(keys);
  mutual.get('api').known(['certificates']);
  mutual.get('isClientCertificateValidationEnabled').flag();
  const verify = mutual.get('sslVerifyClient');
  const bindings = mutual.get('api', 'certificates').list().flatMap(readBinding);
  const byApi = Map.groupBy(bindings, apiKey);
  const store = openTrustStore(at.get('listenerConfig'), entry);
  return {
    // What can't be read is told, and closes.
    sslVerifyClient: verify.isWritten ? (verify.word(words) ?? 'require') : 'optional',
    header: headerIn(mutual),
    bindings,
    bindingsOf: (name, version) => byApi.get(apiKey({ name, version })) ?? [],
    tokenServices: at
      .get('jwtTokenConfig')
      .each()
      .flatMap((issuer) => readIssuer(issuer, store)),
    lost: [],
    clientsOf: (own, found) => own.flatMap((binding) => clientsOf(binding, store, found)),
  };
}

/** Both spellings are met, of both. */
function headerIn(at: Cursor): string | undefined {
  for (const key of ['certificateHeaderName', 'certificateHeadername']) {
    const header = at.get(key).text('"X-SSL-CERT"');
    if (header !== undefined && /^[A-Za-z0-9-_]+$/.test(header)) return header;
    if (header !== undefined)
      at.get(key).error(`found ${JSON.stringify(header)}; write the name of a header`);
  }
  return undefined;
}

function readBinding(at: Cursor): readonly Binding[] {
  at.noSlips(['name', 'version', 'aliasList', 'certificateHeaderName', 'certificateHeadername']);
  const aliases = at.get('aliasList').value;
  const [name, version] = [at.get('name').value, at.get('version').value];
  if (
    typeof name !== 'string' ||
    !(typeof version === 'string' || typeof version === 'number') ||
    !Array.isArray(aliases) ||
    aliases.length === 0 ||
    !aliases.every((alias) => typeof alias === 'string')
  ) {
    at.error('needs name, version and aliasList, for example aliasList = ["ballerina"]');
    return [];
  }
  return [{ name, version: String(version), aliases, header: headerIn(at), at }];
}

const issuerKeys = [
  'issuer',
  'audience',
  'certificateAlias',
  'jwksURL',
  'validateSubscription',
  'consumerKeyClaim',
  'claims',
];

/** `[[jwtTokenConfig]]`, in 3.0 `[jwtTokenConfig]`: whose tokens count, by certificates of the trust store. */
function readIssuer(at: Cursor, store: TrustStore): readonly DefinedTokenService[] {
  const issuer = textIn(at, 'issuer');
  if (issuer === undefined) return [];
  const wrong = issuerKeysProblem(at, issuerKeys);
  if (wrong !== undefined) {
    at.warn(wrong);
    return [];
  }
  const alias = textIn(at, 'certificateAlias')?.toLowerCase();
  const certificate = 'entries' in store && alias !== undefined ? store.entries.get(alias)?.[0] : undefined;
  const jwksURL = textIn(at, 'jwksURL');
  if (jwksURL === undefined && certificate === undefined) {
    const why =
      'entries' in store
        ? 'its certificateAlias is not in the trust store'
        : `its certificate can not be looked up: ${store.problem.message}`;
    at.warn(`has no jwksURL, and ${why}: its tokens are refused`);
    return [];
  }
  const [audience, consumerKeyClaim] = [textIn(at, 'audience'), textIn(at, 'consumerKeyClaim')];
  return [
    {
      origin: { file: at.file, line: at.line },
      written: {
        name: issuer,
        issuer,
        ...(jwksURL !== undefined && { jwksURL }),
        ...(certificate && { certificatePem: pemOf(certificate.der) }),
        ...(audience !== undefined && { audiences: [audience] }),
        ...(consumerKeyClaim !== undefined && { consumerKeyClaim }),
        ...(at.get('validateSubscription').value === true && { validateSubscription: true }),
        tokenTypes: ['at+jwt', 'JWT', 'none'],
      },
    },
  ];
}
