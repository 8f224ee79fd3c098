import type { Certificate } from '../certificate/certificate.ts';
import type { Offered } from '../certificate/offered.ts';
import { accepting, checkRevocation, type SignerPath } from '../revocation/path-revocation.ts';
import type { RevocationState } from '../revocation/revocation-state.ts';
import { type Account, createEffort, cutShortCodes, type Effort, namesAbove, offeredOf } from './effort.ts';
import { byRevocation, type PathFailure } from './failures.ts';
import { mayReach } from './issuer-names.ts';
import { judgeKey, judgeStrength, mostLenient } from './leniency.ts';
import { checkNames } from './name-constraints.ts';
import { type Candidate, notThrough, searchPath } from './path-building.ts';
import {
  checkCriticalExtensions,
  checkDates,
  checkIssuers,
  checkLeafForm,
  checkPathLengths,
  checkPurpose,
} from './path-checks.ts';
import { anyAlgorithms, defaultPolicy, type PathPolicy } from './path-options.ts';
import type { PathInputs } from './path-request.ts';
import { checkPolicies } from './policies.ts';
import { type BySubject, bySubject, isSameCa, type TrustStore } from './trust-store.ts';

export type PathAccepted = {
  readonly valid: true;
  /** From the leaf up to the last certificate below the anchor. Only the pinned leaf itself, where one is. */
  readonly path: readonly Certificate[];
  /** The trust anchor; may be the leaf. */
  readonly anchor: Certificate;
  /** user-constrained-policy-set (RFC 5280 6.1.6), dotted OIDs, sorted. */
  readonly policies: readonly string[];
  /** Milliseconds since the epoch: from then on, by its revocation data, the verdict may differ. */
  readonly validUntil: number;
};

export type PathVerdict = PathAccepted | PathFailure;

/**
 * Certification path validation by RFC 5280 section 6: finds a path from the leaf to a trust anchor that is valid at
 * the instant given. Pure; throws nothing, whatever the certificates say.
 */
export function findPath(leaf: Certificate, inputs: PathInputs, policy: PathPolicy): PathVerdict {
  const { trustStore, intermediates, now, effort } = inputs;
  // What no path can mend costs no search.
  const isPinned = trustStore.pinned.has(leaf.sha256);
  const lenient = isPinned ? policy : mostLenient(policy);
  const failed =
    checkDates([leaf], now) ??
    checkPurpose([leaf], policy.purpose, lenient.anyExtendedKeyUsage) ??
    checkCriticalExtensions([leaf]) ??
    judgeKey(leaf, 0, lenient.weakAlgorithms);
  if (failed !== undefined) return failed;
  if (isPinned) return judgePinned({ leaf, policy, inputs });
  const unfit = checkLeafForm(leaf, policy);
  if (unfit !== undefined) return unfit;
  return search(
    leaf,
    { inputs, offered: offeredOf(effort, intermediates), policy, account: effort.search },
    [],
  );
}

/** The same for who asks once: by the default policy, but for what is given of it, and an effort of its own. */
export function validatePath(
  leaf: Certificate,
  {
    trustStore,
    intermediates,
    now,
    revocation,
    effort = createEffort(),
    ...given
  }: Omit<PathInputs, 'effort'> & { readonly effort?: Effort } & Partial<PathPolicy>,
): PathVerdict {
  const inputs = { trustStore, intermediates, now, revocation, effort };
  return findPath(leaf, inputs, { ...defaultPolicy, ...given });
}

/**
 * Whether one of the store's CAs issued it, directly or not, by its signature alone: whatever dates say, or what a CA may
 * issue. Where that takes too long to find out, it may be.
 */
export function mayBeBelow({ leaf, ...inputs }: PathInputs & { readonly leaf: Certificate }): boolean {
  const { trustStore, intermediates, effort } = inputs;
  const offered = offeredOf(effort, intermediates);
  if (!mayReach(namesAbove(leaf, trustStore.intermediates, offered, effort), trustStore)) return false;
  const policy = { ...defaultPolicy, weakAlgorithms: anyAlgorithms };
  const judge = () => ({ valid: true }) as const;
  const found = searchPath(leaf, { inputs, offered, policy, account: effort.search, judge });
  return found.valid || cutShortCodes.has(found.code);
}

