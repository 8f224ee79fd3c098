import type { Certificate } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { type Signed, verifySignature } from '../certificate/signature.ts';
import { type Account, type Effort, spend, stepCost } from './effort.ts';
import { failure, type PathFailure } from './failures.ts';
import type { PathPolicy } from './path-options.ts';

/** Who may have signed what, and who pays for finding out. */
export type SignatureQuestion = {
  readonly signed: Signed;
  /** For the log. */
  readonly what: () => string;
  readonly signer: Certificate;
  /** Place in the path of what is signed, the signer's being the next. */
  readonly at: number;
  readonly policy: PathPolicy;
  readonly effort: Effort;
  readonly account: Account;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/**
 * Whether the signer's key made the signature, by means that the policy accepts; else why not.
 *
 * @returns `cut-short`: it was not found out, see `cutShort`
 */
export function judgeSignature(question: SignatureQuestion): 'holds' | 'cut-short' | PathFailure {
  const weak = weakness(question);
  if (weak !== undefined) return weak;
  const holds = verifyOnce(question);
  if (holds === 'cut-short') return holds;
  const { what, signer, at } = question;
  return holds
    ? 'holds'
    : failure('signature_invalid', at, `${what()} is not signed by the key of ${named(signer)}`);
}

function weakness({ signed, what, signer, at, policy }: SignatureQuestion): PathFailure | undefined {
  const { scheme } = signed.signatureAlgorithm;
  const { weakAlgorithms } = policy;
  if (typeof scheme === 'string') {
    return failure('signature_algorithm_unsupported', at, `${what()} is signed with ${scheme}`);
  }
  const isWeak =
    (scheme.hash === 'sha1' && !weakAlgorithms.sha1) || (scheme.hash === 'md5' && !weakAlgorithms.md5);
  if (isWeak) return failure('signature_algorithm_weak', at, `${what()} is signed with ${scheme.hash}`);
  const { type, bits, unusable } = signer.subjectPublicKey;
  if (type === undefined) {
    return failure('issuer_key_unsupported', at + 1, `${named(signer)} has a key of ${unusable}`);
  }
  if (type.startsWith('rsa') && bits < weakAlgorithms.minRsaBits) {
    return failure(
      'issuer_key_too_weak',
      at + 1,
      `${named(signer)} has RSA of ${bits} bits, less than ${weakAlgorithms.minRsaBits}`,
    );
  }
  return undefined;
}

type Remembered = { readonly signer: Certificate; readonly holds: boolean };

/**
 * By what is signed, the signer whose key made it, or the last that was tried in vain. Nothing is signed by two keys: what
 * one has made, another has not, and that need not be tried.
 */
const verified = new WeakMap<Signed, Remembered>();

function verifyOnce({
  signed,
  signer,
  policy,
  effort,
  account,
  now,
}: SignatureQuestion): boolean | 'cut-short' {
  const key = keyOf(signer);
  const { checkCost } = signer.subjectPublicKey;
  const tried = effort.signatures.get(signed) ?? { inVain: new Set(), by: undefined };
  const isAnswered = tried.by !== undefined || tried.inVain.has(key);
  // What is remembered from other requests costs as much as what is not: it must not change what is found.
  if (!spend(account, isAnswered ? stepCost : checkCost, policy)) return 'cut-short';
  if (isAnswered) return tried.by === key;
  const known = verified.get(signed);
  let holds: boolean;
  if (known?.holds || known?.signer === signer) {
    holds = known.holds && (known.signer === signer || keyOf(known.signer) === key);
  } else {
    if (effort.isLimited || effort.limit?.take(checkCost, effort.checks, now) === false) {
      effort.isLimited = true;
      return 'cut-short';
    }
    effort.checks++;
    holds = verifySignature(signed, signer.subjectPublicKey);
    verified.set(signed, { signer, holds });
  }
  effort.signatures.set(signed, tried);
  if (holds) tried.by = key;
  else tried.inVain.add(key);
  return holds;
}

/** Its bytes as a string: the same key may be in several certificates. */
const keyOf = ({ subjectPublicKey: { spki } }: Certificate): string =>
  Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength).toString('latin1');
