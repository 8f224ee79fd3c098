import { Doorkeeper } from '../../doorkeeper.ts';
import { type Element, elementAt, encodingOf, isSame } from './der.ts';

const patience = 8;

type Known<T> = { readonly element: Element; readonly value: T };

/**
 * What elements were read as that nearly every certificate repeats: names of issuers, OIDs, algorithms. By their bytes;
 * one takes another's place, which costs that a reading. Kept is what comes for the second time, read from a copy, so
 * that no certificate is kept for a few of its bytes. Where another is kept already, one in `patience` is: two of one hash
 * are soon found, and who fills a certificate with them would have each one copied, at three times the reading.
 */
export class Repeated<T> {
  readonly #read: (element: Element) => T;
  readonly #longest: number;
  readonly #known: (Known<T> | undefined)[];
  readonly #doorkeeper: Doorkeeper;
  #inVain = 0;

  /**
   * @param read its answer depends on nothing but the element's bytes; what it throws is not remembered
   * @param places a power of two
   * @param longest octets that an element may have to be remembered
   */
  constructor(
    read: (element: Element) => T,
    { places, longest }: { readonly places: number; readonly longest: number },
  ) {
    this.#read = read;
    this.#longest = longest;
    this.#known = new Array(places);
    this.#doorkeeper = new Doorkeeper(places);
  }

  of(element: Element): T {
    const { bytes, start, end } = element;
    if (end - start > this.#longest) return this.#read(element);
    let hash = end - start;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x9e3779b1);
    const at = (hash ^ (hash >>> 15)) & (this.#known.length - 1);
    const known = this.#known[at];
    if (known !== undefined && isSame(known.element, element)) return known.value;
    if (!this.#doorkeeper.admits(hash)) return this.#read(element);
    if (known !== undefined && ++this.#inVain % patience !== 0) return this.#read(element);
    const copy = elementAt(new Uint8Array(encodingOf(element)), 0);
    const value = this.#read(copy);
    this.#known[at] = { element: copy, value };
    return value;
  }
}
