import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyPolicy, defaultPolicy, type PolicyInputs } from '../../../../src/pki/path/path-options.ts';
import { checkPolicies } from '../../../../src/pki/path/policies.ts';
import { bytes, extension } from '../der-writer.ts';
import { certify, entity, mappings, policies, policyConstraints } from '../forge.ts';

const [a, b, c] = ['1.3.6.1.4.1.99999.1', '1.3.6.1.4.1.99999.2', '1.3.6.1.4.1.99999.3'] as const;
const [root, inter, leaf] = [entity('Root'), entity('Intermediate'), entity('leaf')];
const inhibitAny = (skip: number) =>
  extension('2.5.29.54', bytes(`0201${skip.toString(16).padStart(2, '0')}`), true);

type Row = readonly [
  sentence: string,
  parts: { readonly root?: Uint8Array[]; readonly inter: Uint8Array[]; readonly leaf: Uint8Array[] },
  inputs: Partial<PolicyInputs>,
  outcome: readonly string[] | string,
];

const explicit: Partial<PolicyInputs> = { initialExplicitPolicy: true };
const refused = 'policy_not_acceptable';

const rows: readonly Row[] = [
  ['no policies, none required', { inter: [], leaf: [] }, {}, []],
  ['no policies, one required', { inter: [], leaf: [] }, explicit, refused],
  ['the same policy all along', { inter: [policies(a)], leaf: [policies(a)] }, explicit, [a]],
  ['one of two policies', { inter: [policies(a, b)], leaf: [policies(b, c)] }, explicit, [b]],
  ['no policy in common', { inter: [policies(a)], leaf: [policies(b)] }, explicit, refused],
  ['no policy in common, none required', { inter: [policies(a)], leaf: [policies(b)] }, {}, []],
  [
    'a policy that is not acceptable',
    { inter: [policies(a)], leaf: [policies(a)] },
    { ...explicit, initialPolicySet: [b] },
    refused,
  ],
  [
    'a policy that is acceptable',
    { inter: [policies(a, b)], leaf: [policies(a, b)] },
    { ...explicit, initialPolicySet: [b, c] },
    [b],
  ],
  ['anyPolicy above', { inter: [policies(anyPolicy)], leaf: [policies(a)] }, explicit, [a]],
  ['anyPolicy in the leaf', { inter: [policies(a)], leaf: [policies(anyPolicy)] }, explicit, [a]],
  [
    'anyPolicy all along',
    { inter: [policies(anyPolicy)], leaf: [policies(anyPolicy)] },
    explicit,
    [anyPolicy],
  ],
  [
    'anyPolicy all along, one acceptable',
    { inter: [policies(anyPolicy)], leaf: [policies(anyPolicy)] },
    { ...explicit, initialPolicySet: [b] },
    [b],
  ],
  [
    'anyPolicy inhibited from the start',
    { inter: [policies(anyPolicy)], leaf: [policies(a)] },
    { ...explicit, initialAnyPolicyInhibit: true },
    refused,
  ],
  [
    'anyPolicy inhibited below the intermediate',
    { inter: [policies(a), inhibitAny(0)], leaf: [policies(anyPolicy)] },
    explicit,
    refused,
  ],
  [
    'anyPolicy inhibited one later',
    { inter: [policies(a), inhibitAny(1)], leaf: [policies(anyPolicy)] },
    explicit,
    [a],
  ],
  [
    'a policy required by the intermediate',
    { inter: [policyConstraints(0)], leaf: [policies(a)] },
    {},
    refused,
  ],
  [
    'a policy required by the intermediate one later',
    { inter: [policyConstraints(1)], leaf: [] },
    {},
    refused,
  ],
  ['a policy required by the intermediate, too late', { inter: [policyConstraints(2)], leaf: [] }, {}, []],
  ['a policy required by the leaf', { inter: [], leaf: [policyConstraints(0)] }, {}, refused],
  ['a policy required by the anchor', { root: [policyConstraints(0)], inter: [], leaf: [] }, {}, refused],
  ['mapped', { inter: [policies(a), mappings([a, b])], leaf: [policies(b)] }, explicit, [a]],
  [
    'mapped, but used under its old name',
    { inter: [policies(a), mappings([a, b])], leaf: [policies(a)] },
    explicit,
    refused,
  ],
  ['mapped to two', { inter: [policies(a), mappings([a, b], [a, c])], leaf: [policies(c)] }, explicit, [a]],
  [
    'two mapped to one',
    { inter: [policies(a, b), mappings([a, c], [b, c])], leaf: [policies(c)] },
    explicit,
    [a, b],
  ],
  [
    'mapped through anyPolicy',
    { inter: [policies(anyPolicy), mappings([a, b])], leaf: [policies(b)] },
    explicit,
    [a],
  ],
  [
    'mapped although inhibited',
    { inter: [policies(a), mappings([a, b])], leaf: [policies(b)] },
    { ...explicit, initialPolicyMappingInhibit: true },
    refused,
  ],
  [
    'mapped although the anchor inhibits it',
    { root: [policyConstraints(undefined, 0)], inter: [policies(a), mappings([a, b])], leaf: [policies(b)] },
    explicit,
    refused,
  ],
  [
    'a mapping of a policy that is not there',
    { inter: [policies(a), mappings([b, c])], leaf: [policies(c)] },
    explicit,
    refused,
  ],
  [
    'anyPolicy mapped',
    { inter: [policies(a), mappings([anyPolicy, b])], leaf: [policies(b)] },
    {},
    'policy_mapping_invalid',
  ],
  [
    'mapped to anyPolicy',
    { inter: [policies(a), mappings([a, anyPolicy])], leaf: [policies(b)] },
    {},
    'policy_mapping_invalid',
  ],
];

for (const [sentence, parts, inputs, outcome] of rows) {
  test(`${sentence}: ${Array.isArray(outcome) ? outcome.join(' and ') || 'none' : outcome}`, () => {
    const chain = [
      certify(inter, leaf, parts.leaf),
      certify(root, inter, parts.inter),
      certify(root, root, parts.root ?? []),
    ];
    const verdict = checkPolicies(chain, { ...defaultPolicy.policies, ...inputs });
    assert.deepEqual(verdict.valid ? verdict.policies : verdict.code, outcome);
  });
}

test('mappings that double a tree at each step leave the graph small (CVE-2023-0464)', () => {
  const all = [a, b, c];
  const cross = mappings(...all.flatMap((from) => all.map((to): readonly [string, string] => [from, to])));
  const middle = Array.from({ length: 60 }, () => certify(root, inter, [policies(...all), cross]));
  const chain = [certify(inter, leaf, [policies(...all)]), ...middle, certify(root, root)];
  const verdict = checkPolicies(chain, { ...defaultPolicy.policies, ...explicit });
  assert.deepEqual(verdict, { valid: true, policies: all });
});
