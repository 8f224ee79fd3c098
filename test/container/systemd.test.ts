import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { configToml } from '../../demo/config-toml.ts';
import { type Pki, preparePki } from '../../demo/pki.ts';
import { run } from '../../envoy/run-program.ts';
import { type Backend, startBackend } from '../support/backend.ts';
import { type RunningEnvoy, startEnvoy } from '../support/envoy.ts';
import { freePort } from '../support/free-port.ts';
import { Load } from '../support/load.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { SystemdMachine } from './systemd-machine.ts';

const { envoy: found, skip: noEnvoy } = await realEnvoy();
const skip = noEnvoy || (process.getuid?.() === 0 ? false : 'namespaces and mounts need root');

/** Envoy asks for its health once a second: it must have seen one back before the next one goes. */
const untilEnvoyKnows = 5_000;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('the systemd unit, by a real systemd, under load through a real Envoy', { skip }, () => {
  let machine: SystemdMachine;
  let backend: Backend;
  let envoy: RunningEnvoy;
  let pki: Pki;
  let port: number;
  /** In the machine, and before it; Envoy takes no files of /proc. */
  let folder: string;
  const outside = mkdtempSync(join(tmpdir(), 'systemd-'));
  let toml: string;
  const systemctl = (...command: readonly string[]) => machine.run('systemctl', ...command);
  const property = async (name: string, unit = 'mtls-enforcer'): Promise<string> =>
    (await systemctl('show', '--value', '-p', name, unit)).output;
  const lines = async (pattern: RegExp): Promise<readonly string[]> => {
    const { output } = await machine.run('journalctl', '--no-pager', '-o', 'cat', '-u', 'mtls-enforcer');
    return output.split('\n').filter((line) => pattern.test(line));
  };
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    while (!(await isSo())) await pause(100);
  };
  const configure = (more = ''): void => writeFileSync(join(folder, 'config.toml'), toml + more);
  const workerPid = async (worker: number): Promise<string> =>
    /pid=(\d+)/.exec((await lines(new RegExp(`info +started .*worker=${worker}\\b`))).at(-1)!)![1]!;
  /** What is answered while something happens, and until Envoy has seen what came of it. */
  const during = async (what: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> => {
    const load = new Load({
      port,
      ca: pki.routerCaPem,
      path: '/petstore/1.0.5/pet/1',
      certificate: pki.clients.acme,
      concurrency: 8,
      pause: 5,
    });
    await what();
    await pause(untilEnvoyKnows);
    return load.stop();
  };
  const nothingLost = async (t: { diagnostic: (text: string) => void }, what: () => Promise<unknown>) => {
    const counts = await during(what);
    t.diagnostic(JSON.stringify(counts));
    assert.deepEqual(Object.keys(counts), ['200']);
  };

  before(
    async () => {
      machine = await SystemdMachine.boot();
      folder = `${machine.root}/etc/mtls-enforcer`;
      pki = await preparePki(outside);
      for (const file of readdirSync(pki.folder)) chmodSync(join(pki.folder, file), 0o644);
      chmodSync(pki.folder, 0o755);
      backend = await startBackend(pki.backend);
      port = await freePort();
      const ports = { router: port, enforcer: await freePort(), backend: backend.port };
      toml = configToml(ports, 'pki', ['enableClientValidation = true']).replace(
        '[enforcer.authService]\n',
        '[enforcer.authService]\nworkers = 2\ncontrol = "/run/mtls-enforcer/control.sock"\n',
      );
      writeFileSync(join(outside, 'config.toml'), toml);
      cpSync(outside, folder, { recursive: true });
      const quick = `${machine.root}/etc/systemd/system/mtls-enforcer.service.d`;
      mkdirSync(quick);
      writeFileSync(join(quick, 'quick.conf'), '[Service]\nWatchdogSec=4\n');
      await systemctl('daemon-reload');
      const { code } = await systemctl('start', 'mtls-enforcer');
      assert.equal(code, 0, (await lines(/./)).join('\n'));
      const main = new URL('../../src/start.ts', import.meta.url).pathname;
      const made = await run(
        [process.execPath, main, 'envoy-config', '--config', join(outside, 'config.toml')],
        {
          env: process.env,
        },
      );
      writeFileSync(join(outside, 'envoy.yaml'), made.stdout);
      envoy = await startEnvoy({ path: found!.path, config: 'envoy.yaml', folder: outside });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await envoy?.stop();
    await backend?.stop();
    await machine?.stop();
    rmSync(outside, { recursive: true });
  });

  it('is shut in: no capability, no system call and no folder that it does not need', async () => {
    const pid = await property('MainPID');
    const { output } = await machine.run('cat', `/proc/${pid}/status`);
    for (const line of [/^CapEff:\s+0+$/m, /^CapBnd:\s+0+$/m, /^NoNewPrivs:\s+1$/m, /^Seccomp:\s+2$/m])
      assert.match(output, line);
    for (const path of ['/etc/x', '/usr/x', '/opt/x'])
      assert.match(
        (await machine.run('nsenter', '-t', pid, '-m', 'touch', path)).output,
        /Read-only file system/,
      );
  });

  it('reload fails where the files are refused, and nothing is lost by it', async (t) => {
    await nothingLost(t, async () => {
      configure('nonsense = 1\n');
      assert.equal((await systemctl('reload', 'mtls-enforcer')).code, 1);
      configure();
      assert.equal((await systemctl('reload', 'mtls-enforcer')).code, 0);
    });
    assert.equal(await property('ActiveState'), 'active');
  });

  it('upgrade: SIGUSR2 to the main process renews both workers with the new files, and nothing is lost', async (t) => {
    const file = `${machine.root}/opt/mtls-enforcer/package.json`;
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"version": ".*"/, '"version": "9.9.9"'));
    await nothingLost(t, async () => {
      await systemctl('kill', '-s', 'USR2', '--kill-whom=main', 'mtls-enforcer');
      await until(async () => (await lines(/info +started version=9\.9\.9 /)).length === 2);
    });
    assert.equal(await property('NRestarts'), '0');
  });

  it('a worker that hangs is killed by its supervisor, and nothing is lost', async (t) => {
    const pid = await workerPid(2);
    await nothingLost(t, async () => {
      await machine.run('kill', '-STOP', pid);
      await until(async () => (await workerPid(2)) !== pid);
    });
  });

  it('a supervisor that hangs is killed by the watchdog, and all is started again', async (t) => {
    const pid = await property('MainPID');
    const counts = await during(async () => {
      await machine.run('kill', '-STOP', pid);
      await until(
        async () => (await property('MainPID')) !== pid && (await property('ActiveState')) === 'active',
      );
    });
    t.diagnostic(JSON.stringify(counts));
    assert.deepEqual(Object.keys(counts).toSorted(), ['200', '503']);
    assert.equal(await property('NRestarts'), '1');
  });

  it('a wrong configuration fails the start, and is not tried again', async () => {
    configure('nonsense = 1\n');
    assert.equal((await systemctl('restart', 'mtls-enforcer')).code, 1);
    assert.equal(await property('ActiveState'), 'failed');
    configure();
  });

  it('the template: restarted one after the other, nothing is lost', async (t) => {
    const units = `${machine.root}/etc/systemd/system`;
    const unit = readFileSync(join(units, 'mtls-enforcer.service'), 'utf8');
    writeFileSync(
      join(units, 'mtls-enforcer@.service'),
      unit.replace(/^ExecStart=.*$/m, '$& --worker %i').replace(/^ExecReload=.*$/m, ''),
    );
    await systemctl('daemon-reload');
    assert.equal((await systemctl('start', 'mtls-enforcer@1', 'mtls-enforcer@2')).code, 0);
    await pause(untilEnvoyKnows);
    await nothingLost(t, async () => {
      for (const worker of [1, 2]) {
        assert.equal((await systemctl('restart', `mtls-enforcer@${worker}`)).code, 0);
        await pause(untilEnvoyKnows);
      }
    });
  });
});
