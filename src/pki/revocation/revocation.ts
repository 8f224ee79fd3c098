import type { Certificate } from '../certificate/certificate.ts';
import { allReasons } from '../certificate/distribution-point.ts';
import { named } from '../certificate/name.ts';
import { failure, type PathFailure } from '../path/failures.ts';
import type { Crl } from './crl.ts';
import { type RevokedEntry, removeFromCRL } from './crl-entry.ts';
import { crlIssuersOf, distributionPointsOf, isDeltaOf, reasonsCovered } from './crl-scope.ts';
import type { CrlSet } from './crl-set.ts';
import { type Freshness, isWithin, nextTurn, windowOf, withoutEnd } from './freshness.ts';
import type { OcspAnswer, RevocationKnowledge, RevocationPolicy } from './revocation-state.ts';

/**
 * Whether the key of some certificate with the CRL issuer's name made the CRL's signature, may do so, and stands at
 * the end of a valid path to the same trust anchor (RFC 5280 6.3.3 (f), (g)).
 *
 * @param issuer of the certificate in question, whose path is validated already
 */
export type SignerCheck = (crl: Crl, issuer: Certificate) => Certificate | undefined;

/** Whether this very certificate's key made the signature. */
export type SignatureCheck = (crl: Crl, signer: Certificate) => boolean;

/** `asOf`: since when the list or answer that says so counts, in milliseconds since the epoch. */
export type RevocationStatus =
  | { readonly status: 'revoked'; readonly entry: RevokedEntry; readonly asOf: number }
  | { readonly status: 'good'; readonly until: number; readonly asOf: number }
  | {
      readonly status: 'unknown';
      /** Milliseconds since the epoch: then what it was judged by begins or ends. */
      readonly until: number;
    };

/** By all sources; `pending` and `no-source` are ways of being unknown. */
export type JudgedStatus =
  | RevocationStatus
  | { readonly status: 'pending' | 'no-source'; readonly until: number };

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

/**
 * The status of one certificate by RFC 5280 6.3.3: CRLs are gathered until they cover all reasons. Of one key the newest
 * decides; those of another key of the issuer are looked at all the same: a CA with a new key may go on to list with
 * each key what that one signed, and neither list tells which it does.
 */
export function revocationStatus(request: StatusRequest): RevocationStatus {
  const { certificate, issuer, crls, freshness, now, findSigner, isSignedBy } = request;
  const heard: Certificate[] = [];
  let covered = 0;
  let until = Infinity;
  let asOf = Infinity;
  for (const point of distributionPointsOf(certificate)) {
    const published = crlIssuersOf(point, certificate).flatMap((key) => crls.get(key) ?? []);
    until = Math.min(until, ...published.map((crl) => nextTurn(windowOf(crl, freshness), now)));
    const [deltas, completes] = split(published.filter((crl) => isWithin(windowOf(crl, freshness), now)));
    for (const crl of completes) {
      const reasons = reasonsCovered(crl, point, certificate);
      const isNews = (reasons & ~covered) !== 0;
      if (reasons === 0 || (!isNews && heard.some((signer) => isSignedBy(crl, signer)))) continue;
      const signer = findSigner(crl, issuer);
      if (signer === undefined) continue;
      heard.push(signer);
      const delta = deltas.find((one) => isDeltaOf(one, crl) && isSignedBy(one, signer));
      const entry = entryOf(certificate, crl, delta);
      const { from } = windowOf(delta ?? crl, freshness);
      if (entry !== undefined) return { status: 'revoked', entry, asOf: from };
      if (isNews) asOf = Math.min(asOf, from);
      covered |= reasons;
    }
  }
  return covered === allReasons ? { status: 'good', until, asOf } : { status: 'unknown', until };
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
  { issuer, serialOctets }: Certificate,
  complete: Crl,
  delta: Crl | undefined,
): RevokedEntry | undefined {
  const entryIn = ({ revoked }: Crl): RevokedEntry | undefined => {
    const at = revoked.find(issuer.key, serialOctets);
    return at === undefined ? undefined : revoked.at(at);
  };
  const changed = delta && entryIn(delta);
  if (changed !== undefined) return changed.reasonCode === removeFromCRL ? undefined : changed;
  return entryIn(complete);
}

