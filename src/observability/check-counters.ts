import type { ApiName, Decision, DenialCode } from '../decision.ts';
import type { Decided } from './audit.ts';
import { counter, type Family, type Sample } from './exposition.ts';
import { type Exemplar, Histogram } from './histogram.ts';

type Outcomes = { allowed: number; readonly denied: Map<DenialCode, number> };
type Timed = Pick<Decided, 'now' | 'microseconds' | 'trace'>;
type Named = Pick<ApiName, 'name' | 'version'>;

/**
 * What came of Checks. On the way of a request nothing but numbers is counted up; series are made of them when somebody
 * looks. Their labels are names of APIs that are configured and codes of our own table, whatever clients send.
 */
export class CheckCounters {
  readonly #apis = new Map<string, Named & { readonly outcomes: Outcomes }>();
  /** By the object that an API has in a snapshot, so that nothing is looked up by text. */
  #byName = new WeakMap<ApiName, Outcomes>();
  /** Where no API was found. */
  readonly #none: Outcomes = { allowed: 0, denied: new Map() };
  readonly #from = { peer: 0, header: 0, none: 0 };
  readonly #decisions = new Histogram();
  readonly #calls = new Histogram();

  decided(decision: Decision, decided: Timed): void {
    const { api } = decision;
    const outcomes = api === undefined ? this.#none : (this.#byName.get(api) ?? this.#outcomesOf(api));
    if (decision.outcome === 'allow') outcomes.allowed++;
    else countDenial(outcomes, decision.code);
    this.#from[decision.certificateFrom ?? 'none']++;
    this.#decisions.observe(decided.microseconds / 1000, exemplarOf(decided));
  }

  /** A fault of ours: the request was denied without a decision. */
  failed(): void {
    countDenial(this.#none, 'internal_error');
  }

  /** @param milliseconds from a call's headers to its answer */
  answered(milliseconds: number, decided?: Timed): void {
    this.#calls.observe(milliseconds, decided && exemplarOf(decided));
  }

  /** What was counted of APIs that are no more is forgotten: names come and go, and memory must not grow with them. */
  keepOnly(apis: readonly Named[]): void {
    const wanted = new Set(apis.map(keyOf));
    for (const key of this.#apis.keys()) if (!wanted.has(key)) this.#apis.delete(key);
    this.#byName = new WeakMap();
  }

  get families(): readonly Family[] {
    return [
      counter(
        'mtls_enforcer_decisions_total',
        'Checks by API, outcome and reason code (docs/denial-codes.md). Without an API: none was found.',
        () => this.#samples(),
      ),
      counter(
        'mtls_enforcer_certificates_presented_total',
        'Where the client certificate of a Check came from; none: none came, or it was not looked at.',
        () => Object.entries(this.#from).map(([from, value]) => ({ labels: { from }, value })),
      ),
      this.#decisions.family('mtls_enforcer_decision_duration_seconds', 'What a decision takes.'),
      this.#calls.family(
        'mtls_enforcer_call_duration_seconds',
        "From a Check's headers to its answer, its body and everything before it in the line included.",
      ),
    ];
  }

  #outcomesOf(api: ApiName): Outcomes {
    const key = keyOf(api);
    const known = this.#apis.get(key) ?? {
      name: api.name,
      version: api.version,
      outcomes: { allowed: 0, denied: new Map() },
    };
    this.#apis.set(key, known);
    this.#byName.set(api, known.outcomes);
    return known.outcomes;
  }

  *#samples(): Generator<Sample | undefined> {
    yield* samplesOf({ api: '', version: '' }, this.#none);
    for (const { name, version, outcomes } of this.#apis.values()) {
      yield;
      yield* samplesOf({ api: name, version }, outcomes);
    }
  }
}

/** Of a trace that nobody records there is nothing to look up. */
const exemplarOf = ({ now, trace }: Timed): Exemplar | undefined =>
  trace && { traceId: trace.traceId, at: now };

function countDenial({ denied }: Outcomes, code: DenialCode): void {
  denied.set(code, (denied.get(code) ?? 0) + 1);
}

function* samplesOf(of: { readonly api: string; readonly version: string }, outcomes: Outcomes) {
  const { allowed, denied } = outcomes;
  if (allowed > 0) yield { labels: { ...of, outcome: 'allow', reason: '' }, value: allowed };
  for (const [reason, value] of denied) yield { labels: { ...of, outcome: 'deny', reason }, value };
}

/** As one string that no name can forge. */
const keyOf = ({ name, version }: Named): string => `${name.length}:${name}${version}`;
