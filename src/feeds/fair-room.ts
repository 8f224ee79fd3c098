import { byTurns, type Owner } from './owner.ts';

/** Sizes by what things may have in common: parts of one name are one and the same, of one size. */
type Parts = ReadonlyMap<string, number>;

/** What a thing has, and nothing else does, and what it may have in common. */
type Weight = { readonly own: number; readonly parts: Parts };

/** Of things together: what they have in common counts once. Each change costs what changed. */
class Sum {
  size = 0;
  /** How many have it. */
  readonly #parts = new Map<string, number>();

  add({ own, parts }: Weight): void {
    this.size += own;
    for (const [part, size] of parts) {
      const had = this.#parts.get(part) ?? 0;
      if (had === 0) this.size += size;
      this.#parts.set(part, had + 1);
    }
  }

  remove({ own, parts }: Weight): void {
    this.size -= own;
    for (const [part, size] of parts) {
      const left = this.#parts.get(part)! - 1;
      if (left > 0) this.#parts.set(part, left);
      else {
        this.size -= size;
        this.#parts.delete(part);
      }
    }
  }
}

type Owned = Owner & {
  /** The longest unwanted first. */
  readonly keys: Set<string>;
  readonly sum: Sum;
};

/** Keys that are wanted, by a share as a whole and by each of its owners, who wanted nothing for longest first. */
type Share = {
  /** Of each by how many of them. */
  readonly keys: Map<string, number>;
  readonly sum: Sum;
  readonly owners: Map<string, Owned>;
};

const nothing: Weight = { own: 0, parts: new Map() };

/**
 * Room for so many things and no more. Where there are more, whoever has most gives way (the share, and in it the owner), with
 * what it did not want for longest: who can fill the room with things of its own making (sub-CAs, URLs, certificates)
 * crowds out nobody else.
 */
export class FairRoom<Thing> {
  readonly #things = new Map<string, Thing>();
  /** Which wanted nothing for longest is first. */
  readonly #shares = new Map<string, Share>();
  readonly #weights = new Map<string, Weight>();
  /** Of each key. */
  readonly #owned = new Map<string, Set<Owned>>();
  /** Of all. */
  #sum = new Sum();

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
      const wanted = [...owners.values()].flatMap(({ keys }) =>
        [...keys].reverse().map((key) => ({ key, keys })),
      );
      for (const ofKind of Map.groupBy(wanted, ({ key }) => kindOf(this.#things.get(key)!)).values())
        for (const [turn, { key }] of byTurns(ofKind, ({ keys }) => keys).entries())
          turns.set(key, Math.min(turn, turns.get(key) ?? turn));
    }
    return [...turns].map(([key, turn]) => [this.#things.get(key)!, turn]);
  }

  ownersOf(key: string): readonly Owner[] {
    return [...(this.#owned.get(key) ?? [])].map(({ share, name }) => ({ share, name }));
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
  set(owners: readonly Owner[], key: string, thing: Thing): boolean {
    this.#things.set(key, thing);
    let isNew = false;
    for (const { share, name } of owners) {
      const inShare = this.#shares.get(share) ?? { keys: new Map(), sum: new Sum(), owners: new Map() };
      const owned = inShare.owners.get(name) ?? { share, name, keys: new Set(), sum: new Sum() };
      this.#shares.delete(share);
      this.#shares.set(share, inShare);
      inShare.owners.delete(name);
      inShare.owners.set(name, owned);
      if (!owned.keys.delete(key)) {
        isNew = true;
        const had = inShare.keys.get(key) ?? 0;
        inShare.keys.set(key, had + 1);
        owned.sum.add(this.#weightOf(key));
        if (had === 0) inShare.sum.add(this.#weightOf(key));
        this.#owned.set(key, (this.#owned.get(key) ?? new Set()).add(owned));
      }
      owned.keys.add(key);
    }
    return isNew;
  }

  /**
   * How much one of them takes up from now on, also before it is set; nothing until it is told.
   *
   * @param parts that others may have as well: who has the same has it once
   */
  weigh(key: string, own: number, parts: Parts = nothing.parts): void {
    const before = this.#weightOf(key);
    const weight = { own, parts };
    for (const sum of this.#sumsOf(key)) {
      sum.remove(before);
      sum.add(weight);
    }
    this.#weights.set(key, weight);
  }

  /**
   * @param by each counts as one, or as much as it was weighed
   * @returns what had to go so that no more than so much is left
   */
  makeRoom(most: number, by: 'number' | 'size' = 'number'): readonly Thing[] {
    if (most === 0) return this.#clear();
    const gone: Thing[] = [];
    const size = ({ keys, sum }: { readonly keys: { readonly size: number }; readonly sum: Sum }): number =>
      by === 'number' ? keys.size : sum.size;
    while (size({ keys: this.#things, sum: this.#sum }) > most) {
      const [share, { owners }] = largest(this.#shares, ([, one]) => size(one));
      const [name, { keys }] = largest(owners, ([, one]) => size(one));
      const [key] = keys;
      this.#unwant({ share, name }, key!);
      if (this.#owned.has(key!)) continue;
      gone.push(this.#things.get(key!)!);
      this.#drop(key!);
    }
    return gone;
  }

  #weightOf(key: string): Weight {
    return this.#weights.get(key) ?? nothing;
  }

  /** That it is in. */
  *#sumsOf(key: string): Generator<Sum> {
    yield this.#sum;
    if (!this.#things.has(key)) return;
    for (const { keys, sum } of this.#shares.values()) if (keys.has(key)) yield sum;
    for (const { sum } of this.#owned.get(key) ?? []) yield sum;
  }

  #clear(): readonly Thing[] {
    const gone = this.values();
    this.#sum = new Sum();
    for (const map of [this.#things, this.#shares, this.#weights, this.#owned]) map.clear();
    return gone;
  }

  #drop(key: string): void {
    this.#sum.remove(this.#weightOf(key));
    this.#weights.delete(key);
    this.#things.delete(key);
  }

  #unwant({ share, name }: Owner, key: string): void {
    const { keys, sum, owners } = this.#shares.get(share)!;
    const owned = owners.get(name)!;
    owned.keys.delete(key);
    owned.sum.remove(this.#weightOf(key));
    const others = this.#owned.get(key)!;
    others.delete(owned);
    if (others.size === 0) this.#owned.delete(key);
    if (owned.keys.size === 0) owners.delete(name);
    if (owners.size === 0) this.#shares.delete(share);
    const left = keys.get(key)! - 1;
    if (left > 0) keys.set(key, left);
    else {
      keys.delete(key);
      sum.remove(this.#weightOf(key));
    }
  }
}

/** The first of the largest. */
function largest<T>(all: Iterable<T>, sizeOf: (one: T) => number): T {
  let found: { readonly one: T; readonly size: number } | undefined;
  for (const one of all) {
    const size = sizeOf(one);
    if (found === undefined || size > found.size) found = { one, size };
  }
  return found!.one;
}
