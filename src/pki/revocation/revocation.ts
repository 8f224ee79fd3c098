import type { Certificate } from '../certificate/certificate.ts';
import { allReasons } from '../certificate/distribution-point.ts';
import { named } from '../certificate/name.ts';
import { failure, type PathFailure } from '../path/failures.ts';
import type { Crl } from './crl.ts';
import { crlIssuersOf, distributionPointsOf, isDeltaOf, reasonsCovered } from './crl-scope.ts';
import type { CrlSet, RevocationState } from './crl-set.ts';
import { type Freshness, isWithin, nextTurn, windowOf } from './freshness.ts';
import { type RevokedEntry, removeFromCRL } from './revoked-entries.ts';

/**
 * Whether the key of some certificate with the CRL issuer's name made the CRL's signature, may do so, and stands at
 * the end of a valid path to the same trust anchor (RFC 5280 6.3.3 (f), (g)).
 *
 * @param issuer of the certificate in question, whose path is validated already
 */
export type SignerCheck = (crl: Crl, issuer: Certificate) => Certificate | undefined;

/** Whether this very certificate's key made the signature. */
export type SignatureCheck = (crl: Crl, signer: Certificate) => boolean;

export type RevocationStatus =
  | { readonly status: 'revoked'; readonly entry: RevokedEntry }
  | {
      readonly status: 'good' | 'unknown';
      /** Milliseconds since the epoch: then one of the CRLs of its issuers begins or ends. */
      readonly until: number;
    };

/** What one certificate's status is judged by. */
export type StatusRequest = {
  readonly certificate: Certificate;
  /** The certificate above it in its validated path. */
  readonly issuer: Certificate;
  readonly crls: CrlSet;
  readonly freshness: Freshness;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly findSigner: SignerCheck;
  readonly isSignedBy: SignatureCheck;
};

/** The status of one certificate by RFC 5280 6.3.3: CRLs are gathered until they cover all reasons. */
export function revocationStatus(request: StatusRequest): RevocationStatus {
  const { certificate, issuer, crls, freshness, now, findSigner, isSignedBy } = request;
  let covered = 0;
  let until = Infinity;
  for (const point of distributionPointsOf(certificate)) {
    const published = crlIssuersOf(point, certificate).flatMap((key) => crls.get(key) ?? []);
    until = Math.min(until, ...published.map((crl) => nextTurn(windowOf(crl, freshness), now)));
    const [deltas, completes] = split(published.filter((crl) => isWithin(windowOf(crl, freshness), now)));
    for (const crl of completes) {
      const reasons = reasonsCovered(crl, point, certificate);
      if ((reasons & ~covered) === 0) continue;
      const signer = findSigner(crl, issuer);
      if (signer === undefined) continue;
      const delta = deltas.find((one) => isDeltaOf(one, crl) && isSignedBy(one, signer));
      const entry = entryOf(certificate, crl, delta);
      if (entry !== undefined) return { status: 'revoked', entry };
      covered |= reasons;
      if (covered === allReasons) return { status: 'good', until };
    }
  }
  return { status: 'unknown', until };
}

function split(crls: readonly Crl[]): readonly [deltas: readonly Crl[], completes: readonly Crl[]] {
  const isDelta = ({ extensions }: Crl) => extensions.deltaCRLIndicator !== undefined;
  return [crls.filter(isDelta), crls.filter((crl) => !isDelta(crl))];
}

/**
 * 6.3.3 (i) to (k): the delta's word goes before the complete CRL's. In that one removeFromCRL has no place (5.3.1),
 * and whatever is on the list is revoked.
 */
function entryOf(
  { issuer, serialNumber }: Certificate,
  complete: Crl,
  delta: Crl | undefined,
): RevokedEntry | undefined {
  const changed = delta?.revoked.find(issuer.key, serialNumber);
  if (changed !== undefined) return changed.reasonCode === removeFromCRL ? undefined : changed;
  return complete.revoked.find(issuer.key, serialNumber);
}

/** What the status of a path's certificate means for the path. */
export function revocationFailure(
  result: RevocationStatus,
  certificate: Certificate,
  at: number,
  unknown: RevocationState['unknown'],
): PathFailure | undefined {
  if (result.status === 'revoked') {
    const { revocationDate, reasonCode } = result.entry;
    const code = at === 0 ? 'certificate_revoked' : 'issuer_revoked';
    const since = new Date(revocationDate).toISOString();
    return failure(
      code,
      at,
      `${named(certificate)} was revoked on ${since}, reason ${reasonCode ?? 'not given'}`,
    );
  }
  if (result.status === 'unknown' && unknown === 'refuse') {
    return failure('revocation_unknown', at, `no usable CRLs cover ${named(certificate)}`);
  }
  return undefined;
}
