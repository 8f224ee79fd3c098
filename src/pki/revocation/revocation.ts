import type { Certificate } from '../certificate/certificate.ts';
import { allReasons, type ReasonMask } from '../certificate/distribution-point.ts';
import { named } from '../certificate/name.ts';
import { failure, type PathFailure } from '../path/failures.ts';
import type { Crl } from './crl.ts';
import { type RevokedEntry, removeFromCRL } from './crl-entry.ts';
import { coverageAt, crlIssuersOf, distributionPointsOf, isDeltaOf, scopeOf } from './crl-scope.ts';
import type { CrlSet } from './crl-set.ts';
import { type Freshness, isWithin, nextTurn, windowOf, withoutEnd } from './freshness.ts';
import type { OcspAnswer, RevocationKnowledge, RevocationPolicy, SourceKind } from './revocation-state.ts';

/**
 * Whether the key of some certificate with the CRL issuer's name made the CRL's signature, may do so, and stands at
 * the end of a valid path to the same trust anchor (RFC 5280 6.3.3 (f), (g)).
 *
 * @param issuer of the certificate in question, whose path is validated already
 */
type SignerCheck = (crl: Crl, issuer: Certificate) => FoundSigner | undefined;

export type FoundSigner = {
  readonly certificate: Certificate;
  /** Else nobody knows whether it is revoked: what it lists is, and what it does not list need not be good. */
  readonly isSure: boolean;
};

/** Whether this very certificate's key made the signature. */
type SignatureCheck = (crl: Crl, signer: Certificate) => boolean;

