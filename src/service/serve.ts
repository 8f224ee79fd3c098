import type { Problem } from '../config/problem.ts';
import type { Env } from '../config/read-config.ts';
import { portOfWorker } from '../config/worker.ts';
import { dynamicEnvoyFiles } from '../envoy-config/dynamic.ts';
import { type ExtAuthzServer, startServer } from '../ext-authz/server.ts';
import type { Format } from '../observability/exposition.ts';
import type { LogSettings } from '../observability/log.ts';
import { createFindings } from '../provision/findings.ts';
import { resolver } from '../provision/own-config.ts';
import { checkWorkersGiven, serviceOfWorker } from '../provision/service.ts';
import { nextFile } from '../provision/shadow.ts';
import { AuditTrail } from './audit-trail.ts';
import { type Checking, checking } from './check.ts';
import { Configuration, type InForce } from './configuration.ts';
import { ConfigurationLog } from './configuration-log.ts';
import { control } from './control.ts';
import { envoyCertificates } from './envoy-certificates.ts';
import { EnvoyFolder } from './envoy-folder.ts';
import { FileWatcher } from './file-watcher.ts';
import { keepHeapSmall } from './heap.ts';
import { ListenError, listenTrouble } from './listen-trouble.ts';
import { listenersOf } from './listeners.ts';
import { Metrics } from './metrics.ts';
import {
  type MetricsAddress,
  type MetricsPort,
  type MetricsSource,
  metricsTrouble,
  openMetricsPort,
} from './metrics-port.ts';
import { openTraces } from './open-traces.ts';
import { type Piece, paced, page } from './paced.ts';
import { Shadow } from './shadow.ts';
import { ShadowLog } from './shadow-log.ts';
import { TlsRenewal } from './tls-renewal.ts';

type ServeOptions = {
  readonly file: string;
  readonly env: Env;
  readonly version: string;
  /** Which of several processes this is, from 1 on; unset: the only one. */
  readonly worker: number | undefined;
  /** How many there are, where a supervisor has started it. */
  readonly workers?: number | undefined;
  /** Told once it serves, and with each other configuration. */
  readonly onServing: (serving: Serving) => void;
  /** Calls `handler` at each of these signals. */
  readonly onSignal: (handler: (signal: Signal) => void) => void;
  /** Given where a supervisor asks for metrics, and answers for all: no port is opened then. */
  readonly onScrape?: ((pieces: (format: Format) => AsyncIterable<Piece>) => void) | undefined;
};
export type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

/** What a supervisor needs to know of a process, and does not read for itself. */
export type Serving = {
  readonly log: LogSettings;
  /** That it takes at most to end in good order. */
  readonly drainsWithinSeconds: number;
  /** undefined: not wanted. */
  readonly metrics: MetricsAddress | undefined;
};

/**
 * Runs the service until it is told to stop.
 *
 * @returns once everything is closed; or at once, with what is wrong with the configuration
 * @throws ListenError: an address in use, a socket that another process answers on, a folder that is not there
 */
export async function serve(options: ServeOptions): Promise<readonly Problem[]> {
  const begun = await begin(options);
  if ('problems' in begun) return begun.problems;
  await begun.ended;
  return [];
}

