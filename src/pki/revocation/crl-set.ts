import type { Crl } from './crl.ts';
import { scopeOf } from './crl-scope.ts';

/** CRLs by the key of their issuer; of one scope the newest first. */
export type CrlSet = ReadonlyMap<string, readonly Crl[]>;

/** So that an older CRL never overrules a newer one of the same scope (RFC 5280 5.2.3): each scope counts by itself. */
export const createCrlSet = (crls: readonly Crl[]): CrlSet =>
  new Map(
    [...Map.groupBy(crls, ({ issuer }) => issuer.key)].map(([key, some]) => [
      key,
      [...Map.groupBy(some, scopeOf).values()].flatMap(newestFirst),
    ]),
  );

/** By cRLNumber where all of a scope have one, else by thisUpdate. */
function newestFirst(crls: readonly Crl[]): readonly Crl[] {
  const byDate = (a: Crl, b: Crl): number => b.thisUpdate - a.thisUpdate;
  if (crls.some(({ cRLNumber }) => cRLNumber === undefined)) return crls.toSorted(byDate);
  return crls.toSorted((a, b) => {
    if (a.cRLNumber === b.cRLNumber) return byDate(a, b);
    return a.cRLNumber! < b.cRLNumber! ? 1 : -1;
  });
}
