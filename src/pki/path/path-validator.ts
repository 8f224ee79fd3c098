import { hash } from 'node:crypto';
import { Attached } from '../../attached.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { isPassing, vouchFor } from '../certificate/certificate-cache.ts';
import { type Offered, readSoFar } from '../certificate/offered.ts';
import { equalBytes } from '../der/der-values.ts';
import { cutShortCodes, type Effort, isUntouched, namesAbove, offeredOf } from './effort.ts';
import { byRevocation, failure, type PathFailure } from './failures.ts';
import { mayReach } from './issuer-names.ts';
import { isOwnAnchor } from './leniency.ts';
import { defaultPolicy, type PathPolicy } from './path-options.ts';
import type { PathRequest } from './path-request.ts';
import { checkThrough, findPath, type PathAccepted, type PathVerdict } from './path-validation.ts';
import { type TrustStore, turnsOf } from './trust-store.ts';

type Remembered = {
  readonly verdict: PathVerdict;
  /** Milliseconds since the epoch: the verdict holds from `from` on and before `until`. */
  readonly from: number;
  readonly until: number;
  /**
   * A refusal holds for these intermediates only; undefined, a valid path: for any. A hash, since the certificates
   * themselves would be kept alive by whoever sends them.
   */
  readonly offered: string | undefined;
  /** Of the revocation data that it was judged by; undefined: none. */
  readonly revocationVersion: number | undefined;
};

/**
 * Validates against one trust store, by one policy, and remembers verdicts: for each certificate the last few, for as
 * long as the certificate object itself lives. So the memory is as bounded as the cache of certificates that they are
 * read through, and what is pushed out there is forgotten here. A certificate that lives longer than the validator, as
 * those of the configuration do and those that a responder is asked about, does not keep it.
 */
export class PathValidator {
  readonly #trustStore: TrustStore;
  readonly #policy: PathPolicy;
  readonly #remembersRefusals: boolean;
  /** By which a certificate knows it. */
  readonly #self = new WeakRef(this);

  /**
   * @param remembersRefusals false where there are as many validators as somebody configures aliases: a refusal for each
   *   of them and each leaf would have no bound. Names and remembered signatures tell most of them again at once.
   */
  constructor(
    trustStore: TrustStore,
    policy: Partial<PathPolicy> = {},
    { remembersRefusals }: { readonly remembersRefusals: boolean } = { remembersRefusals: true },
  ) {
    this.#trustStore = trustStore;
    this.#policy = { ...defaultPolicy, ...policy };
    this.#remembersRefusals = remembersRefusals;
  }