/** Returns once it serves: who waits for its end would hold the first configuration as long, whichever is in force. */
async function begin(
  options: ServeOptions,
): Promise<{ readonly ended: Promise<void> } | { readonly problems: readonly Problem[] }> {
  const { file, worker } = options;
  const log = new ConfigurationLog(options);
  // From the first moment: a signal that comes before anyone listens for it would end the process as it stands.
  const early: Signal[] = [];
  let onSignal = (signal: Signal): unknown => early.push(signal);
  options.onSignal((signal) => onSignal(signal));

  let metrics: Metrics | undefined;
  const audit = new AuditTrail({
    file,
    worker,
    tell: (trouble, reason) => log.auditTrouble(trouble, reason),
  });
  // Nothing before it serves.
  let watch = (): void => {};
  const envoy = new EnvoyFolder((news) => log.envoyFolder(news));
  const envoyFiles = ({ config, ownApis, crowding, foreignFiles, tiers }: InForce) => {
    const resolve = resolver(file);
    const folder = config.router.dynamicFolder && resolve(config.router.dynamicFolder);
    // One of several writes for all.
    if (folder === undefined || (worker ?? 1) !== 1) return undefined;
    const { enforcer } = config.router;
    const access = { ownApis, crowding, foreignFiles, tiers, enforcer, resolvePath: resolve };
    return { folder, files: dynamicEnvoyFiles(config, access, folder) };
  };
  const shadowLog = new ShadowLog({ log: () => log.now, unsent: (loaded) => log.unsent(loaded) });
  const shadow = new Shadow({
    env: options.env,
    tell: (event, next) => shadowLog.tell(event, next),
    differed: (answered, next) => audit.differed(answered, next),
    onError: (error) =>
      log.now.warn(
        'a request could not be decided by the next configuration because of a fault in the enforcer',
        {
          error: error.stack ?? error.message,
        },
      ),
  });
  let compareWith = (_: InForce): void => {};
  let keepEnvoy = (_: InForce): void => {};
  let takeOverTls = (_: InForce): void => {};
  let tellServing = (_: InForce): void => {};
  const configuration = new Configuration({
    file,
    env: options.env,
    tell: (event) => {
      if (event.kind === 'feed') return log.feed(event.event);
      if (event.kind === 'in-force') {
        takeOverTls(event.loaded);
        log.reloaded(event);
        audit.use(event.loaded.config.enforcer.audit);
        tellServing(event.loaded);
        keepEnvoy(event.loaded);
        compareWith(event.loaded);
      } else if (event.kind === 'unchanged') log.unchanged();
      else log.refused(event);
      metrics?.tell(event);
      watch();
    },
  });
  const started = await configuration.start();
  if ('problems' in started) return started;
  const inForce = started.ok;
  const { config } = inForce;
  const places = createFindings(file, inForce.text.lineOf);
  checkWorkersGiven(inForce, { workers: options.workers, alone: worker }, places);
  if (places.errors.length > 0) {
    await configuration.close();
    return { problems: places.errors };
  }
  log.settings(config.enforcer.log);
  const service = worker === undefined ? inForce.service : serviceOfWorker(inForce.service, worker);
  const watched = config.enforcer.metrics?.enabled ? config.enforcer.metrics : undefined;
  const traces = await openTraces(options, () => log.now);
  if (watched)
    metrics = new Metrics(configuration, options.version, {
      audit,
      shadow,
      traces,
      envoys: () => envoyCertificates(configuration.inForce.config, resolver(file)),
    });
  audit.use(config.enforcer.audit);
  let isStopping = false;
  let server: ExtAuthzServer | undefined;
  let port: MetricsPort | undefined;
  let closeControl: (() => Promise<void>) | undefined;
  let watcher: FileWatcher | undefined;
  const close = async (): Promise<void> => {
    watcher?.close();
    await Promise.all([
      closeControl?.(),
      envoy.close(),
      shadow.close(),
      configuration.close(),
      port?.close(),
      audit.close(),
      traces?.close(),
    ]);
    metrics?.close();
  };
  try {
    const serving = await listen(
      { ...inForce, service },
      { configuration, log, metrics, audit, shadow, traces },
      file,
    );
    server = serving;
    const unready = (): string | undefined => (isStopping ? 'stopping' : undefined);
    port = metrics && (await openPort(metrics, inForce, options, { log, unready }));
    closeControl = await control({ ...inForce, service }, options, configuration, shadow);
    const writeEnvoy = async (): Promise<void> => {
      const files = envoyFiles(inForce);
      if (files !== undefined) await envoy.writeAll(files);
    };
    // What can't be made or written is told, and tried again, below.
    await writeEnvoy().catch(() => {});
    keepEnvoy = (loaded) => envoy.update(() => envoyFiles(loaded));
    keepHeapSmall();
    metrics?.serving();
    serving.setServing(true);
    log.started(inForce, serving.addresses);
    const tls = new TlsRenewal(service.tcp?.tls, serving, () => log.now);
    takeOverTls = (loaded) => tls.takeOver(loaded.service.tcp?.tls);
    // What came meanwhile.
    takeOverTls(configuration.inForce);
    keepEnvoy(configuration.inForce);
    watcher = new FileWatcher(
      () => configuration.reread(),
      (reason) => log.blind(reason),
    );
    watch = () => {
      const { reload } = configuration.inForce.config.enforcer;
      watcher?.watch(reload.watch ? configuration.read : new Map());
    };
    watch();
    compareWith = ({ config }) => shadow.use(nextFile(config, file), config.enforcer.reload.watch);
    compareWith(configuration.inForce);

    if (port !== undefined) log.now.info('metrics', { listening: port.address });
    const { drainTimeoutInSeconds, drainDelayInSeconds } = config.enforcer.authService;
    tellServing = ({ config: { enforcer } }) =>
      options.onServing({
        log: enforcer.log,
        drainsWithinSeconds: drainDelayInSeconds + drainTimeoutInSeconds,
        metrics: watched,
      });
    tellServing(inForce);
    const stopped = new Promise<void>((stop) => {
      onSignal = (signal) => {
        if (signal === 'SIGHUP') {
          configuration.reload();
          shadow.reload();
        } else if (signal === 'SIGUSR1' || signal === 'SIGUSR2') {
          log.now.warn('this signal is not used; SIGHUP reads the configuration again', { signal });
        } else if (isStopping) {
          log.now.warn('stopped at once, calls in flight are lost', { signal });
          void serving.close().then(stop);
        } else {
          isStopping = true;
          log.now.info('stopping: answering the calls in flight', {
            signal,
            ...(drainDelayInSeconds > 0 && { afterSeconds: drainDelayInSeconds }),
            atMostSeconds: drainTimeoutInSeconds,
          });
          void serving.drain(drainTimeoutInSeconds * 1000, drainDelayInSeconds * 1000).then(stop);
        }
      };
      for (const signal of early) onSignal(signal);
    });
    return {
      ended: stopped.then(async () => {
        await close();
        log.now.info('stopped');
      }),
    };
  } catch (error) {
    // Whatever it is: half a service would answer on, and hear no signal.
    await Promise.all([server?.close(), close()]);
    throw error;
  }
}

