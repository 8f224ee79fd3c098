import { nearest } from '../../config/problem.ts';
import { below, isTable, type Place, type Problems, problemAt } from '../place.ts';

/** The keys of one kind of table that close something, as far as they are read here. */
export type SecurityKeys = {
  readonly known: readonly string[];
  /** A key that sounds as if it closed something, and is not known. */
  readonly suspicious: RegExp;
  /** Keys that sound so, and close nothing. */
  readonly harmless: readonly string[];
};

/**
 * WSO2's products ignore a key that they don't know, and an API is open that its author has closed: what is nearly a
 * security key, sounds like one, or has nothing behind it is an error of the API.
 */
export function checkSecurityKeys(place: Place, keys: SecurityKeys, problems: Problems): void {
  if (!isTable(place.value)) return;
  for (const [key, value] of Object.entries(place.value)) {
    const problem = value === null && keys.known.includes(key) ? empty : keyProblem(key, keys);
    if (problem !== undefined) problems.push(problemAt(below(place, key), problem));
  }
}

const empty = 'is empty; write what belongs there, or leave the key out';

export function keyProblem(key: string, { known, suspicious, harmless }: SecurityKeys): string | undefined {
  // Names of files and people's own extensions may be long: none of them is a misspelt one.
  if (key.length > 64 || known.includes(key) || harmless.includes(key)) return undefined;
  const near = known.find((name) => bare(name) === bare(key)) ?? nearest(key, known);
  if (near !== undefined) return `is not known here; did you mean "${near}"?`;
  return suspicious.test(key)
    ? `may ask for security, and is not known here; write some of ${known.join(', ')}, or take it out`
    : undefined;
}

const bare = (key: string): string => key.toLowerCase().replaceAll(/[-_. ]/g, '');
