import type { Certificate } from '../certificate/certificate.ts';
import type { Offered } from '../certificate/offered.ts';
import { equalBytes } from '../der/der-values.ts';

export type Anchor = {
  /**
   * ca: may issue, if its own extensions let it. pinned: this very certificate is trusted as a leaf, whatever its
   * basicConstraints say, and issues nothing.
   */
  readonly kind: 'ca' | 'pinned';
  readonly certificate: Certificate;
};

/** Certificates by the key of their subject. */
export type BySubject<Of = Certificate> = ReadonlyMap<string, readonly Of[]>;

/** What paths are built from, whatever the client sends along. Immutable. */
export type TrustStore = {
  readonly anchors: BySubject;
  /** SHA-256 of each pinned certificate, lower-case hex. */
  readonly pinned: ReadonlySet<string>;
  /** Whose word pins them, for `RevocationState.issuerOf`; undefined: that of whoever trusts this store. */
  readonly pinnedBy: number | undefined;
  readonly intermediates: BySubject;
  /** undefined: any path will do. Otherwise one of these CAs must issue in the path (same subject and key). */
  readonly through: readonly Certificate[] | undefined;
  /**
   * Which of several of one name to try first: 0, those of whoever trusts this store; then one after the other of each who
   * may add to it without being trusted for others' clients, so that nobody's come before everybody's first.
   */
  readonly turnOf: (ca: Certificate) => number;
  /** Instants at which a verdict may turn because a certificate of this store begins or ends; each list ascends. */
  readonly turns: readonly (readonly number[])[];
};

/** CA certificates that are at hand without being trusted; many stores may share them. */
export type KnownCas = { readonly bySubject: BySubject; readonly turns: readonly number[] };

export const knownCas = (certificates: readonly Certificate[]): KnownCas => ({
  bySubject: bySubject(certificates),
  turns: turnsOfAll(certificates),
});

/**
 * @param intermediates known beside those that clients send; not trusted. Shared as `KnownCas`, or a list
 * @param through only paths with one of these CAs below the anchor, or as the anchor, are valid; where intermediates are a
 *   list, they are candidates too
 * @param fingerprints SHA-256 of certificates that are pinned without being at hand, lower-case hex
 */
export function createTrustStore({
  anchors,
  intermediates = [],
  through,
  fingerprints = new Set(),
  pinnedBy,
  turnOf = () => 0,
}: {
  readonly anchors: readonly Anchor[];
  readonly intermediates?: readonly Certificate[] | KnownCas;
  readonly through?: readonly Certificate[];
  readonly fingerprints?: ReadonlySet<string>;
  readonly pinnedBy?: number | undefined;
  readonly turnOf?: TrustStore['turnOf'];
}): TrustStore {
  const cas = anchors.filter(({ kind }) => kind === 'ca').map(({ certificate }) => certificate);
  const pins = anchors.filter(({ kind }) => kind === 'pinned').map(({ certificate }) => certificate);
  const known =
    'bySubject' in intermediates ? intermediates : knownCas([...intermediates, ...(through ?? [])]);
  return {
    anchors: bySubject(cas),
    // Fifty thousand of them: shared where nothing is added.
    pinned:
      pins.length === 0 ? fingerprints : new Set([...pins.map(({ sha256 }) => sha256), ...fingerprints]),
    pinnedBy,
    intermediates: known.bySubject,
    through,
    turnOf,
    turns: [turnsOfAll(cas), known.turns],
  };
}

const turnsOfAll = (certificates: readonly Certificate[]): readonly number[] =>
  [...new Set(certificates.flatMap(turnsOf))].sort((a, b) => a - b);

/** The first millisecond in which the certificate is valid, and the first in which it no longer is. */
export const turnsOf = ({ notBefore, notAfter }: Certificate): readonly [number, number] => [
  notBefore,
  notAfter + 1000,
];

/** Each certificate once. */
export function bySubject<Of extends Offered>(certificates: readonly Of[]): BySubject<Of> {
  const groups = Map.groupBy(certificates, ({ subject }) => subject.key);
  for (const [key, group] of groups) if (group.length > 1) groups.set(key, distinct(group));
  return groups;
}

export const distinct = <Of extends Offered>(certificates: readonly Of[]): Of[] => [
  ...new Map(certificates.map((certificate) => [certificate.sha256, certificate])).values(),
];

/** The same CA, however often its certificate was issued anew (RFC 4158 2.4.2 calls the pair a CA's identity). */
export const isSameCa = (a: Certificate, b: Certificate): boolean =>
  a === b ||
  (a.subject.key === b.subject.key && equalBytes(a.subjectPublicKey.spki, b.subjectPublicKey.spki));
