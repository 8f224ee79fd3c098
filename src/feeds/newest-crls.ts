import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { hex } from '../pki/der/der-values.ts';
import type { Crl } from '../pki/revocation/crl.ts';

/** A CRL that one of the CAs signed. */
export type VerifiedCrl = {
  readonly crl: Crl;
  readonly signer: Certificate;
  readonly der: Uint8Array;
  /** That it was read from; '' from a URL. */
  readonly file: string;
  /** SHA-256 of its bytes. */
  readonly digest: string;
};

type Newest = {
  readonly crls: readonly VerifiedCrl[];
  /** Why some of what was found is not among them. */
  readonly unused: readonly string[];
  /** When the first of those begins that count only later, by its own word. */
  readonly begins: number | undefined;
};

/** Of one source: lists of the same key and scope take each other's place, others stand side by side. */
export const maxHeld = 1_000;

type Signed = Pick<VerifiedCrl, 'crl' | 'signer'>;

/**
 * Of what was found at once, what no other takes the place of: a folder may keep the lists of years. What begins to count
 * in the future takes none.
 */
export function withoutOlder<One extends Signed>(
  found: readonly One[],
  now: number,
): { readonly kept: readonly One[]; readonly unused: readonly string[] } {
  const unused: string[] = [];
  const newest = new Map<string, One>();
  const future: One[] = [];
  for (const one of found) {
    const rival = newest.get(slotOf(one));
    if (one.crl.thisUpdate > now) future.push(one);
    else if (rival !== undefined && isOlder(one.crl, rival.crl, now))
      unused.push(olderText(one.crl, rival.crl));
    else newest.set(slotOf(one), one);
  }
  return { kept: [...newest.values(), ...future], unused };
}

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
  let begins: number | undefined;
  const held = new Map(before.map((one) => [slotOf(one), one]));
  for (const one of found) {
    const slot = slotOf(one);
    const rival = newest.get(slot) ?? held.get(slot);
    if (one.crl.thisUpdate > now + clockSkew) {
      begins = Math.min(begins ?? Infinity, one.crl.thisUpdate);
      unused.push(`${textOf(one.crl)} counts only from then on; is the clock right?`);
      if (rival !== undefined) newest.set(slot, rival);
    } else if (rival !== undefined && isOlder(one.crl, rival.crl, now)) {
      unused.push(olderText(one.crl, rival.crl));
      newest.set(slot, rival);
    } else newest.set(slot, one);
  }
  for (const [slot, one] of held)
    if (staysBeside(one) && !newest.has(slot) && newest.size < maxHeld) newest.set(slot, one);
  return { crls: [...newest.values()].slice(0, maxHeld), unused, begins };
}

/** Whose key, which scope, complete or delta. */
const slotOf = ({ crl, signer }: Signed): string => {
  const { issuingDistributionPoint, deltaCRLIndicator } = crl.extensions;
  return [
    crl.issuer.key,
    hex(signer.subjectPublicKey.spki),
    issuingDistributionPoint?.key ?? '',
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

const olderText = (one: Crl, other: Crl): string =>
  `${textOf(one)} is older than ${textOf(other)}, which stays in force`;

const textOf = ({ issuer, cRLNumber, thisUpdate }: Crl): string =>
  `the CRL of ${formatName(issuer)}${cRLNumber === undefined ? '' : ` number ${cRLNumber}`} of ${new Date(thisUpdate).toISOString()}`;
