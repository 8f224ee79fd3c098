import type { Requirement, Security } from '../apis/security.ts';
import type { CertificateSources } from '../client-certificate/source.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { type BoundTokens, strictest, type TokenPolicy } from '../oauth2/issuer.ts';
import {
  type byKind,
  chooseClients,
  type Directory,
  ownClients,
  scopeOf,
  warnAboutOverlaps,
} from './directory.ts';
import type { Findings } from './findings.ts';
import { buildTokenPolicy, type Issuers } from './token-policies.ts';

type WrittenApi = Config['apis'][number];

/** What all APIs are built from. */
export type Ground = {
  readonly config: Config;
  readonly directory: Directory;
  /** Whose tokens an API, by index, may take. */
  readonly issuersOf: (api: number) => Issuers;
  readonly sources: CertificateSources;
  /** An API's own sources. */
  readonly sourcesOf: (written: WrittenApi['sources'], at: Path) => CertificateSources;
  /** APIs, by index, that keep their place and admit nobody: why. */
  readonly faults: ReadonlyMap<number, string | undefined>;
  /** Of foreign APIs, by index: where they stand, as seen from config.toml. */
  readonly fileOf: (api: number) => string | undefined;
  /** From this index on, APIs come from foreign files. */
  readonly foreignFrom: number;
  readonly findings: Findings;
  readonly now: number;
};

/** The same, and what the APIs share. */
type SharedGround = Ground & { readonly byKind: typeof byKind };

/** Where an API's aliases are looked up: a foreign one never names a client of config.toml. */
const scopesOf = (api: number, { foreignFrom }: Ground): readonly string[] =>
  api < foreignFrom ? [scopeOf(api), ''] : [scopeOf(api)];

/** What an API as a whole asks for. */
export function apiSecurity(api: WrittenApi, i: number, ground: SharedGround): Security {
  const { findings } = ground;
  const at = ['apis', i];
  const clients = chooseClients(api.aliases, scopesOf(i, ground), at, ground);
  const mutualSsl = api.mutualSSL ?? 'mandatory';
  const applicationSecurity = api.applicationSecurity ?? 'off';
  const isBound = (api.aliases ?? api.clients).length > 0;
  const own: Asking = { name: api.name, at, issuersAt: at, mutualSsl, applicationSecurity, isBound };
  const isFallback = api.operations.length > 0 && api.unlistedOperations === 'deny';
  if (!isFallback) checkAsking(own, ground);
  else if (mutualSsl !== 'off') checkIsAskedFor(own, ground);
  warnAboutOverlaps(clients, at, ground);
  const usesTokens =
    applicationSecurity !== 'off' ||
    api.operations.some((operation) => (operation.applicationSecurity ?? 'off') !== 'off');
  if (!usesTokens && api.scopes !== undefined && api.scopes.length > 0)
    findings.error(
      [...at, 'scopes'],
      'found beside applicationSecurity = "off", so that no token is asked for; write applicationSecurity = "mandatory", or leave scopes out',
    );
  return {
    mutualSsl,
    clients: ground.byKind(clients, ownClients([scopeOf(i)], ground)),
    sources: api.sources === undefined ? ground.sources : ground.sourcesOf(api.sources, [...at, 'sources']),
    optionalCertificate: api.optionalCertificate ?? ground.config.enforcer.security.optionalCertificate,
    applicationSecurity,
    tokens: usesTokens ? policy({ ...api, boundTokens: api.certificateBoundTokens }, own, ground) : undefined,
  };
}

/** An API, by its index in `[[apis]]`, with what it asks for as a whole. */
type SecuredApi = {
  readonly written: WrittenApi;
  readonly index: number;
  readonly security: Security;
};