  /** For whoever compares: the CAs that it trusts. */
  get anchors(): readonly Certificate[] {
    return [...this.#trustStore.anchors.values()].flat();
  }

  validate(request: PathRequest): PathVerdict {
    const { leaf, intermediates, now, revocation, effort } = request;
    const version = revocation?.version;
    const known = verdicts.get(leaf)?.get(this.#self) ?? none;
    for (const each of known)
      if (each.offered === undefined && holds(each, now, version)) return each.verdict;
    const current = known.filter((each) => holds(each, now, version));
    const offered = current.length === 0 ? '' : hashOf(intermediates);
    const refused = current.find((each) => each.offered === offered);
    if (refused !== undefined) return refused.verdict;
    const passing = isPassing(leaf);
    const asked = passing ? this.#askedBefore(leaf, effort) : undefined;
    if (asked !== undefined) return asked;
    const trustStore = this.#trustStore;
    if (!this.#remembersRefusals) {
      const { intermediates: known } = trustStore;
      const names = namesAbove(leaf, known, offeredOf(effort, intermediates), effort);
      if (!trustStore.pinned.has(leaf.sha256) && !mayReach(names, trustStore)) return unreachable;
    }
    const wasUntouched = isUntouched(effort);
    const inputs = { trustStore, intermediates, now, revocation, effort };
    const verdict = findPath(leaf, inputs, this.#policy);
    if (verdict.valid) {
      const [, ...above] = verdict.path;
      vouchFor(leaf, above);
      for (const certificate of above) vouchFor(certificate);
    }
    if (!verdict.valid && (!this.#remembersRefusals || !isLasting(verdict, wasUntouched))) return verdict;
    if (passing) {
      askedOf.set(effort, { by: this, leaf, verdict, before: askedOf.get(effort) });
      return verdict;
    }
    const remembered = this.#remember(verdict, request);
    if (remembered !== undefined) {
      const all = verdicts.get(leaf) ?? new Map<WeakRef<PathValidator>, readonly Remembered[]>();
      for (const validator of all.keys()) if (validator.deref() === undefined) all.delete(validator);
      verdicts.set(leaf, all.set(this.#self, [remembered, ...current].slice(0, maxRemembered)));
    }
    return verdict;
  }

  /**
   * Whether a path that was found valid against another store, by the same policy and for the same request, is one here:
   * it ends at an anchor of this one, by way of what must be met, and nothing above that made it valid.
   */
  holds(found: PathAccepted): boolean {
    if (!this.meets(found)) return false;
    const { lenientCas } = this.#policy;
    return !lenientCas || !found.path.some((ca, at) => at > 0 && isOwnAnchor(ca, this.#trustStore));
  }

  /** The same, whatever made it valid: for those who are to be kept out. */
  meets({ path, anchor }: PathAccepted): boolean {
    // A pinned leaf is valid for being itself, and no path.
    if (anchor === path[0]) return false;
    const { anchors } = this.#trustStore;
    const isAnchor = anchors.get(anchor.subject.key)?.some(({ der }) => equalBytes(der, anchor.der)) === true;
    return isAnchor && checkThrough([...path, anchor], this.#trustStore) === undefined;
  }

  #askedBefore(leaf: Certificate, effort: Effort): PathVerdict | undefined {
    for (let asked = askedOf.get(effort); asked !== undefined; asked = asked.before)
      if (asked.by === this && asked.leaf === leaf) return asked.verdict;
    return undefined;
  }

  #remember(
    verdict: PathVerdict,
    { leaf, intermediates, now, revocation }: PathRequest,
  ): Remembered | undefined {
    const revocationVersion = revocation?.version;
    if (verdict.valid) {
      // Signers of CRLs count too, and may be any of these.
      const others = revocation === undefined ? [] : this.#turnsBeside(intermediates, now);
      const { from, until } = windowAround(now, [
        ...[...verdict.path, verdict.anchor].flatMap(turnsOf),
        ...others,
      ]);
      return {
        verdict,
        // When what it was judged by began to count it does not say: to a clock that is set back it is another question.
        from: revocation === undefined ? from : now,
        until: Math.min(until, verdict.validUntil),
        offered: undefined,
        revocationVersion,
      };
    }
    // Revocation data gets old, and the refusal does not say when. Others have nothing to do with it: wherever one of
    // several paths failed by it, that is what is told.
    if (revocation !== undefined && (byRevocation.has(verdict.code) || cutShortCodes.has(verdict.code)))
      return undefined;
    const { from, until } = windowAround(now, [...turnsOf(leaf), ...this.#turnsBeside(intermediates, now)]);
    return { verdict, from, until, offered: hashOf(intermediates), revocationVersion };
  }

  /** When one of the certificates begins or ends that a path may be built from: one that none led to was not read. */
  #turnsBeside(intermediates: readonly Offered[], now: number): readonly number[] {
    return [
      ...readSoFar(intermediates).flatMap(turnsOf),
      ...this.#trustStore.turns.flatMap((turns) => nearest(turns, now)),
    ];
  }
}

const verdicts = new Attached<Certificate, Map<WeakRef<PathValidator>, readonly Remembered[]>>();
const none: readonly Remembered[] = [];

/**
 * What a request has asked already of a certificate that is forgotten with it: twice of one that is pinned, and as often as
 * aliases share a validator of others. A search for each would use up what all of them together may cost.
 */
type Asked = {
  readonly by: PathValidator;
  readonly leaf: Certificate;
  readonly verdict: PathVerdict;
  readonly before: Asked | undefined;
};
const askedOf = new Attached<Effort, Asked>();

const holds = (
  { from, until, revocationVersion }: Remembered,
  now: number,
  version: number | undefined,
): boolean => now >= from && now < until && revocationVersion === version;

const unreachable = failure('issuer_unknown', 0, 'no name above the certificate is that of a trusted CA');

/**
 * Whether another search for the same would come to the same. One that ran out of budget would, if it had all of it:
 * the client pays for each.
 */
function isLasting({ code }: PathFailure, hadWholeBudget: boolean): boolean {
  if (code === 'certificate_search_limited') return false;
  return hadWholeBudget || !cutShortCodes.has(code);
}

/** Refusals a leaf: who offers it with other intermediates each time must not push out what was found for the first. */
const maxRemembered = 8;

/** The time around `now` in which none of these instants lies. */
function windowAround(
  now: number,
  turns: readonly number[],
): { readonly from: number; readonly until: number } {
  let from = -Infinity;
  let until = Infinity;
  for (const turn of turns) {
    if (turn <= now) from = Math.max(from, turn);
    else until = Math.min(until, turn);
  }
  return { from, until };
}

/** The last instant up to `now` and the first after it. */
function nearest(ascending: readonly number[], now: number): readonly number[] {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! <= now) low = middle + 1;
    else high = middle;
  }
  return ascending.slice(Math.max(0, low - 1), low + 1);
}

const hashOf = (certificates: readonly Offered[]): string =>
  hash('sha256', certificates.map(({ sha256 }) => sha256).join());
