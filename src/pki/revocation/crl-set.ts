import type { Crl } from './crl.ts';

/** CRLs by the key of their issuer, the newest first. */
export type CrlSet = ReadonlyMap<string, readonly Crl[]>;

/** So that an older CRL never overrules a newer one of the same scope (RFC 5280 5.2.3). */
export function createCrlSet(crls: readonly Crl[]): CrlSet {
  const newestFirst = crls.toSorted((a, b) =>
    a.cRLNumber === b.cRLNumber ? b.thisUpdate - a.thisUpdate : a.cRLNumber < b.cRLNumber ? 1 : -1,
  );
  return Map.groupBy(newestFirst, ({ issuer }) => issuer.key);
}

/**
 * What is known of revocation at this instant. It outlives snapshots and changes without one, so it is asked anew for
 * each certificate, and is no part of what a validator is made of. Within one validation, which is synchronous, it stays
 * as it is.
 */
export type RevocationState = {
  /** Another one as soon as any answer may be another: verdicts that were remembered under an older one count no more. */
  readonly version: number;
  readonly crls: CrlSet;
  /** What becomes of a path with a certificate whose status can't be told. Revoked ones are refused always. */
  readonly unknown: 'refuse' | 'accept';
};
