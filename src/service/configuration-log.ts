import { type Problem, problemLine } from '../config/problem.ts';
import { headersToName } from '../envoy-config/request-headers.ts';
import { type FeedEvent, feedLines } from '../feeds/feed-event.ts';
import type { AuditTrouble } from '../observability/audit-sink.ts';
import { createLog, type Log, type LogSettings } from '../observability/log.ts';
import { countClients } from '../provision/load-config.ts';
import { tierLine } from '../provision/tiers.ts';
import type { ConfigurationEvent, InForce } from './configuration.ts';
import type { EnvoyFolderNews } from './envoy-folder.ts';

type ConfigurationLogOptions = {
  readonly file: string;
  readonly version: string;
  readonly worker: number | undefined;
};

const readAtStart = ({ config: { enforcer } }: InForce): ReadonlyMap<string, string> => {
  // Other TLS files count for new connections; whether there are any does not.
  const { certPath, keyPath, clientCaPath, ...others } = enforcer.authService;
  const authService = [others, certPath !== undefined, clientCaPath !== undefined];
  return new Map([
    ['[enforcer.authService]', JSON.stringify(authService)],
    ['[enforcer.metrics]', JSON.stringify(enforcer.metrics ?? {})],
  ]);
};

const auditTroubles: Readonly<Record<AuditTrouble, { readonly begins: string; readonly ends: string }>> = {
  dropped: {
    begins: 'lines of the record of decisions are dropped, and counted',
    ends: 'the record of decisions is written again',
  },
  unrotated: {
    begins: 'a full file of the record of decisions can not make room for the next one, and grows on',
    ends: 'files of the record of decisions make room for the next one again',
  },
};

/** What the log says of configurations. What was said of the one before is not said again. */
export class ConfigurationLog {
  readonly #options: ConfigurationLogOptions;
  #log: Log;
  /** By table, what is read at start only. */
  #atStart: ReadonlyMap<string, string> = new Map();
  #listening = '';
  #headersSent: ReadonlySet<string> = new Set();
  #tiers = '';
  #said: ReadonlySet<string> = new Set();
  /** What the files say now is not what is in force. */
  #isRefused = false;

  constructor(options: ConfigurationLogOptions) {
    this.#options = options;
    this.#log = createLog({ level: 'info', format: 'text', worker: options.worker });
  }

  /** By the settings that are in force. */
  get now(): Log {
    return this.#log;
  }

  settings(settings: LogSettings): void {
    this.#log = createLog({ ...settings, worker: this.#options.worker });
  }

  feed(event: FeedEvent): void {
    for (const { level, message, fields } of feedLines(event)) this.#log[level](message, fields);
  }

  auditTrouble(trouble: AuditTrouble, reason: string | undefined): void {
    const { begins, ends } = auditTroubles[trouble];
    if (reason === undefined) this.#log.info(ends);
    else this.#log.error(begins, { reason });
  }

  started(loaded: InForce, addresses: readonly string[]): void {
    this.#listening = addresses.join(' ');
    this.#atStart = readAtStart(loaded);
    this.#headersSent = new Set(headersToName(loaded.config));
    this.#tiers = tiersOf(loaded);
    this.#announce('started', loaded);
  }

