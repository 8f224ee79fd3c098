import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FoundEnvoy } from '../envoy/find-envoy.ts';
import { run } from '../envoy/run-program.ts';
import { type Backend, startBackend } from '../test/support/backend.ts';
import { EnforcerProcess } from '../test/support/enforcer-process.ts';
import { type RunningEnvoy, startEnvoy } from '../test/support/envoy.ts';
import { freePort } from '../test/support/free-port.ts';
import { configToml, type Ports } from './config-toml.ts';
import type { Pki } from './pki.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Backend, enforcer and, unless it runs without, Envoy. */
export type Stack = {
  readonly ports: Ports;
  readonly configFile: string;
  readonly backend: Backend;
  readonly enforcer: EnforcerProcess;
  readonly envoy: RunningEnvoy | undefined;
  /** Writes config.toml with these lines of `[enforcer.security.mutualSSL]`, as they were given at start. */
  configure(mutualSSL: readonly string[]): void;
  /** Envoy first: it tells nobody else to wait. */
  stop(): Promise<void>;
};

export type StackOptions = {
  /** For config.toml and envoy.yaml; made where missing. */
  readonly folder: string;
  readonly pki: Pki;
  readonly envoy: FoundEnvoy | undefined;
  readonly mutualSSL: readonly string[];
  /** Changes config.toml before it is written, for a test of something else. */
  readonly edit?: (toml: string) => string;
  /** Changes envoy.yaml, for a test of an Envoy that somebody else configures. */
  readonly editEnvoy?: (yaml: string) => string;
};

/** Starts everything, in the order in which each needs the other. What was started is stopped if something fails. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { folder, pki, envoy, mutualSSL, edit, editEnvoy = (yaml) => yaml } = options;
  mkdirSync(folder, { recursive: true });
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const backend = await startBackend(pki.backend);
    stops.push(() => backend.stop());
    const ports = { router: await freePort(), enforcer: await freePort(), backend: backend.port };
    const configFile = join(folder, 'config.toml');
    const configure = (lines: readonly string[]) => {
      const toml = configToml(ports, relative(folder, pki.folder), lines);
      writeFileSync(configFile, edit ? edit(toml) : toml);
    };
    configure(mutualSSL);
    const enforcer = await EnforcerProcess.start(configFile);
    stops.push(() => enforcer.stop());
    const yaml = envoy && editEnvoy(await generatedConfig(configFile, folder));
    if (yaml !== undefined) writeFileSync(join(folder, 'envoy.yaml'), yaml);
    const running = envoy && (await startEnvoy({ path: envoy.path, config: 'envoy.yaml', folder }));
    if (running) stops.push(() => running.stop());
    return { ports, configFile, backend, enforcer, envoy: running, configure, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function generatedConfig(configFile: string, folder: string): Promise<string> {
  const command = [process.execPath, main, 'envoy-config', '--config', configFile] as const;
  const made = await run(command, { env: process.env, cwd: folder });
  if (made.code !== 0) throw new Error(`envoy-config failed (${made.code}):\n${made.stderr}`);
  return made.stdout;
}
