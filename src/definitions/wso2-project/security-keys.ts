import type { Cursor } from '../../documents/cursor.ts';
import { slipOf } from '../../documents/near.ts';

/** The keys of one kind of table that close something, as far as they are read here. */
export type SecurityKeys = {
  readonly known: readonly string[];
  /** A key that sounds as if it closed something, and is not known. */
  readonly suspicious: RegExp;
  /** Keys that sound so, and close nothing. */
  readonly harmless: readonly string[];
};

/**
 * WSO2's products ignore a key that they don't know, and an API is open that its author has closed: what is a slip of a
 * security key, sounds like one, or has nothing behind it is an error of the API.
 */
export function checkSecurityKeys(at: Cursor, keys: SecurityKeys): void {
  if (!at.isTable) return;
  at.notCutOff(...keys.known);
  for (const key of Object.keys(at.value as object)) {
    const problem = keyProblem(key, keys);
    if (problem !== undefined) at.get(key).error(problem);
  }
}

export function keyProblem(key: string, { known, suspicious, harmless }: SecurityKeys): string | undefined {
  if (known.includes(key) || harmless.includes(key)) return undefined;
  const meant = slipOf(key, known);
  if (meant !== undefined) return `is not known here; did you mean "${meant}"?`;
  return suspicious.test(key.slice(0, 200))
    ? `may ask for security, and is not known here; write some of ${known.join(', ')}, or take it out`
    : undefined;
}
