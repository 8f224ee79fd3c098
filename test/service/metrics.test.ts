import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCertificate } from '../../src/pki/certificate/certificate.ts';
import { createAuthority } from '../support/certificate-authority.ts';
import { RawClient } from '../support/check-services.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { codec } from '../support/plain-codec.ts';
import { program } from '../support/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'metrics-'));
after(() => rmSync(folder, { recursive: true }));
const main = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const promtool = program('promtool', 'apt-get install prometheus');

const ca = await createAuthority({ subject: 'CN=Partners' });
const acme = await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' });
const [own, issuer] = [readCertificate(acme.der), readCertificate(ca.der)];
writeFileSync(join(folder, 'ca.pem'), ca.pem);
writeFileSync(join(folder, 'acme.pem'), acme.pem);

/** Only what is asked for here is read again, so that each change is counted once. */
const apis = `[enforcer.reload]
watch = false
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[apis]]
name = "Petstore"
version = "1.0.5"
basePath = "/petstore"
aliases = ["acme"]
`;
const file = join(folder, 'config.toml');
const configure = (authService: string, metrics: string, more = apis): void =>
  writeFileSync(file, `[enforcer.authService]\n${authService}\n[enforcer.metrics]\n${metrics}\n${more}`);

const message = (path: string, certificate = ''): Buffer =>
  codec.requestSerialize({
    attributes: {
      source: { address: { socket_address: { address: '10.1.2.3', port_value: 1 } }, certificate },
      request: { http: { method: 'GET', path, host: 'a.example', scheme: 'https', protocol: 'HTTP/2' } },
    },
  });
const admitted = message('/petstore/pets', encodeURIComponent(acme.pem));

const fetched = async (port: number, path: string) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, text: await answer.text() };
};
const series = (page: string): ReadonlyMap<string, number> =>
  new Map(
    page
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

/** Of the workers that said that they serve. */
const pids = ({ lines }: EnforcerProcess) =>
  lines.flatMap((line) => {
    const [, pid, worker] = /info +started .* pid=(\d+) .*worker=(\d)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), worker: Number(worker) }];
  });

test('when the own certificate ends, and those of Envoy, as they are when somebody looks', async (t) => {
  const [port, watch] = [await freePort(), await freePort()];
  const ends = async (): Promise<readonly string[]> =>
    [...series((await fetched(watch, '/metrics')).text)].flatMap(([name, value]) => {
      const [, kind, sha256] =
        /_expiry_.*kind="(enforcer|router[\w-]*)",alias="",sha256="(\w+)"/.exec(name) ?? [];
      return kind === undefined ? [] : [`${kind} ${sha256} ${value}`];
    });
  const issue = async (name: string): Promise<string> => {
    const { pem, privateKeyPem, der } = await ca.issue({ subject: `CN=${name}` });
    writeFileSync(join(folder, `${name}.pem`), `${pem}${ca.pem}`);
    writeFileSync(join(folder, `${name}.key`), privateKeyPem);
    const { sha256, notAfter } = readCertificate(der);
    return `${sha256} ${notAfter / 1000}`;
  };
  const [enforcers, routers] = [await issue('enforcer'), await issue('router')];
  const pair = (name: string): string => `certPath = "${name}.pem"\nkeyPath = "${name}.key"\n`;
  configure(
    `port = ${port}\n${pair('enforcer')}`,
    `port = ${watch}`,
    `${apis}[router.keystore]\n${pair('router')}[router.enforcer]\n${pair('nowhere')}`,
  );
  const enforcer = await EnforcerProcess.start(file);
  t.after(() => enforcer.stop());
  assert.deepEqual(await ends(), [`enforcer ${enforcers}`, `router ${routers}`]);
  const renewed = await issue('router');
  assert.deepEqual(await ends(), [`enforcer ${enforcers}`, `router ${renewed}`]);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  renameSync(join(folder, 'pipe'), join(folder, 'router.pem'));
  assert.deepEqual(await ends(), [`enforcer ${enforcers}`]);
});

