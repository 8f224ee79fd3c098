import type { Signer } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { type Signed, verifySignature } from '../certificate/signature.ts';
import { judgeKey, judgeScheme } from '../path/leniency.ts';
import type { WeakAlgorithms } from '../path/path-options.ts';

/**
 * Why this certificate's key did not make the signature, or not by means that are accepted; undefined if it did. For what
 * is judged once, when it is published: no client's search pays for it.
 */
export function signerFailure(
  signed: Signed,
  what: string,
  signer: Signer,
  lenient: WeakAlgorithms,
): string | undefined {
  const weak = signerWeakness(signed, what, signer, lenient);
  if (weak !== undefined) return weak;
  return verifySignature(signed, signer.subjectPublicKey) ? undefined : notSignedBy(what, signer);
}

/** Why a signature by this certificate's key would not be accepted, whoever made it. */
export const signerWeakness = (
  signed: Signed,
  what: string,
  signer: Signer,
  lenient: WeakAlgorithms,
): string | undefined =>
  (judgeScheme(signed, () => what, 0, lenient) ?? judgeKey(signer, 1, lenient))?.detail;

export const notSignedBy = (what: string, signer: Signer): string =>
  `${what} is not signed by the key of ${named(signer)}`;
