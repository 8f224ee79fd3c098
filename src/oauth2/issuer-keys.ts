import type { Algorithm } from './algorithms.ts';
import { VerificationKey } from './verification-key.ts';

/** Where an issuer's keys are found. */
export type IssuerKeys = {
  /** The keys of that name and algorithm, each once; seldom more than one. */
  readonly find: (kid: string | undefined, algorithm: string) => readonly VerificationKey[] | KeyAbsence;
  /** For whoever compares: other keys, or keys from elsewhere, are told otherwise. */
  readonly source: () => string;
};

/** unknown: there are keys, and this is none of them. unavailable: there are none, yet. too-many: to try each. */
type KeyAbsence = 'unknown' | 'unavailable' | 'too-many';

/** While an issuer changes its keys, and names none of them in its tokens, there are two or three. */
const maxTried = 8;

/** The published keys, as last fetched, and a way to ask for newer ones. */
export type PublishedKeys = {
  /** Where they are fetched from; without one they are in a file. */
  readonly url?: string;
  /** The elements of `keys` (RFC 7517 section 5), the same array until others are fetched; undefined: none, yet. */
  readonly jwks: () => readonly unknown[] | undefined;
  /** A key is wanted that is not among them. Returns at once. */
  readonly refresh: () => void;
};

/**
 * @param published by JWKS; a token with a `kid` is checked by these if there are any, as Choreo Connect does
 * @param certificate the key of `certificateFilePath`, for tokens without `kid`, and for all where nothing is published
 */
export function issuerKeys(
  published: PublishedKeys | undefined,
  certificate: VerificationKey | undefined,
): IssuerKeys {
  const current = published && keysOf(published);
  return {
    // What is fetched changes without a word of the configuration: there, it is the place that counts.
    source: () => JSON.stringify([published?.url ?? published?.jwks(), certificate?.material]),
    find: (kid, algorithm) => {
      if (current === undefined || (kid === undefined && certificate !== undefined))
        return certificate && fits(certificate, algorithm) ? [certificate] : 'unknown';
      const keys = current();
      if (keys === undefined) {
        published?.refresh();
        return 'unavailable';
      }
      const named = keys.filter((key) => (kid === undefined || key.kid === kid) && fits(key, algorithm));
      // Issuers list a key twice: with its certificate and without, with `alg` and without, for two algorithms.
      const fitting = [...new Map(named.map((key) => [key.material, key])).values()];
      if (fitting.length > 0) return fitting.length > maxTried ? 'too-many' : fitting;
      published?.refresh();
      return 'unknown';
    },
  };
}

const fits = (key: VerificationKey, algorithm: string): boolean =>
  key.algorithms.includes(algorithm as Algorithm);

/** The keys that can be used. Those that stay over a refresh stay with what they remember; what left is forgotten. */
function keysOf(published: PublishedKeys): () => readonly VerificationKey[] | undefined {
  let from: readonly unknown[] | undefined;
  let keys: readonly VerificationKey[] | undefined;
  return () => {
    const latest = published.jwks();
    if (latest === from) return keys;
    from = latest;
    const before = new Map(keys?.map((key) => [key.identity, key]));
    keys = latest?.flatMap((jwk) => {
      const key = VerificationKey.fromJwk(jwk);
      return typeof key === 'string' ? [] : [before.get(key.identity) ?? key];
    });
    return keys;
  };
}