test('a page that says what is decided, in force and ending; and what a reload changes of it', async () => {
  const [port, watch] = [await freePort(), await freePort()];
  configure(`port = ${port}`, `port = ${watch}`);
  const enforcer = await EnforcerProcess.start(file);
  const client = new RawClient(`127.0.0.1:${port}`);
  try {
    await enforcer.line(new RegExp(`info +metrics listening=127.0.0.1:${watch}$`));
    for (const sent of [admitted, admitted, message('/petstore/pets'), message('/elsewhere')])
      assert.equal((await client.check(sent)).status, 0);
    const page = (await fetched(watch, '/metrics')).text;
    const now = series(page);
    const decisions = 'mtls_enforcer_decisions_total';
    for (const [name, value] of [
      [`${decisions}{api="Petstore",version="1.0.5",outcome="allow",reason=""}`, 2],
      [`${decisions}{api="Petstore",version="1.0.5",outcome="deny",reason="certificate_missing"}`, 1],
      [`${decisions}{api="",version="",outcome="deny",reason="api_not_found"}`, 1],
      ['mtls_enforcer_certificates_presented_total{from="peer"}', 2],
      ['mtls_enforcer_certificates_presented_total{from="none"}', 2],
      ['mtls_enforcer_certificates_read_total{found="unseen"}', 2],
      ['mtls_enforcer_decision_duration_seconds_count', 4],
      ['mtls_enforcer_call_duration_seconds_count', 4],
      ['mtls_enforcer_configuration_generation', 1],
      ['mtls_enforcer_configuration_last_change_successful', 1],
      ['mtls_enforcer_apis', 1],
      ['mtls_enforcer_clients', 2],
      [
        `mtls_enforcer_certificate_expiry_timestamp_seconds{kind="client",alias="acme",sha256="${own.sha256}"}`,
        own.notAfter / 1000,
      ],
      [
        `mtls_enforcer_certificate_expiry_timestamp_seconds{kind="client-ca",alias="partners",sha256="${issuer.sha256}"}`,
        issuer.notAfter / 1000,
      ],
    ] as const)
      assert.equal(now.get(name), value, `${name}\n${page}`);
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total'])
      assert.ok(now.get(name)! > 0, name);

    configure(`port = ${port}`, `port = ${watch}`, `${apis}nonsense = 1\n`);
    assert.equal(await enforcer.reload(), 'refused');
    const refused = series((await fetched(watch, '/metrics')).text);
    assert.equal(refused.get('mtls_enforcer_configuration_last_change_successful'), 0);
    assert.equal(refused.get('mtls_enforcer_configuration_changes_total{outcome="refused"}'), 1);
    assert.equal(refused.get('mtls_enforcer_configuration_generation'), 1);

    configure(`port = ${port}`, `port = ${watch}`, apis.replace('Petstore', 'Petshop'));
    assert.equal(await enforcer.reload(), 'reloaded');
    await client.check(admitted);
    const reloaded = series((await fetched(watch, '/metrics')).text);
    assert.equal(reloaded.get('mtls_enforcer_configuration_last_change_successful'), 1);
    assert.equal(reloaded.get('mtls_enforcer_configuration_generation'), 2);
    assert.equal(reloaded.get(`${decisions}{api="Petshop",version="1.0.5",outcome="allow",reason=""}`), 1);
    assert.ok(![...reloaded.keys()].some((name) => name.includes('Petstore')), 'its API is no more');
    // The new snapshot has caches of its own; what the old one's counted is not lost.
    assert.equal(reloaded.get('mtls_enforcer_certificates_read_total{found="unseen"}'), 3);
  } finally {
    client.close();
    await enforcer.stop();
  }
});

test('promtool finds nothing to say about the page', { skip: promtool.skip }, async () => {
  const [port, watch] = [await freePort(), await freePort()];
  configure(`port = ${port}`, `port = ${watch}`);
  const enforcer = await EnforcerProcess.start(file);
  const client = new RawClient(`127.0.0.1:${port}`);
  try {
    await client.check(admitted);
    const { text } = await fetched(watch, '/metrics');
    const said = execFileSync(promtool.found!, ['check', 'metrics'], { input: text, encoding: 'utf8' });
    assert.equal(said, '');
  } finally {
    client.close();
    await enforcer.stop();
  }
});

for (const [what, metrics] of [
  ['no table', undefined],
  ["Choreo Connect's own table", 'enabled = false\ntype = "azure"'],
] as const)
  test(`no port is opened: ${what}`, async () => {
    const port = await freePort();
    writeFileSync(
      file,
      `[enforcer.authService]\nport = ${port}\n${metrics === undefined ? '' : `[enforcer.metrics]\n${metrics}\n`}${apis}`,
    );
    const enforcer = await EnforcerProcess.start(file);
    await enforcer.reload();
    assert.ok(!enforcer.lines.some((line) => /info +metrics /.test(line)), enforcer.lines.join('\n'));
    await enforcer.stop();
  });

