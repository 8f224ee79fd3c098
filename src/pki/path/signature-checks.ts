import { Attached } from '../../attached.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { type Signed, verifySignature } from '../certificate/signature.ts';
import { type Account, type Effort, spend, stepCost } from './effort.ts';
import { failure, type PathFailure } from './failures.ts';
import { judgeKey, judgeScheme } from './leniency.ts';
import type { PathPolicy, WeakAlgorithms } from './path-options.ts';

/** Who may have signed what, and who pays for finding out. */
type SignatureQuestion = {
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

type Remembered = {
  /** What was told with it (`tellSigners`), by key: whether that made it. */
  readonly told?: ReadonlyMap<string, boolean> | undefined;
  /** Keys that made it: certificates would be kept alive by whatever stands below them. */
  readonly makers: readonly string[];
  /** The last that was tried in vain. */
  readonly inVain: string | undefined;
};

/**
 * By what is signed. One signature may be right by several keys: from an ECDSA signature anybody reckons a second key
 * that fits it (SEC 1 4.1.6) and writes it into a CA certificate of the issuer's name. So a key that fits says nothing
 * of another one, or it would shut out the issuer's own.
 */
const verified = new Attached<Signed, Remembered>();
const nothing: Remembered = { makers: [], inVain: undefined };

/**
 * Whose keys made it, and whose did not, was found out elsewhere and comes with it, for all requests alike: none hashes a
 * list of 40 MB, nor pays for the lists that another CA of its issuer's name signed.
 */
export const tellSigners = (
  signed: Signed,
  makers: readonly Certificate[],
  others: readonly Certificate[] = [],
): void => {
  const told = new Map([
    ...others.map((one) => [keyOf(one), false] as const),
    ...makers.map((one) => [keyOf(one), true] as const),
  ]);
  verified.set(signed, { ...nothing, told });
};

/** Two fit with ECDSA, a few more with Ed25519. */
const maxMakers = 8;

function verifyOnce({
  signed,
  signer,
  policy,
  effort,
  account,
  now,
}: SignatureQuestion): boolean | 'cut-short' {
  const key = keyOf(signer);
  const { told, makers, inVain } = verified.get(signed) ?? nothing;
  const known = told?.get(key);
  if (known !== undefined) return known;
  const tried = effort.signatures?.get(signed) ?? new Map<string, boolean>();
  const answer = tried.get(key);
  // What is remembered from other requests costs as much as what is not: it must not change what is found.
  if (!spend(account, answer === undefined ? signer.subjectPublicKey.checkCost : stepCost, policy))
    return 'cut-short';
  if (answer !== undefined) return answer;
  let holds = makers.includes(key);
  if (!holds && inVain !== key) {
    const cost = signer.subjectPublicKey.checkCost;
    if (effort.isLimited || effort.limit?.take(cost, effort, now) === false) {
      effort.isLimited = true;
      return 'cut-short';
    }
    effort.checks++;
    holds = verifySignature(signed, signer.subjectPublicKey);
    if (!holds) effort.failedChecks++;
    verified.set(
      signed,
      holds ? { told, makers: [...makers, key].slice(-maxMakers), inVain } : { told, makers, inVain: key },
    );
  }
  effort.signatures ??= new Map();
  effort.signatures.set(signed, tried.set(key, holds));
  return holds;
}

/** The same key may be in several certificates. */
const keyOf = ({ subjectPublicKey }: Certificate): string => subjectPublicKey.text;
