import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../envoy/run-program.ts';
import { Child } from './child.ts';

export type RunningEnvoy = {
  readonly pid: number;
  /** `host:port` of its admin interface. */
  readonly admin: string;
  /** What it wrote: its own log and, where the configuration says so, the access log. */
  readonly lines: readonly string[];
  /** The first line from index `from` on that fits, waiting for it. */
  readonly line: Child['line'];
  readonly exited: Child['exited'];
  /** One of its counters or gauges by its whole name; 0 where it has none of that name. */
  statistic(name: string): Promise<number>;
  stop(): Promise<void>;
};

/** A configuration that gives the enforcer and the rate limit service as much time as a busy machine takes. */
export const patient = (yaml: string): string =>
  yaml.replaceAll(/(timeout|max_interval): "0\.\d+s"/g, '$1: 30s');

export type EnvoyOptions = {
  /** From findEnvoy(). */
  readonly path: string;
  /** The YAML file; its relative paths are relative to `folder`. */
  readonly config: string;
  readonly folder?: string;
  readonly logLevel?: string;
};

const readyTimeoutMs = 30_000;

/**
 * Starts Envoy and waits until it takes requests: its listeners are up, and the first health check of each cluster
 * is over (Envoy waits for it before it listens).
 *
 * @throws Error with Envoy's last lines if it ends instead
 */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const scratch = mkdtempSync(join(tmpdir(), 'envoy-'));
  const addressFile = join(scratch, 'admin');
  const child = new Child(
    'envoy',
    [
      ...[options.path, '-c', options.config, '--disable-hot-restart', '--concurrency', '2'],
      ...['--log-level', options.logLevel ?? 'info', '--admin-address-path', addressFile],
      ...['--file-flush-interval-msec', '50'], // access logs; 10 s unless told
    ],
    { ...(options.folder && { cwd: options.folder }) },
  );
  const stop = async () => {
    await child.stop();
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    // "all dependencies initialized" is when the workers, and with them the listeners, start.
    await child.line(/starting main dispatch loop/, 0, readyTimeoutMs);
    const admin = readFileSync(addressFile, 'utf8').trim();
    await untilLive(admin, child);
    return {
      pid: child.pid,
      admin,
      lines: child.lines,
      line: child.line.bind(child),
      exited: child.exited,
      statistic: async (name) => {
        const answer = await fetch(`http://${admin}/stats?filter=^${name.replaceAll('.', '\\.')}$`);
        return Number(/: (\d+)/.exec(await answer.text())?.[1] ?? 0);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns undefined if Envoy finds nothing wrong, else what it says */
export async function validateEnvoyConfig(options: EnvoyOptions): Promise<string | undefined> {
  const { code, stderr } = await run([options.path, '--mode', 'validate', '-c', options.config], {
    env: process.env,
    ...(options.folder && { cwd: options.folder }),
  });
  return code === 0 ? undefined : stderr;
}

async function untilLive(admin: string, child: Child): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  while (child.running && Date.now() < deadline) {
    const answer = await fetch(`http://${admin}/ready`).catch(() => undefined);
    if (answer?.ok && (await answer.text()).startsWith('LIVE')) return;
    await new Promise((resolve) => setTimeout(resolve, 20)); // there is nothing to wait for but the answer
  }
  throw new Error(`Envoy did not become ready\n${child.tail()}`);
}

/** A generated configuration that asks what listens at this port of loopback, in the enforcer's place. */
export const asksAt =
  (port: number) =>
  (yaml: string): string => {
    const [, enforcer] = /- name: "?enforcer"?\n[\s\S]*?port_value: (\d+)/.exec(yaml)!;
    return yaml.replaceAll(`port_value: ${enforcer}`, `port_value: ${port}`);
  };
