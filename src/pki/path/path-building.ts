import type { Certificate } from '../certificate/certificate.ts';
import { formatName, named } from '../certificate/name.ts';
import { equalBytes } from '../der/der-values.ts';
import { failure, moreTelling, type PathFailure } from './failures.ts';
import type { Budget, PathPolicy } from './path-options.ts';
import { signatureFailure, spend } from './signature-checks.ts';
import { type BySubject, distinct, isSameCa, type TrustStore } from './trust-store.ts';

/** Path from the leaf up to below the anchor, its signatures verified. */
export type Candidate = { readonly path: readonly Certificate[]; readonly anchor: Certificate };

type Search<Found> = {
  readonly trustStore: TrustStore;
  readonly offered: BySubject;
  readonly second: number;
  readonly policy: PathPolicy;
  readonly budget: Budget;
  readonly judge: (candidate: Candidate) => Found | PathFailure;
  told: PathFailure | undefined;
};

/**
 * Builds paths from the leaf to trust anchors, depth first with backtracking, until `judge` finds one valid. Issuers are
 * found by name alone; key identifiers and dates only say which to try first. Neither the order in which certificates
 * were given nor what is cached changes the outcome: candidates are sorted, and a remembered signature costs as much of
 * the budget as a fresh one.
 *
 * @returns what `judge` found, or the most telling of all failures
 */
export function searchPath<Found extends { readonly valid: true }>(
  leaf: Certificate,
  trustStore: TrustStore,
  offered: BySubject,
  now: number,
  policy: PathPolicy,
  budget: Budget,
  judge: (candidate: Candidate) => Found | PathFailure,
): Found | PathFailure {
  const second = Math.floor(now / 1000) * 1000;
  const search: Search<Found> = {
    trustStore,
    offered,
    second,
    policy,
    budget,
    judge,
    told: undefined,
  };
  const found = extend([leaf], search);
  if (found !== undefined) return found;
  // A search that was cut short proves nothing about what else it met.
  if (budget.signatureChecks < 0) {
    return failure(
      'path_search_exhausted',
      0,
      `signature checks worth ${policy.maxSignatureChecks} of P-256 did not find a path`,
    );
  }
  if (budget.nameComparisons < 0) {
    return failure(
      'name_constraints_too_many',
      0,
      `more than ${policy.maxNameComparisons} names against constraints`,
    );
  }
  return search.told!;
}

function extend<Found extends { readonly valid: true }>(
  path: readonly Certificate[],
  search: Search<Found>,
): Found | undefined {
  const child = path.at(-1)!;
  const { trustStore, offered, policy } = search;
  const key = child.issuer.key;
  const anchors = sorted(trustStore.anchors.get(key) ?? [], child, search.second);
  for (const anchor of anchors) {
    if (!verifyEdge(path, anchor, search)) continue;
    const judged = search.judge({ path, anchor });
    if (judged.valid) return judged;
    search.told = moreTelling(search.told, judged);
  }
  const others = bothOf(trustStore.intermediates.get(key), offered.get(key)).filter(
    (issuer) =>
      !path.some((above) => isSameEntity(above, issuer)) &&
      !anchors.some(({ der }) => equalBytes(der, issuer.der)),
  );
  if (anchors.length + others.length === 0) {
    search.told = moreTelling(
      search.told,
      failure(
        'issuer_unknown',
        path.length - 1,
        `no certificate of ${shortened(child)}, which ${named(child)} names as its issuer`,
      ),
    );
    return undefined;
  }
  const isFull = path.slice(1).filter(({ isSelfIssued }) => !isSelfIssued).length >= policy.maxIntermediates;
  for (const issuer of sorted(others, child, search.second)) {
    // Self-issued ones don't count, as in RFC 5280 6.1.4 (l).
    if (isFull && !issuer.isSelfIssued) {
      const detail = `more than ${policy.maxIntermediates} CAs before a trusted one`;
      search.told = moreTelling(search.told, failure('path_too_deep', path.length, detail));
      continue;
    }
    if (!verifyEdge(path, issuer, search)) continue;
    const found = extend([...path, issuer], search);
    if (found !== undefined) return found;
  }
  return undefined;
}

const shortened = ({ issuer }: Certificate): string => formatName(issuer).slice(0, 200);

function bothOf(a: readonly Certificate[] = [], b: readonly Certificate[] = []): readonly Certificate[] {
  if (a.length === 0) return b;
  return b.length === 0 ? a : distinct([...a, ...b]);
}

/** RFC 4158 2.4.2 and Go: subject, key and subjectAltName. Twice in one path, a certificate leads in circles. */
function isSameEntity(a: Certificate, b: Certificate): boolean {
  return isSameCa(a, b) && equalBytes(subjectAltName(a), subjectAltName(b));
}

const none = new Uint8Array();
const subjectAltName = ({ extensions }: Certificate): Uint8Array =>
  extensions.find(({ oid }) => oid === '2.5.29.17')?.value ?? none;

/** Most promising first; ties by bytes, so that the order is always the same. */
function sorted(issuers: readonly Certificate[], child: Certificate, second: number): readonly Certificate[] {
  if (issuers.length < 2) return issuers;
  const ranked = issuers.map((issuer) => ({ issuer, rank: rankOf(issuer, child, second) }));
  ranked.sort((a, b) => a.rank - b.rank || Buffer.compare(a.issuer.der, b.issuer.der));
  return ranked.map(({ issuer }) => issuer);
}

function rankOf(issuer: Certificate, child: Certificate, second: number): number {
  const wanted = child.values.authorityKeyIdentifier;
  const offered = issuer.values.subjectKeyIdentifier;
  const isUsable = issuer.isCa && second >= issuer.notBefore && second <= issuer.notAfter;
  const unsure = wanted === undefined || offered === undefined;
  return (isUsable ? 0 : 3) + (unsure ? 1 : equalBytes(wanted, offered) ? 0 : 2);
}

/** Whether the last of the path is signed by this issuer, by means that the policy accepts. Notes why not. */
function verifyEdge<Found extends { readonly valid: true }>(
  path: readonly Certificate[],
  issuer: Certificate,
  search: Search<Found>,
): boolean {
  if (!spend(search.budget, issuer)) return false;
  const child = path.at(-1)!;
  const failed = signatureFailure(child, () => named(child), issuer, path.length - 1, search.policy);
  if (failed !== undefined) search.told = moreTelling(search.told, failed);
  return failed === undefined;
}
