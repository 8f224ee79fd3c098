import type { Certificate } from '../certificate/certificate.ts';
import { named, shortName } from '../certificate/name.ts';
import { isUnread, type Offered, readAllOffered } from '../certificate/offered.ts';
import { equalBytes, hex } from '../der/der-values.ts';
import { type Account, cutShort, namesAbove, type TriedPath } from './effort.ts';
import { failure, moreTelling, type PathFailure } from './failures.ts';
import { deadEnd, namesLeadingUp } from './issuer-names.ts';
import { mostLenient } from './leniency.ts';
import type { PathPolicy, WeakAlgorithms } from './path-options.ts';
import type { PathInputs } from './path-request.ts';
import { judgeSignature } from './signature-checks.ts';
import { type BySubject, distinct, isSameCa, type TrustStore } from './trust-store.ts';

/** Path from the leaf up to below the anchor, its signatures verified. */
export type Candidate = { readonly path: readonly Certificate[]; readonly anchor: Certificate };

type Search<Found> = {
  readonly inputs: PathInputs;
  readonly offered: BySubject<Offered>;
  readonly policy: PathPolicy;
  readonly account: Account;
  readonly judge: (candidate: Candidate) => Found | PathFailure;
};

/** A search under way. */
type Progress<Found> = Search<Found> & {
  readonly second: number;
  readonly lenient: WeakAlgorithms;
  /** Subjects of CAs from which, by names alone, an anchor can be reached. */
  readonly leading: ReadonlySet<string>;
  told: PathFailure | undefined;
};

/**
 * Builds paths from the leaf to trust anchors, depth first with backtracking, until `judge` finds one valid. Issuers are
 * found by name alone, and only such as names lead up from to an anchor; key identifiers and dates only say which to try
 * first. Neither the order in which certificates were given nor what is cached changes the outcome: candidates are
 * sorted, and a remembered signature costs as much of the budget as a fresh one.
 *
 * @returns what `judge` found, or the most telling of all failures
 */
export function searchPath<Found extends { readonly valid: true }>(
  leaf: Certificate,
  search: Search<Found>,
): Found | PathFailure {
  const { inputs, offered, policy, account, judge } = search;
  const { trustStore, now, effort } = inputs;
  const names = namesAbove(leaf, trustStore.intermediates, offered, effort);
  const leading = namesLeadingUp(names, trustStore);
  if (!leading.has(leaf.issuer.key)) return deadEnd(names, trustStore.intermediates, offered);
  const off = missesThrough(leaf, leading, trustStore);
  if (off !== undefined) return off;
  const second = Math.floor(now / 1000) * 1000;
  const progress: Progress<Found> = {
    inputs,
    offered,
    policy,
    account,
    judge,
    second,
    lenient: mostLenient(policy).weakAlgorithms,
    leading,
    told: undefined,
  };
  const found = extend([leaf], progress);
  // A search that was cut short proves nothing about what else it met.
  return found ?? cutShort(account, effort, policy) ?? progress.told!;
}

