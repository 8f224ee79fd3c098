import { after, type Soon } from '../soon.ts';
import type { Algorithm } from './algorithms.ts';
import type { SentToken } from './bearer-token.ts';
import { type AccessToken, judgeClaims, judgeScopes } from './claims.ts';
import { type CompactJws, parseCompactJws } from './compact-jws.ts';
import { judgeConfirmation, type Possession } from './confirmation.ts';
import type { Issuer, TokenPolicy } from './issuer.ts';
import { isTokenFailure, quoted, type TokenFailure, tokenFailure } from './token-failures.ts';
import type { VerificationKey } from './verification-key.ts';

/** What a request's access token is worth. */
export type TokenVerdict =
  | { readonly kind: 'none' }
  | { readonly kind: 'verified'; readonly token: AccessToken }
  /** Where no token is needed, it counts as none. */
  | ({ readonly kind: 'wrong' } & TokenFailure)
  /** Its issuer said whose it is, and it is another's: refused, whatever else is needed or not. */
  | ({ readonly kind: 'stolen' } & TokenFailure);

/**
 * The access token of a request, judged from the cheapest to the dearest question (RFC 9068 section 4, RFC 8725).
 * A Promise for its signature alone, which is checked off the event loop, once; nothing here waits for the network.
 *
 * @param sent as read from the request
 * @param possession the certificate that the client proved to have; asked for only if the token is bound to one
 * @param now milliseconds since the epoch
 */
export function judgeAccessToken(
  sent: SentToken | TokenFailure,
  policy: TokenPolicy,
  possession: () => Possession,
  now: number,
): Soon<TokenVerdict> {
  if (isTokenFailure(sent)) return { kind: 'wrong', ...sent };
  if (sent.kind === 'none') return sent;
  const jws = parseCompactJws(sent.text);
  if (isTokenFailure(jws)) return { kind: 'wrong', ...jws };
  const issuer = findIssuer(jws, policy);
  if (isTokenFailure(issuer)) return { kind: 'wrong', ...issuer };
  return after(judgeHeader(jws, issuer) ?? judgeSignature(jws, issuer, now), (unsigned): TokenVerdict => {
    if (unsigned !== undefined) return { kind: 'wrong', ...unsigned };
    const token = judgeClaims(jws, issuer, policy, now);
    if (isTokenFailure(token)) return { kind: 'wrong', ...token };
    const stolen = judgeConfirmation(jws.claims.cnf, issuer, policy, possession, now);
    if (stolen !== undefined)
      return { kind: stolen.code === 'token_unbound' ? 'wrong' : 'stolen', ...stolen };
    const unscoped = judgeScopes(token, policy);
    if (unscoped !== undefined) return { kind: 'wrong', ...unscoped };
    return { kind: 'verified', token };
  });
}

function findIssuer({ claims }: CompactJws, policy: TokenPolicy): Issuer | TokenFailure {
  const { iss } = claims;
  const issuer = typeof iss === 'string' ? policy.issuers.get(iss) : undefined;
  return issuer ?? tokenFailure('token_issuer_unknown', `iss is ${quoted(iss)}`);
}

/** RFC 8725 sections 3.1 and 3.11: the algorithm and the type are ours to choose, not the token's. */
function judgeHeader({ header }: CompactJws, issuer: Issuer): TokenFailure | undefined {
  if (!issuer.algorithms.has(header.alg as Algorithm))
    return tokenFailure('token_algorithm_refused', `alg is ${quoted(header.alg)}`);
  const type = header.typ === undefined ? 'none' : header.typ.toLowerCase().replace(/^application\//, '');
  // A typ that says "none" is a type like any other, and not the lack of one.
  if (!issuer.tokenTypes.has(type) || header.typ?.toLowerCase() === 'none')
    return tokenFailure(
      'token_type_refused',
      `typ is ${quoted(header.typ)}; "${issuer.name}" takes ${[...issuer.tokenTypes].join(', ')}`,
    );
  return undefined;
}

function judgeSignature(jws: CompactJws, issuer: Issuer, now: number): Soon<TokenFailure | undefined> {
  const { kid, alg } = jws.header;
  const keys = issuer.keys.find(kid, alg);
  const which = `kid ${quoted(kid)} and alg ${quoted(alg)} of "${issuer.name}"`;
  if (keys === 'unavailable')
    return tokenFailure('token_keys_unavailable', `no JWKS of "${issuer.name}" yet`);
  if (keys === 'unknown') return tokenFailure('token_key_unknown', `no key fits ${which}`);
  if (keys === 'too-many')
    return tokenFailure('token_key_unknown', `too many keys fit ${which} to try each; write kid into tokens`);
  if (keys.some((key) => key.remembers(jws))) return undefined;
  const invalid = () => tokenFailure('token_signature_invalid', `by ${which}`);
  const { signatureLimit } = issuer;
  if (!signatureLimit.take(keys.length, now))
    return tokenFailure('token_checks_limited', `too many unseen tokens a second of "${issuer.name}"`);
  return isSignedByOne(keys, jws)
    .then((isSigned) => (isSigned ? undefined : invalid()))
    .finally(() => signatureLimit.done());
}

async function isSignedByOne(keys: readonly VerificationKey[], jws: CompactJws): Promise<boolean> {
  for (const key of keys) if (await key.signed(jws)) return true;
  return false;
}
