import { VerificationKey } from './verification-key.ts';

/** A JWK Set (RFC 7517 section 5), as far as it could be read. */
type Jwks = {
  readonly keys: readonly unknown[];
  /** Why some of its keys are not used. */
  readonly unused: readonly string[];
};

const maxKeys = 200;

/** @returns the set, or what is wrong with it, to follow "found …" */
export function parseJwks(text: string): Jwks | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is no JSON';
  }
  const keys =
    typeof value === 'object' && value !== null && 'keys' in value ? (value.keys as unknown) : undefined;
  if (!Array.isArray(keys)) return 'is no JWK Set: it has no list "keys"';
  if (keys.length > maxKeys) return `has ${keys.length} keys, more than ${maxKeys} are not read`;
  const unused = keys.map((key) => VerificationKey.fromJwk(key)).filter((key) => typeof key === 'string');
  // An issuer that calls back all its keys says so by an empty list; one that sends rubbish does not.
  if (keys.length > 0 && unused.length === keys.length) return `has no key that can be used: ${unused[0]}`;
  return { keys, unused };
}
