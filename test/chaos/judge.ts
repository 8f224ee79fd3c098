import { InForceTimeline } from '../support/in-force.ts';
import type { LoadAnswer } from '../support/load.ts';

/** Status and reason of a refusal, as `401 certificate_expired`; of an admission the alias, as `200 acme`. */
export type Verdict = string;

const kinds = [
  'right admission',
  'right refusal',
  'wrong admission',
  'wrong refusal',
  'wrong reason',
  '503 while a process was away',
  'other 503',
] as const;
export type Kind = (typeof kinds)[number];

const isAdmission = (verdict: Verdict): boolean => verdict.startsWith('200');

/** Holds every answer against what was in force between its request and itself, and counts. */
export class Judge {
  readonly counts = new Map<Kind, number>(kinds.map((kind) => [kind, 0]));
  /** What goes on just now, by name. */
  readonly disturbances = new Set<string>();
  /** A process is away, or comes back. */
  isProcessAway = false;
  readonly #timelines = new Map<string, InForceTimeline<Verdict>>();
  readonly #wrong = new Map<string, { count: number; readonly first: string; last: string }>();

  /** What a client is answered until something changes. */
  expect(client: string, verdict: Verdict): void {
    this.#timelines.set(client, new InForceTimeline(verdict));
  }

  /** From now on these may be answered as well. */
  announce(verdicts: Readonly<Record<string, Verdict>>): void {
    for (const [client, verdict] of Object.entries(verdicts)) this.#timelines.get(client)!.announce(verdict);
  }

  /** What was announced last is in force for certain. */
  settle(clients: readonly string[]): void {
    for (const client of clients) this.#timelines.get(client)!.settle();
  }

  latest(client: string): Verdict {
    return this.#timelines.get(client)!.latest;
  }

  /** Call it as a request begins, and what it returns when its answer is there. */
  begin(client: string): (answer: LoadAnswer) => Kind {
    const possible = this.#timelines.get(client)!.begin();
    const wasAway = this.isProcessAway;
    return (answer) => {
      const verdict = verdictOf(answer);
      const allowed = new Set(possible());
      const kind = kindOf(verdict, allowed, wasAway || this.isProcessAway);
      this.counts.set(kind, this.counts.get(kind)! + 1);
      if (kind.startsWith('wrong')) this.#note(`${client} got ${verdict}, not ${[...allowed].join(' or ')}`);
      return kind;
    };
  }

  #note(what: string): void {
    const now = `${new Date().toISOString()} (${[...this.disturbances].join(', ')})`;
    const noted = this.#wrong.get(what) ?? { count: 0, first: now, last: now };
    this.#wrong.set(what, { ...noted, count: noted.count + 1, last: now });
  }

  /** What was wrong, when, and what went on then. */
  get wrong(): readonly string[] {
    return [...this.#wrong].map(
      ([what, { count, first, last }]) => `${count} times ${what}, first ${first}, last ${last}`,
    );
  }

  get table(): readonly string[] {
    const rows = [...this.counts].map(([kind, count]) => `${String(count).padStart(8)}  ${kind}`);
    const sum = [...this.counts.values()].reduce((sum, count) => sum + count, 0);
    return [`${String(sum).padStart(8)}  requests`, ...rows];
  }
}

function kindOf(verdict: Verdict, allowed: ReadonlySet<Verdict>, isProcessAway: boolean): Kind {
  if (allowed.has(verdict)) return isAdmission(verdict) ? 'right admission' : 'right refusal';
  if (verdict === '503') return isProcessAway ? '503 while a process was away' : 'other 503';
  if (isAdmission(verdict)) return 'wrong admission';
  return [...allowed].some(isAdmission) ? 'wrong refusal' : 'wrong reason';
}

function verdictOf({ status, reason, body }: LoadAnswer): Verdict {
  if (status !== '200') return reason === undefined ? status : `${status} ${reason}`;
  const { headers } = JSON.parse(body) as { headers: readonly (readonly [string, string])[] };
  return `200 ${headers.find(([name]) => name === 'x-client-cert-alias')?.[1] ?? 'nobody'}`;
}
