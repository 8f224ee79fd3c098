import type { Certificate } from '../certificate/certificate.ts';
import type { Offered } from '../certificate/offered.ts';
import type { Signed } from '../certificate/signature.ts';
import type { JudgedStatus } from '../revocation/revocation.ts';
import { failure, type PathFailure, type PathFailureCode } from './failures.ts';
import { type IssuerNames, issuerNamesOf } from './issuer-names.ts';
import type { PathPolicy } from './path-options.ts';
import type { SearchLimit } from './search-limit.ts';
import { type BySubject, bySubject } from './trust-store.ts';

/** What was spent of what `PathPolicy` allows. */
export type Account = { signatureChecks: number; nameComparisons: number };

/**
 * What one request has cost so far, whatever is searched for it: each alias, trust store and mixture of intermediates
 * draws on the same, so that no mixture of tricks costs more than one search may.
 */
export type Effort = {
  readonly search: Account;
  /** CRLs and their signers, counted apart: they must not shorten the search. */
  readonly revocation: Account;
  /** Which keys were tried on what is signed, and whether they made it: none is tried twice. */
  signatures: Map<Signed, Map<string, boolean>> | undefined;
  /** Signatures that were really checked, and by no memory known. */
  checks: number;
  /** Those of them that were in vain. */
  failedChecks: number;
  /** What was sent along, and the names above the leaf: the same for all trust stores that know the same CAs. */
  offered: BySubject<Offered> | undefined;
  names: { readonly of: Certificate; readonly known: BySubject; readonly all: IssuerNames } | undefined;
  /** What strangers may cause all together; undefined: anything. */
  readonly limit: SearchLimit | undefined;
  /** The limit was reached. */
  isLimited: boolean;
  /** For whoever explains: what was tried and found out is noted here. */
  readonly notes: Notes | undefined;
};

export type Notes = {
  readonly tried: TriedPath[];
  readonly statuses: { readonly certificate: Certificate; readonly judged: JudgedStatus }[];
};

/** A path as far as it was built, and what is wrong with it. */
export type TriedPath = {
  readonly path: readonly Certificate[];
  /** undefined: it did not get to one. */
  readonly anchor: Certificate | undefined;
  /** undefined: it is valid. */
  readonly failed: PathFailure | undefined;
};

export const createEffort = (limit?: SearchLimit, notes?: Notes): Effort => ({
  search: { signatureChecks: 0, nameComparisons: 0 },
  revocation: { signatureChecks: 0, nameComparisons: 0 },
  // Most requests are of clients that are known, and ask for none.
  signatures: undefined,
  checks: 0,
  failedChecks: 0,
  offered: undefined,
  names: undefined,
  limit,
  isLimited: false,
  notes,
});

/** A signature that this request has asked for before costs no check, but a step of the search all the same. */
export const stepCost = 0.2;

/** False once the account is overdrawn, and then for ever: what was cut short proves nothing. */
export function spend(account: Account, cost: number, { maxSignatureChecks }: PathPolicy): boolean {
  if (account.signatureChecks <= maxSignatureChecks) account.signatureChecks += cost;
  return account.signatureChecks <= maxSignatureChecks;
}

export function spendComparison(account: Account, { maxNameComparisons }: PathPolicy): boolean {
  if (account.nameComparisons <= maxNameComparisons) account.nameComparisons++;
  return account.nameComparisons <= maxNameComparisons;
}

/** By these a search was cut short: what it was about was not found out. */
export const cutShortCodes: ReadonlySet<PathFailureCode> = new Set([
  'certificate_search_limited',
  'path_search_exhausted',
  'name_constraints_too_many',
]);

/** Why a search was cut short; undefined: it was not. */
export function cutShort(
  account: Account,
  { isLimited }: Effort,
  { maxSignatureChecks, maxNameComparisons }: PathPolicy,
): PathFailure | undefined {
  if (isLimited) return failure('certificate_search_limited', 0, 'too many unseen certificates a second');
  if (account.signatureChecks > maxSignatureChecks) {
    const detail = `signature checks worth ${maxSignatureChecks} of P-256 did not find a path`;
    return failure('path_search_exhausted', 0, detail);
  }
  if (account.nameComparisons > maxNameComparisons) {
    const detail = `more than ${maxNameComparisons} names against constraints`;
    return failure('name_constraints_too_many', 0, detail);
  }
  return undefined;
}

/** Nothing was drawn on it yet: what a search comes to depends on itself alone. */
export const isUntouched = ({ search }: Effort): boolean =>
  search.signatureChecks === 0 && search.nameComparisons === 0;

export function offeredOf(effort: Effort, intermediates: readonly Offered[]): BySubject<Offered> {
  effort.offered ??= bySubject(intermediates);
  return effort.offered;
}

export function namesAbove(
  leaf: Certificate,
  known: BySubject,
  offered: BySubject<Offered>,
  effort: Effort,
): IssuerNames {
  if (effort.names?.of !== leaf || effort.names.known !== known)
    effort.names = { of: leaf, known, all: issuerNamesOf(leaf, known, offered) };
  return effort.names.all;
}
