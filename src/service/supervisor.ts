import { createLog, type Log } from '../observability/log.ts';
import type { MetricsPort } from './metrics-port.ts';
import { page } from './paced.ts';
import { gather } from './scrapes.ts';
import type { Serving, Signal } from './serve.ts';
import { type Start, Worker, type WorkerOptions } from './worker.ts';

type SupervisorOptions = {
  readonly workers: number;
  readonly spawn: WorkerOptions['spawn'];
  readonly onSignal: (handler: (signal: Signal) => void) => void;
  /** Told once all serve, or those that could be started: else systemd would end them, too. */
  readonly onServing?: () => void;
  /** Milliseconds: a worker that says nothing for so long is killed, and started again. */
  readonly patience?: number | undefined;
};

/** Milliseconds. Envoy's health check comes once a second: it must have seen one worker back before the next one goes. */
const untilEnvoyKnows = 3_000;

/** sysexits(3): EX_UNAVAILABLE, of a worker that can't listen, and of us where the metrics' port is taken. */
const unavailable = 69;

/**
 * Keeps several processes running until it is told to stop. It reads no configuration, sees no request, and has no
 * socket but that for metrics, where one is asked for, so that little can go wrong with it.
 *
 * @returns the exit code: 0, or that of the worker which could not be started in the first place
 */
export async function supervise(options: SupervisorOptions): Promise<number> {
  const { workers: count, spawn, onSignal, onServing, patience } = options;
  let log: Log = createLog({ level: 'info', format: 'text' });
  let metrics: Serving['metrics'];
  const workers = Array.from(
    { length: count },
    (_, i) =>
      new Worker({
        number: i + 1,
        spawn,
        onServing: (serving) => {
          log = createLog(serving.log);
          metrics ??= serving.metrics;
        },
        log: () => log,
        patience,
      }),
  );
  let isStopping = false;
  const stop = (): void => {
    for (const worker of workers) worker.stop(isStopping ? 'SIGKILL' : 'SIGTERM');
    isStopping = true;
  };

  /** Signals that came; the first start counts as one, so that a renewal never begins before it is over. */
  let renewals = 1;
  const renew = async (): Promise<void> => {
    if (isStopping) return;
    log.info('renewing the workers, one by one');
    for (const [i, worker] of workers.entries()) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, untilEnvoyKnows).unref());
      const start = await worker.renew();
      if (isStopping) return;
      if (start !== 'serving') {
        log.error('not renewed: this worker did not start again, and the others are left as they are', {
          worker: i + 1,
        });
        return;
      }
    }
    log.info('renewed', { workers: count });
  };
  const renewAsOften = async (): Promise<void> => {
    while (renewals > 0) {
      renewals = 1;
      await renew();
      renewals--;
    }
  };

  onSignal((signal) => {
    if (signal === 'SIGHUP') {
      for (const worker of workers) worker.reload();
    } else if (signal === 'SIGUSR1') {
      log.warn('this signal is not used; SIGHUP reads the configuration again, SIGUSR2 renews the workers', {
        signal,
      });
    } else if (signal === 'SIGUSR2') {
      if (renewals++ === 0) void renewAsOften();
    } else {
      log.info(isStopping ? 'workers are killed, calls in flight are lost' : 'stopping all workers', {
        signal,
      });
      stop();
    }
  });

  let port: MetricsPort | undefined;
  const openPort = async (): Promise<Start> => {
    if (metrics === undefined || port !== undefined || isStopping) return 'serving';
    const unready = (): string | undefined => {
      if (isStopping) return 'stopping';
      return workers.some(({ watched }) => watched.serving) ? undefined : 'no worker serves';
    };
    // Only here: node:http takes 7 MB.
    const { metricsTrouble, openMetricsPort } = await import('./metrics-port.ts');
    try {
      port = await openMetricsPort(metrics, {
        page: (format) =>
          page(
            gather(
              workers.map(({ watched }) => watched),
              format,
            ),
            format,
          ),
        unready,
      });
      log.info('metrics', { listening: port.address });
      return 'serving';
    } catch (error) {
      log.error(metricsTrouble(error as Error, metrics));
      return unavailable;
    }
  };

  // The first alone: what is wrong with the configuration is then said once, and ends it. Where one serves already, only an
  // address that another has can: what else keeps a worker from starting (a file that is just being written, a process
  // that is killed) may pass, and is no reason to leave those unserved who are served.
  let missing = 0;
  const running: Promise<void>[] = [];
  for (const some of [workers.slice(0, 1), workers.slice(1)]) {
    if (isStopping) break;
    const isServed = workers.some(({ watched }) => watched.serving !== undefined);
    const starts = some.map(({ next }) => next);
    running.push(...some.map((worker) => worker.run()));
    const results: Start[] = await Promise.all(starts);
    if (results.every((start): boolean => start === 'serving')) results.push(await openPort());
    const failures = results.filter((start) => start !== 'serving');
    missing = failures.length;
    const failure = isServed ? failures.find((code) => code === unavailable) : failures[0];
    if (failure === undefined || isStopping) continue;
    stop();
    await Promise.all(running);
    return failure;
  }
  if (!isStopping) {
    if (missing === 0) log.info('all workers serve', { workers: count, pid: process.pid });
    else log.error('some workers did not start, and are tried again', { workers: count, missing });
    onServing?.();
  }
  renewals--;
  void renewAsOften();
  await Promise.all(running);
  await port?.close();
  log.info('stopped');
  return 0;
}
