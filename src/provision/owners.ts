import type { Certificate } from '../pki/certificate/certificate.ts';

/** Whose word a CA is: config.toml's, or that of one entry of `[[definitions]]`, whose files others may write. */
export type Owners = {
  /** undefined: config.toml's. */
  readonly entryOf: (ca: Certificate) => string | undefined;
  /** See `TrustStore`: 0 for config.toml's, else the how manieth of its name it is in its entry. */
  readonly turnOf: (ca: Certificate) => number;
};

/** A CA of a client in a foreign file. */
export type ForeignCa = { readonly ca: Certificate; readonly entry: string; readonly scope: string };

export function createOwners(own: readonly Certificate[], foreign: readonly ForeignCa[]): Owners {
  const ofOwn = new Set(own.map(({ sha256 }) => sha256));
  const turns = new Map<string, { readonly entry: string; readonly turn: number }>();
  const groups = Map.groupBy(foreign, ({ ca, entry }) => `${entry} ${ca.subject.key}`);
  for (const group of groups.values()) {
    const cas = new Map(byTurns(group).map((one) => [one.ca.sha256, one]));
    for (const [i, [sha256, { entry }]] of [...cas].entries()) {
      const before = turns.get(sha256);
      if (!ofOwn.has(sha256) && (before === undefined || before.turn > i + 1))
        turns.set(sha256, { entry, turn: i + 1 });
    }
  }
  return {
    entryOf: ({ sha256 }) => turns.get(sha256)?.entry,
    turnOf: ({ sha256 }) => turns.get(sha256)?.turn ?? 0,
  };
}

/** Within an entry its APIs take turns, too: each may be somebody else's. */
function byTurns(group: readonly ForeignCa[]): readonly ForeignCa[] {
  const had = new Map<string, number>();
  const numbered = group.map((one) => {
    const turn = had.get(one.scope) ?? 0;
    had.set(one.scope, turn + 1);
    return { one, turn };
  });
  return numbered.toSorted((a, b) => a.turn - b.turn).map(({ one }) => one);
}
