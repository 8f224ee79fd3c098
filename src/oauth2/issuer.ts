import type { Algorithm } from './algorithms.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { SignatureLimit } from './signature-limit.ts';

/** Tokens bound to a certificate (RFC 8705): not looked at, checked where a token says so, or needed. */
export type BoundTokens = 'off' | 'when-present' | 'required';

/** Who issues access tokens: one entry of `[[enforcer.security.tokenService]]`, resolved. */
export type Issuer = {
  readonly name: string;
  /** As in `iss`, exactly. */
  readonly issuer: string;
  readonly keys: IssuerKeys;
  readonly signatureLimit: SignatureLimit;
  readonly algorithms: ReadonlySet<Algorithm>;
  /** Lower case, without `application/`; `none`: no typ at all. */
  readonly tokenTypes: ReadonlySet<string>;
  /** Empty: any. Where an API says nothing else. */
  readonly audiences: ReadonlySet<string>;
  /** Milliseconds. */
  readonly clockSkew: number;
  /** Claims that name the client, the first that is there counts. */
  readonly clientClaims: readonly string[];
  /** Claims that hold scopes, the first that is there counts. */
  readonly scopeClaims: readonly string[];
  readonly boundTokens: BoundTokens | undefined;
  /** `x5t#S256` may also be 64 hex digits, as WSO2 once documented. */
  readonly takesHexThumbprint: boolean;
  /** For the backend's JWT: the token's claim -> what it is called there. */
  readonly claimMapping: ReadonlyMap<string, string>;
};

/** What an API, or an operation, asks of an access token. */
export type TokenPolicy = {
  /** By `iss`. */
  readonly issuers: ReadonlyMap<string, Issuer>;
  /** undefined: the issuer's. */
  readonly audiences: ReadonlySet<string> | undefined;
  readonly scopes: readonly string[];
  readonly scopesMatch: 'all' | 'any';
  /** Clients that may call; undefined: any. */
  readonly consumerKeys: ReadonlySet<string> | undefined;
  readonly boundTokens: BoundTokens | undefined;
};

const strictness: readonly BoundTokens[] = ['off', 'when-present', 'required'];

/** The strictest that anybody gives; `when-present` where nobody does. */
export function strictest(...given: readonly (BoundTokens | undefined)[]): BoundTokens {
  const known = given.filter((value) => value !== undefined);
  if (known.length === 0) return 'when-present';
  return known.reduce((a, b) => (strictness.indexOf(b) > strictness.indexOf(a) ? b : a));
}
