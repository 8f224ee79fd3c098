import type { Certificate } from './certificate.ts';
import { equalBytes } from './der-values.ts';
import { failure, moreTelling, type PathFailure } from './failures.ts';
import { formatName } from './name.ts';
import { named } from './path-checks.ts';
import type { Budget, PathPolicy } from './path-options.ts';
import { verifySignature } from './signature.ts';
import { type BySubject, isSameCa, type TrustStore } from './trust-store.ts';

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
      `${policy.maxSignatureChecks} signature checks did not find a path`,
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
    tell(
      search,
      failure(
        'issuer_unknown',
        path.length - 1,
        `no certificate of ${shortened(child)}, which ${named(child)} names as its issuer`,
      ),
    );
    return undefined;
  }
  if (others.length > 0 && path.length > policy.maxIntermediates) {
    tell(
      search,
      failure('path_too_deep', path.length, `more than ${policy.maxIntermediates} CAs before a trusted one`),
    );
    return undefined;
  }
  for (const issuer of sorted(others, child, search.second)) {
    if (!verifyEdge(path, issuer, search)) continue;
    const found = extend([...path, issuer], search);
    if (found !== undefined) return found;
  }
  return undefined;
}

const tell = (search: Search<never> | Search<{ readonly valid: true }>, failed: PathFailure): void => {
  search.told = moreTelling(search.told, failed);
};

const shortened = ({ issuer }: Certificate): string => formatName(issuer).slice(0, 200);

function bothOf(a: readonly Certificate[] = [], b: readonly Certificate[] = []): readonly Certificate[] {
  if (b.length === 0) return a;
  return [...a, ...b.filter(({ der }) => !a.some((other) => equalBytes(other.der, der)))];
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
  if (search.budget.signatureChecks < 0 || --search.budget.signatureChecks < 0) return false;
  const child = path.at(-1)!;
  const failed =
    weakness(child, issuer, path.length, search.policy) ?? badSignature(child, issuer, path.length - 1);
  if (failed !== undefined) search.told = moreTelling(search.told, failed);
  return failed === undefined;
}

function weakness(
  child: Certificate,
  issuer: Certificate,
  issuerAt: number,
  { weakAlgorithms }: PathPolicy,
): PathFailure | undefined {
  const { scheme, oid } = child.signatureAlgorithm;
  if (scheme === undefined) {
    return failure('signature_algorithm_unsupported', issuerAt - 1, `${named(child)} is signed with ${oid}`);
  }
  const isWeak =
    (scheme.hash === 'sha1' && !weakAlgorithms.sha1) || (scheme.hash === 'md5' && !weakAlgorithms.md5);
  if (isWeak)
    return failure('signature_algorithm_weak', issuerAt - 1, `${named(child)} is signed with ${scheme.hash}`);
  const { type, bits, algorithm } = issuer.subjectPublicKey;
  if (type === undefined) {
    return failure('issuer_key_unsupported', issuerAt, `${named(issuer)} has a key of ${algorithm}`);
  }
  if (type.startsWith('rsa') && bits < weakAlgorithms.minRsaBits) {
    return failure('issuer_key_too_weak', issuerAt, `${named(issuer)} has RSA of ${bits} bits`);
  }
  return undefined;
}

/** By child, the last issuer whose key was tried, and what came of it: the certificates above a leaf recur. */
const verified = new WeakMap<Certificate, { readonly issuer: Certificate; readonly holds: boolean }>();

function badSignature(child: Certificate, issuer: Certificate, at: number): PathFailure | undefined {
  let known = verified.get(child);
  if (known?.issuer !== issuer) {
    known = { issuer, holds: verifySignature(child, issuer.subjectPublicKey) };
    verified.set(child, known);
  }
  return known.holds
    ? undefined
    : failure('signature_invalid', at, `${named(child)} is not signed by the key of ${named(issuer)}`);
}