/** Trusted by itself; yet whoever issued it may have revoked it. */
function judgePinned({
  leaf,
  policy,
  inputs,
}: {
  readonly leaf: Certificate;
  readonly policy: PathPolicy;
  readonly inputs: PathInputs;
}): PathVerdict {
  const { trustStore, revocation: state, intermediates, effort } = inputs;
  const issuer = state?.issuerOf?.(leaf, trustStore.pinnedBy);
  const candidate = issuer && { path: [leaf], anchor: issuer };
  const circumstances = { inputs, offered: offeredOf(effort, intermediates), policy };
  // It has no trust anchor that signers of lists could lead up to.
  const signerPath: SignerPath = (signer, ofIssuer, pending) =>
    findSignerPath(signer, state?.signerAnchorsOf?.(ofIssuer) ?? [], pending, circumstances);
  const revocation = candidate && checkRevocation(candidate, inputs, policy, signerPath, []);
  if (revocation?.valid === false) return revocation;
  const validUntil = revocation?.validUntil ?? Infinity;
  return { valid: true, path: [leaf], anchor: leaf, policies: [], validUntil };
}

type Circumstances = {
  readonly inputs: PathInputs;
  readonly offered: BySubject<Offered>;
  readonly policy: PathPolicy;
  readonly account: Account;
};

/** @param pending see `checkRevocation` */
const search = (
  leaf: Certificate,
  circumstances: Circumstances,
  pending: readonly Certificate[],
): PathVerdict => {
  const { inputs, offered, policy, account } = circumstances;
  const judge = (candidate: Candidate): PathVerdict => judgePath(candidate, circumstances, pending);
  return searchPath(leaf, { inputs, offered, policy, account, judge });
};

/** RFC 5280 6.1.3 to 6.1.5 over a whole path whose names chain and whose signatures are verified. */
function judgePath(
  { path, anchor }: Candidate,
  circumstances: Circumstances,
  pending: readonly Certificate[],
): PathVerdict {
  const { inputs, policy, account } = circumstances;
  const chain = [...path, anchor];
  const strength = judgeStrength(chain, policy, inputs.trustStore);
  if (!strength.valid) return strength;
  const failed =
    checkDates(chain, inputs.now) ??
    checkIssuers(chain) ??
    checkCriticalExtensions(chain) ??
    checkPurpose(chain, policy.purpose, strength.leaf.anyExtendedKeyUsage) ??
    checkPathLengths(chain) ??
    checkNames(chain, account, policy) ??
    checkThrough(chain, inputs.trustStore);
  if (failed !== undefined) return failed;
  const policies = checkPolicies(chain, policy.policies);
  if (!policies.valid) return policies;
  const signerPath: SignerPath = (signer, anchor, pending) =>
    findSignerPath(signer, [anchor], pending, circumstances);
  const revocation = checkRevocation({ path, anchor }, inputs, policy, signerPath, pending);
  if (!revocation.valid) return revocation;
  return { valid: true, path, anchor, policies: policies.policies, validUntil: revocation.validUntil };
}

/** RFC 5280 6.3.3 (f): a path of its own, to the same trust anchor, its certificates not revoked either. */
function findSignerPath(
  signer: Certificate,
  anchors: readonly Certificate[],
  pending: readonly Certificate[],
  { inputs, offered, policy }: Omit<Circumstances, 'account'>,
): ReturnType<SignerPath> {
  const trustStore: TrustStore = { ...inputs.trustStore, anchors: bySubject(anchors), through: undefined };
  const signerPolicy: PathPolicy = { ...policy, purpose: 'any', policies: defaultPolicy.policies };
  const account = inputs.effort.revocation;
  const searchBy = (revocation: RevocationState | undefined): PathVerdict =>
    search(
      signer,
      { inputs: { ...inputs, trustStore, revocation }, offered, policy: signerPolicy, account },
      pending,
    );
  const { revocation } = inputs;
  const verdict = searchBy(revocation);
  if (verdict.valid) return { found: 'valid', validUntil: verdict.validUntil };
  const none = { found: 'none', validUntil: Infinity } as const;
  if (revocation === undefined || !byRevocation.has(verdict.code)) return none;
  const policyOf: RevocationState['policyOf'] = (...above) => {
    const rules = revocation.policyOf(...above);
    return rules && { ...rules, ...accepting };
  };
  const accepted = searchBy({ ...revocation, policyOf });
  return accepted.valid ? { found: 'unknown', validUntil: accepted.validUntil } : none;
}

/** Whether one of the CAs that must be met (see `TrustStore`) is in the path. */
export function checkThrough(
  chain: readonly Certificate[],
  { through }: TrustStore,
): PathFailure | undefined {
  if (through === undefined) return undefined;
  const issuers = chain.slice(1);
  const isMet = through.some((wanted) => issuers.some((issuer) => isSameCa(issuer, wanted)));
  return isMet ? undefined : notThrough(chain[0]!, through);
}
