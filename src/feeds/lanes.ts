import type { Owner } from './owner.ts';
import { Turns } from './turns.ts';

/** Requests to one host at a time: thousands of certificates may have one responder, and one that hangs is nobody else's. */
const perHost = 4;

/** Who waits for which host, each by turns: one CA may have new certificates without end. */
export class Lanes {
  readonly #lanes = new Map<string, Turns>();

  /** @throws what `task` throws, or the signal's reason while it waits */
  async run<T>(
    url: string,
    { owners, signal }: { readonly owners: readonly Owner[]; readonly signal: AbortSignal },
    task: () => Promise<T>,
  ): Promise<T> {
    const { host } = new URL(url);
    const lane = this.#lanes.get(host) ?? new Turns(perHost);
    this.#lanes.set(host, lane);
    try {
      return await lane.run({ owners, size: 0, signal }, task);
    } finally {
      if (lane.isIdle && this.#lanes.get(host) === lane) this.#lanes.delete(host);
    }
  }
}

/** It took longer than it may. */
export class LateError extends Error {
  override readonly name = 'LateError';
}

/** A limit on all of it, waiting for a turn as well. @throws LateError */
export async function inTime<T>(
  milliseconds: number,
  outer: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new LateError(`no whole answer within ${milliseconds / 1000} s`);
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(late), milliseconds);
  try {
    return await task(AbortSignal.any([outer, abort.signal]));
  } catch (error) {
    throw abort.signal.aborted ? late : error;
  } finally {
    clearTimeout(timer);
  }
}
