import type { Attributes } from '../attributes.ts';
import { type Problem, problemLine } from '../config/problem.ts';
import type { Decision } from '../decision.ts';
import { decide } from '../enforcer.ts';
import { type ExtAuthzServer, type Listener, type ServerOptions, startServer } from '../ext-authz/server.ts';
import { ClientCertificateTables } from '../feeds/api-manager-table.ts';
import { type FeedEvent, feedLines } from '../feeds/feed-event.ts';
import { JwksFeeds } from '../feeds/jwks.ts';
import { auditAdmission, auditDenial } from '../observability/audit.ts';
import { createLog, type Log } from '../observability/log.ts';
import { tablesOf } from '../provision/definitions.ts';
import { readDefinitionsAhead } from '../provision/definitions-worker.ts';
import {
  countClients,
  databasesOf,
  isProblems,
  type LoadedConfig,
  loadConfig,
} from '../provision/load-config.ts';
import type { ServiceSettings } from '../provision/service.ts';
import type { Snapshot } from '../snapshot.ts';
import { backendIdentity } from '../upstream/backend-identity.ts';

export type ServeOptions = {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Calls `handler` at each of these signals. */
  readonly onSignal: (handler: (signal: Signal) => void) => void;
};
type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

/**
 * Runs the service until it is told to stop.
 *
 * @returns once everything is closed; or at once, with what is wrong with the configuration
 * @throws ListenError: an address in use, a socket that another process answers on, a folder that is not there
 */
export async function serve(options: ServeOptions): Promise<readonly Problem[]> {
  let log = createLog({ level: 'info', format: 'text' });
  // From the first moment: a signal that comes before anyone listens for it would end the process as it stands.
  const early: Signal[] = [];
  let onSignal = (signal: Signal): unknown => early.push(signal);
  options.onSignal((signal) => onSignal(signal));

  const jwksFeeds = new JwksFeeds((event) => logFeed(log, event));
  let onTableChange = (): void => {};
  const tables = new ClientCertificateTables((event) => {
    logFeed(log, event);
    if (event.kind === 'read' && event.changed) onTableChange();
  });
  const rows = await tables.use(databasesOf(options.file, options.env));
  const first = loadConfig(options.file, options.env, Date.now(), { jwksFeeds, tables: rows });
  if (isProblems(first)) await tables.close();
  if (isProblems(first)) return first;
  let current: LoadedConfig = first;
  log = createLog(first.config.enforcer.log);

  const { maxMessageSize, reflection, drainTimeoutInSeconds } = first.config.enforcer.authService;
  const server = await listen({
    listeners: listenersOf(first.service),
    maxMessageBytes: maxMessageSize,
    reflection,
    onError: (error) =>
      log.error('a Check failed in the enforcer itself and was denied', {
        error: error.stack ?? error.message,
      }),
    answers: () => current.snapshot.answers,
    check: async (attributes: Attributes) => {
      const { snapshot } = current; // one snapshot from start to end
      const now = Date.now();
      const decision = await decide(attributes, snapshot, now);
      if (decision.outcome === 'deny') {
        const { level, message, fields } = auditDenial(attributes, decision);
        log[level](message, fields);
      } else if (current.config.enforcer.log.level === 'debug') {
        const { level, message, fields } = auditAdmission(attributes, decision);
        log[level](message, fields);
      }
      return { decision, answers: snapshot.answers, backendJwt: await backendJwt(decision, snapshot, now) };
    },
  });
  // Else the first requests after the start would be refused for want of keys.
  await jwksFeeds.start(first.feeds, firstKeysWithin);
  server.setServing(true);
  announce(log, 'started', options, current, server);

  await new Promise<void>((stopped) => {
    let draining = false;
    let reloading = false;
    let again = false;
    /** One at a time: signals that come meanwhile are answered by one more. */
    const reloadAll = async (): Promise<void> => {
      again = true;
      if (reloading) return;
      reloading = true;
      while (again) {
        again = false;
        const loaded = await reload(log, options, current, jwksFeeds, tables);
        if (loaded === undefined) continue;
        await jwksFeeds.start(loaded.feeds, firstKeysWithin);
        current = loaded;
        void jwksFeeds.keepOnly(loaded.feeds);
        void tables.keepOnly(tablesOf(loaded.config));
        log = createLog(current.config.enforcer.log);
        announce(log, 'reloaded', options, current, server);
      }
      reloading = false;
    };
    onSignal = (signal) => {
      if (signal === 'SIGHUP') {
        void reloadAll();
      } else if (signal === 'SIGUSR1' || signal === 'SIGUSR2') {
        log.warn('this signal is not used; SIGHUP reads the configuration again', { signal });
      } else if (draining) {
        log.warn('stopped at once, calls in flight are lost', { signal });
        void server.close().then(stopped);
      } else {
        draining = true;
        log.info('stopping: answering the calls in flight', { signal, atMostSeconds: drainTimeoutInSeconds });
        void server.drain(drainTimeoutInSeconds * 1000).then(stopped);
      }
    };
    onTableChange = () => void reloadAll();
    for (const signal of early) onSignal(signal);
  });
  await jwksFeeds.close();
  await tables.close();
  log.info('stopped');
  return [];
}

