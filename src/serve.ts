import type { Attributes } from './attributes.ts';
import { auditDenial } from './audit.ts';
import { isProblems, type LoadedConfig, loadConfig } from './config/load-config.ts';
import { type Problem, problemLine } from './config/problem.ts';
import type { ServiceSettings } from './config/service.ts';
import { decide } from './enforcer.ts';
import { type ExtAuthzServer, type Listener, type ServerOptions, startServer } from './ext-authz/server.ts';
import { createLog, type Log } from './observability/log.ts';

export type ServeOptions = {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Calls `handler` at each SIGTERM, SIGINT or SIGHUP. */
  readonly onSignal: (handler: (signal: Signal) => void) => void;
};
type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP';

/**
 * Runs the service until it is told to stop.
 *
 * @returns once everything is closed; or at once, with what is wrong with the configuration
 * @throws ListenError: an address in use, a socket that another process answers on, a folder that is not there
 */
export async function serve(options: ServeOptions): Promise<readonly Problem[]> {
  // From the first moment: a signal that comes before anyone listens for it would end the process as it stands.
  const early: Signal[] = [];
  let onSignal = (signal: Signal): unknown => early.push(signal);
  options.onSignal((signal) => onSignal(signal));

  const first = loadConfig(options.file, options.env, Date.now());
  if (isProblems(first)) return first;
  let current: LoadedConfig = first;
  let log = createLog(first.config.enforcer.log);

  const { maxMessageSize, reflection, drainTimeoutInSeconds } = first.config.enforcer.authService;
  const server = await listen({
    listeners: listenersOf(first.service),
    maxMessageBytes: maxMessageSize,
    reflection,
    onError: (error) =>
      log.error('a Check failed in the enforcer itself and was denied', {
        error: error.stack ?? error.message,
      }),
    check: (attributes: Attributes) => {
      const { snapshot } = current; // one snapshot from start to end
      const decision = decide(attributes, snapshot, Date.now());
      if (decision.outcome === 'deny') {
        const { level, message, fields } = auditDenial(attributes, decision);
        log[level](message, fields);
      }
      return { decision, answers: snapshot.answers };
    },
  });
  server.setServing(true);
  announce(log, 'started', options, current, server);

  await new Promise<void>((stopped) => {
    let draining = false;
    onSignal = (signal) => {
      if (signal === 'SIGHUP') {
        const loaded = reload(log, options, current);
        if (loaded === undefined) return;
        current = loaded;
        log = createLog(current.config.enforcer.log);
        announce(log, 'reloaded', options, current, server);
      } else if (draining) {
        log.warn('stopped at once, calls in flight are lost', { signal });
        void server.close().then(stopped);
      } else {
        draining = true;
        log.info('stopping: answering the calls in flight', { signal, atMostSeconds: drainTimeoutInSeconds });
        void server.drain(drainTimeoutInSeconds * 1000).then(stopped);
      }
    };
    for (const signal of early) onSignal(signal);
  });
  log.info('stopped');
  return [];
}

/** Why the service can't listen, and what to look at. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

async function listen(options: ServerOptions): Promise<ExtAuthzServer> {
  try {
    return await startServer(options);
  } catch (error) {
    throw new ListenError(`can't listen where [enforcer.authService] says: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The new configuration, if all of it is good. */
function reload(log: Log, { file, env }: ServeOptions, current: LoadedConfig): LoadedConfig | undefined {
  const loaded = loadOrFail(log, file, env);
  if (loaded === undefined) return undefined;
  if (isProblems(loaded)) {
    for (const problem of loaded) log.error(problemLine(problem));
    log.error('not reloaded: the last good configuration stays in force', { file, errors: loaded.length });
    return undefined;
  }
  if (
    JSON.stringify(loaded.config.enforcer.authService) !== JSON.stringify(current.config.enforcer.authService)
  ) {
    log.warn('[enforcer.authService] changed: it is read at start only, so restart to have it', { file });
  }
  return loaded;
}

/** A fault of ours in reading must not end a service that runs. */
function loadOrFail(
  log: Log,
  file: string,
  env: ServeOptions['env'],
): ReturnType<typeof loadConfig> | undefined {
  try {
    return loadConfig(file, env, Date.now());
  } catch (error) {
    log.error(
      'not reloaded: reading failed in the enforcer itself; the last good configuration stays in force',
      {
        file,
        error: error instanceof Error ? error.stack : String(error),
      },
    );
    return undefined;
  }
}

function announce(
  log: Log,
  what: string,
  options: ServeOptions,
  loaded: LoadedConfig,
  server: ExtAuthzServer,
): void {
  for (const warning of loaded.warnings) log.warn(problemLine(warning));
  if (loaded.ignored.length > 0) {
    log.info('not ours, and ignored', { file: options.file, tables: loaded.ignored.join(' ') });
  }
  const { config } = loaded;
  log.info(what, {
    version: options.version,
    file: options.file,
    listening: server.addresses.join(' '),
    apis: config.apis.length,
    clients: config.clients.length,
    certificateFrom: config.enforcer.security.mutualSSL.enableClientValidation ? 'peer' : 'header',
    warnings: loaded.warnings.length,
  });
}

/** Where the service listens, or is to be asked. */
export const listenersOf = ({ tcp, socket }: ServiceSettings): readonly Listener[] => [
  ...(tcp ? [tcp] : []),
  ...(socket === undefined ? [] : [{ socket }]),
];
