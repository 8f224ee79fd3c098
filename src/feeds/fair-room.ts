import { byTurns, type Owner } from './owner.ts';

/** By a share as a whole and by each of its owners, who wanted nothing for longest first. */
type Share = { readonly all: Wanted; readonly owners: Map<string, Wanted> };

/** Keys, each by how many owners, and the places that they take up; of one owner's the longest unwanted first. */
type Wanted = { readonly keys: Map<string, number>; places: number };

const nothing = (): Wanted => ({ keys: new Map(), places: 0 });

/**
 * Room for so many things and no more; a large one takes up the place of several. Where there are more, whoever has most gives way (the share, and in it the owner), with
 * what it did not want for longest: who can fill the room with things of its own making (sub-CAs, URLs, certificates)
 * crowds out nobody else.
 */
export class FairRoom<Thing> {
  readonly #things = new Map<string, { readonly thing: Thing; readonly places: number }>();
  #places = 0;
  /** Which wanted nothing for longest is first. */
  readonly #shares = new Map<string, Share>();

  get size(): number {
    return this.#things.size;
  }

  get(key: string): Thing | undefined {
    return this.#things.get(key)?.thing;
  }

  values(): readonly Thing[] {
    return [...this.#things.values()].map(({ thing }) => thing);
  }

  /** All of them, each with its turn among what a share has of its kind, from 0: what its owners wanted last, by turns. */
  inTurns(kindOf: (thing: Thing) => string): readonly (readonly [thing: Thing, turn: number])[] {
    const turns = new Map<string, number>();
    for (const { owners } of this.#shares.values()) {
      const wanted = [...owners.values()].flatMap(({ keys }) =>
        [...keys.keys()].reverse().map((key) => ({ key, keys })),
      );
      for (const ofKind of Map.groupBy(wanted, ({ key }) => kindOf(this.get(key)!)).values())
        for (const [turn, { key }] of byTurns(ofKind, ({ keys }) => keys).entries())
          turns.set(key, Math.min(turn, turns.get(key) ?? turn));
    }
    return [...turns].map(([key, turn]) => [this.get(key)!, turn]);
  }

  ownersOf(key: string): readonly Owner[] {
    return [...this.#shares].flatMap(([share, { all, owners }]) =>
      all.keys.has(key)
        ? [...owners].flatMap(([name, { keys }]) => (keys.has(key) ? [{ share, name }] : []))
        : [],
    );
  }

  delete(key: string): void {
    for (const owner of this.ownersOf(key)) this.#unwant(owner, key);
    this.#drop(key);
  }

  /**
   * One thing may have several owners, and stays for as long as it is among what one of them has.
   *
   * @returns whether one of these did not have it
   */
  set(owners: readonly Owner[], key: string, thing: Thing, places = 1): boolean {
    this.#put(key, thing, places);
    let isNew = false;
    for (const { share, name } of owners) {
      const inShare = this.#shares.get(share) ?? { all: nothing(), owners: new Map<string, Wanted>() };
      const wanted = inShare.owners.get(name) ?? nothing();
      this.#shares.delete(share);
      this.#shares.set(share, inShare);
      inShare.owners.delete(name);
      inShare.owners.set(name, wanted);
      if (wanted.keys.delete(key)) wanted.keys.set(key, 1);
      else {
        isNew = true;
        for (const one of [wanted, inShare.all]) {
          const before = one.keys.get(key) ?? 0;
          if (before === 0) one.places += places;
          one.keys.set(key, before + 1);
        }
      }
    }
    return isNew;
  }

  #put(key: string, thing: Thing, places: number): void {
    const before = this.#things.get(key);
    const more = places - (before?.places ?? 0);
    this.#things.set(key, { thing, places });
    this.#places += more;
    if (before === undefined || more === 0) return;
    for (const { all, owners } of this.#shares.values())
      for (const wanted of [all, ...owners.values()]) if (wanted.keys.has(key)) wanted.places += more;
  }

  /**
   * @param sizeOf of all of them, or all of one owner or share; without it the places that they take up
   * @returns what had to go so that no more than so much is left
   */
  makeRoom(most: number, sizeOf?: (things: readonly Thing[]) => number): readonly Thing[] {
    const gone: Thing[] = [];
    const size = ({ keys, places }: Sized): number =>
      sizeOf?.([...keys.keys()].map((key) => this.get(key)!)) ?? places;
    while (size({ keys: this.#things, places: this.#places }) > most) {
      const [share, { owners }] = largest(this.#shares, ([, { all }]) => size(all));
      const [name, { keys }] = largest(owners, ([, wanted]) => size(wanted));
      const [key] = keys.keys();
      this.#unwant({ share, name }, key!);
      if ([...this.#shares.values()].some(({ all }) => all.keys.has(key!))) continue;
      gone.push(this.get(key!)!);
      this.#drop(key!);
    }
    return gone;
  }

  #drop(key: string): void {
    this.#places -= this.#things.get(key)?.places ?? 0;
    this.#things.delete(key);
  }

  #unwant({ share, name }: Owner, key: string): void {
    const { all, owners } = this.#shares.get(share)!;
    const { places } = this.#things.get(key)!;
    for (const wanted of [owners.get(name)!, all]) {
      const left = wanted.keys.get(key)! - 1;
      if (left > 0) wanted.keys.set(key, left);
      else if (wanted.keys.delete(key)) wanted.places -= places;
    }
    if (owners.get(name)!.keys.size === 0) owners.delete(name);
    if (owners.size === 0) this.#shares.delete(share);
  }
}

type Sized = { readonly keys: { readonly keys: () => Iterable<string> }; readonly places: number };

/** The first of the largest. */
function largest<T>(all: Iterable<T>, sizeOf: (one: T) => number): T {
  let found: { readonly one: T; readonly size: number } | undefined;
  for (const one of all) {
    const size = sizeOf(one);
    if (found === undefined || size > found.size) found = { one, size };
  }
  return found!.one;
}
