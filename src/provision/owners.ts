import type { Certificate } from '../pki/certificate/certificate.ts';

/** Whose word a CA is: config.toml's, or that of an API of an entry of `[[definitions]]`, whose files others may write. */
export type Owners = {
  /** By whom it counts what is brought below it: the API that alone names it, else itself. */
  readonly ownerOf: (ca: Certificate) => string;
  /** See `TrustStore`: 0 for config.toml's, else the how manieth of its name it is in its entry. */
  readonly turnOf: (ca: Certificate) => number;
};

/** A CA of a client in a foreign file. */
export type ForeignCa = { readonly ca: Certificate; readonly entry: string; readonly scope: string };

export function createOwners(own: readonly Certificate[], foreign: readonly ForeignCa[]): Owners {
  const ofOwn = new Set(own.map(({ sha256 }) => sha256));
  const turns = new Map<string, number>();
  // Each CA's API where one alone names it: who names another's must not have its share for his own.
  const apis = new Map<string, string | undefined>();
  for (const { ca, entry, scope } of foreign) {
    const api = `${entry} ${scope}`;
    apis.set(ca.sha256, apis.has(ca.sha256) && apis.get(ca.sha256) !== api ? undefined : api);
  }
  const groups = Map.groupBy(foreign, ({ ca, entry }) => `${entry} ${ca.subject.key}`);
  for (const group of groups.values()) {
    // Within an entry its APIs take turns, too.
    const cas = new Map(byTurns(group, ({ scope }) => scope).map((one) => [one.ca.sha256, one]));
    for (const [i, sha256] of [...cas.keys()].entries())
      if (!ofOwn.has(sha256)) turns.set(sha256, Math.min(turns.get(sha256) ?? Infinity, i + 1));
  }
  return {
    ownerOf: ({ sha256 }) => (ofOwn.has(sha256) ? undefined : apis.get(sha256)) ?? sha256,
    turnOf: ({ sha256 }) => turns.get(sha256) ?? 0,
  };
}

/** The first of each owner, then the second of each, and so on: each may be somebody else's. */
export function byTurns<T>(all: readonly T[], ownerOf: (one: T) => string): readonly T[] {
  const had = new Map<string, number>();
  const numbered = all.map((one) => {
    const owner = ownerOf(one);
    const turn = had.get(owner) ?? 0;
    had.set(owner, turn + 1);
    return { one, turn };
  });
  return numbered.toSorted((a, b) => a.turn - b.turn).map(({ one }) => one);
}
