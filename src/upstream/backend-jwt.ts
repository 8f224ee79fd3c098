import { createHash, createPrivateKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import type { Soon } from '../soon.ts';
import { spaceSeparated } from './field-value.ts';

type BackendJwtOptions = {
  readonly certificatePem: string;
  /** RSA. */
  readonly privateKeyPem: string;
  readonly claimDialect: string;
  /** base64url: RFC 7515. base64: as WSO2's backends expect it. */
  readonly encoding: 'base64' | 'base64url';
  /** Milliseconds. */
  readonly lifetime: number;
};

/** What the backend is told. */
export type BackendIdentity = {
  readonly api: { readonly name: string; readonly version: string; readonly basePath: string };
  readonly subject: string | undefined;
  readonly alias: string | undefined;
  readonly tier: string | undefined;
  readonly clientId: string | undefined;
  readonly scopes: readonly string[];
  /** Mapped claims of the access token, by the name they have here. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch: when what it rests on ends. */
  readonly ends: number;
};

const signAsync = promisify(sign) as (algorithm: string, data: Buffer, key: KeyObject) => Promise<Buffer>;

/** Signs a JWT a caller and API (Choreo Connect's `jwtGenerator`), and remembers it until near its end. */
export class BackendJwtSigner {
  readonly #options: BackendJwtOptions;
  readonly #key: KeyObject;
  readonly #header: Readonly<Record<string, string>>;
  /** By identity, in the order of their last use. */
  readonly #signed = new Map<string, { readonly jwt: Soon<string>; readonly until: number }>();

  /** @throws Error: the key is no RSA key of 2048 bits or more, or does not belong to the certificate */
  constructor(options: BackendJwtOptions) {
    this.#options = options;
    this.#key = createPrivateKey(options.privateKeyPem);
    if (this.#key.asymmetricKeyType !== 'rsa' || (this.#key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
      throw new Error('the key is no RSA key of 2048 bits or more');
    const certificate = new X509Certificate(options.certificatePem);
    if (!certificate.checkPrivateKey(this.#key))
      throw new Error('key and certificate do not belong together');
    const thumbprint = (algorithm: string): string =>
      createHash(algorithm).update(certificate.raw).digest('base64url');
    // RFC 7515 sections 4.1.7 and 4.1.8: how the backend knows the certificate.
    this.#header = { typ: 'JWT', alg: 'RS256', x5t: thumbprint('sha1'), 'x5t#S256': thumbprint('sha256') };
  }

  /**
   * @param now milliseconds since the epoch
   * @returns a Promise only of one that is not signed yet
   */
  sign(identity: BackendIdentity, now: number): Soon<string> {
    const { ends, ...who } = identity;
    const key = JSON.stringify([who, ends]);
    const known = this.#signed.get(key);
    this.#signed.delete(key);
    if (known !== undefined && now < known.until) {
      this.#signed.set(key, known);
      return known.jwt;
    }
    const expires = Math.min(now + this.#options.lifetime, ends);
    // Some time must be left for the backend to read it.
    const until = expires - (expires - now) / 10;
    const making = this.#make(identity, now, expires);
    const signing = { jwt: making, until };
    const remember = (signed: { readonly jwt: string; readonly until: number } | undefined): void => {
      // It may have been pushed out, or another have taken its place.
      if (this.#signed.get(key) !== signing) return;
      if (signed === undefined) this.#signed.delete(key);
      else this.#signed.set(key, signed);
    };
    making.then(
      (jwt) => remember({ jwt, until }),
      () => remember(undefined),
    );
    this.#signed.set(key, signing);
    if (this.#signed.size > maxRemembered) this.#signed.delete(this.#signed.keys().next().value!);
    return making;
  }

  async #make(identity: BackendIdentity, now: number, expires: number): Promise<string> {
    const claims = claimsOf(identity, this.#options.claimDialect);
    const [iat, exp] = [Math.floor(now / 1000), Math.floor(expires / 1000)];
    if (this.#options.encoding === 'base64url')
      return new SignJWT(claims)
        .setProtectedHeader({ ...this.#header, alg: 'RS256' })
        .setIssuedAt(iat)
        .setExpirationTime(exp)
        .sign(this.#key);
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64');
    const input = `${part(this.#header)}.${part({ ...claims, iat, exp })}`;
    return `${input}.${(await signAsync('sha256', Buffer.from(input), this.#key)).toString('base64')}`;
  }
}

/** A few kilobytes each. */
const maxRemembered = 2_000;

const ownNames = [
  'apicontext',
  'apiname',
  'version',
  'enduser',
  'tier',
  'clientalias',
  'clientid',
  'scope',
] as const;
/** RFC 7519 section 4.1: whose it is, from when and for how long, says who signs it. */
const registered = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'];

const inDialect = (name: string, dialect: string): string => `${dialect.replace(/\/$/, '')}/${name}`;

/**
 * Whether a claim of this name is ours to make, also where we have nothing to say: a token's would pass for it. Many
 * backends read names whatever their case (.NET, Go, Jackson if it is told to; Java takes a dotless i for one with its dot),
 * and URLs whatever slashes are doubled.
 */
export const isOwnClaim = (claim: string, dialect: string): boolean =>
  [...registered, ...ownNames.map((name) => inDialect(name, dialect))].some(
    (own) => plainClaim(own) === plainClaim(claim),
  );

const plainClaim = (claim: string): string =>
  claim
    .normalize('NFKD')
    .toUpperCase()
    .toLowerCase()
    .replaceAll(/\s|[\p{C}\p{M}]/gu, '')
    .replaceAll(/\/(?=\/|$)/g, '');

/** Named as Choreo Connect names them. */
function claimsOf(identity: BackendIdentity, dialect: string): Record<string, unknown> {
  const { api, subject, alias, tier, clientId, scopes, claims } = identity;
  const own: Record<(typeof ownNames)[number], unknown> = {
    apicontext: api.basePath || '/',
    apiname: api.name,
    version: api.version,
    enduser: subject,
    tier,
    clientalias: alias,
    clientid: clientId,
    scope: scopes.length === 0 ? undefined : spaceSeparated(scopes),
  };
  const named = Object.entries(own).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(Object.entries(claims).filter(([name]) => !isOwnClaim(name, dialect))),
    iss: 'wso2.org/products/am',
    ...(subject !== undefined && { sub: subject }),
    ...Object.fromEntries(named.map(([name, value]) => [inDialect(name, dialect), value])),
  };
}
