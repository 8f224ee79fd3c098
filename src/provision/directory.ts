import type { BoundClients, Client } from '../apis/security.ts';
import { nearest } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { createEffort } from '../pki/path/effort.ts';
import type { Findings, Reading } from './findings.ts';
import { fingerprintsOf, type Trust, type TrustedClient } from './trust.ts';

type Path = readonly PropertyKey[];

/** Clients by where they were written, each in its order: '' for `[[clients]]`, else by `scopeOf`. */
export type Directory = ReadonlyMap<string, readonly TrustedClient[]>;

export const scopeOf = (api: number, operation?: number): string =>
  operation === undefined ? `${api}` : `${api}.${operation}`;

/** Whose scope that is. */
export const apiOf = (scope: string): number => Number(scope.split('.')[0]);

export const groupByScope = ({ clients }: Trust): Directory =>
  Map.groupBy(clients, ({ entry }) => entry.scope);

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
  if (aliases === undefined) return scopes[0] === '' ? [] : (directory.get(scopes[0]!) ?? []);
  return aliases.flatMap((alias, j) => {
    const wanted = alias.toLowerCase();
    for (const scope of scopes) {
      const found = inScope(directory, scope).get(wanted);
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

/** Made once a list: thousands of APIs look up in the same. */
const byAlias = new WeakMap<readonly TrustedClient[], ReadonlyMap<string, readonly TrustedClient[]>>();
const nobody: readonly TrustedClient[] = [];

function inScope(directory: Directory, scope: string): ReadonlyMap<string, readonly TrustedClient[]> {
  const clients = directory.get(scope) ?? nobody;
  const known = byAlias.get(clients) ?? Map.groupBy(clients, ({ alias }) => alias.toLowerCase());
  byAlias.set(clients, known);
  return known;
}

/** Of those scopes, and no others. */
export const ownClients = (
  scopes: readonly string[],
  { directory }: Pick<Lookup, 'directory'>,
): readonly TrustedClient[] => scopes.flatMap((scope) => directory.get(scope) ?? []);

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

/** Several aliases of one API that mean one certificate: which it is then, their kind and order decide. */
export function warnAboutOverlaps(
  clients: readonly TrustedClient[],
  at: Path,
  { findings, now }: Reading,
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
