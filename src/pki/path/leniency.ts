import type { Certificate, Signer } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import type { Signed } from '../certificate/signature.ts';
import { failure, type PathFailure } from './failures.ts';
import type { Leniency, LenientCas, PathPolicy, WeakAlgorithms } from './path-options.ts';
import { isSameCa, type TrustStore } from './trust-store.ts';

/** While it is open which CAs a path has: what the most lenient of all would accept. */
export const mostLenient = (policy: PathPolicy): Leniency => policy.lenientCas?.all ?? policy;

/** As one CA, however often its certificate was issued anew. */
const caKey = ({ subject, subjectPublicKey }: Signer): string => `${subject.key} ${subjectPublicKey.text}`;

/** @returns undefined where there are none, so that nothing has to be asked of any path */
export function lenientCas(
  entries: readonly { readonly ca: Certificate; readonly leniency: Leniency }[],
): LenientCas | undefined {
  const [first] = entries;
  if (first === undefined) return undefined;
  const byCa = new Map<string, Leniency>();
  for (const { ca, leniency } of entries) {
    const key = caKey(ca);
    byCa.set(key, looser(byCa.get(key) ?? leniency, leniency));
  }
  return { byCa, all: [...byCa.values()].reduce(looser) };
}

const looser = (a: Leniency, b: Leniency): Leniency => ({
  weakAlgorithms: weaker(a.weakAlgorithms, b.weakAlgorithms),
  anyExtendedKeyUsage: a.anyExtendedKeyUsage || b.anyExtendedKeyUsage,
});

const weaker = (a: WeakAlgorithms, b: WeakAlgorithms): WeakAlgorithms => ({
  sha1: a.sha1 || b.sha1,
  md5: a.md5 || b.md5,
  minRsaBits: Math.min(a.minRsaBits, b.minRsaBits),
  brainpool: a.brainpool || b.brainpool,
  secp256k1: a.secp256k1 || b.secp256k1,
});

/** For one CA of the path, and all that it issued, directly or not. */
function under(ca: Signer, above: Leniency, { byCa }: LenientCas): Leniency {
  const own = byCa.get(caKey(ca));
  return own === undefined ? above : looser(above, own);
}

/** What this CA itself may do, whatever is above it. */
export const leniencyFor = (ca: Signer, policy: PathPolicy): Leniency =>
  policy.lenientCas === undefined ? policy : under(ca, policy, policy.lenientCas);

/**
 * Where single CAs are treated with leniency: whether each certificate of the path is accepted for the sake of those above
 * it. The search has let pass what the most lenient would. What must be met and is trusted by itself takes nothing from
 * above: a lenient CA could lend its leniency to another's clients by certifying that other.
 *
 * @param chain from the leaf up, the anchor last
 * @returns what is accepted of the leaf, or what is not accepted
 */
export function judgeStrength(
  chain: readonly Certificate[],
  policy: PathPolicy,
  trustStore: TrustStore,
): { readonly valid: true; readonly leaf: Leniency } | PathFailure {
  let lenient: Leniency = policy;
  const { lenientCas: cas } = policy;
  if (cas === undefined) return { valid: true, leaf: lenient };
  for (let at = chain.length - 1; at >= 0; at--) {
    const certificate = chain[at]!;
    const isAnchor = at === chain.length - 1;
    const weak = isAnchor
      ? undefined
      : judgeScheme(certificate, () => named(certificate), at, lenient.weakAlgorithms);
    if (at > 0) lenient = under(certificate, isOwnAnchor(certificate, trustStore) ? policy : lenient, cas);
    const failed = weak ?? judgeKey(certificate, at, lenient.weakAlgorithms);
    if (failed !== undefined) return failed;
  }
  return { valid: true, leaf: lenient };
}

/** Whether this is one of the CAs that must be met, and an anchor as well. */
export const isOwnAnchor = (ca: Certificate, { anchors, through = [] }: TrustStore): boolean =>
  through.some((wanted) => isSameCa(wanted, ca)) &&
  anchors.get(ca.subject.key)?.some((anchor) => isSameCa(anchor, ca)) === true;

/** Whether something may be signed so. */
export function judgeScheme(
  { signatureAlgorithm: { scheme } }: Signed,
  what: () => string,
  at: number,
  lenient: WeakAlgorithms,
): PathFailure | undefined {
  if (typeof scheme === 'string')
    return failure('signature_algorithm_unsupported', at, `${what()} is signed with ${scheme}`);
  const isWeak = (scheme.hash === 'sha1' && !lenient.sha1) || (scheme.hash === 'md5' && !lenient.md5);
  return isWeak
    ? failure('signature_algorithm_weak', at, `${what()} is signed with ${scheme.hash}`)
    : undefined;
}

/** Whether a key may be used: the leaf's to prove himself with, a CA's to sign. */
export function judgeKey(owner: Signer, at: number, lenient: WeakAlgorithms): PathFailure | undefined {
  const { type, bits, unusable, optionalCurve } = owner.subjectPublicKey;
  const isUnasked = optionalCurve !== undefined && !lenient[optionalCurve];
  if (type === undefined || isUnasked) {
    const why = unusable ?? `EC on a curve of ${optionalCurve}, which is not switched on`;
    const code = at === 0 ? 'key_unsupported' : 'issuer_key_unsupported';
    return failure(code, at, `${named(owner)} has a key of ${why}`);
  }
  if (type.startsWith('rsa') && bits < lenient.minRsaBits) {
    const code = at === 0 ? 'key_too_weak' : 'issuer_key_too_weak';
    return failure(code, at, `${named(owner)} has RSA of ${bits} bits, less than ${lenient.minRsaBits}`);
  }
  return undefined;
}
