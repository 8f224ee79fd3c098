import type { Certificate } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { type Signed, verifySignature } from '../certificate/signature.ts';
import { failure, type PathFailure } from './failures.ts';
import type { Budget, PathPolicy } from './path-options.ts';

/**
 * Why the signer's key did not make the signature, or not by means that the policy accepts; undefined if it did.
 *
 * @param what is signed, for the log
 * @param at its place in the path, the signer's being the next
 */
export function signatureFailure(
  signed: Signed,
  what: () => string,
  signer: Certificate,
  at: number,
  policy: PathPolicy,
): PathFailure | undefined {
  const weak = weakness(signed, what, signer, at, policy);
  if (weak !== undefined) return weak;
  return verifyOnce(signed, signer)
    ? undefined
    : failure('signature_invalid', at, `${what()} is not signed by the key of ${named(signer)}`);
}

function weakness(
  { signatureAlgorithm: { scheme, oid } }: Signed,
  what: () => string,
  signer: Certificate,
  at: number,
  { weakAlgorithms }: PathPolicy,
): PathFailure | undefined {
  if (scheme === undefined) {
    return failure('signature_algorithm_unsupported', at, `${what()} is signed with ${oid}`);
  }
  const isWeak =
    (scheme.hash === 'sha1' && !weakAlgorithms.sha1) || (scheme.hash === 'md5' && !weakAlgorithms.md5);
  if (isWeak) return failure('signature_algorithm_weak', at, `${what()} is signed with ${scheme.hash}`);
  const { type, bits, algorithm } = signer.subjectPublicKey;
  if (type === undefined) {
    return failure('issuer_key_unsupported', at + 1, `${named(signer)} has a key of ${algorithm}`);
  }
  if (type.startsWith('rsa') && bits < weakAlgorithms.minRsaBits) {
    return failure('issuer_key_too_weak', at + 1, `${named(signer)} has RSA of ${bits} bits`);
  }
  return undefined;
}

/** By what is signed, the last signer whose key was tried, and what came of it: CA certificates and CRLs recur. */
const verified = new WeakMap<Signed, { readonly signer: Certificate; readonly holds: boolean }>();

function verifyOnce(signed: Signed, signer: Certificate): boolean {
  let known = verified.get(signed);
  if (known?.signer !== signer) {
    known = { signer, holds: verifySignature(signed, signer.subjectPublicKey) };
    verified.set(signed, known);
  }
  return known.holds;
}

/** Takes what a check by this key costs from the budget; false once it is overdrawn, and then for ever. */
export function spend(budget: Budget, { subjectPublicKey }: Certificate): boolean {
  if (budget.signatureChecks >= 0) budget.signatureChecks -= subjectPublicKey.checkCost;
  return budget.signatureChecks >= 0;
}
