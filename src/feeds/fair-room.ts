import { byTurns, type Owner } from './owner.ts';

/** Keys that are wanted, by a share as a whole and by each of its owners, who wanted nothing for longest first. */
type Share = {
  /** Of each by how many of them. */
  readonly keys: Map<string, number>;
  /** The longest unwanted first. */
  readonly owners: Map<string, Set<string>>;
};

/**
 * Room for so many things and no more. Where there are more, whoever has most gives way (the share, and in it the owner), with
 * what it did not want for longest: who can fill the room with things of its own making (sub-CAs, URLs, certificates)
 * crowds out nobody else.
 */
export class FairRoom<Thing> {
  readonly #things = new Map<string, Thing>();
  /** Which wanted nothing for longest is first. */
  readonly #shares = new Map<string, Share>();

  get size(): number {
    return this.#things.size;
  }

  get(key: string): Thing | undefined {
    return this.#things.get(key);
  }

  values(): readonly Thing[] {
    return [...this.#things.values()];
  }

  /** All of them, each with its turn among what a share has of its kind, from 0: what its owners wanted last, by turns. */
  inTurns(kindOf: (thing: Thing) => string): readonly (readonly [thing: Thing, turn: number])[] {
    const turns = new Map<string, number>();
    for (const { owners } of this.#shares.values()) {
      const wanted = [...owners.values()].flatMap((keys) =>
        [...keys].reverse().map((key) => ({ key, keys })),
      );
      for (const ofKind of Map.groupBy(wanted, ({ key }) => kindOf(this.#things.get(key)!)).values())
        for (const [turn, { key }] of byTurns(ofKind, ({ keys }) => keys).entries())
          turns.set(key, Math.min(turn, turns.get(key) ?? turn));
    }
    return [...turns].map(([key, turn]) => [this.#things.get(key)!, turn]);
  }

  ownersOf(key: string): readonly Owner[] {
    return [...this.#shares].flatMap(([share, { keys, owners }]) =>
      keys.has(key)
        ? [...owners].flatMap(([name, wanted]) => (wanted.has(key) ? [{ share, name }] : []))
        : [],
    );
  }

  delete(key: string): void {
    for (const owner of this.ownersOf(key)) this.#unwant(owner, key);
    this.#things.delete(key);
  }

  /**
   * One thing may have several owners, and stays for as long as it is among what one of them has.
   *
   * @returns whether one of these did not have it
   */
  set(owners: readonly Owner[], key: string, thing: Thing): boolean {
    this.#things.set(key, thing);
    let isNew = false;
    for (const { share, name } of owners) {
      const inShare = this.#shares.get(share) ?? { keys: new Map(), owners: new Map() };
      const keys = inShare.owners.get(name) ?? new Set();
      this.#shares.delete(share);
      this.#shares.set(share, inShare);
      inShare.owners.delete(name);
      inShare.owners.set(name, keys);
      if (!keys.delete(key)) {
        isNew = true;
        inShare.keys.set(key, (inShare.keys.get(key) ?? 0) + 1);
      }
      keys.add(key);
    }
    return isNew;
  }

  /**
   * @param sizeOf of all of them, or all of one owner or share; without it each counts as one
   * @returns what had to go so that no more than so much is left
   */
  makeRoom(most: number, sizeOf?: (things: readonly Thing[]) => number): readonly Thing[] {
    const gone: Thing[] = [];
    const size = (keys: Keys): number =>
      sizeOf?.([...keys.keys()].map((key) => this.#things.get(key)!)) ?? keys.size;
    while (size(this.#things) > most) {
      const [share, { owners }] = largest(this.#shares, ([, { keys }]) => size(keys));
      const [name, keys] = largest(owners, ([, keys]) => size(keys));
      const [key] = keys;
      this.#unwant({ share, name }, key!);
      if ([...this.#shares.values()].some(({ keys }) => keys.has(key!))) continue;
      gone.push(this.#things.get(key!)!);
      this.#things.delete(key!);
    }
    return gone;
  }

  #unwant({ share, name }: Owner, key: string): void {
    const { keys, owners } = this.#shares.get(share)!;
    const wanted = owners.get(name)!;
    wanted.delete(key);
    if (wanted.size === 0) owners.delete(name);
    if (owners.size === 0) this.#shares.delete(share);
    const left = keys.get(key)! - 1;
    if (left === 0) keys.delete(key);
    else keys.set(key, left);
  }
}

type Keys = { readonly size: number; readonly keys: () => Iterable<string> };

/** The first of the largest. */
function largest<T>(all: Iterable<T>, sizeOf: (one: T) => number): T {
  let found: { readonly one: T; readonly size: number } | undefined;
  for (const one of all) {
    const size = sizeOf(one);
    if (found === undefined || size > found.size) found = { one, size };
  }
  return found!.one;
}
