import type { z } from 'zod';
import { slipOf } from '../documents/near.ts';
import { nearest, type Path } from './problem.ts';
import { otherNames } from './schema/client.ts';
import { configShape } from './schema/config.ts';

/** What to write in place of what was found, in an operator's words. */

type JsonSchema = {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
};
type Names = readonly string[];

const inside = (schema: JsonSchema | undefined): JsonSchema | undefined =>
  schema?.properties === undefined ? schema?.items : schema;

const namesOf = (path: Path): Names => path.filter((part) => typeof part === 'string');

/** Of the key at a path; indices are passed over. */
const schemaAt = (path: Path): JsonSchema | undefined =>
  namesOf(path).reduce<JsonSchema | undefined>(
    (at, name) => inside(at)?.properties?.[name],
    configShape as JsonSchema,
  );

const keysOf = (path: Path): Names => Object.keys(inside(schemaAt(path))?.properties ?? {});

const isTable = (path: Path): boolean => inside(schemaAt(path))?.properties !== undefined;
const isListOfTables = (path: Path): boolean => schemaAt(path)?.items?.properties !== undefined;

/** As a table is written: `[router.keystore]`, `[[apis.operations]]`. */
const heading = (path: Path): string => {
  const name = namesOf(path).join('.');
  return isListOfTables(path) ? `[[${name}]]` : `[${name}]`;
};

const keysBelow = (names: Names): readonly Names[] =>
  keysOf(names).flatMap((name) => [[...names, name], ...keysBelow([...names, name])]);

const places: ReadonlyMap<string, readonly Names[]> = Map.groupBy(keysBelow([]), (names) => names.at(-1)!);

/** In which table a key of that name belongs; or as which table, if its value is one. */
function home(key: string, value: unknown): string | undefined {
  const found = places.get(key);
  if (found === undefined) return undefined;
  const tables = found.filter(isTable);
  const others = found.filter((names) => !isTable(names));
  const asTable = others.length === 0 || (tables.length > 0 && typeof value === 'object');
  const [first, ...more] = new Set(
    (asTable ? tables : others.map((names) => names.slice(0, -1))).map(heading),
  );
  return `${asTable ? 'write' : 'it belongs in'} ${[first, ...more.slice(0, 2)].join(' or ')}`;
}

/** Whoever is told to take out a key of ours that stands in the wrong table may leave open what he meant to shut. */
export function unknownKey(path: Path, value: unknown): string {
  const key = String(path.at(-1));
  const known = keysOf(path.slice(0, -1));
  const meant = known.includes('alias') ? otherNames[key] : undefined;
  if (meant !== undefined && known.includes(meant)) return `unknown key; did you mean "${meant}"?`;
  const plural = known.find((name) => name === `${key}s` || name === `${key}es`);
  if (plural !== undefined) return `unknown key; did you mean "${plural}"?`;
  const belongs = home(key, value);
  if (belongs !== undefined) return `unknown key here; ${belongs}`;
  const near = nearest(key, known);
  if (near !== undefined) return `unknown key; did you mean "${near}"?`;
  const elsewhere = slipOf(key, [...places.keys()]);
  return elsewhere === undefined
    ? `unknown key; remove it, or write the one that is meant: ${known.join(', ')}`
    : `unknown key; if "${elsewhere}" is meant, ${home(elsewhere, value)}`;
}

/** Names that tables of other systems have as well. */
const generic =
  'alias backend ciphers description enabled file format header hosts issuer maximumProtocolVersion methods minimumProtocolVersion name path pem subject uri version'.split(
    ' ',
  );
/** Those of our keys that shut something or say whom to believe, and are called as no other system's are. */
const securityKeys: ReadonlySet<string> = new Set(
  [['enforcer', 'security'], ['router', 'downstream', 'tls'], ['clients'], ['apis']]
    .flatMap(keysBelow)
    .map((names) => names.at(-1)!)
    .filter((name) => !generic.includes(name)),
);

/** The first key of ours in a table that nobody knows, and where it belongs: nothing that an operator wants ignored. */
export function misplacedKey(path: Path, value: unknown): { path: Path; message: string } | undefined {
  if (typeof value !== 'object' || value === null || value instanceof Date) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (securityKeys.has(key)) return { path: at, message: `unknown key here; ${home(key, inner)}` };
    const below = misplacedKey(at, inner);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** Where a table of that name, or nearly, belongs. */
export function unknownTable(path: Names): string {
  const tables = [...places.values()].flat().filter(isTable);
  const near = nearest(
    path.at(-1)!,
    tables.map((names) => names.at(-1)!),
  );
  const meant = tables.find((names) => names.at(-1) === near);
  return `unknown table, which is ignored; ${meant === undefined ? 'remove it, if it is not Choreo Connect’s' : `did you mean ${heading(meant)}?`}`;
}

/** TOML lets a name stand once; what was meant, our own tables tell. */
export function writtenTwice(name: string): string {
  const names = name.split('.');
  if (isListOfTables(names))
    return `[${name}] and [[${name}]] are two things; write [[${name}]] above each entry, also above the only one`;
  return isTable(names)
    ? `[${name}] stands twice; write all its keys below one of them`
    : `${name} stands twice; take one out`;
}

export function advice(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    if (issue.expected === 'array' && isListOfTables(issue.path))
      return `write ${heading(issue.path)} above each entry, also above the only one`;
    if (issue.expected === 'object' && isTable(issue.path)) return `write ${heading(issue.path)}, once`;
  }
  if (issue.message.startsWith('write ')) return issue.message;
  if (issue.code === 'invalid_value')
    return `write one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  if (issue.code === 'too_small') return `write a whole number of at least ${issue.minimum}`;
  if (issue.code === 'too_big') return `write a whole number of at most ${issue.maximum}`;
  if (issue.code === 'invalid_union') return 'write a header name, or "" to leave it out';
  if (issue.code === 'invalid_type') return `write ${typeNames[issue.expected] ?? issue.expected}`;
  return issue.message;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text in quotes',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  array: 'a list, as in ["a", "b"]',
  object: 'a table',
};
