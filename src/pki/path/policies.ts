import type { Certificate } from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { failure, type PathFailure } from './failures.ts';
import type { Chain } from './path-checks.ts';
import { anyPolicy, type PolicyInputs } from './path-options.ts';

/**
 * The valid_policy_tree of RFC 5280 6.1.2 (a), drawn as a graph: one node a policy and depth, with all its parents, so
 * that its size is that of the certificates. As a tree it doubles with each mapping (CVE-2023-0464).
 */
type Node = {
  readonly policy: string;
  readonly parents: readonly Node[];
  /** expected_policy_set */
  expected: readonly string[];
};

/** All nodes of one depth, by policy. */
type Level = ReadonlyMap<string, Node>;

/** The state variables of RFC 5280 6.1.2 that policies need; undefined level: the tree is NULL. */
type State = {
  level: Level | undefined;
  explicitPolicy: number;
  policyMapping: number;
  inhibitAnyPolicy: number;
};

type PolicyVerdict = { readonly valid: true; readonly policies: readonly string[] };

/**
 * Certificate policies along a path (RFC 5280 6.1.3 (d) to (f), 6.1.4 (a), (b), (h) to (j), 6.1.5 (a), (b), (g)).
 * The anchor's policyConstraints and inhibitAnyPolicy count, as RFC 5937 has it.
 *
 * @returns the user-constrained policy set: the acceptable policies that the whole path is valid under
 */
export function checkPolicies(chain: Chain, inputs: PolicyInputs): PolicyVerdict | PathFailure {
  const anchorAt = chain.length - 1;
  // n + 1 of 6.1.2: more certificates than the path has.
  const never = chain.length;
  const state: State = {
    level: new Map([[anyPolicy, { policy: anyPolicy, parents: [], expected: [anyPolicy] }]]),
    explicitPolicy: inputs.initialExplicitPolicy ? 0 : never,
    policyMapping: inputs.initialPolicyMappingInhibit ? 0 : never,
    inhibitAnyPolicy: inputs.initialAnyPolicyInhibit ? 0 : never,
  };
  tightenBy(chain[anchorAt]!, state);

  for (let at = anchorAt - 1; at >= 0; at--) {
    const certificate = chain[at]!;
    const anyAllowed = state.inhibitAnyPolicy > 0 || (at > 0 && certificate.isSelfIssued);
    state.level = nextLevel(state.level, certificate.values.certificatePolicies, anyAllowed);
    if (state.explicitPolicy === 0 && state.level === undefined) return refusal(chain, at);
    if (at === 0) break;
    if (certificate.values.policyMappings?.some((mapping) => mapping.includes(anyPolicy))) {
      return failure('policy_mapping_invalid', at, `${named(certificate)} maps anyPolicy`);
    }
    state.level = applyMappings(state.level, certificate, state.policyMapping > 0);
    if (!certificate.isSelfIssued) countDown(state);
    tightenBy(certificate, state);
  }
  // 6.1.5 (a), (b)
  if (state.explicitPolicy > 0) state.explicitPolicy--;
  if (chain[0]!.values.policyConstraints?.requireExplicitPolicy === 0) state.explicitPolicy = 0;

  const policies = userConstrained(state.level, inputs.initialPolicySet);
  return state.explicitPolicy === 0 && policies.length === 0 ? refusal(chain, 0) : { valid: true, policies };
}

const refusal = (chain: Chain, at: number): PathFailure =>
  failure('policy_not_acceptable', at, `no acceptable policy is left at ${named(chain[at]!)}`);

/** 6.1.3 (d), (e) */
function nextLevel(
  above: Level | undefined,
  policies: readonly string[] | undefined,
  anyAllowed: boolean,
): Level | undefined {
  if (above === undefined || policies === undefined) return undefined;
  const expecting = byExpectedPolicy(above);
  const any = above.get(anyPolicy);
  const level = new Map<string, Node>();
  const add = (policy: string, parents: readonly Node[]) =>
    level.set(policy, { policy, parents, expected: [policy] });
  for (const policy of policies) {
    if (policy === anyPolicy) continue;
    const parents = expecting.get(policy) ?? (any && [any]);
    if (parents !== undefined) add(policy, parents);
  }
  if (anyAllowed && policies.includes(anyPolicy)) {
    for (const [policy, parents] of expecting) if (!level.has(policy)) add(policy, parents);
  }
  return level.size > 0 ? level : undefined;
}

function byExpectedPolicy(level: Level): ReadonlyMap<string, readonly Node[]> {
  const expecting = new Map<string, Node[]>();
  for (const node of level.values()) {
    for (const policy of node.expected) {
      const nodes = expecting.get(policy);
      if (nodes === undefined) expecting.set(policy, [node]);
      else nodes.push(node);
    }
  }
  return expecting;
}

/** 6.1.4 (b) */
function applyMappings(
  level: Level | undefined,
  { values }: Certificate,
  allowed: boolean,
): Level | undefined {
  if (level === undefined || values.policyMappings === undefined) return level;
  const mapped = new Map(level);
  const any = level.get(anyPolicy);
  for (const [from, pairs] of Map.groupBy(values.policyMappings, ([issuerDomain]) => issuerDomain)) {
    if (!allowed) {
      mapped.delete(from);
      continue;
    }
    const expected = [...new Set(pairs.map(([, subjectDomain]) => subjectDomain))];
    const node = level.get(from);
    // Without a node of its own the policy hangs where this level's anyPolicy does.
    if (node !== undefined) mapped.set(from, { ...node, expected });
    else if (any !== undefined) mapped.set(from, { policy: from, parents: any.parents, expected });
  }
  return mapped.size > 0 ? mapped : undefined;
}

/** 6.1.4 (h) */
function countDown(state: State): void {
  if (state.explicitPolicy > 0) state.explicitPolicy--;
  if (state.policyMapping > 0) state.policyMapping--;
  if (state.inhibitAnyPolicy > 0) state.inhibitAnyPolicy--;
}

/** 6.1.4 (i), (j) */
function tightenBy({ values }: Certificate, state: State): void {
  const { requireExplicitPolicy, inhibitPolicyMapping } = values.policyConstraints ?? {};
  state.explicitPolicy = Math.min(state.explicitPolicy, requireExplicitPolicy ?? Infinity);
  state.policyMapping = Math.min(state.policyMapping, inhibitPolicyMapping ?? Infinity);
  state.inhibitAnyPolicy = Math.min(state.inhibitAnyPolicy, values.inhibitAnyPolicy ?? Infinity);
}

/** 6.1.5 (g): of the policies in the anchor's domain that reach the leaf, those that the caller accepts. */
function userConstrained(leafLevel: Level | undefined, initial: readonly string[]): readonly string[] {
  const inAnchorsDomain = new Set<string>();
  const seen = new Set<Node>();
  const open = [...(leafLevel?.values() ?? [])];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.parents.some(({ policy }) => policy === anyPolicy)) inAnchorsDomain.add(node.policy);
    for (const parent of node.parents) if (parent.policy !== anyPolicy) open.push(parent);
  }
  if (initial.includes(anyPolicy)) return [...inAnchorsDomain].sort();
  const reachesLeafAsAny = leafLevel?.has(anyPolicy) === true;
  return initial.filter((policy) => reachesLeafAsAny || inAnchorsDomain.has(policy)).sort();
}
