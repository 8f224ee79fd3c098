import type { Certificate } from '../certificate/certificate.ts';
import { readAllOffered } from '../certificate/offered.ts';
import { equalBytes } from '../der/der-values.ts';
import { cutShort } from '../path/effort.ts';
import type { PathFailure } from '../path/failures.ts';
import { leniencyFor } from '../path/leniency.ts';
import type { Candidate } from '../path/path-building.ts';
import type { PathPolicy } from '../path/path-options.ts';
import type { PathInputs } from '../path/path-request.ts';
import { judgeSignature } from '../path/signature-checks.ts';
import type { Crl } from './crl.ts';
import { type FoundSigner, revocationFailure, statusByAll } from './revocation.ts';

type RevocationVerdict = { readonly valid: true; readonly validUntil: number } | PathFailure;

/**
 * Whether there is a valid path for the signer of a CRL. Signers above it in the search are given. unknown: it is valid but
 * for that nobody knows whether its certificates are revoked.
 */
export type SignerPath = (
  signer: Certificate,
  anchor: Certificate,
  pending: readonly Certificate[],
) => { readonly found: 'valid' | 'unknown' | 'none'; readonly validUntil: number };

/**
 * Every certificate of the path below the anchor, from the top, by the CRLs given.
 *
 * @param pending signers of CRLs whose own status is being determined right now. A CA may sign, with a key made for
 *   CRLs, the very CRL that covers that key's certificate (PKITS 4.5.6): there, it is enough that it is not listed.
 */
export function checkRevocation(
  { path, anchor }: Candidate,
  inputs: PathInputs,
  policy: PathPolicy,
  signerPath: SignerPath,
  pending: readonly Certificate[],
): RevocationVerdict {
  const { trustStore, intermediates, now, revocation, effort } = inputs;
  if (revocation === undefined) return { valid: true, validUntil: Infinity };
  const isSignedBy = (crl: Crl, signer: Certificate): boolean => signs(signer, crl, policy, inputs);
  const findSigner = (crl: Crl, issuer: Certificate): FoundSigner | undefined => {
    if (issuer.subject.key === crl.issuer.key && isSignedBy(crl, issuer))
      return { certificate: issuer, isSure: true };
    const found = named(crl.issuer.key).filter(
      (signer) => isSignedBy(crl, signer) && belowAnchor(signer) !== 'none',
    );
    const sure = found.find((signer) => belowAnchor(signer) === 'valid');
    const certificate = sure ?? found[0];
    return certificate && { certificate, isSure: sure !== undefined };
  };
  // Once a name, and once a signer, however many lists there are of them: others may publish in this CA's name.
  const named = once((key: string): readonly Certificate[] => {
    const offered = readAllOffered(intermediates.filter(({ subject }) => subject.key === key));
    const known = [...(trustStore.anchors.get(key) ?? []), ...(trustStore.intermediates.get(key) ?? [])];
    return [...known, ...offered].toSorted((a, b) => Buffer.compare(a.der, b.der));
  });
  let validUntil = Infinity;
  const belowAnchor = once((signer: Certificate) => {
    if ([anchor, ...pending].some(({ der }) => equalBytes(der, signer.der))) return 'valid';
    const path = signerPath(signer, anchor, [...pending, signer]);
    // Once it is unknown whether the signer is revoked, so is what its list says.
    validUntil = Math.min(validUntil, path.validUntil);
    return path.found;
  });
  for (let at = path.length - 1; at >= 0; at--) {
    const certificate = path[at]!;
    // A leaf that is the trust anchor itself is trusted by the operator's word: only that can revoke it.
    if (equalBytes(certificate.der, anchor.der)) continue;
    const [issuer = anchor, ...rest] = [...path.slice(at + 1), anchor];
    const rules = revocation.policyOf(issuer, ...rest);
    if (rules === undefined || (at > 0 && rules.check === 'leaf')) continue;
    revocation.want?.(certificate, issuer, ...rest);
    const question = { certificate, issuer, now, findSigner, isSignedBy };
    const result = statusByAll(question, revocation, rules);
    effort.notes?.statuses.push({ certificate, judged: result });
    // Who can make the search for a CRL's signer last too long must not gain by it, where unknown ones are accepted either.
    const cut = result.status === 'revoked' ? undefined : cutShort(effort.revocation, effort, policy);
    // Where the client's certificate alone is looked at, of a signer no more is asked than of the CAs above.
    const isAsked = rules.check === 'chain' || pending.length === 0;
    const failed = cut ?? revocationFailure(result, certificate, at, isAsked ? rules : accepting);
    if (failed !== undefined) return failed;
    if (result.status !== 'revoked') validUntil = Math.min(validUntil, result.until);
  }
  return { valid: true, validUntil };
}

/** Who is known to be revoked is refused all the same. */
export const accepting = { unknown: 'accept', pending: 'accept' } as const;

function once<Of, Answer>(ask: (of: Of) => Answer): (of: Of) => Answer {
  const known = new Map<Of, Answer>();
  return (of) => {
    if (!known.has(of)) known.set(of, ask(of));
    return known.get(of)!;
  };
}

/** RFC 5280 6.3.3 (f), (g): cRLSign where there is a key usage, and the signature, by means that the policy accepts. */
function signs(signer: Certificate, crl: Crl, policy: PathPolicy, { effort, now }: PathInputs): boolean {
  if (signer.keyUsage?.has('cRLSign') === false) return false;
  const what = (): string => 'the CRL';
  const account = effort.revocation;
  return (
    judgeSignature({
      signed: crl,
      what,
      signer,
      at: 0,
      lenient: leniencyFor(signer, policy).weakAlgorithms,
      policy,
      effort,
      account,
      now,
    }) === 'holds'
  );
}
