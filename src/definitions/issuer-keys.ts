import { type Cursor, noFindings } from '../documents/cursor.ts';

/**
 * What is wrong with the keys of an issuer that narrow what its tokens open: one that is misspelt, or not what it should
 * be, would take tokens that are meant for others. undefined: nothing.
 */
export function issuerKeysProblem(issuer: Cursor, keys: readonly string[]): string | undefined {
  const found = noFindings();
  const at = issuer.into(found);
  at.noSlips(keys);
  at.get('validateSubscription').flag();
  at.get('audience').text('"https://api.example.com"');
  const [first] = found.problems;
  return first && `${first.key}: ${first.message}; its tokens are refused`;
}

/** What is no text there says nothing. */
export function textIn(at: Cursor, key: string): string | undefined {
  const { value } = at.get(key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
