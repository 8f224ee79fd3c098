import type { Certificate } from '../certificate/certificate.ts';
import { named, shortName } from '../certificate/name.ts';
import type { Offered } from '../certificate/offered.ts';
import { failure, type PathFailure } from './failures.ts';
import type { BySubject, TrustStore } from './trust-store.ts';

/** A name above the leaf's, with who names it as issuer: one that is nearest to the leaf, the same in whatever order. */
type Above = { child: Offered; readonly distance: number; readonly below: string[] };

/** All names that a path from the leaf may have, whatever the signatures are, the nearest first. */
export type IssuerNames = ReadonlyMap<string, Above>;

export function issuerNamesOf(leaf: Certificate, known: BySubject, offered: BySubject<Offered>): IssuerNames {
  const names = new Map<string, Above>([[leaf.issuer.key, { child: leaf, distance: 0, below: [] }]]);
  // What is added meanwhile is visited, too.
  for (const [key, { distance }] of names) {
    for (const issuers of [known.get(key), offered.get(key)]) {
      for (const child of issuers ?? []) {
        const above = child.issuer.key;
        if (above === key) continue;
        const there = names.get(above);
        if (there === undefined) names.set(above, { child, distance: distance + 1, below: [key] });
        else {
          there.below.push(key);
          if (there.distance === distance + 1 && Buffer.compare(child.der, there.child.der) < 0)
            there.child = child;
        }
      }
    }
  }
  return names;
}

/**
 * The names, from the anchors down, from which one of them can be reached: names are cheap and signatures dear, and who
 * sends nine CAs that certify each other can't make them end at an anchor without knowing one's name.
 */
export function namesLeadingUp(names: IssuerNames, { anchors }: TrustStore): ReadonlySet<string> {
  const leading = new Set<string>();
  for (const key of names.keys()) if (anchors.has(key)) leading.add(key);
  for (const key of leading) for (const below of names.get(key)!.below) leading.add(below);
  return leading;
}

/** Whether names alone leave it open that there is a path, by way of what must be met. */
export function mayReach(names: IssuerNames, trustStore: TrustStore): boolean {
  const { anchors, through } = trustStore;
  if (![...names.keys()].some((key) => anchors.has(key))) return false;
  if (through === undefined) return true;
  const leading = namesLeadingUp(names, trustStore);
  return through.some(({ subject }) => leading.has(subject.key));
}

/** Why no name leads to an anchor: where the names end, the furthest up. */
export function deadEnd(names: IssuerNames, known: BySubject, offered: BySubject<Offered>): PathFailure {
  const furthestUp = [...names].sort(
    ([a, { distance: near }], [b, { distance: far }]) => far - near || (a < b ? -1 : 1),
  );
  const ended = furthestUp.find(([key]) => !known.has(key) && !offered.has(key));
  const [, { child, distance }] = ended ?? furthestUp[0]!;
  const issuer = shortName(child.issuer);
  return failure(
    'issuer_unknown',
    distance,
    ended === undefined
      ? `${issuer} is above ${named(child)}, and neither it nor any above it is a trusted CA`
      : `no certificate of ${issuer}, which ${named(child)} names as its issuer`,
  );
}
