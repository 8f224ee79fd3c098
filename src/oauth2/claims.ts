import type { CompactJws } from './compact-jws.ts';
import type { Issuer, TokenPolicy } from './issuer.ts';
import { quoted, type TokenFailure, tokenFailure } from './token-failures.ts';

/** A verified access token. */
export type AccessToken = {
  readonly issuer: Issuer;
  readonly subject: string | undefined;
  readonly clientId: string | undefined;
  readonly scopes: readonly string[];
  /** The claim that they stand in; undefined: there is none. */
  readonly scopesIn: string | undefined;
  /** All of it; only for what is signed for the backend. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly expires: number;
};

/**
 * Whether what the token says fits, now (RFC 7519 section 4.1, RFC 9068 section 4). Scopes and confirmation are left to
 * others.
 *
 * @param now milliseconds since the epoch
 */
export function judgeClaims(
  { claims }: CompactJws,
  issuer: Issuer,
  policy: TokenPolicy,
  now: number,
): AccessToken | TokenFailure {
  const { exp, nbf, iat, aud, sub } = claims;
  for (const [name, value] of Object.entries({ exp, nbf, iat })) {
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value)))
      return malformed(`${name} is ${quoted(value)}, no number of seconds`);
  }
  // RFC 7519 leaves exp out at will, RFC 9068 does not: a token without end could never be called back.
  if (exp === undefined) return malformed('there is no exp');
  const expires = (exp as number) * 1000;
  if (now >= expires + issuer.clockSkew) return tokenFailure('token_expired', `on ${instant(expires)}`);
  if (typeof nbf === 'number' && now < nbf * 1000 - issuer.clockSkew)
    return tokenFailure('token_not_yet_valid', `before ${instant(nbf * 1000)}`);

  const audiences = textsOf(aud);
  if (audiences === undefined) return malformed(`aud is ${quoted(aud)}, no text and no list of texts`);
  const wanted = policy.audiences ?? issuer.audiences;
  if (wanted.size > 0 && !audiences.some((audience) => wanted.has(audience)))
    return tokenFailure('token_audience_wrong', `aud is ${quoted(aud)}`);

  if (sub !== undefined && typeof sub !== 'string') return malformed(`sub is ${quoted(sub)}, no text`);
  const client = issuer.clientClaims.map((name) => claims[name]).find((value) => value !== undefined);
  if (client !== undefined && typeof client !== 'string')
    return malformed(`${issuer.clientClaims.join(' or ')} is ${quoted(client)}, no text`);
  const scopesIn = issuer.scopeClaims.find((name) => claims[name] !== undefined);
  const scope = scopesIn === undefined ? undefined : claims[scopesIn];
  const scopes = typeof scope === 'string' ? scope.split(' ') : textsOf(scope);
  if (scopes === undefined) return malformed(`${scopesIn} is ${quoted(scope)}, no text and no list of texts`);
  // Halves of a surrogate pair: all of them become the same three bytes, and so one name another.
  if (![sub ?? '', client ?? '', ...scopes].every((name) => name.isWellFormed()))
    return malformed('a name in it is no Unicode text');
  const own = scopes.filter(Boolean);
  return { issuer, subject: sub, clientId: client, scopes: own, scopesIn, claims, expires };
}

/** What the token's client may do (RFC 6750 section 3.1: insufficient_scope). */
export function judgeScopes(token: AccessToken, policy: TokenPolicy): TokenFailure | undefined {
  const { consumerKeys, scopes, scopesMatch } = policy;
  if (consumerKeys !== undefined && !(token.clientId !== undefined && consumerKeys.has(token.clientId)))
    return tokenFailure('token_client_refused', `client ${quoted(token.clientId)} is not among consumerKeys`);
  const missing = scopes.filter((scope) => !token.scopes.includes(scope));
  if (scopesMatch === 'all' ? missing.length > 0 : scopes.length > 0 && missing.length === scopes.length)
    return tokenFailure(
      'token_scope_missing',
      `of ${quoted(scopes)}, ${scopesMatch} needed, it has ${quoted(token.scopes)} in ${token.scopesIn ?? `none of ${token.issuer.scopeClaims.join(', ')}`}`,
    );
  return undefined;
}

const malformed = (detail: string): TokenFailure => tokenFailure('token_claims_malformed', detail);

/** A text or a list of texts as a list; undefined: neither. */
function textsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

/** A number of milliseconds may be further off than any date. */
const instant = (milliseconds: number): string => {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? `${milliseconds} ms` : date.toISOString();
};
