import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findEnvoy } from '../../envoy/find-envoy.ts';
import { run } from '../../envoy/run-program.ts';

/**
 * Makes the images that deploy/Dockerfile and docker-compose.yml begin with, where the engine has none under their
 * names and can't pull them: Debian by mmdebstrap, with this machine's Node 24, npm and Envoy, and its way to the
 * package registry. For .ci/run; elsewhere the engine pulls the true ones.
 */
const images = { node: 'node:24-bookworm-slim', envoy: 'envoyproxy/envoy:v1.40.0' };

const say = (line: string): boolean => process.stderr.write(`${line}\n`);
const output = async (...command: [string, ...string[]]): Promise<string> => {
  const { code, stdout, stderr } = await run(command, { env: process.env });
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout.trim();
};
const isThere = async (tag: string): Promise<boolean> =>
  (await run(['docker', 'image', 'inspect', tag], { env: process.env })).code === 0;
const shell = (script: string, ...args: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    spawn('bash', ['-euo', 'pipefail', '-c', script, 'bash', ...args], { stdio: ['ignore', 2, 2] })
      .once('error', reject)
      .once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${script}: exit code ${code}`))));
  });

async function makeNodeImage(scratch: string): Promise<void> {
  say(`making ${images.node} with mmdebstrap`);
  const npm = dirname(dirname(realpathSync(await output('sh', '-c', 'command -v npm'))));
  const registry = await output('npm', 'config', 'get', 'registry');
  const authorities = process.env.NODE_EXTRA_CA_CERTS; // a machine whose way out is through a proxy of its own
  const npmrc = join(scratch, 'npmrc');
  await writeFile(npmrc, `registry=${registry}\n${authorities ? `cafile=${authorities}\n` : ''}`);
  const copies: readonly (readonly [from: string, to: string])[] = [
    [process.execPath, '/usr/local/bin/node'],
    [npm, '/usr/local/lib/node_modules/npm'],
    [npmrc, '/usr/local/etc/npmrc'],
    ...(authorities ? [[authorities, authorities] as const] : []),
  ];
  const hooks = [
    ...copies.map(([from, to]) => `mkdir -p "$1${dirname(to)}" && cp -rL "${from}" "$1${to}"`),
    'ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"',
  ];
  await shell(
    'tag=$1 tar=$2; shift 2; mmdebstrap --quiet --variant=minbase "$@" bookworm "$tar"; docker import "$tar" "$tag"',
    images.node,
    join(scratch, 'node.tar'),
    ...hooks.map((hook) => `--customize-hook=${hook}`),
  );
}

async function makeEnvoyImage(scratch: string): Promise<void> {
  say(`making ${images.envoy}`);
  const { path } = await findEnvoy(say);
  await copyFile(path, join(scratch, 'envoy'));
  await writeFile(join(scratch, 'Dockerfile'), `FROM ${images.node}\nCOPY envoy /usr/local/bin/envoy\n`);
  await shell('docker build --quiet --tag "$1" "$2"', images.envoy, scratch);
}

if (import.meta.main) {
  const scratch = await mkdtemp(join(tmpdir(), 'base-images-'));
  try {
    if (!(await isThere(images.node))) await makeNodeImage(scratch);
    if (!(await isThere(images.envoy))) await makeEnvoyImage(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
