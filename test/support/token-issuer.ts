import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type SignKeyObjectInput,
  sign as signBytes,
} from 'node:crypto';

/** A token issuer of a test: its key, its JWKS, and tokens written by hand, so that each part may be wrong. */
export type TokenIssuer = {
  readonly issuer: string;
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly jwks: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** A good token at `at`, with these claims and header members in place of its own (undefined: left out). */
  readonly token: (
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ) => string;
};

type Kind = 'ES256' | 'RS256';

const generateKey = (kind: Kind): KeyObject =>
  kind === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

export function createTokenIssuer(
  at: number,
  { issuer = 'https://idp.test', kid = 'key-1', kind = 'ES256' as Kind, privateKey = generateKey(kind) } = {},
): TokenIssuer {
  const publicKey = createPublicKey(privateKey);
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: kind, use: 'sig' };
  return {
    issuer,
    jwk,
    jwks: JSON.stringify({ keys: [jwk] }),
    publicKey,
    privateKey,
    token: (claims, header) =>
      signToken(
        { alg: kind, typ: 'at+jwt', kid, ...header },
        {
          iss: issuer,
          sub: 'alice',
          client_id: 'app-1',
          aud: 'https://api.test',
          scope: 'orders:read',
          iat: Math.floor(at / 1000) - 10,
          exp: Math.floor(at / 1000) + 300,
          ...claims,
        },
        privateKey,
      ),
  };
}

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signed as the key is, whatever the header says. Texts are taken as they are. */
export function signToken(header: unknown, claims: unknown, key: KeyObject): string {
  const input = `${part(header)}.${part(claims)}`;
  const how: SignKeyObjectInput =
    key.asymmetricKeyType === 'ec' ? { key, dsaEncoding: 'ieee-p1363' } : { key };
  return `${input}.${signBytes('sha256', Buffer.from(input), how).toString('base64url')}`;
}
