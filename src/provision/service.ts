import { BlockList, isIP } from 'node:net';
import { type Path, shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { portOfWorker, socketOfWorker, socketPathTrouble } from '../config/worker.ts';
import type { Findings } from './findings.ts';
import { type KeyPair, readKeyPair } from './key-pair.ts';
import { readPemBundle } from './pem-files.ts';

/** Where the ext_authz service listens, its files read. */
export type ServiceSettings = {
  readonly tcp:
    | { readonly address: string; readonly port: number; readonly tls: ServiceTls | undefined }
    | undefined;
  /** Path of a unix socket. */
  readonly socket: string | undefined;
  /** Path of the unix socket that `reload` and `status` ask. */
  readonly control: string | undefined;
};
export type ServiceTls = KeyPair & {
  /** Set: the caller must present a certificate that leads up to one of these. */
  readonly clientCaPem: string | undefined;
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export function readService(
  config: { readonly enforcer: Pick<Config['enforcer'], 'authService' | 'metrics'> },
  isWritten: (path: Path) => boolean,
  findings: Findings,
): ServiceSettings {
  const at = (key: string) => ['enforcer', 'authService', key];
  const { address, socket, control, workers, certPath, keyPath, clientCaPath, plaintext } =
    config.enforcer.authService;
  // A socket alone is what it says: the default port beside it would be open to every process of the host.
  const asksForPort = socket === undefined || isWritten(at('port')) || isWritten(at('address'));
  const port = asksForPort ? config.enforcer.authService.port : 0;
  if (port === 0 && socket === undefined) {
    findings.error(
      at('port'),
      'found 0 and no socket, so that Envoy could not reach the service; write a port, or socket = "…"',
    );
  }
  if (control !== undefined && control === socket)
    findings.error(at('control'), 'found the path of socket, where Envoy asks; write another');
  checkWorkers(config, { port, workers, key: 'workers' }, findings);
  checkIsPair(['enforcer', 'authService'], { certPath, keyPath }, findings);
  if (clientCaPath !== undefined && certPath === undefined) {
    findings.error(
      at('clientCaPath'),
      'mutual TLS needs the own certificate too; write certPath and keyPath',
    );
  }
  const pair =
    certPath !== undefined && keyPath !== undefined
      ? readOwnPair(['enforcer', 'authService'], { certPath, keyPath }, findings)
      : undefined;
  const clientCaPem = clientCaPath && findings.file(at('clientCaPath'), clientCaPath, readPemBundle);
  if (port !== 0 && certPath === undefined && !isLoopback(address)) {
    if (plaintext) {
      findings.warn(
        at('plaintext'),
        `the service listens on ${address} without TLS: whoever reads that network can read and forge decisions`,
      );
    } else {
      findings.error(
        at('address'),
        `found "${address}", which is beyond loopback, and no TLS; write certPath and keyPath (and clientCaPath, for Envoy's own certificate), or plaintext = true if the network itself is protected`,
      );
    }
  }
  return {
    tcp:
      port === 0
        ? undefined
        : { address, port, tls: pair && { ...pair, clientCaPem: clientCaPem || undefined } },
    socket: socket && findings.resolve(socket),
    control: control && findings.resolve(control),
  };
}

type Workers = {
  /** Of the first; 0: none. */
  readonly port: number;
  readonly workers: number;
  /** What says how many there are; `port`: the command line does. */
  readonly key: 'workers' | 'port';
};

/** Whether so many processes can have a port and a socket each. */
function checkWorkers(
  {
    enforcer: { authService, metrics },
  }: { readonly enforcer: Pick<Config['enforcer'], 'authService' | 'metrics'> },
  { port, workers, key }: Workers,
  findings: Findings,
): void {
  const at = (name: string) => ['enforcer', 'authService', name];
  for (const name of ['socket', 'control'] as const) {
    const path = authService[name];
    if (path === undefined) continue;
    const whole = findings.resolve(path);
    const trouble = socketPathTrouble(whole, workers);
    if (trouble === undefined) continue;
    findings.error(at(name), `found "${path}"${whole === path ? '' : `, which is ${whole}`}; ${trouble}`);
  }
  if (port === 0) return;
  if (portOfWorker(port, workers) > lastPort)
    findings.error(
      at(key),
      key === 'workers'
        ? `found ${workers}, each with a port of its own from ${port} on, and ports end at ${lastPort}; write a lower port`
        : beyondPorts(port, workers),
    );
  if (metrics?.enabled && metrics.port >= port && metrics.port <= portOfWorker(port, workers))
    findings.error(
      ['enforcer', 'metrics', 'port'],
      `found ${metrics.port}, where the ext_authz service listens ([enforcer.authService] port${workers > 1 ? ' and workers' : ''}); write another port`,
    );
}

/**
 * The same for those of the command line: `--workers`, or `--worker` alone, which has its metrics further on as well. Those
 * of the others are not its own: each may be in a container.
 */
export function checkWorkersGiven(
  { config: { enforcer }, service }: { readonly config: Config; readonly service: ServiceSettings },
  { workers, alone }: { readonly workers: number | undefined; readonly alone?: number | undefined },
  findings: Findings,
): void {
  const port = service.tcp?.port ?? 0;
  if (workers !== undefined) checkWorkers({ enforcer }, { port, workers, key: 'port' }, findings);
  if (workers !== undefined || alone === undefined) return;
  const { authService, metrics } = enforcer;
  const own = { enforcer: { authService, metrics: undefined } };
  checkWorkers(own, { port, workers: alone, key: 'port' }, findings);
  if (metrics?.enabled && portOfWorker(metrics.port, alone) > lastPort)
    findings.error(['enforcer', 'metrics', 'port'], beyondPorts(metrics.port, alone));
}

const lastPort = 65_535;
const beyondPorts = (port: number, workers: number): string =>
  `found ${port}, from which on each of ${workers} workers has a port of its own, and ports end at ${lastPort}; write a lower port`;

/** @returns false: one of the two is written in the table `at`, and not the other */
export function checkIsPair(
  at: Path,
  { certPath, keyPath }: { readonly certPath?: string | undefined; readonly keyPath?: string | undefined },
  findings: Findings,
): boolean {
  if ((certPath === undefined) === (keyPath === undefined)) return true;
  findings.error(
    [...at, certPath === undefined ? 'keyPath' : 'certPath'],
    'certPath and keyPath go together; write both or none',
  );
  return false;
}

/** Of the table `at`. */
export function readOwnPair(
  at: Path,
  paths: { readonly certPath: string; readonly keyPath: string },
  findings: Findings,
): KeyPair | undefined {
  const read = (key: keyof typeof paths) => findings.file([...at, key], paths[key], (content) => content);
  const [certificate, key] = [read('certPath'), read('keyPath')];
  if (certificate === undefined || key === undefined) return undefined;
  const pair = readKeyPair(certificate, key);
  if (!('of' in pair)) return pair;
  const of = pair.of === 'key' ? 'keyPath' : 'certPath';
  findings.error([...at, of], `found ${shown(paths[of])}, which ${pair.message}`);
  return undefined;
}

/** Where this one of several processes listens. */
export const serviceOfWorker = (
  { tcp, socket, control }: ServiceSettings,
  worker: number,
): ServiceSettings => ({
  tcp: tcp && { ...tcp, port: portOfWorker(tcp.port, worker) },
  socket: socket === undefined ? undefined : socketOfWorker(socket, worker),
  control: control === undefined ? undefined : socketOfWorker(control, worker),
});

/** Of names only localhost (RFC 6761 section 6.3): where another leads to, its name server may say anew each day. */
function isLoopback(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return address === 'localhost';
  return loopback.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
