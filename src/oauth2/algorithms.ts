import type { KeyObject } from 'node:crypto';

/**
 * Signature algorithms for access tokens (RFC 7518 section 3.1, RFC 8037, RFC 9864). Never `none`, and never HMAC: its
 * key would have to be a secret, and what issuers publish is none.
 */
export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export type Algorithm = (typeof algorithms)[number];

const curves: Readonly<Record<string, readonly Algorithm[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};

/**
 * What a key can sign by; none where it is of another kind, or too weak (RFC 7518 sections 3.3 and 3.5: 2048 bits). With
 * 1 for an exponent everybody signs: a signature is what it should come to. As certificates' keys are held to it.
 */
export function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= 2048 && publicExponent >= 3n && publicExponent % 2n === 1n
        ? algorithms.filter((name) => /^[RP]S/.test(name))
        : [];
    case 'ec':
      return curves[namedCurve] ?? [];
    case 'ed25519':
      return ['EdDSA', 'Ed25519'];
    default:
      return [];
  }
}
