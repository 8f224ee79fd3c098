import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { preparePki } from '../../demo/pki.ts';
import { phases } from '../../demo/requests.ts';
import { run } from '../../envoy/run-program.ts';
import { Child } from '../support/child.ts';
import { realEnvoy } from '../support/real-envoy.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const count = phases.flatMap(({ requests }) => requests).length;
const { skip } = await realEnvoy();

const demo = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const { INIT_CWD: _, ...inherited } = process.env;
  return new Child('demo', [process.execPath, 'demo/main.ts', ...args], {
    cwd: repository,
    env: { ...inherited, ...env },
  });
};
const status = async (curl: string): Promise<string | undefined> => {
  const { stdout, stderr } = await run(['/bin/sh', '-c', `cd "${repository}" && ${curl}`], {
    env: process.env,
  });
  return /^HTTP\/\S+ (\d+)/.exec(stdout)?.[1] ?? stderr;
};

describe('npm run demo', () => {
  it('--keep leaves all of it running, with curl lines that work, until Ctrl-C', { skip }, async (t) => {
    if ((await run(['curl', '--version'], { env: process.env })).code !== 0) return t.skip('no curl here');
    const child = demo(['--keep']);
    await child.line(/^kill -HUP \d+$/, 0, 60_000);
    assert.ok(
      child.lines.includes(`${count} of ${count} requests were answered as expected.`),
      child.tail(80),
    );
    for (const line of child.lines) assert.ok(/^curl/.test(line) || line.length <= 100, `too wide: ${line}`);

    const curls = child.lines.filter((line) => line.startsWith('curl '));
    assert.deepEqual(await Promise.all(curls.map(status)), ['200', '401', '401', '200', '401']);
    const edited = child.lines.find((line) => line.endsWith('/config.toml') && !line.startsWith(' '))!;
    const file = join(repository, edited);
    const toml = readFileSync(file, 'utf8').replace(
      'enableClientValidation = true',
      'enableClientValidation = false\ntrustedSenders = ["127.0.0.1/32"]',
    );
    writeFileSync(file, toml);
    const hup = child.lines.at(-1)!;
    await run(['/bin/sh', '-c', hup], { env: process.env });
    const deadline = Date.now() + 10_000;
    while ((await status(curls.at(-1)!)) !== '200')
      assert.ok(Date.now() < deadline, 'the header does not count');

    child.kill('SIGINT');
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.notEqual(await status(curls[0]!), '200');
    const enforcer = Number(hup.split(' ').at(-1));
    assert.throws(() => process.kill(enforcer, 0), { code: 'ESRCH' });
  });

  it('--without-envoy asks the same of the enforcer over gRPC', async () => {
    const child = demo(['--without-envoy']);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, child.tail(120));
    assert.ok(child.lines.includes(`${count} of ${count} requests were answered as expected.`));
  });

  it('stops all of it when it is interrupted', { skip }, async () => {
    const child = demo([]);
    const enforcer = await child.line(/^ {2}enforcer /);
    child.kill('SIGINT');
    assert.deepEqual(await child.exited, { code: 130, signal: null });
    const [host, port] = enforcer.trim().split(/ +/)[1]!.split(':');
    await assert.rejects(fetch(`http://${host}:${port}`), (error: Error) =>
      /ECONNREFUSED/.test(String(error.cause)),
    );
  });

  it('says how to go on where no Envoy can be had', async () => {
    const child = demo([], { ENVOY_BIN: join(repository, 'nowhere') });
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    const said = child.lines.join('\n');
    assert.match(said, /ENVOY_BIN=.*nowhere: does not run/);
    assert.match(said, /npm run demo -- --without-envoy/);
  });

  it('explains itself', async () => {
    const wrong = demo(['--nonsense']);
    assert.equal((await wrong.exited).code, 64);
    const asked = demo(['--help']);
    assert.equal((await asked.exited).code, 0);
    assert.match(asked.lines.join('\n'), /--keep/);
  });
});

describe("the demo's certificates", () => {
  const folder = mkdtempSync(join(tmpdir(), 'demo-pki-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const day = 86_400_000;

  it('are kept while they are fresh, and made again when they are old, from the future, or not whole', async () => {
    const first = await preparePki(folder);
    assert.deepEqual(await preparePki(folder, Date.now() + 6 * day), first);
    const second = await preparePki(folder, Date.now() + 8 * day);
    assert.notDeepEqual(second, first);
    const third = await preparePki(folder);
    assert.notDeepEqual(third, second);
    rmSync(join(third.folder, 'acme.key'));
    const fourth = await preparePki(folder);
    assert.notDeepEqual(fourth, third);
    rmSync(fourth.folder, { recursive: true });
    mkdirSync(fourth.folder);
    writeFileSync(join(fourth.folder, 'made.json'), '{"by":');
    assert.notDeepEqual(await preparePki(folder), fourth);
  });
});
