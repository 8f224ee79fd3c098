import type { Attributes } from '../attributes.ts';
import { differing } from '../comparison/decisions.ts';
import type { Env } from '../config/read-config.ts';
import type { Decision } from '../decision.ts';
import { decide } from '../enforcer.ts';
import type { Answered, Decided, Shadowed } from '../observability/audit.ts';
import { type Family, gauge, only } from '../observability/exposition.ts';
import { ShadowCounters } from '../observability/shadow-counters.ts';
import { after, type Soon } from '../soon.ts';
import type { ConfigurationEvent, InForce } from './configuration.ts';
import { NextConfiguration } from './next-configuration.ts';
import { SpareTime } from './spare-time.ts';

type ShadowOptions = {
  readonly env: Env;
  /** What becomes of the next configuration. */
  readonly tell: (event: ConfigurationEvent, file: string) => void;
  /** A request that it decides differently, as far as there is room for a line about it. */
  readonly differed: (answered: Answered, next: Shadowed) => void;
  /** A fault of ours, of which nobody outside learns: the first of each configuration. */
  readonly onError: (error: Error) => void;
  /** Milliseconds that passed. */
  readonly clock?: () => number;
};

/** Lines a minute: of one kind, so that a frequent one leaves room for the others; and of all. */
const mostLines = { ofOneKind: 10, ofAll: 200 };

/**
 * Decides live requests by the next configuration as well, after they were answered, and tells what differs. Nothing of it
 * counts: it has a configuration of its own, with its own caches, limits and feeds, and time that nobody else needs.
 */
export class Shadow {
  readonly #options: ShadowOptions;
  readonly #counters = new ShadowCounters();
  readonly #time: SpareTime<Answered>;
  #next: NextConfiguration | undefined;
  /** Of the configuration in force, and of the next: what was told of others is told again. */
  #generations = '';
  #lines = { minute: 0, ofAll: 0, ofKind: new Map<string, number>() };
  #hasFailed = false;

  constructor(options: ShadowOptions) {
    this.#options = options;
    this.#time = new SpareTime({
      work: (answered) => this.#compare(answered),
      leftOut: (requests) => this.#counters.notCompared(requests),
      ...(options.clock && { clock: options.clock }),
    });
  }

  /** @param file the next config.toml; undefined: nothing is compared */
  use(file: string | undefined, isWatched: boolean): void {
    if (file !== this.#next?.file) {
      void this.#next?.close();
      const { env, tell } = this.#options;
      this.#next =
        file === undefined
          ? undefined
          : new NextConfiguration({ file, env, tell: (event) => tell(event, file) });
    }
    this.#next?.watch(isWatched);
  }

  /** Reads it again. What comes of it is told. */
  reload(): void {
    this.#next?.reload();
  }

  /** On the way of a request: nothing is done here. */
  decided(attributes: Attributes, decision: Decision, decided: Decided): void {
    if (this.#next !== undefined) this.#time.add({ attributes, decision, decided });
  }

  async close(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    await next?.close();
  }

  get families(): readonly Family[] {
    const next = this.#next;
    if (next === undefined) return [];
    return [
      ...this.#counters.families,
      gauge(
        'mtls_enforcer_shadow_configuration_good',
        '0: what the files of the next configuration say is not good: its last good state is compared with, or nothing.',
        only(() => Number(next.isGood)),
      ),
    ];
  }

  #compare(answered: Answered): Soon<void> {
    const next = this.#next?.inForce;
    if (next === undefined) return this.#counters.notCompared(1);
    const { attributes, decided } = answered;
    const began = performance.now();
    try {
      const soon = after(decide(attributes, next.snapshot, decided.now), (decision) =>
        this.#tell(answered, decision, next, performance.now() - began),
      );
      return soon instanceof Promise ? soon.catch((error: unknown) => this.#failed(error)) : soon;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #tell(answered: Answered, decision: Decision, { generation }: InForce, milliseconds: number): void {
    const { now, generation: current } = answered.decided;
    const generations = `${current} ${generation}`;
    if (generations !== this.#generations) {
      this.#generations = generations;
      this.#hasFailed = false;
      this.#counters.forgetDifferences();
    }
    const differs = differing(answered.decision, decision);
    if (differs.length === 0) {
      this.#counters.same();
      return;
    }
    this.#counters.different(answered.decision, decision);
    if (!this.#hasRoom(kindOf(answered.decision, decision), now)) return;
    const decided = { now, generation, microseconds: milliseconds * 1000 };
    this.#options.differed(answered, { decision, decided, differs });
  }

  /** The record has room for what counts before all. */
  #hasRoom(kind: string, now: number): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#lines.minute) this.#lines = { minute, ofAll: 0, ofKind: new Map() };
    const { ofKind } = this.#lines;
    const before = ofKind.get(kind) ?? 0;
    if (before >= mostLines.ofOneKind || this.#lines.ofAll >= mostLines.ofAll) return false;
    ofKind.set(kind, before + 1);
    this.#lines.ofAll++;
    return true;
  }

  #failed(error: unknown): void {
    this.#counters.notCompared(1);
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onError(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Who is decided how, where. */
const kindOf = (...decisions: readonly Decision[]): string =>
  JSON.stringify(
    decisions.map((decision) => [
      decision.api?.name,
      decision.api?.version,
      decision.outcome === 'deny' ? decision.code : [decision.client?.alias, decision.token?.clientId],
    ]),
  );