/** What the `j`th of its operations asks for: its own keys, else the API's. */
export function operationSecurity(j: number, secured: SecuredApi, ground: SharedGround): Security {
  const { written: api, index: i, security: whole } = secured;
  const operation = api.operations[j]!;
  const { findings } = ground;
  const at = ['apis', i, 'operations', j];
  const mutualSsl = operation.mutualSSL ?? whole.mutualSsl;
  const own = operation.clients !== undefined || operation.aliases !== undefined;
  const clients = own
    ? chooseClients(
        operation.aliases,
        [...(operation.clients === undefined ? [] : [scopeOf(i, j)]), ...scopesOf(i, ground)],
        at,
        ground,
      )
    : undefined;
  const bound = clients
    ? ground.byKind(clients, ownClients([scopeOf(i), scopeOf(i, j)], ground))
    : whole.clients;
  const applicationSecurity = operation.secured
    ? (operation.applicationSecurity ?? whole.applicationSecurity)
    : 'off';
  const described: Asking = {
    name: `${api.name} ${operation.path}`,
    at,
    issuersAt: operation.issuers === undefined ? ['apis', i] : at,
    mutualSsl,
    applicationSecurity,
    isBound: (operation.aliases ?? operation.clients ?? api.aliases ?? api.clients).length > 0,
  };
  checkAsking(described, ground);
  if (applicationSecurity === 'off' && (operation.scopes ?? []).length > 0)
    findings.error(
      [...at, 'scopes'],
      'found where no token is asked for (applicationSecurity = "off", or secured = false); leave scopes out, or ask for a token',
    );
  const inherited = {
    scopes: operation.scopes ?? api.scopes,
    scopesMatch: operation.scopesMatch ?? api.scopesMatch,
    issuers: operation.issuers ?? api.issuers,
    audiences: operation.audiences ?? api.audiences,
    consumerKeys: operation.consumerKeys ?? api.consumerKeys,
    boundTokens: strictestGiven(api.certificateBoundTokens, operation.certificateBoundTokens),
  };
  return {
    mutualSsl,
    clients: bound,
    sources:
      operation.sources === undefined
        ? whole.sources
        : ground.sourcesOf(operation.sources, [...at, 'sources']),
    optionalCertificate: operation.optionalCertificate ?? whole.optionalCertificate,
    applicationSecurity,
    // The API has to do with tokens: one that is not looked at here is kept from the backend all the same.
    tokens: applicationSecurity === 'off' ? whole.tokens : policy(inherited, described, ground),
  };
}

/** undefined stays undefined: nobody has said anything yet. */
const strictestGiven = (...given: readonly (BoundTokens | undefined)[]): BoundTokens | undefined =>
  given.every((value) => value === undefined) ? undefined : strictest(...given);

/** An API, or one of its operations, and what it asks for. */
type Asking = {
  /** For messages. */
  readonly name: string;
  /** In config.toml, or as if it were written there. */
  readonly at: Path;
  readonly mutualSsl: Requirement;
  readonly applicationSecurity: Requirement;
  /** Where `issuers` stands: its own, or the API's. */
  readonly issuersAt: Path;
  /** Whether anybody is named, be it one who could not be read. */
  readonly isBound: boolean;
};

function policy(
  written: Parameters<typeof buildTokenPolicy>[0],
  asking: Asking,
  { issuersOf, findings, config, sources }: Ground,
): TokenPolicy {
  const { name, at, applicationSecurity } = asking;
  const built = buildTokenPolicy(written, asking, issuersOf(Number(at[1])), findings);
  const isRequired = [...built.issuers.values()].some(
    ({ boundTokens }) => strictest(boundTokens, built.boundTokens) === 'required',
  );
  if (
    applicationSecurity !== 'off' &&
    isRequired &&
    sources.peer !== undefined &&
    !config.router.downstream.tls.mTLSAPIsEnabled
  )
    findings.error(
      at,
      `"${name}" needs tokens that are bound to a certificate, but router.downstream.tls.mTLSAPIsEnabled is false, so that no client is asked for one; set it to true, or certificateBoundTokens = "when-present"`,
    );
  return built;
}

function checkAsking(asking: Asking, ground: Ground): void {
  const { name, at, mutualSsl, applicationSecurity, isBound } = asking;
  const { findings, foreignFrom } = ground;
  if (mutualSsl !== 'off') {
    // Who takes its last client out of a foreign file means that nobody is admitted: no error, which would bring him back.
    if (!isBound && mutualSsl === 'mandatory' && Number(at[1]) >= foreignFrom)
      findings.warn(at, `"${name}" needs a certificate and has no client: nobody is admitted`);
    else if (!isBound && mutualSsl === 'mandatory')
      findings.error(
        at,
        `"${name}" needs a certificate but is bound to no alias, so nobody could call it; write aliases = ["…"], or mutualSSL = "off"`,
      );
    else if (!isBound) findings.warn(at, `"${name}" is bound to no alias: no certificate can be right here`);
    checkIsAskedFor(asking, ground);
  }
  if (
    (mutualSsl === 'optional' && applicationSecurity === 'off') ||
    (mutualSsl === 'off' && applicationSecurity === 'optional')
  )
    findings.warn(
      at,
      `"${name}" is open: its ${mutualSsl === 'off' ? 'applicationSecurity' : 'mutualSSL'} is optional and the other off, so that requests with neither are admitted; write "mandatory" for one of them`,
    );
}

function checkIsAskedFor({ name, at, mutualSsl }: Asking, { config, findings, sources }: Ground): void {
  if (sources.peer !== undefined && !config.router.downstream.tls.mTLSAPIsEnabled)
    findings.error(
      [...at, 'mutualSSL'],
      `"${name}" has mutualSSL = "${mutualSsl}", but router.downstream.tls.mTLSAPIsEnabled is false, so that no client is asked for a certificate; set it to true, or mutualSSL = "off"`,
    );
}
