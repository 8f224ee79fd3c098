/**
 * A ceiling on what one issuer's tokens may cost that were not seen before. Anybody can write a token that names the
 * issuer and one of its keys, as often as he likes: beyond the ceiling such are refused at once, while those whose
 * signature is remembered go on, since that costs nothing.
 */
export class SignatureLimit {
  readonly #perSecond: number;
  readonly #mostWaiting: number;
  #left: number;
  #waiting = 0;
  #at = -Infinity;

  /**
   * A check takes 30 µs (RSA) to 200 µs (P-521) of a thread beside the one that answers. One Envoy has 1024 requests
   * under way at most, so that all of its clients may come with new tokens at once, as after a restart.
   */
  constructor({ perSecond = 4000, mostWaiting = 1024 } = {}) {
    this.#perSecond = perSecond;
    this.#mostWaiting = mostWaiting;
    this.#left = perSecond;
  }

  /**
   * Whether so many checks may be made; then they count, and wait until they are given back.
   *
   * @param now milliseconds since the epoch
   */
  take(checks: number, now: number): boolean {
    // A clock that was set back brings nothing, and starts anew from there.
    const seconds = this.#at === -Infinity ? 0 : Math.max(0, now - this.#at) / 1000;
    this.#at = now;
    this.#left = Math.min(this.#perSecond, this.#left + seconds * this.#perSecond);
    if (this.#left < checks || this.#waiting >= this.#mostWaiting) return false;
    this.#left -= checks;
    this.#waiting++;
    return true;
  }

  done(): void {
    this.#waiting--;
  }
}
