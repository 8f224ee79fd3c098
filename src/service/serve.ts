import type { Attributes } from '../attributes.ts';
import type { Problem } from '../config/problem.ts';
import type { Decision } from '../decision.ts';
import { decide } from '../enforcer.ts';
import { type ExtAuthzServer, type Listener, startServer } from '../ext-authz/server.ts';
import { auditAdmission, auditDenial } from '../observability/audit.ts';
import type { LogSettings } from '../observability/log.ts';
import { type ServiceSettings, serviceOfWorker } from '../provision/service.ts';
import type { Snapshot } from '../snapshot.ts';
import { after, type Soon } from '../soon.ts';
import { backendIdentity } from '../upstream/backend-identity.ts';
import { Configuration, type InForce } from './configuration.ts';
import { ConfigurationLog } from './configuration-log.ts';
import { FileWatcher } from './file-watcher.ts';
import { keepHeapSmall } from './heap.ts';

export type ServeOptions = {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Which of several processes this is, from 1 on; unset: the only one. */
  readonly worker: number | undefined;
  /** Told once it serves. */
  readonly onServing: (serving: Serving) => void;
  /** Calls `handler` at each of these signals. */
  readonly onSignal: (handler: (signal: Signal) => void) => void;
};
export type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

/** What a supervisor needs to know of a process, and does not read for itself. */
export type Serving = { readonly log: LogSettings; readonly drainTimeoutInSeconds: number };

/**
 * Runs the service until it is told to stop.
 *
 * @returns once everything is closed; or at once, with what is wrong with the configuration
 * @throws ListenError: an address in use, a socket that another process answers on, a folder that is not there
 */
export async function serve(options: ServeOptions): Promise<readonly Problem[]> {
  const { file, worker } = options;
  const log = new ConfigurationLog(options);
  // From the first moment: a signal that comes before anyone listens for it would end the process as it stands.
  const early: Signal[] = [];
  let onSignal = (signal: Signal): unknown => early.push(signal);
  options.onSignal((signal) => onSignal(signal));

  // Nothing before it serves.
  let watch = (): void => {};
  const configuration = new Configuration({
    file,
    env: options.env,
    tell: (event) => {
      if (event.kind === 'feed') return log.feed(event.event);
      if (event.kind === 'in-force') log.reloaded(event);
      else if (event.kind === 'unchanged') log.unchanged();
      else log.refused(event);
      watch();
    },
  });
  const started = await configuration.start();
  if ('problems' in started) return started.problems;
  const { config } = started.ok;
  log.settings(config.enforcer.log);
  const inForce = started.ok;
  const service = worker === undefined ? inForce.service : serviceOfWorker(inForce.service, worker);
  const server = await listen({ ...inForce, service }, options, configuration, log).catch(
    async (error: unknown) => {
      await configuration.close();
      throw error;
    },
  );
  keepHeapSmall();
  server.setServing(true);
  log.started(started.ok, server.addresses);
  const watcher = new FileWatcher(
    () => configuration.reread(),
    (reason) => log.blind(reason),
  );
  watch = () => {
    const { reload } = configuration.inForce.config.enforcer;
    watcher.watch(reload.watch ? configuration.read : new Map());
  };
  watch();

  const { drainTimeoutInSeconds } = config.enforcer.authService;
  options.onServing({ log: config.enforcer.log, drainTimeoutInSeconds });
  await new Promise<void>((stopped) => {
    let draining = false;
    onSignal = (signal) => {
      if (signal === 'SIGHUP') {
        configuration.reload();
      } else if (signal === 'SIGUSR1' || signal === 'SIGUSR2') {
        log.now.warn('this signal is not used; SIGHUP reads the configuration again', { signal });
      } else if (draining) {
        log.now.warn('stopped at once, calls in flight are lost', { signal });
        void server.close().then(stopped);
      } else {
        draining = true;
        log.now.info('stopping: answering the calls in flight', {
          signal,
          atMostSeconds: drainTimeoutInSeconds,
        });
        void server.drain(drainTimeoutInSeconds * 1000).then(stopped);
      }
    };
    for (const signal of early) onSignal(signal);
  });
  watcher.close();
  await configuration.close();
  log.now.info('stopped');
  return [];
}

