import type { ApiInput } from '../config/schema/api.ts';
import type { kinds } from '../config/schema/definitions.ts';
import type { TokenServiceInput } from '../config/schema/token-service.ts';
import type { Findings } from '../documents/cursor.ts';
import { diskWithin, type Files } from '../documents/files.ts';
import type { Problem } from '../documents/problem.ts';
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
  readonly problems: readonly Problem[];
  /** What is worth a line in the log, without being wrong. */
  readonly warnings: readonly Problem[];
};

export type DefinedApi = {
  /** Where it was read, for messages. */
  readonly origin: { readonly file: string; readonly line: number };
  /** Everything that is wrong with it: it keeps its place and admits nobody. Empty: it is good. */
  readonly problems: readonly Problem[];
  /** Where a meaning had to be chosen: a comment at the key, in what `import` prints. '' as key: at the API itself. */
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  readonly written: WrittenApi;
};

export type DefinedTokenService = {
  readonly origin: DefinedApi['origin'];
  readonly written: WrittenTokenService;
};

type Mode = NonNullable<ApiInput['mutualSSL']>;

/** What a schema takes, in values that nobody changes. */
type Written<T> = T extends readonly (infer Element)[]
  ? readonly Written<Element>[]
  : T extends object
    ? { readonly [Key in keyof T]: Written<T[Key]> }
    : T;

/** `[[apis]]` (docs/configuration.md). What is left out has the default that stands there, but for what it asks for. */
export type WrittenApi = Written<ApiInput & Record<'mutualSSL' | 'applicationSecurity', Mode>>;
export type WrittenOperation = NonNullable<WrittenApi['operations']>[number];
export type WrittenClient = NonNullable<WrittenApi['clients']>[number];
export type WrittenSource = NonNullable<WrittenApi['sources']>[number];
/** `[[enforcer.security.tokenService]]`. */
export type WrittenTokenService = Written<TokenServiceInput>;

/** One `[[definitions]]` entry of config.toml, its paths absolute. */
export type DefinitionEntry = {
  readonly kind: (typeof kinds)[number];
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
export function adviceFor({ isImport }: Pick<DefinitionEntry, 'isImport'>) {
  const senders = isImport
    ? 'give --trusted-sender 10.20.0.0/16'
    : 'add trustedSenders = ["10.20.0.0/16"] to this [[definitions]]';
  return {
    home: isImport ? 'give --home FOLDER' : 'write home = "…" at this [[definitions]]',
    /** After what says that certificates come in a header. */
    trustedSenders: `but nobody is trusted to send it: only certificates of TLS clients count. Where a load balancer ends TLS, ${senders}, its addresses`,
  };
}

export const outboundAdvice =
  'the backend gets a certificate header only with enableOutboundCertificateHeader = true in [enforcer.security.mutualSSL] of our own config.toml; it is then the verified one';

/** Why what is optional there is mandatory here. */
export const madeMandatory = <Key extends string>(key: Key) => ({
  key,
  text: 'optional in the file; as the only security it would leave the API open',
});

/** To `import` it is an error. In [[definitions]] it is none: who deletes the last API means it. */
export const tellNothing = (
  { path, isImport }: Pick<DefinitionEntry, 'path' | 'isImport'>,
  { problems, warnings }: Findings,
  message: string,
): void => {
  (isImport ? problems : warnings).push({ file: path, line: 1, key: '', message });
};

/** Readers read no file but by these. */
export const filesOf = ({ files, path, home }: Pick<DefinitionEntry, 'files' | 'path' | 'home'>): Files =>
  files ?? diskWithin(path, ...(home === undefined ? [] : [home]));
