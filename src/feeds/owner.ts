/**
 * In whose name something is brought. Room and turns are shared out by `share` first (a CA of config.toml, an entry of
 * `[[definitions]]`), and within one by `name` (an API of that entry): who may write a thousand APIs into an entry has but
 * that entry's share.
 */
export type Owner = { readonly share: string; readonly name: string };

export const byItself = (share: string): Owner => ({ share, name: '' });

/** The first of each owner, then the second of each, and so on: each may be somebody else's. */
export function byTurns<T>(all: readonly T[], ownerOf: (one: T) => unknown): readonly T[] {
  const had = new Map<unknown, number>();
  const numbered = all.map((one) => {
    const owner = ownerOf(one);
    const turn = had.get(owner) ?? 0;
    had.set(owner, turn + 1);
    return { one, turn };
  });
  return numbered.toSorted((a, b) => a.turn - b.turn).map(({ one }) => one);
}
