import type { ChildProcess } from 'node:child_process';

/** What a supervisor asks of a worker, and what comes back as long as its event loop turns. */
const question = { kind: 'alive?' } as const;
const answer = { kind: 'alive' } as const;
const is = (what: typeof question | typeof answer, message: unknown): boolean =>
  (message as { readonly kind?: unknown } | null)?.kind === what.kind;

export const isSignOfLife = (message: unknown): boolean => is(answer, message);

/** A worker's side. */
export function giveSignsOfLife(channel: Pick<NodeJS.Process, 'on' | 'send'>): void {
  channel.on('message', (message: unknown) => {
    // A supervisor that has gone is no matter: the worker ends as well.
    if (is(question, message)) channel.send?.(answer, () => {});
  });
}

/**
 * The supervisor's side, until the worker ends.
 *
 * @param within milliseconds in which it has to answer
 * @param onHung called again for as long as it says nothing
 */
export function awaitSignsOfLife(worker: ChildProcess, within: number, onHung: () => void): void {
  let hasAnswered = true;
  worker.on('message', (message) => {
    if (isSignOfLife(message)) hasAnswered = true;
  });
  const look = (): void => {
    // One that ends closes the channel first.
    if (!worker.connected) return;
    if (hasAnswered) worker.send(question, () => {});
    else onHung();
    hasAnswered = false;
  };
  // What came while this process itself stood still is read before.
  const timer = setInterval(() => setImmediate(look), within);
  worker.once('exit', () => clearInterval(timer));
}
