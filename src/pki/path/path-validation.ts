import type { Certificate } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { checkRevocation, type SignerPath } from '../revocation/path-revocation.ts';
import { failure, type PathFailure } from './failures.ts';
import { checkNames } from './name-constraints.ts';
import { type Candidate, searchPath } from './path-building.ts';
import {
  checkCriticalExtensions,
  checkDates,
  checkIssuers,
  checkLeafForm,
  checkLeafKey,
  checkPathLengths,
  checkPurpose,
} from './path-checks.ts';
import { type Budget, defaultPolicy, type PathInputs, type PathPolicy } from './path-options.ts';
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
export function validatePath(
  leaf: Certificate,
  { trustStore, intermediates, now, revocation, ...given }: PathInputs & Partial<PathPolicy>,
): PathVerdict {
  const policy: PathPolicy = { ...defaultPolicy, ...given };
  const budget: Budget = {
    signatureChecks: policy.maxSignatureChecks,
    nameComparisons: policy.maxNameComparisons,
  };
  // What no path can mend costs no search.
  const failed =
    checkDates([leaf], now) ??
    checkPurpose([leaf], policy) ??
    checkCriticalExtensions([leaf]) ??
    checkLeafKey(leaf, policy);
  if (failed !== undefined) return failed;
  if (trustStore.pinned.has(leaf.sha256)) {
    return { valid: true, path: [leaf], anchor: leaf, policies: [], validUntil: Infinity };
  }
  const unfit = checkLeafForm(leaf, policy);
  if (unfit !== undefined) return unfit;
  const offered = bySubject(intermediates);
  const search: Search = {
    inputs: { trustStore, intermediates, now, revocation },
    offered,
    policy,
    budget,
    revocationBudget: { ...budget },
  };
  return searchPath(leaf, trustStore, offered, now, policy, budget, (candidate) =>
    judgePath(candidate, search, []),
  );
}

type Search = {
  readonly inputs: PathInputs;
  readonly offered: BySubject;
  readonly policy: PathPolicy;
  readonly budget: Budget;
  /** CRLs and their signers, counted apart: they must not shorten the search. */
  readonly revocationBudget: Budget;
};

/**
 * RFC 5280 6.1.3 to 6.1.5 over a whole path whose names chain and whose signatures are verified.
 *
 * @param pending see `checkRevocation`
 */
function judgePath(
  { path, anchor }: Candidate,
  search: Search,
  pending: readonly Certificate[],
): PathVerdict {
  const { inputs, policy, budget, revocationBudget } = search;
  const chain = [...path, anchor];
  const failed =
    checkDates(chain, inputs.now) ??
    checkIssuers(chain) ??
    checkCriticalExtensions(chain) ??
    checkPurpose(chain, policy) ??
    checkPathLengths(chain) ??
    checkNames(chain, budget) ??
    checkThrough(chain, inputs.trustStore);
  if (failed !== undefined) return failed;
  const policies = checkPolicies(chain, policy.policies);
  if (!policies.valid) return policies;
  const signerPath: SignerPath = (...signer) => hasSignerPath(...signer, search);
  const revocation = checkRevocation({ path, anchor }, inputs, policy, revocationBudget, signerPath, pending);
  if (!revocation.valid) return revocation;
  return { valid: true, path, anchor, policies: policies.policies, validUntil: revocation.validUntil };
}

/** RFC 5280 6.3.3 (f): a path of its own, to the same trust anchor, its certificates not revoked either. */
function hasSignerPath(
  signer: Certificate,
  anchor: Certificate,
  pending: readonly Certificate[],
  { inputs, offered, policy, revocationBudget }: Search,
): boolean {
  const trustStore: TrustStore = { ...inputs.trustStore, anchors: bySubject([anchor]), through: undefined };
  const signerPolicy: PathPolicy = { ...policy, purpose: 'any', policies: defaultPolicy.policies };
  const search: Search = {
    inputs: { ...inputs, trustStore },
    offered,
    policy: signerPolicy,
    budget: revocationBudget,
    revocationBudget,
  };
  return searchPath(signer, trustStore, offered, inputs.now, signerPolicy, revocationBudget, (candidate) =>
    judgePath(candidate, search, pending),
  ).valid;
}

function checkThrough(chain: readonly Certificate[], { through }: TrustStore): PathFailure | undefined {
  if (through === undefined) return undefined;
  const issuers = chain.slice(1);
  if (through.some((wanted) => issuers.some((issuer) => isSameCa(issuer, wanted)))) return undefined;
  return failure(
    'path_not_through_issuer',
    0,
    `${named(chain[0]!)} was not issued under ${through.map(named).join(' or ')}`,
  );
}
