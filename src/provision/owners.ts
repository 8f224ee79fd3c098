import { byItself, byTurns, type Owner } from '../feeds/owner.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';

/** Whose word a CA is: config.toml's, or that of an API of an entry of `[[definitions]]`, whose files others may write. */
export type Owners = {
  /**
   * By whom it counts what is brought below it: one of config.toml has a share of its own; else in the share of each entry
   * that names it the API that alone does so there, or itself.
   */
  readonly ownersOf: (ca: Certificate) => readonly Owner[];
  /** See `TrustStore`: 0 for config.toml's, else the how manieth of its name it is in its entry. */
  readonly turnOf: (ca: Certificate) => number;
};

/** A CA of a client in a foreign file. */
export type ForeignCa = { readonly ca: Certificate; readonly entry: string; readonly scope: string };

export function createOwners(own: readonly Certificate[], foreign: readonly ForeignCa[]): Owners {
  const ofOwn = new Set(own.map(({ sha256 }) => sha256));
  const turns = new Map<string, number>();
  // Who names another's CA in an API of his must not have its part for his own.
  const owners = new Map<string, Map<string, string>>();
  for (const { ca, entry, scope } of foreign) {
    const byEntry = owners.get(ca.sha256) ?? new Map<string, string>();
    owners.set(ca.sha256, byEntry);
    const api = `API ${scope}`;
    byEntry.set(entry, (byEntry.get(entry) ?? api) === api ? api : ca.sha256);
  }
  const groups = Map.groupBy(foreign, ({ ca, entry }) => `${entry} ${ca.subject.key}`);
  for (const group of groups.values()) {
    // Within an entry its APIs take turns, too.
    const cas = new Map(byTurns(group, ({ scope }) => scope).map((one) => [one.ca.sha256, one]));
    for (const [i, sha256] of [...cas.keys()].entries())
      if (!ofOwn.has(sha256)) turns.set(sha256, Math.min(turns.get(sha256) ?? Infinity, i + 1));
  }
  const ofForeign = new Map(
    [...owners].map(([sha256, byEntry]): [string, readonly Owner[]] => [
      sha256,
      [...byEntry].map(([entry, name]) => ({ share: `entry ${entry}`, name })),
    ]),
  );
  return {
    ownersOf: ({ sha256 }) => (ofOwn.has(sha256) ? undefined : ofForeign.get(sha256)) ?? [byItself(sha256)],
    turnOf: ({ sha256 }) => turns.get(sha256) ?? 0,
  };
}
