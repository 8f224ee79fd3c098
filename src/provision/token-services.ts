import { X509Certificate } from 'node:crypto';
import { type Path, shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { decodeText, FileProblem } from '../documents/files.ts';
import type { JwksFeed, JwksFeeds } from '../feeds/jwks.ts';
import type { Issuer } from '../oauth2/issuer.ts';
import { issuerKeys, type PublishedKeys } from '../oauth2/issuer-keys.ts';
import { parseJwks } from '../oauth2/jwks.ts';
import { SignatureLimit } from '../oauth2/signature-limit.ts';
import { VerificationKey } from '../oauth2/verification-key.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { isOwnClaim } from '../upstream/backend-jwt.ts';
import { certificatesOfJwks, type Expiry } from './expiries.ts';
import type { Findings } from './findings.ts';
import { certificateIn, readPemBundle } from './pem-files.ts';

type Written = Config['enforcer']['security']['tokenService'][number];
export type KnownIssuer = Issuer & { readonly validatesSubscription: boolean };

type TokenServices = {
  /** One for each entry that adds up. */
  readonly issuers: readonly KnownIssuer[];
  /** To be kept going while they are in force. */
  readonly feeds: readonly JwksFeed[];
  /** Of certificates in files and in the configuration itself. */
  readonly expiries: readonly Expiry[];
};

export type ServiceSurroundings = {
  /** config.toml has tables of Choreo Connect's own: its tokens are of type JWT, or of none. */
  readonly isChoreoConnect: boolean;
  readonly jwksFeeds: JwksFeeds;
  /** What the names of the claims of the backend's JWT begin with. */
  readonly claimDialect: string;
  readonly findings: Findings;
};

/**
 * Token services, with their files read.
 *
 * @param list where they are written
 */
export function readTokenServices(
  written: readonly Written[],
  list: Path,
  surroundings: ServiceSurroundings,
): TokenServices {
  const { isChoreoConnect, findings } = surroundings;
  const feeds: JwksFeed[] = [];
  const expiries: Expiry[] = [];
  // Choreo Connect's own file writes "" for what is not there.
  const services = written.map((service) => ({
    ...service,
    jwksURL: service.jwksURL || undefined,
    certificateFilePath: service.certificateFilePath || undefined,
  }));
  const issuers = services.flatMap((written, i) => {
    const at: Path = [...list, i];
    for (const key of ['name', 'issuer'] as const) {
      if (services.findIndex((other) => other[key] === written[key]) !== i)
        findings.error(
          [...at, key],
          `found ${JSON.stringify(written[key])} a second time; each needs its own`,
        );
    }
    const published = readPublished(written, at, surroundings);
    if (published?.feed !== undefined) feeds.push(published.feed);
    for (const certificate of published?.certificates ?? [])
      expiries.push({ kind: 'jwks-key', alias: '', certificate });
    const keyOf = (content: string | Uint8Array): VerificationKey => {
      const certificate = certificateIn(content);
      expiries.push({ kind: 'issuer', alias: written.name, certificate });
      return certificateKey(certificate);
    };
    const certificate =
      written.certificateFilePath !== undefined
        ? findings.file([...at, 'certificateFilePath'], written.certificateFilePath, keyOf)
        : written.certificatePem !== undefined
          ? findings.text([...at, 'certificatePem'], written.certificatePem, keyOf)
          : undefined;
    if (written.jwksURL === undefined && written.jwksPath === undefined && certificate === undefined) {
      if ((written.certificateFilePath ?? written.certificatePem) === undefined)
        findings.error(
          at,
          `"${written.name}" has no keys to verify its tokens by; write jwksURL, jwksPath or certificateFilePath`,
        );
      return [];
    }
    return [
      {
        name: written.name,
        issuer: written.issuer,
        keys: issuerKeys(published?.keys, certificate),
        signatureLimit: new SignatureLimit(),
        algorithms: new Set(written.algorithms),
        tokenTypes: new Set(tokenTypes(written, isChoreoConnect)),
        audiences: new Set(written.audiences),
        clockSkew: written.clockSkew * 1000,
        clientClaims: written.consumerKeyClaim ? [written.consumerKeyClaim] : ['azp', 'client_id'],
        scopeClaims: written.scopesClaim,
        boundTokens: written.certificateBoundTokens,
        takesHexThumbprint: written.acceptHexThumbprint,
        claimMapping: readClaimMapping(written, [...at, 'claimMapping'], surroundings),
        validatesSubscription: written.validateSubscription,
      },
    ];
  });
  return { issuers, feeds, expiries };
}

function readClaimMapping(
  { claimMapping }: Written,
  at: Path,
  { claimDialect, findings }: ServiceSurroundings,
): Issuer['claimMapping'] {
  for (const [i, { localClaim }] of claimMapping.entries())
    if (isOwnClaim(localClaim, claimDialect))
      findings.error(
        [...at, i, 'localClaim'],
        `found ${shown(localClaim)}, by which the backend's JWT says what was verified here; write another name`,
      );
  return new Map(claimMapping.map(({ remoteClaim, localClaim }) => [remoteClaim, localClaim]));
}

const tokenTypes = ({ tokenTypes: written }: Written, isChoreoConnect: boolean): readonly string[] =>
  (written ?? (isChoreoConnect ? ['at+jwt', 'JWT', 'none'] : ['at+jwt'])).map((type) =>
    type.toLowerCase().replace(/^application\//, ''),
  );

type Published = {
  readonly keys: PublishedKeys;
  readonly feed?: JwksFeed;
  /** Of keys in a file. */
  readonly certificates?: readonly Certificate[];
};

/** Keys that an issuer publishes, and the feed that keeps them fresh where they come from the network. */
function readPublished(
  { jwksURL, jwksCaPath, jwksPath }: Written,
  at: Path,
  { jwksFeeds, findings }: ServiceSurroundings,
): Published | undefined {
  if (jwksURL !== undefined && jwksPath !== undefined) {
    findings.error([...at, 'jwksPath'], 'found beside jwksURL; write one of them');
    return undefined;
  }
  if (jwksPath !== undefined) {
    const keys = findings.file([...at, 'jwksPath'], jwksPath, readJwksFile);
    if (keys?.keys.length === 0)
      findings.warn(
        [...at, 'jwksPath'],
        `found ${shown(jwksPath)}, which has no key: all tokens are refused`,
      );
    for (const reason of keys?.unused ?? []) findings.warn([...at, 'jwksPath'], `not used: ${reason}`);
    return (
      keys && {
        keys: { jwks: () => keys.keys, refresh: () => {} },
        certificates: certificatesOfJwks(keys.keys),
      }
    );
  }
  if (jwksURL === undefined) return undefined;
  const caPem =
    jwksCaPath === undefined ? undefined : findings.file([...at, 'jwksCaPath'], jwksCaPath, readPemBundle);
  if (jwksURL.toLowerCase().startsWith('http:'))
    findings.warn(
      [...at, 'jwksURL'],
      `found ${shown(jwksURL)}: whoever is on the way to it can put keys of his own in place; write https://`,
    );
  const feed = jwksFeeds.at({ url: jwksURL, caPem });
  return { keys: feed, feed };
}

function readJwksFile(content: Buffer) {
  const keys = parseJwks(decodeText(content).replace(/^\ufeff/, ''));
  if (typeof keys === 'string') throw new FileProblem(keys);
  return keys;
}

/** @throws FileProblem */
function certificateKey(certificate: Certificate): VerificationKey {
  const key = VerificationKey.fromPublicKey(new X509Certificate(certificate.der).publicKey);
  if (typeof key === 'string') throw new FileProblem(`can not be used: ${key}`);
  return key;
}
