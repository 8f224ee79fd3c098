import type { BoundClients, Client } from '../apis/security.ts';
import { nearest, type Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { createEffort } from '../pki/path/effort.ts';
import type { Findings, ReadingCircumstances } from './findings.ts';
import type { Sliced } from './slices.ts';
import { fingerprintsOf, type Trust, type TrustedClient } from './trust.ts';

/** Clients by where they were written: '' for `[[clients]]`, else by `scopeOf`. */
export type Directory = ReadonlyMap<string, Scope>;
type Scope = {
  /** Each in its order. */
  readonly all: readonly TrustedClient[];
  /** In lower case. */
  readonly byAlias: ReadonlyMap<string, readonly TrustedClient[]>;
};

export const scopeOf = (api: number, operation?: number): string =>
  operation === undefined ? `${api}` : `${api}.${operation}`;

/** Whose scope that is. */
export const apiOf = (scope: string): number => Number(scope.split('.')[0]);

export function* groupByScope({ clients }: Trust): Sliced<Directory> {
  const scopes = new Map<string, { all: TrustedClient[]; byAlias: Map<string, TrustedClient[]> }>();
  for (const client of clients) {
    yield;
    const scope = scopes.get(client.entry.scope) ?? { all: [], byAlias: new Map<string, TrustedClient[]>() };
    scopes.set(client.entry.scope, scope);
    scope.all.push(client);
    const alias = client.alias.toLowerCase();
    const known = scope.byAlias.get(alias);
    if (known === undefined) scope.byAlias.set(alias, [client]);
    else known.push(client);
  }
  return scopes;
}

/** What aliases are looked up in. */
type Lookup = {
  readonly directory: Directory;
  readonly config: Pick<Config, 'clients'>;
  readonly findings: Findings;
};

/** By the scopes given, the nearest first; all of the nearest where no aliases are written. */
export function chooseClients(
  aliases: readonly string[] | undefined,
  scopes: readonly string[],
  at: Path,
  { directory, config, findings }: Lookup,
): readonly TrustedClient[] {
  if (aliases === undefined) return scopes[0] === '' ? [] : (directory.get(scopes[0]!)?.all ?? []);
  return aliases.flatMap((alias, j) => {
    const wanted = alias.toLowerCase();
    for (const scope of scopes) {
      const found = directory.get(scope)?.byAlias.get(wanted);
      if (found !== undefined) return found;
    }
    const names = config.clients.map((client) => client.alias);
    // One that is there and broken has been reported.
    if (names.some((name) => name.toLowerCase() === wanted)) return [];
    const near = nearest(alias, names);
    findings.error(
      [...at, 'aliases', j],
      `found "${alias}", which no [[clients]] entry defines; ${near === undefined ? 'define it' : `did you mean "${near}"?`}`,
    );
    return [];
  });
}

/** Of those scopes, and no others. */
export const ownClients = (
  scopes: readonly string[],
  { directory }: Pick<Lookup, 'directory'>,
): readonly TrustedClient[] => scopes.flatMap((scope) => directory.get(scope)?.all ?? []);

/**
 * Clients as `apis` looks them up.
 *
 * @param own all that only this API knows, bound here or not: one that is switched off is kept out wherever it is
 */
export function byKind(clients: readonly TrustedClient[], own: readonly TrustedClient[] = []): BoundClients {
  const exact = new Map<string, Client[]>();
  for (const client of clients) {
    for (const sha256 of fingerprintsOf(client.entry))
      exact.set(sha256, [...(exact.get(sha256) ?? []), client]);
  }
  return {
    exact,
    rules: clients.filter(({ kind }) => kind === 'rule'),
    issuedBy: clients.filter(({ kind }) => kind === 'issuedBy'),
    restricted: own.filter(({ term }) => term !== undefined),
  };
}

/** `byKind` that makes of equal lists one: they are compared at requests. */
export function sharedByKind(): typeof byKind {
  const numbers = new Map<TrustedClient, number>();
  const numberOf = (client: TrustedClient): number => {
    const number = numbers.get(client) ?? numbers.size;
    numbers.set(client, number);
    return number;
  };
  const shared = new Map<string, BoundClients>();
  return (clients, own = []) => {
    const restricted = own.filter(({ term }) => term !== undefined);
    const key = `${clients.map(numberOf)};${restricted.map(numberOf)}`;
    const known = shared.get(key) ?? byKind(clients, restricted);
    shared.set(key, known);
    return known;
  };
}

/** Several aliases of one API that mean one certificate: which it is then, their kind and order decide. */
export function warnAboutOverlaps(
  clients: readonly TrustedClient[],
  at: Path,
  { findings, now }: ReadingCircumstances,
): void {
  const broad = clients.filter(({ kind }) => kind !== 'exact');
  const seen = new Map<string, string>();
  for (const { alias, entry } of clients) {
    if (entry.kind !== 'certificate') continue;
    const { certificate } = entry;
    const other =
      seen.get(certificate.sha256) ??
      broad.find(
        (client) =>
          client.alias !== alias &&
          client.fits(certificate) &&
          client.validator.validate({ leaf: certificate, intermediates: [], now, effort: createEffort() })
            .valid,
      )?.alias;
    seen.set(certificate.sha256, alias);
    if (other !== undefined && other !== alias) {
      findings.warn(
        [...at, 'aliases'],
        `the certificate of "${alias}" fits "${other}" as well; exact ones come first, then rules, then CAs, then the order of aliases`,
      );
    }
  }
}
