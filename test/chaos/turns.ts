/** Many at a time beside each other, or one alone. */
export class Turns {
  readonly #beside = new Set<Promise<void>>();
  #alone: Promise<void> | undefined;

  async beside(act: () => Promise<void>): Promise<void> {
    while (this.#alone !== undefined) await this.#alone;
    const running = act().finally(() => this.#beside.delete(running));
    this.#beside.add(running);
    await running;
  }

  /** Whoever comes meanwhile waits, also while it waits itself. */
  async alone(act: () => Promise<void>): Promise<void> {
    while (this.#alone !== undefined) await this.#alone;
    this.#alone = Promise.allSettled(this.#beside)
      .then(act)
      .finally(() => {
        this.#alone = undefined;
      });
    await this.#alone;
  }
}
