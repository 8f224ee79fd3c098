import type { VerifiedCrl } from './newest-crls.ts';

type Lists = readonly VerifiedCrl[];

/**
 * The lists that feeds have, by digest: each once, however many have it. To follow what they have costs what changed, not
 * all that is there: a thousand may have a thousand each.
 */
export class HeldLists {
  /** As they were taken of each feed. */
  readonly #taken = new Map<{ readonly latest: Lists | undefined }, Lists>();
  readonly #places = new Map<string, Set<VerifiedCrl>>();

  /** @returns whether one of the feeds has others than before, or is another */
  follow(feeds: readonly { readonly latest: Lists | undefined }[]): boolean {
    let changed = false;
    const followed = new Set(feeds);
    for (const [feed, lists] of this.#taken) {
      if (followed.has(feed) && feed.latest === lists) continue;
      changed = true;
      this.#taken.delete(feed);
      for (const one of lists) this.#remove(one);
    }
    for (const feed of followed) {
      const { latest } = feed;
      if (latest === undefined || this.#taken.has(feed)) continue;
      changed = true;
      this.#taken.set(feed, latest);
      for (const one of latest) this.#add(one);
    }
    return changed;
  }

  get(digest: string): VerifiedCrl | undefined {
    const [first] = this.#places.get(digest) ?? [];
    return first;
  }

  values(): Lists {
    return [...this.#places.keys()].map((digest) => this.get(digest)!);
  }

  #add(one: VerifiedCrl): void {
    const places = this.#places.get(one.digest);
    if (places === undefined) this.#places.set(one.digest, new Set([one]));
    else places.add(one);
  }

  #remove(one: VerifiedCrl): void {
    const places = this.#places.get(one.digest)!;
    places.delete(one);
    if (places.size === 0) this.#places.delete(one.digest);
  }
}
