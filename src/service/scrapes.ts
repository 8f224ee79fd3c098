import type { ChildProcess } from 'node:child_process';
import { type Family, type Format, gauge } from '../observability/exposition.ts';
import { type Piece, paced } from './paced.ts';

/** What a supervisor asks of a worker, and what comes back: on the channel on which a worker says that it serves. */
type Question = {
  readonly kind: 'scrape';
  readonly id: number;
  /** undefined: of a supervisor that is older than the worker which it renewed. */
  readonly format?: Format;
};
export type ScrapeAnswer =
  | { readonly kind: 'scraped'; readonly id: number; readonly piece: Piece }
  | { readonly kind: 'scraped-all'; readonly id: number };

const isQuestion = (message: unknown): message is Question =>
  (message as Partial<Question> | null)?.kind === 'scrape';
export const isScrapeAnswer = (message: unknown): message is ScrapeAnswer =>
  /^scraped(-all)?$/.test(String((message as Partial<ScrapeAnswer> | null)?.kind));

/** Milliseconds: one that hangs must not keep the others from being seen. */
const patience = 3_000;

/** A worker's side: it answers whenever it is asked. */
export function answerScrapes(
  channel: Pick<NodeJS.Process, 'on' | 'send'>,
  pieces: (format: Format) => AsyncIterable<Piece>,
): void {
  const send = (answer: ScrapeAnswer): Promise<void> =>
    // A supervisor that has gone is no matter: the worker ends as well.
    new Promise((resolve) => channel.send?.(answer, () => resolve()));
  channel.on('message', async (message: unknown) => {
    if (!isQuestion(message)) return;
    const { id, format = 'text' } = message;
    try {
      for await (const piece of pieces(format)) await send({ kind: 'scraped', id, piece });
      await send({ kind: 'scraped-all', id });
    } catch {
      // Told by whoever makes the pieces. Who asks takes no whole answer for none, and who decides goes on.
    }
  });
}

let lastId = 0;

/** The supervisor's side. @returns undefined: it gave no whole answer in time */
function ask(worker: ChildProcess, format: Format): Promise<readonly Piece[] | undefined> {
  const id = ++lastId;
  const pieces: Piece[] = [];
  return new Promise((resolve) => {
    const end = (result: readonly Piece[] | undefined): void => {
      clearTimeout(timer);
      worker.off('message', hear);
      worker.off('exit', gone);
      resolve(result);
    };
    const gone = (): void => end(undefined);
    const hear = (message: unknown): void => {
      if (!isScrapeAnswer(message) || message.id !== id) return;
      if (message.kind === 'scraped') pieces.push(message.piece);
      else end(pieces);
    };
    const timer = setTimeout(gone, patience);
    worker.on('message', hear);
    worker.once('exit', gone);
    worker.send({ kind: 'scrape', id, format } satisfies Question, (error) => {
      if (error) gone();
    });
  });
}

/** One of the processes, as far as it is watched. */
export type Watched = {
  readonly number: number;
  /** undefined: it does not serve. */
  readonly serving: ChildProcess | undefined;
  readonly starts: number;
};

/** What all workers say, each family together, and which of them said nothing. */
export async function* gather(workers: readonly Watched[], format: Format): AsyncGenerator<Piece> {
  const answers = await Promise.all(workers.map(({ serving }) => serving && ask(serving, format)));
  const families = new Map<string, Piece[]>();
  for (const piece of answers.flatMap((pieces) => pieces ?? [])) {
    const same = families.get(piece.name);
    if (same === undefined) families.set(piece.name, [piece]);
    else same.push(piece);
  }
  yield* paced(workerFamilies(workers, answers), format);
  for (const pieces of families.values()) yield* pieces;
}

const workerFamilies = (
  workers: readonly Watched[],
  answers: readonly (readonly Piece[] | undefined)[],
): readonly Family[] => [
  gauge('mtls_enforcer_worker_up', '1: the process serves, and says how it goes.', () =>
    workers.map(({ number }, i) => ({ labels: { worker: number }, value: Number(answers[i] !== undefined) })),
  ),
  {
    name: 'mtls_enforcer_worker_starts_total',
    type: 'counter',
    help: 'How often the process was started, the first time and renewals included.',
    samples: () => workers.map(({ number, starts }) => ({ labels: { worker: number }, value: starts })),
  },
];
