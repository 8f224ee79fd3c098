/**
 * What is remembered of an object, kept in the object itself, where a WeakMap would do the same from outside. But V8 makes
 * the table of a WeakMap in the space of old objects, and what is put there of a young one counts as needed until the next
 * full collection, and with it all that it knows, the object itself more often than not.
 */
export class Attached<K extends object, V> {
  readonly #key = Symbol();

  get(of: K): V | undefined {
    return (of as { [key: symbol]: V })[this.#key];
  }

  set(of: K, value: V): void {
    (of as { [key: symbol]: V })[this.#key] = value;
  }
}
