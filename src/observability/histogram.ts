import type { Family, Sample } from './exposition.ts';

/**
 * Seconds. A known client's Check takes some 20 µs, one whose certificate is new some 300, an Envoy waits for half a
 * second at most.
 */
const bounds = [
  0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
  1,
] as const;

/** A request whose trace can be looked up. */
export type Exemplar = {
  readonly traceId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

/** How long something takes. Counted in plain numbers, made into series only when somebody looks. */
export class Histogram {
  readonly #counts = new Float64Array(bounds.length + 1);
  /** The last one of each bucket. */
  readonly #exemplars: Sample['exemplar'][] = new Array(bounds.length + 1).fill(undefined);
  #milliseconds = 0;

  observe(milliseconds: number, exemplar?: Exemplar): void {
    const seconds = milliseconds / 1000;
    let at = 0;
    while (at < bounds.length && seconds > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#milliseconds += milliseconds;
    if (exemplar !== undefined)
      this.#exemplars[at] = {
        labels: { trace_id: exemplar.traceId },
        value: seconds,
        at: exemplar.at / 1000,
      };
  }

  family(name: string, help: string): Family {
    return { name, help, type: 'histogram', samples: () => this.#samples() };
  }

  *#samples(): Generator<Sample> {
    let count = 0;
    for (const [i, le] of [...bounds, Infinity].entries()) {
      count += this.#counts[i]!;
      yield { part: '_bucket', le, value: count, exemplar: this.#exemplars[i] };
    }
    yield { part: '_sum', value: this.#milliseconds / 1000 };
    yield { part: '_count', value: count };
  }
}
