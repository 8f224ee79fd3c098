/**
 * A large value from one process to another, in parts: read as a whole, what ten thousand APIs say would keep the process
 * that decides busy for hundreds of milliseconds.
 */
export type Part = { readonly key: string } & (
  | { readonly list: readonly unknown[] }
  | { readonly map: readonly (readonly [unknown, unknown])[] }
  | { readonly value: unknown }
);

/** Of a part: entries, and bytes of files among them, but for one that has more by itself. */
const most = { entries: 100, bytes: 1024 * 1024 };

/** Lists and maps that are fields of `value` go in parts; all else as it is. */
export function* inParts(value: Readonly<Record<string, unknown>>): Generator<Part> {
  for (const [key, field] of Object.entries(value)) {
    if (Array.isArray(field)) for (const list of slices(field as unknown[])) yield { key, list };
    else if (field instanceof Map) for (const map of slices([...field])) yield { key, map };
    else yield { key, value: field };
  }
}

/** What was sent, put together as its parts come. */
export class Parts {
  readonly whole: Record<string, unknown> = {};

  add(part: Part): void {
    if ('list' in part) this.#field<unknown[]>(part.key, () => []).push(...part.list);
    else if ('map' in part) {
      const map = this.#field(part.key, () => new Map());
      for (const [key, inner] of part.map) map.set(key, inner);
    } else this.whole[part.key] = part.value;
  }

  #field<T>(key: string, make: () => T): T {
    const field = (this.whole[key] as T | undefined) ?? make();
    this.whole[key] = field;
    return field;
  }
}

/** At least one, so that what is empty is there. */
function* slices<T>(all: readonly T[]): Generator<readonly T[]> {
  let from = 0;
  let bytes = 0;
  for (const [at, one] of all.entries()) {
    const own = bytesIn(one);
    if (at > from && (at - from >= most.entries || bytes + own > most.bytes)) {
      yield all.slice(from, at);
      from = at;
      bytes = 0;
    }
    bytes += own;
  }
  yield all.slice(from);
}

/** Of a map's entry. */
const bytesIn = (one: unknown): number =>
  Array.isArray(one) && one[1] instanceof Uint8Array ? one[1].byteLength : 0;
