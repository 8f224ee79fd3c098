import { diskWithin, type Files } from '../documents/files.ts';
import type { ClientCertificateRow } from './api-manager/table-row.ts';

/**
 * What a foreign system's files come down to: our own configuration, as config.toml would say it. Every reader of this
 * room makes a `Definition`; behind it nobody knows where an API came from.
 */
export type Definition = {
  readonly apis: readonly DefinedApi[];
  /** Issuers of access tokens that the files name, as `[[enforcer.security.tokenService]]`. */
  readonly tokenServices: readonly DefinedTokenService[];
  /** What is wrong with a file as a whole, or with something that is no API: it is left out, the others go on. */
  readonly problems: readonly DefinitionProblem[];
  /** What is worth a line in the log, without being wrong. */
  readonly warnings: readonly DefinitionProblem[];
};

export type DefinitionProblem = {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** The foreign file's own key, dotted, with 0-based indices; '' for the file as a whole. */
  readonly key: string;
  /** What was found, and what to do. Never a secret, never a private key. */
  readonly message: string;
};

export type DefinedApi = {
  /** Where it was read, for messages. */
  readonly origin: { readonly file: string; readonly line: number };
  /** Everything that is wrong with it: it keeps its place and admits nobody. Empty: it is good. */
  readonly problems: readonly DefinitionProblem[];
  /** Where a meaning had to be chosen: a comment at the key, in what `import` prints. '' as key: at the API itself. */
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  readonly written: WrittenApi;
};

export type DefinedTokenService = {
  readonly origin: DefinedApi['origin'];
  readonly written: WrittenTokenService;
};

type Mode = 'mandatory' | 'optional' | 'off';

/** `[[apis]]` (docs/configuration.md). What is left out has the default that stands there. */
export type WrittenApi = {
  readonly name: string;
  readonly version: string;
  readonly basePath: string;
  readonly hosts?: readonly string[];
  readonly mutualSSL: Mode;
  /** Clients of this API alone; their aliases are no other API's. */
  readonly clients?: readonly WrittenClient[];
  /** What an optional certificate that is wrong is worth: a refusal, or none. */
  readonly optionalCertificate?: 'reject-wrong' | 'ignore-wrong';
  readonly applicationSecurity: Mode;
  /** Needed in the token; several: all of them, or with `scopesMatch = "any"` one. */
  readonly scopes?: readonly string[];
  readonly scopesMatch?: 'all' | 'any';
  /** Names (or issuer URLs) of token services. */
  readonly issuers?: readonly string[];
  readonly audiences?: readonly string[];
  readonly consumerKeys?: readonly string[];
  /** Where its certificates come from, in place of `[enforcer.security.mutualSSL]`. */
  readonly sources?: readonly WrittenSource[];
  readonly operations?: readonly WrittenOperation[];
  readonly unlistedOperations?: 'deny' | 'api';
  readonly errorFormat?:
    | 'choreo-connect'
    | 'microgateway'
    | 'apk'
    | 'api-manager'
    | 'bijira'
    | 'problem+json';
  readonly backend?: string;
};

export type WrittenClient = {
  readonly alias: string;
  readonly tier?: string;
  /** One certificate as PEM text: exactly this one. */
  readonly pem?: string;
  /** One CA certificate as PEM text: every certificate that it issued. */
  readonly caPem?: string;
  readonly disabled?: boolean;
};

export type WrittenOperation = {
  /** Below the base path, `{name}` for one segment, `*` at the end for whatever follows. */
  readonly path: string;
  /** Upper case; left out: all. */
  readonly methods?: readonly string[];
  readonly mutualSSL?: Mode;
  /** Of the API's clients; left out: all of them. */
  readonly aliases?: readonly string[];
  /** Clients of this operation alone. */
  readonly clients?: readonly WrittenClient[];
  readonly applicationSecurity?: Mode;
  readonly scopes?: readonly string[];
  readonly scopesMatch?: 'all' | 'any';
  /** false: OAuth2 is off, mandatory mutual TLS never. */
  readonly secured?: boolean;
  readonly sources?: readonly WrittenSource[];
};

/** `[[enforcer.security.mutualSSL.sources]]`. */
export type WrittenSource = {
  /** `peer`: the TLS client itself; else how the header is written (docs/certificate-sources.md), for WSO2's `auto`. */
  readonly format: string;
  readonly header?: string;
  readonly trustedSenders?: readonly string[];
};

/** `[[enforcer.security.tokenService]]`. */
export type WrittenTokenService = {
  readonly name: string;
  readonly issuer: string;
  readonly jwksURL?: string;
  readonly certificateFilePath?: string;
  /** The same as PEM text. */
  readonly certificatePem?: string;
  readonly audiences?: readonly string[];
  readonly consumerKeyClaim?: string;
  readonly validateSubscription?: boolean;
  readonly claimMapping?: readonly { readonly remoteClaim: string; readonly localClaim: string }[];
  /** Values of `typ` that are taken; `none` for a token without one. */
  readonly tokenTypes?: readonly string[];
};

/** One `[[definitions]]` entry of config.toml, its paths absolute. */
export type DefinitionEntry = {
  readonly kind: 'microgateway' | 'choreo-connect' | 'apk' | 'api-manager' | 'bijira';
  /** A file, a folder or a glob. */
  readonly path: string;
  /** Who may send the certificate header: addresses, CIDR ranges, `alias:NAME`. undefined: no header is read. */
  readonly trustedSenders: readonly string[] | undefined;
  /** Backend of all its APIs, in place of those that the files name. */
  readonly backend: string | undefined;
  /** API Manager's database, as a URL; its rows are read beforehand. */
  readonly database?: string | undefined;
  /** Rows of the database; undefined: it could not be read. */
  readonly rows?: readonly ClientCertificateRow[] | undefined;
  /** TENANT_ID whose certificates count; undefined: any. */
  readonly tenant?: number | undefined;
  /** KEY_TYPE that counts, where the table has it. */
  readonly keyType?: 'PRODUCTION' | 'SANDBOX' | undefined;
  /** What the foreign product's home is called in its paths (`${mgw-runtime.home}`, `repository/…`): a folder. */
  readonly home: string | undefined;
  /** Unset: the disk. */
  readonly files?: Files | undefined;
  /** It comes from the command line of `import`, whose options are called otherwise. */
  readonly isImport?: boolean | undefined;
};

/** What to write where a foreign file leaves a thing open, in config.toml or at `import`. */
export const adviceFor = ({ isImport }: Pick<DefinitionEntry, 'isImport'>) =>
  isImport
    ? { home: 'give --home FOLDER', trustedSenders: 'give --trusted-sender 10.20.0.0/16' }
    : {
        home: 'write home = "…" at this [[definitions]]',
        trustedSenders: 'add trustedSenders = ["10.20.0.0/16"] to this [[definitions]]',
      };

/** Readers read no file but by these. */
export const filesOf = ({ files, path, home }: Pick<DefinitionEntry, 'files' | 'path' | 'home'>): Files =>
  files ?? diskWithin(path, ...(home === undefined ? [] : [home]));
