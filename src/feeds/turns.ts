import type { Owner } from './owner.ts';

type Waiting = {
  readonly owners: readonly Owner[];
  readonly size: number;
  readonly go: (inNameOf: Owner) => void;
};
type Queue = { size: number; readonly tasks: Set<Waiting> };

/**
 * So many tasks at a time. Next is the share whose last turn is longest ago, and in it the owner, so that who has many tasks
 * keeps others waiting for one of them; and no share's may hold more than so much while they wait.
 */
export class Turns {
  readonly #atOnce: number;
  readonly #most: number;
  /** By share and in it by owner, who is next first; a task of several owners waits in the name of each. */
  readonly #waiting = new Map<string, Map<string, Queue>>();
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
      readonly owners: readonly Owner[];
      readonly size: number;
      readonly signal: AbortSignal | undefined;
    },
    task: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    let [inNameOf] = owners;
    if (this.#running < this.#atOnce) this.#running++;
    else inNameOf = await this.#turn(owners, size, signal);
    try {
      return await task();
    } finally {
      if (inNameOf !== undefined) this.#toTheEnd(inNameOf);
      if (!this.#next()) this.#running--;
    }
  }

  #turn(owners: readonly Owner[], size: number, signal: AbortSignal | undefined): Promise<Owner> {
    if (owners.every((owner) => this.#isTooMuch(owner, size)))
      throw new Error(
        `more than ${this.#most} bytes wait to be read that clients of the same CA name, or of the same [[definitions]] entry`,
      );
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#remove(waiting);
        reject(signal?.reason as Error);
      };
      const go = (inNameOf: Owner): void => {
        signal?.removeEventListener('abort', leave);
        resolve(inNameOf);
      };
      const waiting = { owners, size, go };
      for (const { share, name } of owners) {
        const queues = this.#waiting.get(share) ?? new Map<string, Queue>();
        this.#waiting.set(share, queues);
        const queue = queues.get(name) ?? { size: 0, tasks: new Set() };
        queues.set(name, queue);
        queue.size += size;
        queue.tasks.add(waiting);
      }
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Of the share's, unless it is within the owner's own part of that. */
  #isTooMuch({ share, name }: Owner, size: number): boolean {
    if (this.#most === Infinity) return false;
    const others = new Map(this.#waiting.get(share));
    const own = (others.get(name)?.size ?? 0) + size;
    others.delete(name);
    const all = [...others.values()].reduce((sum, queue) => sum + queue.size, own);
    return all > this.#most && own > this.#most / (others.size + 1);
  }

  /** @returns whether one has taken over */
  #next(): boolean {
    for (const [share, queues] of this.#waiting)
      for (const [name, { tasks }] of queues)
        for (const next of tasks) {
          this.#remove(next);
          // Where several run at once it has its next turn behind the others, too.
          this.#toTheEnd({ share, name });
          next.go({ share, name });
          return true;
        }
    return false;
  }

  /** Of a task's owners the one alone whose turn it was: who names others' CAs must not use up his neighbours' turns. */
  #toTheEnd({ share, name }: Owner): void {
    const queues = this.#waiting.get(share);
    if (queues === undefined) return;
    putLast(this.#waiting, share);
    putLast(queues, name);
  }

  #remove(waiting: Waiting): void {
    for (const { share, name } of waiting.owners) {
      const queues = this.#waiting.get(share);
      const queue = queues?.get(name);
      if (queue?.tasks.delete(waiting) !== true) continue;
      queue.size -= waiting.size;
      if (queue.tasks.size === 0) queues!.delete(name);
      if (queues!.size === 0) this.#waiting.delete(share);
    }
  }
}

function putLast<T>(map: Map<string, T>, key: string): void {
  const value = map.get(key);
  if (value === undefined) return;
  map.delete(key);
  map.set(key, value);
}
