import { spawn } from 'node:child_process';
import { version } from '../provision/version.ts';
import { readWorkers } from '../provision/written-workers.ts';
import type { Signal } from '../service/serve.ts';
import { giveSignsOfLife } from '../service/sign-of-life.ts';
import { Systemd, watchdogMilliseconds } from '../service/systemd.ts';
import { type Command, configOf, configOption, type Exit, exit, refuse } from './command.ts';
import { endWithoutReader, tellLines } from './output.ts';
import { numberOf, workersOf, workersOption } from './workers.ts';

export const serve: Command = {
  usage: '[--config FILE] [--workers N|auto]',
  summary: 'run the service that Envoy asks',
  help: `mtls-enforcer serve [--config FILE] [--workers N|auto]

Runs the ext_authz service until SIGTERM or SIGINT: it then tells Envoy that it is going, answers the calls in
flight and exits 0 (a second signal ends it at once). SIGHUP reads the configuration and the files it names again:
if all is good the new one takes over in one step, else the last good one stays and the log says why.
Where it listens ([enforcer.authService]) is read at start only; other TLS files there count for new connections.

--workers N: so many processes, which are started again when they end. The first listens at the port and socket of
the configuration, the second at the next port and at the socket's path with .2 behind it, and so on; envoy-config
lists them all. "auto": one for each processor. Better written into the file, where envoy-config reads it too:
[enforcer.authService] workers = N. SIGUSR2 renews them one by one, with the code and configuration of that moment.
--worker N: the Nth of them alone, for a supervisor of your own.

  mtls-enforcer serve --config /etc/mtls-enforcer/config.toml
  kill -HUP $(pidof -x mtls-enforcer)
`,
  options: { ...configOption, ...workersOption, worker: { type: 'string' } },
  run: async (values) => {
    const file = configOf(values);
    const worker = numberOf('--worker', values.worker);
    const given = workersOf(values);
    if (worker !== undefined) return serveOne(file, worker, given);
    const workers = given ?? readWorkers(file);
    return workers === 1 ? serveOne(file) : serveAll(file, workers);
  },
};

/** @param workers how many there are, where a supervisor says so */
async function serveOne(file: string, worker?: number, workers?: number): Promise<Exit> {
  // Else it is called node, or MainThread, and nobody finds it by its name. Signals for all go to the supervisor.
  process.title = worker === undefined ? 'mtls-enforcer' : `mtls-enforcer-${worker}`;
  const { serve: runService } = await import('../service/serve.ts');
  const { answerScrapes } = await import('../service/scrapes.ts');
  const { ReadingError } = await import('../provision/reading-process.ts');
  const hasSupervisor = process.send !== undefined;
  const systemd = hasSupervisor ? undefined : tellSystemd();
  const service = runService({
    file,
    env: process.env,
    version: version(),
    worker,
    workers,
    onServing: (serving) => {
      process.send?.(serving, () => {});
      systemd?.ready();
    },
    onSignal: hasSupervisor ? onSignalOfMany : onSignal,
    onScrape: hasSupervisor
      ? (pieces) => {
          answerScrapes(process, pieces);
          process.channel?.unref();
        }
      : undefined,
  });
  // No fault of the configuration: whoever starts it may well try again.
  const unread = (error: unknown): string => {
    if (error instanceof ReadingError) return error.message;
    throw error;
  };
  const problems = await service.catch(unread);
  systemd?.close();
  if (process.connected) process.disconnect();
  endWithoutReader();
  if (typeof problems !== 'string') return problems.length === 0 ? exit.ok : refuse(problems);
  tellLines(`error: ${problems}`);
  return exit.ioError;
}

async function serveAll(file: string, workers: number): Promise<Exit> {
  process.title = 'mtls-enforcer';
  const { supervise } = await import('../service/supervisor.ts');
  const systemd = tellSystemd();
  const code = await supervise({
    workers,
    onSignal,
    onServing: () => systemd.ready(),
    patience: watchdogMilliseconds(process.env),
    spawn: (worker) =>
      spawn(
        process.execPath,
        [
          ...process.execArgv,
          ...[process.argv[1]!, 'serve', '--config', file],
          ...['--worker', String(worker), '--workers', String(workers)],
        ],
        { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
      ),
  });
  systemd.close();
  return code as Exit; // a worker's own
}

/**
 * Whoever has no supervisor of ours above him is the one whom systemd started. Not before there is somebody who stops at
 * these signals: a listener keeps them from ending the process.
 */
function tellSystemd(): Systemd {
  const systemd = new Systemd({
    env: process.env,
    onTrouble: (message) => tellLines(`mtls-enforcer: ${message}`),
  });
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => systemd.stopping());
  return systemd;
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

function onSignal(handler: (signal: Signal) => void): void {
  for (const signal of signals) process.on(signal, () => handler(signal));
}

/**
 * A terminal and systemd send a signal to the supervisor and to the workers, and the supervisor hands it on: that is one
 * request to stop, not two. Without its supervisor a worker stops as well: nobody would start it again.
 */
function onSignalOfMany(handler: (signal: Signal) => void): void {
  let isStopping = false;
  const once = (signal: Signal): void => {
    if (!isStopping) handler(signal);
    isStopping ||= signal === 'SIGTERM' || signal === 'SIGINT';
  };
  onSignal(once);
  giveSignsOfLife(process);
  process.on('disconnect', () => once('SIGTERM'));
  // What listens keeps a process running; this one is done when its work is.
  process.channel?.unref();
}
