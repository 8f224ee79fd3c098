import { formatName } from '../pki/certificate/name.ts';
import { hex } from '../pki/der/der-values.ts';
import type { Crl } from '../pki/revocation/crl.ts';
import type { VerifiedCrl } from './crl-thread.ts';

export type Newest = {
  readonly crls: readonly VerifiedCrl[];
  /** Why some of what was found is not among them. */
  readonly unused: readonly string[];
};

/** Of one source: lists of the same key and scope take each other's place, others stand side by side. */
const maxHeld = 1_000;

/**
 * What is in force once these were found: of one key and scope the newest, never an older one in its place, which
 * whoever stands between could send again.
 *
 * @param staysBeside which of those before stay where there is no newer one: a URL whose CA has a new key still has
 *   certificates of the old one; a file that was taken away was the operator's word
 */
export function newestCrls(
  before: readonly VerifiedCrl[],
  found: readonly VerifiedCrl[],
  {
    now,
    clockSkew,
    staysBeside,
  }: {
    readonly now: number;
    readonly clockSkew: number;
    readonly staysBeside: (one: VerifiedCrl) => boolean;
  },
): Newest {
  const unused: string[] = [];
  const newest = new Map<string, VerifiedCrl>();
  const held = new Map(before.map((one) => [slotOf(one), one]));
  for (const one of found) {
    const slot = slotOf(one);
    const rival = newest.get(slot) ?? held.get(slot);
    if (one.crl.thisUpdate > now + clockSkew) {
      unused.push(`${textOf(one.crl)} counts only from then on; is the clock right?`);
      if (rival !== undefined) newest.set(slot, rival);
    } else if (rival !== undefined && isOlder(one.crl, rival.crl, now)) {
      unused.push(`${textOf(one.crl)} is older than ${textOf(rival.crl)}, which stays in force`);
      newest.set(slot, rival);
    } else newest.set(slot, one);
  }
  for (const [slot, one] of held)
    if (staysBeside(one) && !newest.has(slot) && newest.size < maxHeld) newest.set(slot, one);
  return { crls: [...newest.values()].slice(0, maxHeld), unused };
}

/** Whose key, which scope, complete or delta. */
const slotOf = ({ crl, signer }: VerifiedCrl): string => {
  const { issuingDistributionPoint, deltaCRLIndicator } = crl.extensions;
  return [
    crl.issuer.key,
    hex(signer.subjectPublicKey.spki),
    issuingDistributionPoint === undefined ? '' : hex(issuingDistributionPoint.der),
    deltaCRLIndicator === undefined ? 'complete' : 'delta',
  ].join(' ');
};

/**
 * By cRLNumber where both have one, else by thisUpdate (RFC 5280 5.2.3). A CA that was set up anew counts from 1 again:
 * once the list in force is out of date, its dates alone say which is newer.
 */
function isOlder(one: Crl, other: Crl, now: number): boolean {
  const isLater = one.thisUpdate > other.thisUpdate;
  if (other.nextUpdate !== undefined && other.nextUpdate < now && isLater) return false;
  if (one.cRLNumber === undefined || other.cRLNumber === undefined || one.cRLNumber === other.cRLNumber)
    return one.thisUpdate < other.thisUpdate;
  return one.cRLNumber < other.cRLNumber;
}

const textOf = ({ issuer, cRLNumber, thisUpdate }: Crl): string =>
  `the CRL of ${formatName(issuer)}${cRLNumber === undefined ? '' : ` number ${cRLNumber}`} of ${new Date(thisUpdate).toISOString()}`;