/** `asOf`: since when the list or answer that says so counts, in milliseconds since the epoch. */
type RevocationStatus =
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
type StatusRequest = {
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

/** The status of one certificate by RFC 5280 6.3.3. */
export function revocationStatus(request: StatusRequest): RevocationStatus {
  const { revoked, goodAsOf, until } = heardOfCrls(request);
  if (revoked[0] !== undefined) return revoked[0];
  return goodAsOf === undefined ? { status: 'unknown', until } : { status: 'good', until, asOf: goodAsOf };
}

/** All that lists or responders say of a certificate. */
type Heard = {
  readonly revoked: readonly Extract<RevocationStatus, { readonly status: 'revoked' }>[];
  /** Since when they cover all reasons; undefined: they don't. */
  readonly goodAsOf: number | undefined;
  /** As of `RevocationStatus`. */
  readonly until: number;
};

/** What one list says. */
type ListWord = {
  readonly signer: FoundSigner;
  readonly reasons: ReasonMask;
  readonly asOf: number;
  readonly entry: RevokedEntry | undefined;
};

/**
 * Of one key and scope the newest decides. Those of other scopes, and of another key of the issuer, are looked at all the
 * same, whatever was covered before: what one of them lists is revoked. A CA with a new key may go on to list with each key
 * what that one signed, and neither list tells which it does.
 */
function heardOfCrls(request: StatusRequest): Heard {
  const { certificate, issuer, crls, freshness, now, findSigner, isSignedBy } = request;
  const words = new Map<Crl, ListWord>();
  /** By issuer, who signed its lists, and of which scopes. */
  const heard = new Map<string, Map<FoundSigner, Set<string>>>();
  let until = Infinity;
  for (const point of distributionPointsOf(certificate)) {
    const published = crlIssuersOf(point, certificate).flatMap((key) => crls.get(key) ?? []);
    until = Math.min(until, ...published.map((crl) => nextTurn(windowOf(crl, freshness), now)));
    const [deltas, completes] = split(published.filter((crl) => isWithin(windowOf(crl, freshness), now)));
    const deltasOf = Map.groupBy(deltas, scopeOf);
    const covered = coverageAt(point, certificate);
    for (const crl of completes) {
      const reasons = covered(crl);
      const before = words.get(crl);
      if (before !== undefined) words.set(crl, { ...before, reasons: before.reasons | reasons });
      if (before !== undefined || reasons === 0) continue;
      const signers = heard.get(crl.issuer.key) ?? new Map<FoundSigner, Set<string>>();
      heard.set(crl.issuer.key, signers);
      const scope = scopeOf(crl);
      const known = [...signers.keys()].find((one) => isSignedBy(crl, one.certificate));
      if (known !== undefined && signers.get(known)?.has(scope)) continue;
      // Who was found once is not searched for again: the request pays for each search.
      const signer = known ?? findSigner(crl, issuer);
      if (signer === undefined) continue;
      signers.set(signer, (signers.get(signer) ?? new Set()).add(scope));
      const delta = deltasOf
        .get(scope)
        ?.find((one) => isDeltaOf(one, crl) && isSignedBy(one, signer.certificate));
      const { from: asOf } = windowOf(delta ?? crl, freshness);
      words.set(crl, { signer, reasons, asOf, entry: entryOf(certificate, crl, delta) });
    }
  }
  const revoked = [...words.values()].flatMap(({ entry, asOf }) =>
    entry === undefined ? [] : [{ status: 'revoked' as const, entry, asOf }],
  );
  return { revoked, goodAsOf: coveredSince([...words.values()]), until };
}

/** By the newest that together cover all reasons. */
function coveredSince(words: readonly ListWord[]): number | undefined {
  let covered = 0;
  for (const { signer, reasons, asOf } of words.toSorted((a, b) => b.asOf - a.asOf)) {
    if (signer.isSure) covered |= reasons;
    if (covered === allReasons) return asOf;
  }
  return undefined;
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
  const heard = knowledge.answersAbout?.(certificate, issuer) ?? [];
  const answers = heard.flatMap((answer) =>
    isByRevoked(answer, question, crls) ? insteadOf(answer) : [answer],
  );
  const heardOf = (source: SourceKind, isLasting: boolean): Heard =>
    source === 'crl'
      ? heardOfCrls({ ...question, crls, freshness: isLasting ? withoutEnd(freshness) : freshness })
      : heardOfOcsp(isLasting ? answers.map(lasting) : answers, now);
  const found = sources.map((source) => heardOf(source, false));
  const [revoked] = found.flatMap((heard) => heard.revoked);
  if (revoked !== undefined) return revoked;
  const until = Math.min(...found.map((heard) => heard.until));
  const goodAsOf = Math.max(...found.map((heard) => heard.goodAsOf ?? -Infinity));

  // What was revoked stays so (RFC 5280 5.3.1) until something newer says otherwise: who keeps a list or answer from being
  // renewed must not gain by it, neither where unknown ones are accepted nor where an older list still counts.
  const before = sources
    .flatMap((source) => heardOf(source, true).revoked)
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

/** What counts where the answer does not. */
const insteadOf = (answer: OcspAnswer): readonly OcspAnswer[] =>
  answer.status === 'revoked' || answer.instead === undefined ? [] : [answer.instead];

/**
 * Whether a list of the issuer's has the responder that says good. RFC 6960 4.2.2.2.1 leaves that to us, and id-pkix-ocsp-nocheck
 * says that it need not be looked for; where it is known, it counts.
 */
function isByRevoked(
  answer: OcspAnswer,
  { issuer, findSigner }: Pick<StatusRequest, 'issuer' | 'findSigner'>,
  crls: CrlSet,
): boolean {
  const { key } = issuer.subject;
  const delegate = answer.status === 'revoked' ? undefined : answer.delegate;
  if (delegate === undefined) return false;
  return (crls.get(key) ?? []).some((crl) => {
    const at = crl.revoked.find(key, delegate);
    if (at === undefined || crl.revoked.at(at).reasonCode === removeFromCRL) return false;
    return findSigner(crl, issuer) !== undefined;
  });
}

const certificateHold = 6;
const lasting = (answer: OcspAnswer): OcspAnswer => ({
  ...answer,
  window: { ...answer.window, until: Infinity },
});

/** Of several responders the worst word counts: revoked, then good; who says unknown knows nothing. */
function heardOfOcsp(answers: readonly OcspAnswer[], now: number): Heard {
  const current = answers.filter(({ window }) => isWithin(window, now));
  const newestFirst = current.toSorted((a, b) => b.window.from - a.window.from);
  return {
    revoked: newestFirst.flatMap((one) =>
      one.status === 'revoked' ? [{ status: one.status, entry: one.entry, asOf: one.window.from }] : [],
    ),
    goodAsOf: newestFirst.find(({ status }) => status === 'good')?.window.from,
    until: Math.min(...answers.map(({ window }) => nextTurn(window, now))),
  };
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
