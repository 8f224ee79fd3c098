/**
 * Room for so many things and no more. Where there are more, whoever has most gives way, with what it did not want for
 * longest: who can fill the room with things of its own making (sub-CAs, URLs, certificates) crowds out nobody else.
 */
export class FairRoom<Thing> {
  readonly #things = new Map<string, Thing>();
  /** By owner the keys that it wants, the longest unwanted first; so are the owners. */
  readonly #wanted = new Map<string, Set<string>>();

  get size(): number {
    return this.#things.size;
  }

  get(key: string): Thing | undefined {
    return this.#things.get(key);
  }

  values(): readonly Thing[] {
    return [...this.#things.values()];
  }

  /** All of them, each with its turn among what an owner has of its kind, from 0: the one that it wanted last. */
  inTurns(kindOf: (thing: Thing) => string): readonly (readonly [thing: Thing, turn: number])[] {
    const turns = new Map<string, number>();
    for (const keys of this.#wanted.values()) {
      const had = new Map<string, number>();
      for (const key of [...keys].reverse()) {
        const kind = kindOf(this.#things.get(key)!);
        const turn = had.get(kind) ?? 0;
        had.set(kind, turn + 1);
        turns.set(key, Math.min(turn, turns.get(key) ?? turn));
      }
    }
    return [...turns].map(([key, turn]) => [this.#things.get(key)!, turn]);
  }

  ownersOf(key: string): readonly string[] {
    return [...this.#wanted].filter(([, keys]) => keys.has(key)).map(([owner]) => owner);
  }

  delete(key: string): void {
    if (!this.#things.delete(key)) return;
    for (const [owner, keys] of this.#wanted) this.#unwant(owner, keys, key);
  }

  /**
   * One thing may have several owners, and stays for as long as it is among what one of them has.
   *
   * @returns whether this owner did not have it
   */
  set(owner: string, key: string, thing: Thing): boolean {
    const keys = this.#wanted.get(owner) ?? new Set();
    this.#wanted.delete(owner);
    this.#wanted.set(owner, keys);
    const isNew = !keys.delete(key);
    keys.add(key);
    this.#things.set(key, thing);
    return isNew;
  }

  /**
   * @param sizeOf of all of them, or all of one owner; without it each counts as one
   * @returns what had to go so that no more than so much is left
   */
  makeRoom(most: number, sizeOf?: (things: readonly Thing[]) => number): readonly Thing[] {
    const gone: Thing[] = [];
    while ((sizeOf?.(this.values()) ?? this.#things.size) > most) {
      const [owner, keys] = this.#richest(
        (some) => sizeOf?.([...some].map((key) => this.#things.get(key)!)) ?? some.size,
      );
      const [key] = keys;
      this.#unwant(owner, keys, key!);
      if ([...this.#wanted.values()].some((others) => others.has(key!))) continue;
      gone.push(this.#things.get(key!)!);
      this.#things.delete(key!);
    }
    return gone;
  }

  #richest(sizeOf: (keys: Set<string>) => number): readonly [owner: string, keys: Set<string>] {
    let richest: readonly [string, Set<string>] | undefined;
    let most = 0;
    for (const one of this.#wanted) {
      const size = sizeOf(one[1]);
      if (richest === undefined || size > most) [richest, most] = [one, size];
    }
    return richest!;
  }

  #unwant(owner: string, keys: Set<string>, key: string): void {
    keys.delete(key);
    if (keys.size === 0) this.#wanted.delete(owner);
  }
}
