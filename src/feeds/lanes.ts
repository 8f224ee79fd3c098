/** Requests to one host at a time: thousands of certificates may have one responder, and one that hangs is nobody else's. */
const perHost = 4;

/** Who waits for which host. */
export class Lanes {
  readonly #lanes = new Map<string, { running: number; readonly waiting: (() => void)[] }>();

  /** @throws what `task` throws, or the signal's reason while it waits */
  async run<T>(url: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const host = new URL(url).host;
    const lane = this.#lanes.get(host) ?? { running: 0, waiting: [] };
    this.#lanes.set(host, lane);
    if (lane.running >= perHost) await turn(lane.waiting, signal);
    else lane.running++;
    try {
      return await task();
    } finally {
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else if (--lane.running === 0) this.#lanes.delete(host);
    }
  }
}

function turn(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = (): void => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = (): void => {
      waiting.splice(waiting.indexOf(go), 1);
      reject(signal.reason as Error);
    };
    waiting.push(go);
    signal.addEventListener('abort', leave, { once: true });
  });
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
