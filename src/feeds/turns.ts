type Waiting = { readonly owners: readonly string[]; readonly size: number; readonly go: () => void };

/**
 * One task at a time. Next is the owner whose last turn is longest ago, so that who has many tasks keeps others waiting for
 * one of them; and no owner's may hold more than so much while they wait.
 */
export class Turns {
  readonly #most: number;
  /** By owner, who is next first; a task of several owners waits in the name of each. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #isBusy = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws what `task` throws, the signal's reason while it waits, or Error: too much of its owners waits already */
  async run<T>(
    {
      owners,
      size,
      signal,
    }: {
      readonly owners: readonly string[];
      readonly size: number;
      readonly signal: AbortSignal | undefined;
    },
    task: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isBusy) await this.#turn(owners, size, signal);
    this.#isBusy = true;
    try {
      return await task();
    } finally {
      for (const owner of owners) this.#toTheEnd(owner);
      this.#isBusy = this.#next();
    }
  }

  #turn(owners: readonly string[], size: number, signal: AbortSignal | undefined): Promise<void> {
    if (owners.every((owner) => this.#sizeOf(owner) + size > this.#most))
      throw new Error(`more than ${this.#most} bytes that clients of the same CA name wait to be read`);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#remove(waiting);
        reject(signal?.reason as Error);
      };
      const go = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const waiting = { owners, size, go };
      for (const owner of owners)
        this.#waiting.set(owner, (this.#waiting.get(owner) ?? new Set()).add(waiting));
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  #next(): boolean {
    const [next] = [...this.#waiting.values()].flatMap((tasks) => [...tasks]);
    if (next === undefined) return false;
    this.#remove(next);
    next.go();
    return true;
  }

  #toTheEnd(owner: string): void {
    const tasks = this.#waiting.get(owner);
    if (tasks === undefined) return;
    this.#waiting.delete(owner);
    this.#waiting.set(owner, tasks);
  }

  #sizeOf(owner: string): number {
    return [...(this.#waiting.get(owner) ?? [])].reduce((sum, { size }) => sum + size, 0);
  }

  #remove(waiting: Waiting): void {
    for (const owner of waiting.owners) {
      const tasks = this.#waiting.get(owner);
      tasks?.delete(waiting);
      if (tasks?.size === 0) this.#waiting.delete(owner);
    }
  }
}
