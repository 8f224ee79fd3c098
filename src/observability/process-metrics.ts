import { monitorEventLoopDelay } from 'node:perf_hooks';
import { counter, type Family, gauge, only } from './exposition.ts';

/** Milliseconds between two looks how late the event loop is. */
const every = 10;

/** Of this process, under the names that Prometheus's own libraries use, so that dashboards know them. */
export class ProcessMetrics {
  readonly #delay = monitorEventLoopDelay({ resolution: every });
  readonly #startedAt: number;

  /** @param now milliseconds since the epoch */
  constructor(now: number) {
    this.#startedAt = now / 1000 - process.uptime();
    this.#delay.enable();
  }

  close(): void {
    this.#delay.disable();
  }

  /** From now on anew. */
  reset(): void {
    this.#delay.reset();
  }

  get families(): readonly Family[] {
    return [
      counter(
        'process_cpu_seconds_total',
        'Processor time of the process.',
        only(() => {
          const { user, system } = process.cpuUsage();
          return (user + system) / 1e6;
        }),
      ),
      gauge(
        'process_start_time_seconds',
        'When the process started, since the epoch.',
        only(() => this.#startedAt),
      ),
      gauge(
        'process_resident_memory_bytes',
        'Memory of the process.',
        only(() => process.memoryUsage.rss()),
      ),
      gauge(
        'nodejs_heap_size_used_bytes',
        "Of V8's heap, what is in use.",
        only(() => process.memoryUsage().heapUsed),
      ),
      gauge('nodejs_active_resources', 'Sockets, timers and the like that are open, by kind.', () =>
        Object.entries(Object.groupBy(process.getActiveResourcesInfo(), (type) => type)).map(
          ([type, all]) => ({ labels: { type }, value: all!.length }),
        ),
      ),
      ...Object.entries(this.#takeLag()).map(([which, seconds]) =>
        gauge(
          `nodejs_eventloop_lag_${which}_seconds`,
          'How late the event loop was since somebody looked last.',
          only(() => seconds),
        ),
      ),
    ];
  }

  #takeLag(): Readonly<Record<string, number>> {
    const delay = this.#delay;
    // Node tells the time between two looks, in nanoseconds.
    const late = (between: number): number => Math.max(0, between - every * 1e6) / 1e9;
    const lag =
      delay.count === 0
        ? {}
        : { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
    delay.reset();
    return lag;
  }
}
