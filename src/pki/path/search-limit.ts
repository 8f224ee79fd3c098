/** Tokens that come back by the second, up to a store of them, and begin with it full. */
type Bucket = { readonly perSecond: number; readonly store: number; left: number };

/**
 * A ceiling on the signature checks a second that certificates cause which are in no cache. Strangers choose what they
 * send, and all of them are judged on the thread that answers everybody: beyond the ceiling they are refused at once,
 * while those whose path is remembered go on, since that costs no check.
 *
 * In checks by P-256, some 0.1 ms each. The first few of a request are what nearly every honest certificate needs, and
 * have a ceiling of their own, so that rings of CAs made to be searched for long don't keep out new clients.
 */
export class SearchLimit {
  readonly #first: Bucket;
  readonly #further: Bucket;
  /** Checks since it was made. */
  readonly #checks = { made: 0, refused: 0 };
  #at = -Infinity;

  /** @param furtherAtOnce what a quiet while saves up of further ones, so that clients come in at once after a start */
  constructor({ firstPerSecond = 4000, furtherPerSecond = 50, furtherAtOnce = 200 } = {}) {
    this.#first = { perSecond: firstPerSecond, store: firstPerSecond, left: firstPerSecond };
    this.#further = { perSecond: furtherPerSecond, store: furtherAtOnce, left: furtherAtOnce };
  }

  /**
   * Whether the check may be made; if so it counts.
   *
   * @param before how many the request has made already
   * @param now milliseconds since the epoch
   */
  take(
    cost: number,
    before: { readonly checks: number; readonly failedChecks: number },
    now: number,
  ): boolean {
    this.#refill(now);
    const isFirst = before.checks < firstChecks && before.failedChecks < firstFailedChecks;
    const bucket = isFirst ? this.#first : this.#further;
    if (bucket.left < cost) {
      this.#checks.refused++;
      return false;
    }
    bucket.left -= cost;
    this.#checks.made++;
    return true;
  }

  /** Whether so many of one name need not be read: they may all have to be tried, and there are not as many checks left. */
  sheds(unread: number, now: number): boolean {
    this.#refill(now);
    const isLate = unread - firstFailedChecks > this.#further.left;
    if (isLate) this.#checks.refused++;
    return isLate;
  }

  /** For those who watch it. */
  get checks(): Readonly<Record<'made' | 'refused', number>> {
    return this.#checks;
  }

  #refill(now: number): void {
    // A clock that was set back brings nothing, and starts anew from there.
    const seconds = this.#at === -Infinity ? 0 : Math.max(0, now - this.#at) / 1000;
    this.#at = now;
    for (const bucket of [this.#first, this.#further])
      bucket.left = Math.min(bucket.store, bucket.left + seconds * bucket.perSecond);
  }
}

/** A leaf, its CA, the CA's CA, and one that was tried in vain, as one of two CAs of one name may be. */
const firstChecks = 4;
const firstFailedChecks = 2;