/** Revoked counts whoever says so; else it is enough that one source says good, and that nothing newer said otherwise. */
export function statusByAll(
  question: Omit<StatusRequest, 'crls' | 'freshness'>,
  knowledge: RevocationKnowledge,
  { sources, freshness, hasSource }: RevocationPolicy,
): JudgedStatus {
  const { certificate, issuer, now } = question;
  const { crls } = knowledge;
  const answers = knowledge.answersAbout?.(certificate, issuer) ?? [];
  const found = sources.map((source) =>
    source === 'crl' ? revocationStatus({ ...question, crls, freshness }) : statusByOcsp(answers, now),
  );
  const revoked = found.find(isRevoked);
  if (revoked !== undefined) return revoked;
  const until = Math.min(...found.map((one) => (isRevoked(one) ? Infinity : one.until)));
  const goodAsOf = Math.max(-Infinity, ...found.map((one) => (one.status === 'good' ? one.asOf : -Infinity)));

  // What was revoked stays so (RFC 5280 5.3.1) until something newer says otherwise: who keeps a list or answer from being
  // renewed must not gain by it, neither where unknown ones are accepted nor where an older list still counts.
  const before = sources
    .map((source) =>
      source === 'crl'
        ? revocationStatus({ ...question, crls, freshness: withoutEnd(freshness) })
        : statusByOcsp(answers.map(lasting), now),
    )
    .filter(isRevoked)
    .filter(({ asOf }) => asOf >= goodAsOf);
  const lastingly = before.find(({ entry }) => entry.reasonCode !== certificateHold);
  if (lastingly !== undefined) return lastingly;
  // What was on hold may have been released meanwhile: whether it was, nobody can tell.
  if (before.length > 0) return { status: 'unknown', until };

  if (goodAsOf !== -Infinity) return { status: 'good', until, asOf: goodAsOf };
  if (!hasSource(certificate)) return { status: 'no-source', until };
  const isPending = sources.includes('ocsp') && knowledge.isAwaited?.(certificate, issuer) === true;
  return { status: isPending ? 'pending' : 'unknown', until };
}

const certificateHold = 6;
const lasting = (answer: OcspAnswer): OcspAnswer => ({
  ...answer,
  window: { ...answer.window, until: Infinity },
});

const isRevoked = (one: RevocationStatus): one is Extract<RevocationStatus, { readonly status: 'revoked' }> =>
  one.status === 'revoked';

/** Of several responders the worst word counts: revoked, then good; who says unknown knows nothing. */
function statusByOcsp(answers: readonly OcspAnswer[], now: number): RevocationStatus {
  const current = answers.filter(({ window }) => isWithin(window, now));
  const newestFirst = current.toSorted((a, b) => b.window.from - a.window.from);
  const revoked = newestFirst.find((one) => one.status === 'revoked');
  if (revoked !== undefined) return { status: 'revoked', entry: revoked.entry, asOf: revoked.window.from };
  const until = Math.min(Infinity, ...answers.map(({ window }) => nextTurn(window, now)));
  const good = newestFirst.find(({ status }) => status === 'good');
  return good === undefined
    ? { status: 'unknown', until }
    : { status: 'good', until, asOf: good.window.from };
}

/** What the status of a path's certificate means for the path. */
export function revocationFailure(
  result: JudgedStatus,
  certificate: Certificate,
  at: number,
  { unknown, pending }: Pick<RevocationPolicy, 'unknown' | 'pending'>,
): PathFailure | undefined {
  switch (result.status) {
    case 'revoked': {
      const { revocationDate, reasonCode } = result.entry;
      const code = at === 0 ? 'certificate_revoked' : 'issuer_revoked';
      const since = new Date(revocationDate).toISOString();
      const why = reasonCode === undefined ? 'not given' : (reasons[reasonCode] ?? `${reasonCode}`);
      return failure(code, at, `${named(certificate)} was revoked on ${since}, reason ${why}`);
    }
    case 'pending': {
      const detail = `${named(certificate)} is here for the first time, and its OCSP responder is being asked`;
      return pending === 'refuse' ? failure('revocation_pending', at, detail) : undefined;
    }
    case 'unknown': {
      const detail = `no CRL and no OCSP answer that counts now covers ${named(certificate)}`;
      return unknown === 'refuse' ? failure('revocation_unknown', at, detail) : undefined;
    }
    case 'no-source': {
      const detail = `neither config.toml nor ${named(certificate)} itself names a CRL or an OCSP responder that may be asked about it`;
      return unknown === 'refuse' ? failure('revocation_source_missing', at, detail) : undefined;
    }
    case 'good':
      return undefined;
  }
}

/** CRLReason (RFC 5280 5.3.1). */
const reasons: Readonly<Record<number, string>> = {
  0: 'unspecified',
  1: 'keyCompromise',
  2: 'cACompromise',
  3: 'affiliationChanged',
  4: 'superseded',
  5: 'cessationOfOperation',
  6: 'certificateHold',
  9: 'privilegeWithdrawn',
  10: 'aACompromise',
};
