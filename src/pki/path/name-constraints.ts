import type { Certificate } from '../certificate/certificate.ts';
import type { GeneralSubtree } from '../certificate/extensions.ts';
import type { GeneralName, NameForm } from '../certificate/general-name.ts';
import { formatName, named } from '../certificate/name.ts';
import { hex } from '../der/der-values.ts';
import { type Account, spendComparison } from './effort.ts';
import { failure, type PathFailure, type PathFailureCode } from './failures.ts';
import { type Base, type Comparison, comparisonOf, prepareBase } from './name-matching.ts';
import type { Chain } from './path-checks.ts';
import type { PathPolicy } from './path-options.ts';

/**
 * RFC 5280 6.1.3 (b), (c), 6.1.4 (g): each certificate's names against the name constraints of every CA above it, the
 * anchor's included. Self-issued intermediates are exempt (6.1.3 (b)), the leaf never.
 *
 * Constraints without the critical bit count as well: RFC 5280 wants it set, and to ignore one would let in more.
 */
export function checkNames(chain: Chain, account: Account, policy: PathPolicy): PathFailure | undefined {
  const afford = (): boolean => spendComparison(account, policy);
  for (let at = 0; at < chain.length - 1; at++) {
    const certificate = chain[at]!;
    if (at > 0 && certificate.isSelfIssued) continue;
    let names: readonly GeneralName[] | undefined;
    for (let above = at + 1; above < chain.length; above++) {
      const constraints = chain[above]!.values.nameConstraints;
      if (constraints === undefined) continue;
      names ??= namesOf(certificate);
      const failed = checkAgainst(names, constraints, afford);
      if (failed !== undefined) {
        const { code, name, by } = failed;
        const detail = `${shown(name)} in ${named(certificate)}, by ${by} of ${named(chain[above]!)}`;
        return failure(code, at, detail);
      }
    }
  }
  return undefined;
}

/** All names that constraints bind: subject, subjectAltName, and the subject's e-mail where SAN has none (4.2.1.10). */
function namesOf({ subject, values }: Certificate): readonly GeneralName[] {
  const names: GeneralName[] = [...(values.subjectAltName ?? [])];
  const hasMail = names.some(({ form }) => form === 'rfc822Name');
  if (subject.rdns.length > 0) names.push({ form: 'directoryName', name: subject });
  if (hasMail) return names;
  for (const rdn of subject.rdns) {
    for (const { type, text } of rdn) {
      if (type === emailAddress) names.push({ form: 'rfc822Name', value: text ?? '' });
    }
  }
  return names;
}

type NameConstraints = NonNullable<Certificate['values']['nameConstraints']>;

const emailAddress = '1.2.840.113549.1.9.1';

type Code = Extract<PathFailureCode, `name_${string}`>;
type Refusal = { readonly code: Code /** The constraint, for the log. */; readonly by: string };
type Verdict = Refusal & { readonly name: GeneralName };
type Constraint = { readonly base: Base; readonly shown: string };

function checkAgainst(
  names: readonly GeneralName[],
  { permitted, excluded }: NameConstraints,
  afford: () => boolean,
): Verdict | undefined {
  const permittedByForm = byForm(permitted);
  const excludedByForm = byForm(excluded);
  for (const name of names) {
    const compare = comparisonOf(name);
    const refusal =
      excludes(compare, excludedByForm.get(name.form), afford) ??
      permits(compare, permittedByForm.get(name.form), afford);
    if (refusal !== undefined) return { ...refusal, name };
  }
  return undefined;
}

const byForm = (subtrees: readonly GeneralSubtree[]): ReadonlyMap<NameForm, readonly Constraint[]> =>
  new Map(
    [...Map.groupBy(subtrees, ({ base }) => base.form)].map(([form, group]) => [form, group.map(prepare)]),
  );

const prepare = ({ base, isPlain }: GeneralSubtree): Constraint => ({
  base: isPlain ? prepareBase(base) : { form: 'unsupported' },
  get shown() {
    return shown(base);
  },
});

const tooMany: Refusal = { code: 'name_constraints_too_many', by: 'the constraints' };

function excludes(
  compare: Comparison,
  constraints: readonly Constraint[] | undefined,
  afford: () => boolean,
): Refusal | undefined {
  for (const constraint of constraints ?? []) {
    if (!afford()) return tooMany;
    const result = compare(constraint.base, 'excluded');
    if (result === false) continue;
    const code = result === 'unsupported' ? 'name_constraint_unsupported' : 'name_excluded';
    return { code, by: `the excluded ${constraint.shown}` };
  }
  return undefined;
}

/** Where a form is constrained at all, a name of that form must be in one of its subtrees. */
function permits(
  compare: Comparison,
  constraints: readonly Constraint[] | undefined,
  afford: () => boolean,
): Refusal | undefined {
  if (constraints === undefined) return undefined;
  let unsupported: Constraint | undefined;
  for (const constraint of constraints) {
    if (!afford()) return tooMany;
    const result = compare(constraint.base, 'permitted');
    if (result === 'unsupported') unsupported ??= constraint;
    else if (result) return undefined;
  }
  if (unsupported !== undefined)
    return { code: 'name_constraint_unsupported', by: `the permitted ${unsupported.shown}` };
  const all = constraints.slice(0, 5).map((constraint) => constraint.shown);
  return { code: 'name_not_permitted', by: `the permitted ${all.join(', ')}` };
}

/** Those that can't be applied, so that every name of their form is refused under the CA that has them: for the log. */
export const inapplicableConstraints = ({ permitted, excluded }: NameConstraints): readonly string[] =>
  [...permitted, ...excluded]
    .map(prepare)
    .filter(({ base }) => base.form === 'unsupported')
    .map((constraint) => constraint.shown);

/** For the log. */
function shown(name: GeneralName): string {
  return `${name.form} ${JSON.stringify(textOf(name).slice(0, 200))}`;
}

function textOf(name: GeneralName): string {
  if ('value' in name) return name.value;
  if (name.form === 'directoryName') return formatName(name.name);
  return name.form === 'iPAddress' ? hex(name.octets) : '';
}
