import type { Certificate } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { type Signed, verifySignature } from '../certificate/signature.ts';
import { type Account, type Effort, spend, stepCost } from './effort.ts';
import { failure, type PathFailure } from './failures.ts';
import { judgeKey, judgeScheme } from './leniency.ts';
import type { PathPolicy, WeakAlgorithms } from './path-options.ts';

/** Who may have signed what, and who pays for finding out. */
export type SignatureQuestion = {
  readonly signed: Signed;
  /** For the log. */
  readonly what: () => string;
  readonly signer: Certificate;
  /** Place in the path of what is signed, the signer's being the next. */
  readonly at: number;
  /** What is accepted of signature and key. */
  readonly lenient: WeakAlgorithms;
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
  const { signed, what, signer, at, lenient } = question;
  const weak = judgeScheme(signed, what, at, lenient) ?? judgeKey(signer, at + 1, lenient);
  if (weak !== undefined) return weak;
  const holds = verifyOnce(question);
  if (holds === 'cut-short') return holds;
  return holds
    ? 'holds'
    : failure('signature_invalid', at, `${what()} is not signed by the key of ${named(signer)}`);
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
  const tried = effort.signatures?.get(signed) ?? { inVain: new Set(), by: undefined };
  const isAnswered = tried.by !== undefined || tried.inVain.has(key);
  // What is remembered from other requests costs as much as what is not: it must not change what is found.
  if (!spend(account, isAnswered ? stepCost : checkCost, policy)) return 'cut-short';
  if (isAnswered) return tried.by === key;
  const known = verified.get(signed);
  let holds: boolean;
  if (known?.holds || known?.signer === signer) {
    holds = known.holds && (known.signer === signer || keyOf(known.signer) === key);
  } else {
    if (effort.isLimited || effort.limit?.take(checkCost, effort, now) === false) {
      effort.isLimited = true;
      return 'cut-short';
    }
    effort.checks++;
    holds = verifySignature(signed, signer.subjectPublicKey);
    if (!holds) effort.failedChecks++;
    verified.set(signed, { signer, holds });
  }
  effort.signatures ??= new Map();
  effort.signatures.set(signed, tried);
  if (holds) tried.by = key;
  else tried.inVain.add(key);
  return holds;
}

/** Its bytes as a string: the same key may be in several certificates. */
const keyOf = ({ subjectPublicKey: { spki } }: Certificate): string =>
  Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength).toString('latin1');
