import { type Issuer, strictest, type TokenPolicy } from './issuer.ts';
import { quoted, type TokenFailure, tokenFailure } from './token-failures.ts';

/** The certificate by which the client proved that it has a key, as far as it could be read. */
export type Possession =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly detail: string }
  | {
      readonly kind: 'certificate';
      /** Lower-case hex. */
      readonly sha256: string;
      /** Milliseconds since the epoch, inclusive. */
      readonly notBefore: number;
      readonly notAfter: number;
    };

/**
 * Whether the one who sends the token is the one it was issued to (RFC 8705 section 3): the thumbprint in `cnf` is that
 * of the certificate of this request. Its CA and alias don't matter for it (the same, section 2: the issuer knew it), its
 * dates do.
 *
 * @param possession asked for only if it is needed
 * @returns undefined: it is, or nobody says so
 */
export function judgeConfirmation(
  cnf: unknown,
  issuer: Issuer,
  policy: TokenPolicy,
  possession: () => Possession,
  now: number,
): TokenFailure | undefined {
  const mode = strictest(issuer.boundTokens, policy.boundTokens);
  if (mode === 'off') return undefined;
  if (cnf === undefined)
    return mode === 'required' ? tokenFailure('token_unbound', 'it has no cnf') : undefined;
  const thumbprint = readThumbprint(cnf, issuer.takesHexThumbprint);
  if (typeof thumbprint !== 'string') return thumbprint;
  const proof = possession();
  if (proof.kind === 'none') return tokenFailure('token_certificate_missing', 'no certificate came');
  if (proof.kind === 'unreadable') return tokenFailure('token_certificate_unusable', proof.detail);
  if (proof.sha256 !== thumbprint)
    return tokenFailure(
      'token_certificate_mismatch',
      `it is bound to ${thumbprint}, and ${proof.sha256} was sent`,
    );
  if (now < proof.notBefore || now > proof.notAfter)
    return tokenFailure(
      'token_certificate_not_current',
      `it counts from ${new Date(proof.notBefore).toISOString()} to ${new Date(proof.notAfter).toISOString()}`,
    );
  return undefined;
}

/** SHA-256 of the DER as lower-case hex. */
function readThumbprint(cnf: unknown, hexToo: boolean): string | TokenFailure {
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf))
    return tokenFailure('token_confirmation_malformed', `cnf is ${quoted(cnf)}, no object`);
  if (!Object.hasOwn(cnf, 'x5t#S256'))
    return tokenFailure('token_confirmation_unsupported', `cnf has ${quoted(Object.keys(cnf))}`);
  const value: unknown = (cnf as Record<string, unknown>)['x5t#S256'];
  if (typeof value === 'string') {
    // The two bits that 43 characters have over are not looked at: the RFC's own example has them set.
    if (/^[A-Za-z0-9_-]{43}$/.test(value)) return Buffer.from(value, 'base64url').toString('hex');
    if (hexToo && /^[0-9a-fA-F]{64}$/.test(value)) return value.toLowerCase();
  }
  return tokenFailure(
    'token_confirmation_malformed',
    `x5t#S256 is ${quoted(value)}, no SHA-256 as base64url without padding`,
  );
}