  reloaded({ loaded, reading, changes }: Extract<ConfigurationEvent, { readonly kind: 'in-force' }>): void {
    const { file } = this.#options;
    this.settings(loaded.config.enforcer.log);
    for (const [table, written] of readAtStart(loaded))
      if (written !== this.#atStart.get(table))
        this.#log.warn(`${table} changed: it is read at start only, so restart to have it`, { file });
    const { dynamicFolder, rateLimit } = loaded.config.router;
    // Files that Envoy watches tell it by themselves, but not the rate limit service.
    if (dynamicFolder !== undefined) this.#headersSent = new Set(headersToName(loaded.config));
    const unsent = this.unsent(loaded);
    if (unsent.length > 0)
      this.#log.warn(
        'these headers are read now, and an Envoy that was configured before does not send them: run mtls-enforcer envoy-config and restart Envoy with it',
        { file, headers: unsent.join(' ') },
      );
    const tiers = tiersOf(loaded);
    if (tiers !== this.#tiers && (dynamicFolder === undefined || rateLimit !== undefined))
      this.#log.warn(
        'what tiers allow has changed, and Envoy counts by its own configuration: run mtls-enforcer envoy-config (and ratelimit-config, where its service counts), and restart Envoy with it',
        { file, tiers },
      );
    this.#tiers = tiers;
    this.#announce(
      reading ? 'in force; the files of [[definitions]] are still being read' : 'reloaded',
      loaded,
      changes,
    );
    this.#isRefused = false;
  }

  /** Headers that this configuration reads, and that an Envoy which was configured at the start does not send. */
  unsent({ config }: Pick<InForce, 'config'>): readonly string[] {
    return headersToName(config).filter((name) => !this.#headersSent.has(name));
  }

  refused(event: Extract<ConfigurationEvent, { readonly kind: 'refused' | 'refused-whole' }>): void {
    const { file } = this.#options;
    this.#isRefused = true;
    if (event.kind === 'refused-whole') {
      this.#log.error(`not reloaded: ${event.reason}. The last good configuration stays in force`, { file });
      return;
    }
    for (const problem of event.problems) this.#log.error(problemLine(problem));
    this.#log.error('not reloaded: the last good configuration stays in force', {
      file,
      errors: event.problems.length,
    });
  }

  /** Files were read anew, and say what is in force. */
  unchanged(): void {
    if (this.#isRefused)
      this.#log.info('the files are again as they are in force', { file: this.#options.file });
    this.#isRefused = false;
  }

  envoyFolder(news: EnvoyFolderNews): void {
    if (news.kind === 'mended') this.#log.info("Envoy's files are written again");
    else if (news.kind === 'changed')
      this.#log.warn(
        "Envoy's files ([router] dynamicFolder) were changed or removed by another, and are written again as config.toml says: change that, and let nothing else write there",
      );
    else if (news.kind === 'needs-envoy')
      this.#log.warn(
        news.isFolder
          ? "the folder of Envoy's files ([router] dynamicFolder) was not there, and is made anew: an Envoy that runs watches the one before, so restart Envoy"
          : "envoy.yaml in [router] dynamicFolder changed (the enforcer's address or workers, Envoy's admin port or limits): it is read at Envoy's start only, so restart Envoy to have it",
      );
    else if (news.kind === 'unmade')
      this.#log.error(
        "Envoy's files ([router] dynamicFolder) can not be made of this configuration: it goes on with those of the one before; take back what was changed last",
        { error: news.reason },
      );
    else
      this.#log.error(
        "Envoy's files ([router] dynamicFolder) can not be written: it goes on with those of before; make room, or let the enforcer's user write there, and they are written within ten seconds",
        { error: news.reason },
      );
  }

  /** Events are missed, of a file system that has none, or beyond what the system gives. */
  blind(reason: string): void {
    this.#log.info(
      'changed files are seen after up to two seconds: the system gives no more events of them',
      {
        reason,
      },
    );
  }

  #announce(what: string, loaded: InForce, changes: readonly string[] = []): void {
    const { file, version } = this.#options;
    const { config, problems, warnings, ignored } = loaded;
    const news = (all: readonly Problem[]): readonly string[] =>
      all.map(problemLine).filter((line) => !this.#said.has(line));
    const errors = news(problems);
    for (const line of errors) this.#log.error(line);
    if (errors.length > 0)
      this.#log.error(
        'APIs of the files above are in their last good state, or refuse everybody; all others are in force',
      );
    for (const line of news(warnings)) this.#log.warn(line);
    const isFirst = loaded.generation === 1;
    if (ignored.length > 0 && isFirst)
      this.#log.info('not ours, and ignored', { file, tables: ignored.join(' ') });
    this.#said = new Set([...problems, ...warnings].map(problemLine));
    this.#log.info(what, {
      version,
      pid: process.pid,
      file,
      listening: this.#listening,
      generation: loaded.generation,
      apis: config.apis.length,
      clients: countClients(config),
      certificateFrom: config.enforcer.security.mutualSSL.enableClientValidation ? 'peer' : 'header',
      warnings: warnings.length,
      ...(changes.length > 0 && { changes: changes.join('; ') }),
    });
  }
}

const tiersOf = ({ tiers }: InForce): string => tiers.map(tierLine).join('; ');
