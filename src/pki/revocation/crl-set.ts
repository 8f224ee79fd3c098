import type { Crl } from './crl.ts';
import type { Freshness } from './freshness.ts';

/** CRLs by the key of their issuer, the newest first. */
export type CrlSet = ReadonlyMap<string, readonly Crl[]>;

/** So that an older CRL never overrules a newer one of the same scope (RFC 5280 5.2.3). */
export const createCrlSet = (crls: readonly Crl[]): CrlSet =>
  new Map([...Map.groupBy(crls, ({ issuer }) => issuer.key)].map(([key, some]) => [key, newestFirst(some)]));

/** By cRLNumber where all of an issuer's have one, else by thisUpdate. */
function newestFirst(crls: readonly Crl[]): readonly Crl[] {
  const byDate = (a: Crl, b: Crl): number => b.thisUpdate - a.thisUpdate;
  if (crls.some(({ cRLNumber }) => cRLNumber === undefined)) return crls.toSorted(byDate);
  return crls.toSorted((a, b) => {
    if (a.cRLNumber === b.cRLNumber) return byDate(a, b);
    return a.cRLNumber! < b.cRLNumber! ? 1 : -1;
  });
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
  /** By the book unless given. */
  readonly freshness?: Freshness;
  /** What becomes of a path with a certificate whose status can't be told. Revoked ones are refused always. */
  readonly unknown: 'refuse' | 'accept';
};
