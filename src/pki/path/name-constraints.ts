import type { Certificate } from '../certificate/certificate.ts';
import type { GeneralSubtree } from '../certificate/extensions.ts';
import type { GeneralName, NameForm } from '../certificate/general-name.ts';
import { formatName, named } from '../certificate/name.ts';
import { type Account, spendComparison } from './effort.ts';
import { failure, type PathFailure } from './failures.ts';
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
        const { code, name } = failed;
        return failure(code, at, `${shown(name)} in ${named(certificate)}, by ${named(chain[above]!)}`);
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

const emailAddress = '1.2.840.113549.1.9.1';

type Verdict = {
  readonly code:
    | 'name_excluded'
    | 'name_not_permitted'
    | 'name_constraint_unsupported'
    | 'name_constraints_too_many';
  readonly name: GeneralName;
};

function checkAgainst(
  names: readonly GeneralName[],
  { permitted, excluded }: NonNullable<Certificate['values']['nameConstraints']>,
  afford: () => boolean,
): Verdict | undefined {
  const permittedByForm = byForm(permitted);
  const excludedByForm = byForm(excluded);
  for (const name of names) {
    const compare = comparisonOf(name);
    const code =
      excludes(compare, excludedByForm.get(name.form), afford) ??
      permits(compare, permittedByForm.get(name.form), afford);
    if (code !== undefined) return { code, name };
  }
  return undefined;
}

const byForm = (subtrees: readonly GeneralSubtree[]): ReadonlyMap<NameForm, readonly Base[]> =>
  new Map(
    [...Map.groupBy(subtrees, ({ base }) => base.form)].map(([form, group]) => [
      form,
      group.map(({ base, isPlain }) => (isPlain ? prepareBase(base) : { form: 'unsupported' })),
    ]),
  );

function excludes(
  compare: Comparison,
  bases: readonly Base[] | undefined,
  afford: () => boolean,
): Verdict['code'] | undefined {
  for (const base of bases ?? []) {
    if (!afford()) return 'name_constraints_too_many';
    const result = compare(base, 'excluded');
    if (result === 'unsupported') return 'name_constraint_unsupported';
    if (result) return 'name_excluded';
  }
  return undefined;
}

/** Where a form is constrained at all, a name of that form must be in one of its subtrees. */
function permits(
  compare: Comparison,
  bases: readonly Base[] | undefined,
  afford: () => boolean,
): Verdict['code'] | undefined {
  if (bases === undefined) return undefined;
  let unsupported = false;
  for (const base of bases) {
    if (!afford()) return 'name_constraints_too_many';
    const result = compare(base, 'permitted');
    if (result === 'unsupported') unsupported = true;
    else if (result) return undefined;
  }
  return unsupported ? 'name_constraint_unsupported' : 'name_not_permitted';
}

/** For the log. */
function shown(name: GeneralName): string {
  const value = 'value' in name ? name.value : name.form === 'directoryName' ? formatName(name.name) : '';
  return `${name.form satisfies NameForm} ${JSON.stringify(value.slice(0, 200))}`;
}
