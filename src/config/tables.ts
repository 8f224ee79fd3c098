import type { Path } from './problem.ts';
/** A table of config.toml, as it was read. */
export type Table = Readonly<Record<string, unknown>>;

export const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}

/**
 * Takes the keys out that these paths lead to, or into: of an entry of a list, the entry's own.
 *
 * @returns false: one is missing, or a whole table would go, with all that others refer to
 */
export function removeKeys(table: Table, paths: readonly Path[]): boolean {
  const each = new Map(paths.map(outermost).map((path) => [JSON.stringify(path), path]));
  return [...each.values()].every((path) => {
    const value = valueAt(table, path);
    const isEntrys = path.some((part) => typeof part === 'number');
    if (value === undefined || (!isEntrys && [value].flat().some(isTable))) return false;
    return Reflect.deleteProperty(valueAt(table, path.slice(0, -1)) as object, path.at(-1)!);
  });
}

function outermost(path: Path): Path {
  const isKey = (part: PropertyKey | undefined): boolean => typeof part === 'string';
  const entry = path.findLastIndex((part, i) => typeof part === 'number' && isKey(path[i + 1]));
  return path.slice(0, (entry === -1 ? path.findLastIndex(isKey) : entry + 1) + 1);
}
