import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Attributes } from '../attributes.ts';
import type { Config } from '../config/schema/config.ts';
import type { Decision } from '../decision.ts';
import { atMost } from '../feeds/deadline.ts';
import { type Answered, auditLine, type Decided, type Shadowed, shadowLine } from '../observability/audit.ts';
import { AuditFile } from '../observability/audit-file.ts';
import { type AuditSink, auditOutput, type OnAuditTrouble } from '../observability/audit-sink.ts';
import { auditSyslog } from '../observability/audit-syslog.ts';
import { counter, type Family } from '../observability/exposition.ts';
import { resolver } from '../provision/own-config.ts';

type AuditSettings = NonNullable<Config['enforcer']['audit']>;
type AuditTrailOptions = {
  /** config.toml, which paths are relative to. */
  readonly file: string;
  readonly worker: number | undefined;
  readonly tell: OnAuditTrouble;
};

/** Milliseconds that an end waits for what was not written yet. */
const patience = 1_000;

/** Milliseconds: as late may a line be in its file. */
const betweenWrites = 50;

/** The record of decisions, where one is asked for; each configuration may ask for another. */
export class AuditTrail {
  readonly #options: AuditTrailOptions;
  #settings: AuditSettings | undefined;
  #sink: AuditSink | undefined;
  #admissions = 0;
  readonly #ending = new Set<Promise<void>>();
  /** Of sinks that are closed. */
  #before = { written: 0, dropped: 0 };

  constructor(options: AuditTrailOptions) {
    this.#options = options;
  }

  use(settings: AuditSettings | undefined): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#end();
    this.#settings = settings;
    this.#sink = settings && this.#open(settings);
  }

  decided(attributes: Attributes, decision: Decision, decided: Decided): void {
    if (this.#sink === undefined || !this.#isWanted(decision)) return;
    const about = { isDenial: decision.outcome === 'deny', now: decided.now };
    this.#sink.write(auditLine(attributes, decision, decided, this.#options.worker), about);
  }

  /** A request that the next configuration decides differently: a line whatever the settings ask for. */
  differed(answered: Answered, next: Shadowed): void {
    const about = { isDenial: false, now: answered.decided.now };
    this.#sink?.write(shadowLine(answered, next, this.#options.worker), about);
  }

  /** Once all is written that can be. */
  async close(): Promise<void> {
    this.#end();
    await Promise.all(this.#ending);
  }

  #end(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#settings = undefined;
    if (sink === undefined) return;
    const ended = atMost(patience, sink.close()).then(() => {
      this.#before = this.#sum(sink.counts);
      this.#ending.delete(ended);
    });
    this.#ending.add(ended);
  }

  get families(): readonly Family[] {
    return [
      counter(
        'mtls_enforcer_audit_lines_total',
        'Lines of the record of decisions; dropped: they could not be written, or not fast enough.',
        () =>
          Object.entries(this.#sum(this.#sink?.counts)).map(([outcome, value]) => ({
            labels: { outcome },
            value,
          })),
      ),
    ];
  }

  #sum(counts = { written: 0, dropped: 0 }) {
    return {
      written: this.#before.written + counts.written,
      dropped: this.#before.dropped + counts.dropped,
    };
  }

  #isWanted({ outcome }: Decision): boolean {
    const { decisions, oneIn } = this.#settings!;
    if (outcome === 'deny' || decisions === 'all') return true;
    return decisions === 'sampled' && this.#admissions++ % oneIn === 0;
  }

  #open({ file, syslog, maxMegabytes, files }: AuditSettings): AuditSink {
    const { file: config, worker = 1, tell } = this.#options;
    if (file !== undefined) {
      // Not `.2`: so is an old one called.
      const path = `${resolver(config)(file)}${worker === 1 ? '' : `-${worker}`}`;
      const pause = () => setTimeout(betweenWrites);
      return new AuditFile({ path, maxBytes: maxMegabytes * 1_000_000, kept: files, pause }, tell);
    }
    if (syslog === undefined) return auditOutput(process.stderr, tell);
    const [, address = '', port] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(syslog) ?? [];
    return auditSyslog({ address, port: Number(port), hostname: hostname() }, tell);
  }
}