async function listen(
  { config, service, text }: InForce,
  checks: Checking,
  file: string,
): Promise<ExtAuthzServer> {
  const { configuration, log, metrics } = checks;
  const { maxMessageSize, reflection } = config.enforcer.authService;
  try {
    return await startServer({
      listeners: listenersOf(service),
      maxMessageBytes: maxMessageSize,
      reflection,
      onError: (error) => {
        metrics?.checks.failed();
        log.now.error('a Check failed in the enforcer itself and was denied', {
          error: error.stack ?? error.message,
        });
      },
      answers: () => configuration.inForce.snapshot.answers,
      check: checking(checks),
      onAnswered: metrics && ((milliseconds, decided) => metrics.checks.answered(milliseconds, decided)),
    });
  } catch (error) {
    const { key, message } = listenTrouble(error as NodeJS.ErrnoException, service);
    const line = text.lineOf(['enforcer', 'authService', key]);
    throw new ListenError(`${file}:${line}: enforcer.authService.${key}: ${message}`, { cause: error });
  }
}

/** Of our own, or the supervisor's for all. */
async function openPort(
  metrics: Metrics,
  { config, text }: InForce,
  { file, worker, onScrape }: ServeOptions,
  { log, unready }: { readonly log: ConfigurationLog; readonly unready: MetricsSource['unready'] },
): Promise<MetricsPort | undefined> {
  const labels = worker === undefined ? {} : { worker };
  const pieces = async function* (format: Format): AsyncGenerator<Piece> {
    try {
      await metrics.look();
      yield* paced(metrics.families, format, labels);
    } catch (error) {
      log.now.error('metrics could not be told because of a fault in the enforcer', {
        error: (error as Error).stack,
      });
      throw error;
    }
  };
  if (onScrape !== undefined) return void onScrape(pieces);
  const { address, port } = config.enforcer.metrics!;
  const own = { address, port: worker === undefined ? port : portOfWorker(port, worker) };
  try {
    return await openMetricsPort(own, { page: (format) => page(pieces(format), format), unready });
  } catch (error) {
    const line = text.lineOf(['enforcer', 'metrics', 'port']);
    throw new ListenError(`${file}:${line}: ${metricsTrouble(error as Error, own)}`, { cause: error });
  }
}