/** Decides every Check by the configuration that is in force when it comes. */
async function listen(
  { config, service, text }: InForce,
  { file }: ServeOptions,
  configuration: Configuration,
  log: ConfigurationLog,
): Promise<ExtAuthzServer> {
  const { maxMessageSize, reflection } = config.enforcer.authService;
  try {
    return await startServer({
      listeners: listenersOf(service),
      maxMessageBytes: maxMessageSize,
      reflection,
      onError: (error) =>
        log.now.error('a Check failed in the enforcer itself and was denied', {
          error: error.stack ?? error.message,
        }),
      answers: () => configuration.inForce.snapshot.answers,
      check: (attributes: Attributes) => {
        const { snapshot, config } = configuration.inForce; // one snapshot from start to end
        const now = Date.now();
        return after(decide(attributes, snapshot, now), (decision) => {
          if (decision.outcome === 'deny') {
            const { level, message, fields } = auditDenial(attributes, decision);
            log.now[level](message, fields);
          } else if (config.enforcer.log.level === 'debug') {
            const { level, message, fields } = auditAdmission(attributes, decision);
            log.now[level](message, fields);
          }
          const { answers } = snapshot;
          return after(backendJwt(decision, snapshot, now), (backendJwt) => ({
            decision,
            answers,
            backendJwt,
          }));
        });
      },
    });
  } catch (error) {
    const { key, message } = listenTrouble(error as NodeJS.ErrnoException, service);
    const line = text.lineOf(['enforcer', 'authService', key]);
    throw new ListenError(`${file}:${line}: enforcer.authService.${key}: ${message}`, { cause: error });
  }
}

/** Signed where the configuration asks for it. */
function backendJwt(decision: Decision, snapshot: Snapshot, now: number): Soon<string | undefined> {
  const identity =
    snapshot.backendJwt && decision.outcome === 'allow' ? backendIdentity(decision) : undefined;
  return identity && snapshot.backendJwt?.sign(identity, now);
}

/** Why the service can't listen, and what to look at. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

type ListenTrouble = { readonly key: 'port' | 'address' | 'socket'; readonly message: string };

function listenTrouble(error: NodeJS.ErrnoException, { tcp, socket }: ServiceSettings): ListenTrouble {
  const { code, syscall, message } = error;
  const isSocket = (error as { readonly address?: string }).address === socket || tcp === undefined;
  if (isSocket && socket !== undefined) {
    if (code === 'EINVAL' || socket.length > 107)
      return {
        key: 'socket',
        message: `found a path of ${socket.length} characters, and a socket's may have 107; write a shorter one`,
      };
    if (code === 'EACCES' || code === 'EPERM')
      return {
        key: 'socket',
        message: `this user may not make the socket ${socket}; give it write permission to the folder, or write another path`,
      };
    return { key: 'socket', message: `can't listen: ${message}` };
  }
  const at = `${tcp?.address}:${tcp?.port}`;
  if (code === 'EADDRINUSE')
    return {
      key: 'port',
      message: `another process listens on ${at} already; stop it, or write another port`,
    };
  if (code === 'EACCES')
    return { key: 'port', message: `this user may not listen on ${at}; write a port of 1024 or more` };
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo')
    return {
      key: 'address',
      message: `this machine has no address ${tcp?.address}; write one that it has, or 127.0.0.1`,
    };
  return { key: 'port', message: `can't listen on ${at}: ${message}` };
}

/** Where the service listens, or is to be asked. */
export const listenersOf = ({ tcp, socket }: ServiceSettings): readonly Listener[] => [
  ...(tcp ? [tcp] : []),
  ...(socket === undefined ? [] : [{ socket }]),
];