/** Signed where the configuration asks for it. */
async function backendJwt(decision: Decision, snapshot: Snapshot, now: number): Promise<string | undefined> {
  const identity =
    snapshot.backendJwt && decision.outcome === 'allow' ? backendIdentity(decision) : undefined;
  return identity && snapshot.backendJwt?.sign(identity, now);
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
async function reload(
  log: Log,
  { file, env }: ServeOptions,
  current: LoadedConfig,
  jwksFeeds: JwksFeeds,
  tables: ClientCertificateTables,
): Promise<LoadedConfig | undefined> {
  const loaded = await loadOrFail(log, file, env, jwksFeeds, tables, current);
  if (loaded === undefined) return undefined;
  if (isProblems(loaded)) {
    for (const problem of loaded) log.error(problemLine(problem));
    log.error('not reloaded: the last good configuration stays in force', { file, errors: loaded.length });
    return undefined;
  }
  if (loaded.config.apis.length === 0 && current.config.apis.length > 0) {
    log.error(
      'not reloaded: the file has no APIs any more, as if it were being written; the last good configuration stays in force. Restart to have none',
      { file },
    );
    return undefined;
  }
  if (
    JSON.stringify(loaded.config.enforcer.authService) !== JSON.stringify(current.config.enforcer.authService)
  ) {
    log.warn('[enforcer.authService] changed: it is read at start only, so restart to have it', { file });
  }
  return loaded;
}

/** Milliseconds that a start, or a reload, waits for the keys of issuers: one that is down must not keep the others from serving. */
const firstKeysWithin = 3_000;

function logFeed(log: Log, event: FeedEvent): void {
  for (const { level, message, fields } of feedLines(event)) log[level](message, fields);
}

/** A fault of ours in reading must not end a service that runs. */
async function loadOrFail(
  log: Log,
  file: string,
  env: ServeOptions['env'],
  jwksFeeds: JwksFeeds,
  tables: ClientCertificateTables,
  before: LoadedConfig,
): Promise<ReturnType<typeof loadConfig> | undefined> {
  try {
    const rows = await tables.use(databasesOf(file, env));
    const readAhead =
      before.config.definitions.length > 0 ? await readDefinitionsAhead(file, env, rows) : undefined;
    return loadConfig(file, env, Date.now(), { jwksFeeds, before, readAhead, tables: rows });
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
  for (const problem of loaded.problems) log.error(problemLine(problem));
  if (loaded.problems.length > 0)
    log.error(
      'APIs of the files above are in their last good state, or refuse everybody; all others are in force',
    );
  for (const warning of loaded.warnings) log.warn(problemLine(warning));
  if (loaded.ignored.length > 0) {
    log.info('not ours, and ignored', { file: options.file, tables: loaded.ignored.join(' ') });
  }
  const { config } = loaded;
  log.info(what, {
    version: options.version,
    pid: process.pid,
    file: options.file,
    listening: server.addresses.join(' '),
    apis: config.apis.length,
    clients: countClients(config),
    certificateFrom: config.enforcer.security.mutualSSL.enableClientValidation ? 'peer' : 'header',
    warnings: loaded.warnings.length,
  });
}

/** Where the service listens, or is to be asked. */
export const listenersOf = ({ tcp, socket }: ServiceSettings): readonly Listener[] => [
  ...(tcp ? [tcp] : []),
  ...(socket === undefined ? [] : [{ socket }]),
];
