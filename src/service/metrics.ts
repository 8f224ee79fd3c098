import { CheckCounters } from '../observability/check-counters.ts';
import { counter, type Family, gauge, only, type Sample } from '../observability/exposition.ts';
import { ProcessMetrics } from '../observability/process-metrics.ts';
import type { Expiry } from '../provision/expiries.ts';
import { countClients } from '../provision/load-config.ts';
import type { Snapshot } from '../snapshot.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { Configuration, ConfigurationEvent, InForce } from './configuration.ts';
import { expiryFamilies } from './expiry-metrics.ts';
import { feedFamilies } from './feed-metrics.ts';
import type { Shadow } from './shadow.ts';
import type { Traces } from './traces.ts';

type MetricsOf = {
  readonly audit: AuditTrail;
  readonly shadow: Shadow;
  readonly traces: Traces | undefined;
  /** What Envoy presents. */
  readonly envoys: () => Promise<readonly Expiry[]>;
};

/** All that one process counts. */
export class Metrics {
  readonly checks = new CheckCounters();
  readonly #process = new ProcessMetrics(Date.now());
  readonly #version: string;
  readonly #configuration: Configuration;
  readonly #audit: AuditTrail;
  readonly #shadow: Shadow;
  readonly #traces: Traces | undefined;
  readonly #readEnvoys: MetricsOf['envoys'];
  #envoys: readonly Expiry[] = [];
  readonly #changes = { 'in-force': 1, refused: 0 };
  #lastAt = Date.now();
  /** What snapshots counted that are no more, and the one that counts now. */
  #before = nothingCounted;
  #snapshot: Snapshot;

  constructor(configuration: Configuration, version: string, { audit, shadow, traces, envoys }: MetricsOf) {
    this.#configuration = configuration;
    this.#audit = audit;
    this.#shadow = shadow;
    this.#traces = traces;
    this.#readEnvoys = envoys;
    this.#version = version;
    this.#snapshot = configuration.inForce.snapshot;
  }

  /** Of the configuration, after the first. */
  tell(event: ConfigurationEvent): void {
    if (event.kind === 'feed') return;
    this.#lastAt = Date.now();
    // What was refused is mended by writing what is in force again.
    if (event.kind === 'unchanged') return;
    this.#changes[event.kind === 'in-force' ? 'in-force' : 'refused']++;
    if (event.kind !== 'in-force') return;
    this.#before = this.#counted;
    this.#snapshot = event.loaded.snapshot;
    this.checks.keepOnly(event.loaded.snapshot.apis.apis);
  }

  /** What came before it served is none of its loop's lateness. */
  serving(): void {
    this.#process.reset();
  }

  close(): void {
    this.#process.close();
  }

  /** Reads what is only told. */
  async look(): Promise<void> {
    this.#envoys = await this.#readEnvoys();
  }

  get families(): readonly Family[] {
    const { inForce, feedStates } = this.#configuration;
    return [
      gauge('mtls_enforcer_build_info', 'Which version runs, and on which Node.', () => [
        { labels: { version: this.#version, node: process.version }, value: 1 },
      ]),
      ...this.checks.families,
      ...this.#cacheFamilies,
      ...this.#audit.families,
      ...this.#shadow.families,
      ...(this.#traces?.families ?? []),
      ...this.#configurationFamilies(inForce),
      ...feedFamilies(feedStates, this.#configuration.ocspStates()),
      ...expiryFamilies(inForce, this.#envoys),
      ...this.#process.families,
    ];
  }

  get #counted(): Counted {
    const { certificates, searchLimit } = this.#snapshot;
    return {
      readings: sum(this.#before.readings, certificates.state.readings),
      checks: sum(this.#before.checks, searchLimit.checks),
    };
  }

  get #cacheFamilies(): readonly Family[] {
    const { parts } = this.#snapshot.certificates.state;
    const byPart = (value: (part: 'known' | 'stranger') => number) => (): readonly Sample[] =>
      (['known', 'stranger'] as const).map((part) => ({ labels: { part }, value: value(part) }));
    return [
      counter(
        'mtls_enforcer_certificates_read_total',
        'Certificates of requests, by where they were found; unseen: in no cache, so that they were parsed.',
        () => Object.entries(this.#counted.readings).map(([found, value]) => ({ labels: { found }, value })),
      ),
      gauge(
        'mtls_enforcer_certificate_cache_entries',
        'Certificates that are remembered; known: they were part of a valid path.',
        byPart((part) => parts[part].entries),
      ),
      gauge(
        'mtls_enforcer_certificate_cache_bytes',
        'DER bytes of the certificates that are remembered.',
        byPart((part) => parts[part].bytes),
      ),
      counter(
        'mtls_enforcer_signature_checks_total',
        'Signature checks that unseen certificates asked for; refused: beyond the ceiling (certificate_search_limited).',
        () =>
          Object.entries(this.#counted.checks).map(([outcome, value]) => ({ labels: { outcome }, value })),
      ),
    ];
  }

  #configurationFamilies(inForce: InForce): readonly Family[] {
    const { generation, since, config, problems, warnings } = inForce;
    return [
      gauge(
        'mtls_enforcer_configuration_generation',
        'Counts up with each configuration that came into force, from 1.',
        only(() => generation),
      ),
      gauge(
        'mtls_enforcer_configuration_in_force_since_timestamp_seconds',
        'When the configuration came into force, since the epoch.',
        only(() => since / 1000),
      ),
      counter(
        'mtls_enforcer_configuration_changes_total',
        'Changes of configuration, by what came of them.',
        () => Object.entries(this.#changes).map(([outcome, value]) => ({ labels: { outcome }, value })),
      ),
      gauge(
        'mtls_enforcer_configuration_last_change_successful',
        '0: what the files say is refused, and the last good configuration is in force.',
        only(() => Number(!this.#configuration.isRefused)),
      ),
      gauge(
        'mtls_enforcer_configuration_last_change_timestamp_seconds',
        'When the last change came into force or was refused, since the epoch.',
        only(() => this.#lastAt / 1000),
      ),
      gauge(
        'mtls_enforcer_configuration_problems',
        'Errors in the files of [[definitions]]: their APIs are in their last good state, or refuse everybody.',
        only(() => problems.length),
      ),
      gauge(
        'mtls_enforcer_configuration_warnings',
        'What check-config warns about.',
        only(() => warnings.length),
      ),
      gauge(
        'mtls_enforcer_apis',
        'APIs that are configured.',
        only(() => config.apis.length),
      ),
      gauge(
        'mtls_enforcer_clients',
        'Clients that are configured.',
        only(() => countClients(config)),
      ),
    ];
  }
}

type Counted = {
  readonly readings: Snapshot['certificates']['state']['readings'];
  readonly checks: Snapshot['searchLimit']['checks'];
};

const nothingCounted: Counted = {
  readings: { known: 0, stranger: 0, unseen: 0 },
  checks: { made: 0, refused: 0 },
};

const sum = <K extends string>(a: Readonly<Record<K, number>>, b: Readonly<Record<K, number>>) =>
  Object.fromEntries(Object.entries<number>(a).map(([key, value]) => [key, value + b[key as K]])) as Record<
    K,
    number
  >;
