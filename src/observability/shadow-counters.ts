import type { Decision } from '../decision.ts';
import { counter, type Family } from './exposition.ts';

type Kind = {
  readonly api: string;
  readonly version: string;
  readonly outcome: string;
  readonly reason: string;
  readonly next_outcome: string;
  readonly next_reason: string;
};

/**
 * What came of comparing two configurations, request by request. Labels are names of APIs that are configured and codes
 * of our own table.
 */
export class ShadowCounters {
  readonly #results = { same: 0, different: 0, 'not-compared': 0 };
  readonly #kinds = new Map<string, { readonly kind: Kind; count: number }>();

  same(): void {
    this.#results.same++;
  }

  different(decision: Decision, next: Decision): void {
    this.#results.different++;
    const api = decision.api ?? next.api;
    const kind = {
      api: api?.name ?? '',
      version: api?.version ?? '',
      outcome: decision.outcome,
      reason: reasonOf(decision),
      next_outcome: next.outcome,
      next_reason: reasonOf(next),
    };
    const key = JSON.stringify(kind);
    const known = this.#kinds.get(key) ?? { kind, count: 0 };
    known.count++;
    this.#kinds.set(key, known);
  }

  notCompared(requests: number): void {
    this.#results['not-compared'] += requests;
  }

  /** Either configuration is another: what differed before says nothing of it, and names must not pile up. */
  forgetDifferences(): void {
    this.#kinds.clear();
  }

  get families(): readonly Family[] {
    return [
      counter(
        'mtls_enforcer_shadow_checks_total',
        'Checks by what came of deciding them by the next configuration as well; not-compared: beyond the bound on that work, or it is not read yet.',
        () => Object.entries(this.#results).map(([result, value]) => ({ labels: { result }, value })),
      ),
      counter(
        'mtls_enforcer_shadow_differences_total',
        'Checks that the next configuration decides differently, since either configuration changed.',
        () => [...this.#kinds.values()].map(({ kind, count }) => ({ labels: kind, value: count })),
      ),
    ];
  }
}

const reasonOf = (decision: Decision): string => (decision.outcome === 'deny' ? decision.code : '');
