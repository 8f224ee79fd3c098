type Waiting = { readonly owners: readonly string[]; readonly size: number; readonly go: () => void };
type Queue = { size: number; readonly tasks: Set<Waiting> };

/**
 * So many tasks at a time. Next is the owner whose last turn is longest ago, so that who has many tasks keeps others waiting
 * for one of them; and no owner's may hold more than so much while they wait.
 */
export class Turns {
  readonly #atOnce: number;
  readonly #most: number;
  /** By owner, who is next first; a task of several owners waits in the name of each. */
  readonly #waiting = new Map<string, Queue>();
  #running = 0;

  constructor(atOnce: number, most = Infinity) {
    this.#atOnce = atOnce;
    this.#most = most;
  }

  get isIdle(): boolean {
    return this.#running === 0;
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
    if (this.#running < this.#atOnce) this.#running++;
    else await this.#turn(owners, size, signal);
    try {
      return await task();
    } finally {
      this.#toTheEnd(owners);
      if (!this.#next()) this.#running--;
    }
  }

  #turn(owners: readonly string[], size: number, signal: AbortSignal | undefined): Promise<void> {
    if (owners.every((owner) => (this.#waiting.get(owner)?.size ?? 0) + size > this.#most))
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
      for (const owner of owners) {
        const queue = this.#waiting.get(owner) ?? { size: 0, tasks: new Set() };
        this.#waiting.set(owner, queue);
        queue.size += size;
        queue.tasks.add(waiting);
      }
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** @returns whether one has taken over */
  #next(): boolean {
    const [first] = this.#waiting.values();
    if (first === undefined) return false;
    const [next] = first.tasks;
    this.#remove(next!);
    // Nor has it its next turn before the others, where several run at once.
    this.#toTheEnd(next!.owners);
    next!.go();
    return true;
  }

  #toTheEnd(owners: readonly string[]): void {
    for (const owner of owners) {
      const queue = this.#waiting.get(owner);
      if (queue === undefined) continue;
      this.#waiting.delete(owner);
      this.#waiting.set(owner, queue);
    }
  }

  #remove(waiting: Waiting): void {
    for (const owner of waiting.owners) {
      const queue = this.#waiting.get(owner);
      if (queue?.tasks.delete(waiting) !== true) continue;
      queue.size -= waiting.size;
      if (queue.tasks.size === 0) this.#waiting.delete(owner);
    }
  }
}