function extend<Found extends { readonly valid: true }>(
  path: readonly Certificate[],
  search: Progress<Found>,
): Found | undefined {
  const child = path.at(-1)!;
  const { offered, leading } = search;
  const { trustStore, effort, now } = search.inputs;
  const key = child.issuer.key;
  const all = offered.get(key) ?? [];
  let sentAlong: ReadonlySet<string> | undefined;
  const turnOf = (ca: Certificate): number => {
    const turn = trustStore.turnOf(ca);
    if (turn === 0 || all.length === 0) return turn;
    // Who sends a CA along means that one.
    sentAlong ??= new Set(all.map(({ sha256 }) => sha256));
    return sentAlong.has(ca.sha256) ? 0 : turn;
  };
  const anchors = trustStore.anchors.get(key) ?? [];
  const [own, foreign] = split(anchors, (anchor) => turnOf(anchor) === 0);
  for (const anchor of sorted(own, child, search.second)) {
    const found = arrive(path, anchor, search);
    if (found !== undefined) return found;
  }
  const leads = ({ issuer }: Offered): boolean => leading.has(issuer.key);
  const sent = all.filter((one) => leads(one) && !anchors.some(({ sha256 }) => sha256 === one.sha256));
  if (effort.limit?.sheds(sent.filter(isUnread).length, now)) {
    effort.isLimited = true;
    return undefined;
  }
  const others = bothOf((trustStore.intermediates.get(key) ?? []).filter(leads), readAllOffered(sent)).filter(
    (issuer) =>
      !path.some((above) => isSameEntity(above, issuer)) &&
      !anchors.some(({ der }) => equalBytes(der, issuer.der)),
  );
  if (anchors.length + others.length === 0) {
    const detail = `no other certificate of ${shortName(child.issuer)}, which ${named(child)} names as its issuer`;
    fail(search, { path, anchor: undefined, failed: failure('issuer_unknown', path.length - 1, detail) });
    return undefined;
  }
  // Of one turn anchors first: the shorter way.
  const isEnd = new Set(foreign);
  const byTurn = Map.groupBy([...foreign, ...others], turnOf);
  for (const [, issuers] of [...byTurn].sort(([a], [b]) => a - b)) {
    const [ends, between] = split(issuers, (issuer) => isEnd.has(issuer));
    for (const issuer of [...sorted(ends, child, search.second), ...sorted(between, child, search.second)]) {
      const found = isEnd.has(issuer) ? arrive(path, issuer, search) : climb(path, issuer, search);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

const split = <Of>(
  all: readonly Of[],
  isFirst: (one: Of) => boolean,
): readonly [readonly Of[], readonly Of[]] => [all.filter(isFirst), all.filter((one) => !isFirst(one))];

/** To an anchor. */
function arrive<Found extends { readonly valid: true }>(
  path: readonly Certificate[],
  anchor: Certificate,
  search: Progress<Found>,
): Found | undefined {
  if (!verifyEdge(path, anchor, search)) return undefined;
  const judged = search.judge({ path, anchor });
  if (judged.valid) {
    note(search, { path, anchor, failed: undefined });
    return judged;
  }
  fail(search, { path, anchor, failed: judged });
  return undefined;
}

/** By way of a CA below it. */
function climb<Found extends { readonly valid: true }>(
  path: readonly Certificate[],
  issuer: Certificate,
  search: Progress<Found>,
): Found | undefined {
  const { maxIntermediates } = search.policy;
  // Self-issued ones don't count, as in RFC 5280 6.1.4 (l).
  const isFull = path.slice(1).filter(({ isSelfIssued }) => !isSelfIssued).length >= maxIntermediates;
  if (isFull && !issuer.isSelfIssued) {
    const detail = `more than ${maxIntermediates} CAs before a trusted one`;
    fail(search, { path, anchor: undefined, failed: failure('path_too_deep', path.length, detail) });
    return undefined;
  }
  return verifyEdge(path, issuer, search) ? extend([...path, issuer], search) : undefined;
}

type Failed = TriedPath & { readonly failed: PathFailure };

function fail<Found>(search: Progress<Found>, tried: Failed): void {
  search.told = moreTelling(search.told, tried.failed);
  note(search, tried);
}

/** Paths of signers of CRLs have an account of their own, and are not what is asked about. */
function note<Found>({ account, inputs: { effort } }: Progress<Found>, tried: TriedPath): void {
  if (account === effort.search) effort.notes?.tried.push(tried);
}

/** Names alone tell that none of the CAs can be met that one must be met of (see `TrustStore`). */
function missesThrough(
  leaf: Certificate,
  leading: ReadonlySet<string>,
  { through }: TrustStore,
): PathFailure | undefined {
  if (through === undefined || through.some(({ subject }) => leading.has(subject.key))) return undefined;
  return notThrough(leaf, through);
}

export const notThrough = (leaf: Certificate, through: readonly Certificate[]): PathFailure =>
  failure(
    'path_not_through_issuer',
    0,
    `${named(leaf)} was not issued under ${through.slice(0, 10).map(named).join(' or ')}`,
  );

function bothOf(a: readonly Certificate[], b: readonly Certificate[]): readonly Certificate[] {
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
  search: Progress<Found>,
): boolean {
  const { inputs, policy, account } = search;
  const { effort, now } = inputs;
  const signed = path.at(-1)!;
  const at = path.length - 1;
  const what = (): string => named(signed);
  const asked = judgeSignature({
    signed,
    what,
    signer: issuer,
    at,
    lenient: search.lenient,
    policy,
    effort,
    account,
    now,
  });
  const judged =
    isFailure(asked, 'signature_invalid') && namesAnotherKey(signed, issuer)
      ? renewed(signed, issuer, at)
      : asked;
  if (typeof judged === 'object')
    fail(search, { path: [...path, issuer], anchor: undefined, failed: judged });
  return judged === 'holds';
}

const isFailure = (judged: string | PathFailure, code: PathFailure['code']): boolean =>
  typeof judged === 'object' && judged.code === code;

/** What it says of its issuer's key is not what the issuer says of its own. */
const namesAnotherKey = ({ values }: Certificate, issuer: Certificate): boolean => {
  const wanted = values.authorityKeyIdentifier;
  const own = issuer.values.subjectKeyIdentifier;
  return wanted !== undefined && own !== undefined && !equalBytes(wanted, own);
};

/** No attack, most likely: a CA that was renewed under the same name with another key. */
const renewed = (signed: Certificate, issuer: Certificate, at: number): PathFailure =>
  failure(
    'issuer_unknown',
    at,
    `${named(signed)} was issued by another key of ${named(issuer)} than the one that is known here (key identifier ${hex(signed.values.authorityKeyIdentifier!)}, known ${hex(issuer.values.subjectKeyIdentifier!)}): the CA has been renewed, or another has its name`,
  );