test('SIGTERM: not ready at once, and for drainDelayInSeconds all else as before', async () => {
  const [port, watch] = [await freePort(), await freePort()];
  configure(`port = ${port}\ndrainDelayInSeconds = 3600`, `port = ${watch}`);
  const enforcer = await EnforcerProcess.start(file);
  const client = new RawClient(`127.0.0.1:${port}`);
  try {
    assert.deepEqual(await fetched(watch, '/readyz'), { status: 200, text: 'ok\n' });
    assert.equal((await client.check(admitted)).status, 0);
    enforcer.kill('SIGTERM');
    await enforcer.line(/stopping: .* afterSeconds=3600/);
    assert.deepEqual(await fetched(watch, '/readyz'), { status: 503, text: 'stopping\n' });
    assert.equal((await fetched(watch, '/healthz')).status, 200);
    const health = await new Promise<string>((resolve) =>
      execFile(process.execPath, [main, 'health', '--config', file], (_, __, stderr) => resolve(stderr)),
    );
    assert.match(health, /NOT_SERVING/);
    // Also on a new connection: nobody is hung up on who has not noticed yet.
    const late = new RawClient(`127.0.0.1:${port}`);
    assert.equal((await late.check(admitted)).status, 0);
    late.close();
  } finally {
    client.close();
    enforcer.kill('SIGTERM');
    assert.deepEqual(await enforcer.exited, { code: 0, signal: null }, 'a second one ends it at once');
  }
});

test("the port is another's: the start fails, with line and key, and what it listened on is closed", async () => {
  const [port, watch] = [await freePort(), await freePort()];
  const other = createServer().listen(watch, '127.0.0.1');
  for (const workers of [1, 2]) {
    configure(`port = ${port}\nworkers = ${workers}`, `port = ${watch}`);
    const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((resolve) => {
      const child = execFile(process.execPath, [main, 'serve', '--config', file], (_, __, stderr) =>
        resolve({ code: child.exitCode, stderr }),
      );
    });
    assert.equal(code, 69, stderr);
    assert.match(
      stderr,
      new RegExp(`enforcer\\.metrics\\.port: another process listens on 127.0.0.1:${watch} already`),
    );
    if (workers === 1) assert.match(stderr, /config\.toml:5: /);
  }
  other.close();
});

test('several processes: one page of all, each family once, and a hung one does not keep it', {
  timeout: 60_000,
}, async () => {
  const [port, watch] = [await freePort(), await freePort()];
  configure(`port = ${port}\nworkers = 2`, `port = ${watch}`);
  const enforcer = await EnforcerProcess.start(file);
  try {
    await enforcer.line(/all workers serve workers=2/);
    for (const at of [port, port + 1]) {
      const client = new RawClient(`127.0.0.1:${at}`);
      assert.equal((await client.check(admitted)).status, 0);
      client.close();
    }
    assert.equal((await fetched(watch, '/readyz')).status, 200);
    const { text } = await fetched(watch, '/metrics');
    const now = series(text);
    for (const worker of [1, 2]) {
      const labels = `api="Petstore",version="1.0.5",outcome="allow",reason="",worker="${worker}"`;
      assert.equal(now.get(`mtls_enforcer_decisions_total{${labels}}`), 1);
      assert.equal(now.get(`mtls_enforcer_worker_up{worker="${worker}"}`), 1);
      assert.equal(now.get(`mtls_enforcer_worker_starts_total{worker="${worker}"}`), 1);
    }
    const heads = text.split('\n').filter((line) => line.startsWith('# TYPE'));
    assert.equal(new Set(heads).size, heads.length);
    if (promtool.found !== undefined)
      execFileSync(promtool.found, ['check', 'metrics'], { input: text, encoding: 'utf8' });

    const second = pids(enforcer).find(({ worker }) => worker === 2)!.pid;
    process.kill(second, 'SIGSTOP');
    const without = series((await fetched(watch, '/metrics')).text);
    process.kill(second, 'SIGCONT');
    assert.equal(without.get('mtls_enforcer_worker_up{worker="1"}'), 1);
    assert.equal(without.get('mtls_enforcer_worker_up{worker="2"}'), 0);
    assert.ok(without.has('mtls_enforcer_apis{worker="1"}'));
    assert.ok(!without.has('mtls_enforcer_apis{worker="2"}'));

    // What they would start again with is broken, so that none comes back before it is asked.
    writeFileSync(file, 'nonsense');
    const from = enforcer.lines.length;
    for (const { pid } of pids(enforcer)) process.kill(pid, 'SIGKILL');
    for (const { worker } of pids(enforcer))
      await enforcer.line(new RegExp(`error a worker ended, .* worker=${worker}\\b`), from);
    assert.deepEqual(await fetched(watch, '/readyz'), { status: 503, text: 'no worker serves\n' });
    assert.equal((await fetched(watch, '/healthz')).status, 200);
    const none = series((await fetched(watch, '/metrics')).text);
    assert.equal(none.get('mtls_enforcer_worker_up{worker="1"}'), 0);
  } finally {
    await enforcer.stop();
  }
});
