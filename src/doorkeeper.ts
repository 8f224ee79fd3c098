/**
 * Whether something came before, by a hash of it. What came once may never come again, and most of what strangers send
 * does not: to be remembered, which costs memory that the garbage collector looks through, a thing must come twice.
 * Numbers in one piece of memory, and one may take another's place: then what comes for the second time is taken to be new
 * once more, or, where hashes are the same, what is new to have come before. So it may decide what is remembered, and
 * nothing else. (The doorkeeper of TinyLFU, Einziger, Friedman and Manes 2017.)
 */
export class Doorkeeper {
  readonly #hashes: Int32Array;
  #guests = 0;

  /** @param places a power of two */
  constructor(places = 65_536) {
    this.#hashes = new Int32Array(places);
  }

  /**
   * What one of several who share it mixes into its hashes: at one request a thing may come to two of them, which is not
   * twice.
   */
  guest(): number {
    return Math.imul(++this.#guests, 0x9e3779b1);
  }

  /** Whether it came before. From now on it did. */
  admits(hash: number): boolean {
    if (this.knows(hash)) return true;
    this.#hashes[this.#placeOf(hash)] = hash;
    return false;
  }

  /** The same, and it is none that comes. */
  knows(hash: number): boolean {
    return this.#hashes[this.#placeOf(hash)] === hash;
  }

  #placeOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & (this.#hashes.length - 1);
  }
}
