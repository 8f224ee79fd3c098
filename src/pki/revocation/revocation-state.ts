import type { Certificate } from '../certificate/certificate.ts';
import type { CrlSet } from './crl-set.ts';
import { byTheBook, type Freshness } from './freshness.ts';
import type { OcspStatus } from './ocsp.ts';

export type SourceKind = 'crl' | 'ocsp';

export type OcspAnswer = Exclude<OcspStatus, { readonly status: 'unusable' }>;

/**
 * What is known of revocation at this instant. It outlives snapshots and changes without one, in one step each time, so
 * it is asked anew for each certificate, and is no part of what a validator is made of. Within one validation, which is
 * synchronous, it stays as it is, and nothing in it waits.
 */
export type RevocationKnowledge = {
  /** Another one as soon as any answer may be another: verdicts that were remembered under an older one count no more. */
  readonly version: number;
  readonly crls: CrlSet;
  /** What responders said of it last, each judged when it came; its window says when it counts. */
  readonly answersAbout?: (certificate: Certificate, issuer: Certificate) => readonly OcspAnswer[];
  /** Whether a responder is being asked about it for the first time. */
  readonly isAwaited?: (certificate: Certificate, issuer: Certificate) => boolean;
  /**
   * For a certificate whose path is valid but for this: from now on its sources are fetched. Returns at once.
   *
   * @param above as of `policyOf`
   */
  readonly want?: (certificate: Certificate, ...above: Above) => void;
};

/** The CAs above a certificate in its path: its issuer first, the trust anchor last, which may be the issuer. */
export type Above = readonly [issuer: Certificate, ...rest: readonly Certificate[]];

/** How the certificates below a CA are judged by it. Revoked ones are refused always. */
export type RevocationPolicy = {
  readonly check: 'leaf' | 'chain';
  /** All of them count; where several say revoked, date and reason are those of the first. */
  readonly sources: readonly SourceKind[];
  readonly freshness: Freshness;
  /** What becomes of a path with a certificate whose status can't be told. */
  readonly unknown: 'refuse' | 'accept';
  /** The same while a responder is asked about it for the first time. */
  readonly pending: 'refuse' | 'accept';
  /** Whether there is anything at all to learn its status from. */
  readonly hasSource: (certificate: Certificate) => boolean;
};

export type RevocationState = RevocationKnowledge & {
  /** undefined: below these, revocation is not looked at. */
  readonly policyOf: (...above: Above) => RevocationPolicy | undefined;
  /**
   * For a certificate that is trusted by itself, without a path: the CA that issued it, where that is known.
   *
   * @param pinnedBy see `TrustStore`
   */
  readonly issuerOf?: (certificate: Certificate, pinnedBy?: number) => Certificate | undefined;
  /** For what that CA issued: those that the signers of its CRLs may lead up to. */
  readonly signerAnchorsOf?: (issuer: Certificate) => readonly Certificate[];
};

/** By CRLs alone, as RFC 5280 6.3.3 has it. */
export const byCrls = (unknown: 'refuse' | 'accept'): RevocationPolicy => ({
  check: 'chain',
  sources: ['crl'],
  freshness: byTheBook,
  unknown,
  pending: 'refuse',
  hasSource: () => true,
});
