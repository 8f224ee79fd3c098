import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, credentials } from '@grpc/grpc-js';
import { createAuthority } from '../support/certificate-authority.ts';
import { Child } from '../support/child.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { openCheck } from '../support/open-check.ts';

const folder = mkdtempSync(join(tmpdir(), 'process-'));
after(() => rmSync(folder, { recursive: true }));
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

const configure = (name: string, authService: string): string => {
  const file = join(folder, name);
  writeFileSync(
    file,
    `[enforcer.authService]\n${authService}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
  );
  return file;
};

type Ended = { readonly code: number | null; readonly stderr: string };
const run = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_, __, stderr) =>
      resolve({ code: child.exitCode, stderr }),
    );
  });

/** Keeps a call open that never ends by itself, as a health Watch does. */
async function openWatch(address: string): Promise<Client> {
  const client = new Client(address, credentials.createInsecure());
  const watch = client.makeServerStreamRequest(
    '/grpc.health.v1.Health/Watch',
    (bytes: Buffer) => bytes,
    (bytes) => bytes,
    Buffer.alloc(0),
  );
  watch.on('error', () => {});
  await once(watch, 'data');
  return client;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: exit 0 within the drain time, though a health Watch stays open`, async () => {
    const port = await freePort();
    const enforcer = await EnforcerProcess.start(
      configure(`${signal}.toml`, `port = ${port}\ndrainDelayInSeconds = 0\ndrainTimeoutInSeconds = 1`),
    );
    const client = await openWatch(`127.0.0.1:${port}`);
    enforcer.kill(signal);
    assert.deepEqual(await enforcer.exited, { code: 0, signal: null });
    assert.match(enforcer.lines.at(-1) ?? '', /info +stopped/);
    client.close();
  });
}

test('a second signal ends it at once', { timeout: 30_000 }, async () => {
  const port = await freePort();
  const enforcer = await EnforcerProcess.start(
    configure('second.toml', `port = ${port}\ndrainTimeoutInSeconds = 3600`),
  );
  const session = await openCheck({ port });
  enforcer.kill('SIGTERM');
  await enforcer.line(/stopping/);
  enforcer.kill('SIGTERM');
  await enforcer.line(/stopped at once/);
  assert.equal((await enforcer.exited).code, 0);
  session.destroy();
});

test('SIGUSR1 opens no inspector, SIGUSR2 ends nothing, and both are told', async () => {
  const enforcer = await EnforcerProcess.start(configure('usr.toml', `port = ${await freePort()}`));
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    enforcer.kill(signal);
    await enforcer.line(
      new RegExp(`warn +this signal is not used; SIGHUP reads the configuration again signal=${signal}`),
    );
  }
  assert.equal(await enforcer.reload(), 'reloaded');
  assert.deepEqual(await enforcer.stop(), { code: 0, signal: null });
  assert.ok(!enforcer.lines.some((line) => line.includes('Debugger')), enforcer.lines.join('\n'));
});

test('SIGHUP ends no service that is still loading itself', async () => {
  // Once the lines of its first file have run: nothing else of it is there.
  const early = `process.once('newListener', () => queueMicrotask(() => process.kill(process.pid, 'SIGHUP')));`;
  const config = configure('early.toml', `port = ${await freePort()}`);
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(early)}` };
  const enforcer = await EnforcerProcess.start(config, env);
  assert.deepEqual(await enforcer.stop(), { code: 0, signal: null });
});

test('a reload that reads a header which Envoy was not told of says which, once it does', async () => {
  const file = configure('header.toml', `port = ${await freePort()}`);
  const enforcer = await EnforcerProcess.start(file);
  const text = readFileSync(file, 'utf8');
  assert.equal(await enforcer.reload(), 'reloaded');
  assert.ok(!enforcer.lines.some((line) => line.includes('these headers')), enforcer.lines.join('\n'));
  writeFileSync(file, `[enforcer.security.authHeader]\nauthorizationHeader = "X-Token"\n${text}`);
  assert.equal(await enforcer.reload(), 'reloaded');
  const line = enforcer.lines.find((each) => each.includes('these headers are read now'));
  assert.match(line ?? '', /warn .*mtls-enforcer envoy-config.* headers=x-token/);
  await enforcer.stop();
});

test('a reload that reads another header says nothing where Envoy watches its files', async () => {
  const files = `[router]\ndynamicFolder = "envoy-files"\n`;
  const file = configure('header-files.toml', `port = ${await freePort()}`);
  const text = `${files}${readFileSync(file, 'utf8')}`;
  writeFileSync(file, text);
  const enforcer = await EnforcerProcess.start(file);
  writeFileSync(file, `[enforcer.security.authHeader]\nauthorizationHeader = "X-Token"\n${text}`);
  assert.equal(await enforcer.reload(), 'reloaded');
  assert.ok(!enforcer.lines.some((line) => line.includes('these headers')), enforcer.lines.join('\n'));
  await enforcer.stop();
});

test('a reload that changes what tiers allow says that Envoy has to be told, once', async () => {
  const file = configure('tiers.toml', `port = ${await freePort()}`);
  const enforcer = await EnforcerProcess.start(file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, `${text}\n[[tiers]]\nname = "Gold"\nrequests = 7\n`);
  for (let i = 0; i < 2; i++) assert.equal(await enforcer.reload(), 'reloaded');
  const lines = enforcer.lines.filter((each) => each.includes('what tiers allow has changed'));
  assert.equal(lines.length, 1, enforcer.lines.join('\n'));
  assert.match(lines[0]!, /warn .*mtls-enforcer envoy-config.* tiers="Gold: 7 a minute for each alias"/);
  await enforcer.stop();
});

test('who serves has a small heap, and not what only others need', () => {
  const heap = fileURLToPath(new URL('../../src/service/heap.ts', import.meta.url));
  const serve = fileURLToPath(new URL('../../src/service/serve.ts', import.meta.url));
  const script = `
    await import(${JSON.stringify(serve)});
    const { keepHeapSmall } = await import(${JSON.stringify(heap)});
    const { getHeapSpaceStatistics } = await import('node:v8');
    const newSpace = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
    keepHeapSmall();
    const kept = [];
    for (let i = 0; i < 3e6; i++) kept[i % 3e5] = { i };
    const { cache } = (await import('node:module')).createRequire(import.meta.url);
    const rpc = Object.keys(cache).filter((file) => file.includes('@grpc'));
    process.stderr.write(JSON.stringify({ megabytes: newSpace() / 2 ** 20, rpc }));`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { megabytes, rpc } = JSON.parse(stderr.slice(stderr.lastIndexOf('{')));
  // V8 gives 1 to 27, as its threads happen to run; 64 without it.
  assert.ok(megabytes <= 32, `${megabytes} MB of new objects`);
  assert.deepEqual(rpc, []);
});

test('a unix socket alone: mode 0660 while it runs, gone afterwards', async () => {
  const socket = join(folder, 'authz.sock');
  const enforcer = await EnforcerProcess.start(configure('socket.toml', 'socket = "authz.sock"'));
  assert.deepEqual(enforcer.listening, [`unix:${socket}`]);
  assert.equal(statSync(socket).mode & 0o777, 0o660);
  await enforcer.stop();
  assert.throws(() => statSync(socket), /ENOENT/);
});

test('a file without APIs, as one that is just being written, takes no API away', async () => {
  const file = configure('emptied.toml', `port = ${await freePort()}`);
  const enforcer = await EnforcerProcess.start(file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, '');
  assert.equal(await enforcer.reload(), 'refused');
  assert.match(enforcer.lines.at(-1) ?? '', /the file has no APIs any more/);
  writeFileSync(file, text);
  assert.equal(await enforcer.reload(), 'reloaded');
  await enforcer.stop();
});

const healthCa = await createAuthority({ subject: 'CN=ca' });
const callersCa = await createAuthority({ subject: 'CN=callers' });
const made = {
  tls: await healthCa.issue({ subject: 'CN=enforcer' }),
  envoy: await callersCa.issue({ subject: 'CN=envoy', extendedKeyUsage: 'client' }),
};
for (const [what, written, router, expected] of [
  ['', '', '', /^$/],
  [' of both sides', 'clientCaPath = "ca.pem"', '', /^$/],
  [
    " of both sides, as Envoy's",
    'clientCaPath = "callers.pem"',
    '[router.enforcer]\ncertPath = "envoy.pem"\nkeyPath = "envoy.key"\n',
    /^$/,
  ],
  [
    " of both sides, without Envoy's",
    'clientCaPath = "callers.pem"',
    '',
    /^mtls-enforcer: 127\.0\.0\.1:\d+: no TLS connection \(.*\): the service asks for a client certificate, by clientCaPath, and was shown its own, of \[enforcer\.authService\] certPath; write the one that Envoy has as \[router\.enforcer\] certPath and keyPath; or give/,
  ],
  [
    " of both sides, with a file of Envoy's that is away",
    'clientCaPath = "callers.pem"',
    '[router.enforcer]\ncertPath = "envoy.pem"\nkeyPath = "nope.key"\n',
    / certPath; router\.enforcer\.keyPath: found "nope\.key", which does not exist/,
  ],
  [
    ' of both sides, as another',
    'clientCaPath = "callers.pem"',
    '[router.enforcer]\ncertPath = "tls.pem"\nkeyPath = "tls.key"\n',
    / and was shown that of \[router\.enforcer\] certPath; write one that a CA in clientCaPath has issued/,
  ],
] as const)
  test(`health over TLS${what}: it tells what is so, and asks no proxy that the environment names`, async () => {
    for (const [name, { pem, privateKeyPem }] of Object.entries(made)) {
      writeFileSync(join(folder, `${name}.pem`), pem);
      writeFileSync(join(folder, `${name}.key`), privateKeyPem);
    }
    writeFileSync(join(folder, 'ca.pem'), healthCa.pem);
    writeFileSync(join(folder, 'callers.pem'), callersCa.pem);
    const port = await freePort();
    const file = configure(
      'health-tls.toml',
      `port = ${port}\ncertPath = "tls.pem"\nkeyPath = "tls.key"\n${written}\n${router}`,
    );
    const enforcer = await EnforcerProcess.start(file);
    const env = { ...process.env, http_proxy: 'http://127.0.0.1:1', https_proxy: 'http://127.0.0.1:1' };
    const { status, stderr } = spawnSync(process.execPath, [main, 'health', '--config', file], {
      env,
      encoding: 'utf8',
    });
    await enforcer.stop();
    assert.match(stderr, expected);
    assert.equal(status, stderr === '' ? 0 : 69);
  });

for (const [what, written, expected] of [
  [
    'is missing',
    undefined,
    /none\.toml:1: does not exist.*\nwarning: the service may run all the same, where the file said before; asked at 127\.0\.0\.1:\d+, by what is left of it and defaults/,
  ],
  [
    'has an odd port',
    (port: number) => `port = ${port}.5\naddress = "127.0.0.1"`,
    /authService\.port: write a whole number.*\nwarning: the service may run all the same.*asked at 127\.0\.0\.1:8081/,
  ],
  [
    'says where it does not listen',
    (port: number) => `port = ${port}`,
    /^mtls-enforcer: 127\.0\.0\.1:\d+: nobody answers there\nmtls-enforcer: asked where .*said\.toml has the service: \[enforcer\.authService\]/,
  ],
] as const)
  test(`health of a file that ${what} tells where it asked, and why there`, async () => {
    const file = written ? configure('said.toml', written(await freePort())) : join(folder, 'none.toml');
    assert.match((await run('health', '--config', file)).stderr, expected);
    if (written === undefined)
      assert.match((await run('reload', '--config', file)).stderr, /none\.toml:1: does not exist/);
  });

test('health asks the service, whatever has become of the rest of the file since', async () => {
  const port = await freePort();
  const file = configure('health.toml', `port = ${port}`);
  const enforcer = await EnforcerProcess.start(file);
  writeFileSync(
    file,
    `${readFileSync(file, 'utf8')}[[apis]]\nname = 7\n[[clients]]\nalias = "a"\nfile = "gone.pem"\n`,
  );
  assert.equal((await run('health', '--config', file)).code, 0);
  writeFileSync(file, `${readFileSync(file, 'utf8')}x\n`);
  const broken = await run('health', '--config', file);
  assert.equal(broken.code, 0, broken.stderr);
  assert.match(broken.stderr, /health\.toml:\d+: .*\n.*the service may run all the same.*127\.0\.0\.1:\d+/);
  assert.equal((await run('health', '--address', `127.0.0.1:${port}`)).code, 0);
  await enforcer.stop();
  const ended = await run('health', '--config', file);
  assert.equal(ended.code, 69);
  assert.match(ended.stderr, /127\.0\.0\.1:\d+: nobody answers there/);
  assert.equal((await run('health', '--address', `127.0.0.1:${port}`)).code, 69);
  assert.equal((await run('health', '--address', 'nowhere')).code, 64);
});

test('whoever reads the log may go away: decisions go on', async () => {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [main, 'serve', '--config', configure('epipe.toml', `port = ${port}`)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  for await (const chunk of child.stderr) if (String(chunk).includes('started')) break;
  child.stderr.destroy();
  for (let i = 0; i < 3; i++) {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    // An empty CheckRequest: there is no API for it, and a denial is logged.
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        '/envoy.service.auth.v3.Authorization/Check',
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes) => bytes,
        new Uint8Array(),
        { deadline: Date.now() + 5000 },
        (error) => (error ? reject(error) : resolve()),
      );
    });
    client.close();
  }
  assert.equal(child.exitCode, null);
  child.kill();
  await once(child, 'exit');
});

test('a configuration that is wrong: exit 78, every error on a line of its own', async () => {
  const file = configure('wrong.toml', 'port = "x"\naddres = "127.0.0.1"');
  const { code, stderr } = await run('serve', '--config', file);
  assert.equal(code, 78);
  assert.equal(stderr.trim().split('\n').length, 2, stderr);
  assert.match(stderr, /wrong\.toml:2: enforcer\.authService\.port: found "x"; write a whole number/);
  assert.match(stderr, /wrong\.toml:3: enforcer\.authService\.addres: unknown key; did you mean "address"\?/);
});

test('a start that fails ends all that it began: a database beside a port that is taken', async () => {
  const [taken, database] = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
  await Promise.all([once(taken, 'listening'), once(database, 'listening')]);
  const portOf = (server: typeof taken): number => (server.address() as { port: number }).port;
  database.on('connection', (socket) => socket.destroy());
  const file = configure('both.toml', `port = ${portOf(taken)}`);
  writeFileSync(
    file,
    `${readFileSync(file, 'utf8')}[[definitions]]\nkind = "api-manager"\npath = "none/"\ndatabase = "postgres://a:b@127.0.0.1:${portOf(database)}/x"\n`,
  );
  const { code } = await run('serve', '--config', file);
  taken.close();
  database.close();
  assert.equal(code, 69);
});

test('a port that is taken: exit 69 and one line that says so', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { code, stderr } = await run('serve', '--config', configure('taken.toml', `port = ${port}`));
  taken.close();
  assert.equal(code, 69);
  assert.match(
    stderr,
    /^mtls-enforcer: \S+taken\.toml:\d+: enforcer\.authService\.port: another process listens on 127\.0\.0\.1:\d+ already; stop it, or write another port\n$/,
  );
});

for (const [args, code, text] of [
  [[], 64, /^mtls-enforcer: which command\?\n\nmtls-enforcer: client-certificate/],
  [['nonsense'], 64, /^mtls-enforcer: unknown command nonsense\nmtls-enforcer --help lists the commands\n$/],
  [['chek-config'], 64, /^mtls-enforcer: unknown command chek-config; did you mean check-config\?\n/],
  [
    ['serve', '--confg', 'x'],
    64,
    /^mtls-enforcer: unknown option --confg; did you mean --config\?\nmtls-enforcer serve --help says how it is used\n$/,
  ],
  [
    ['serve', 'x.toml'],
    64,
    /unknown: x\.toml; serve takes options alone, as in --config x\.toml\nmtls-enforcer serve --help says how it is used\n$/,
  ],
  [['serve', '--conf', 'x'], 64, /^mtls-enforcer: unknown option --conf; did you mean --config\?\n/],
  [['health', '--s', 'x'], 64, /^mtls-enforcer: unknown option --s; did you mean --socket\?\n/],
  [['serve', '--nonsense'], 64, /--nonsense/],
  [['check-config', '--config', ''], 64, /^mtls-enforcer: --config is empty; write the path of a file\n/],
  [['check-config', '--config', `${folder}/`], 78, /: is a folder; write the path of a readable file\n/],
  [['diff', `${folder}/`, ''], 64, /a file is empty/],
  [['__proto__'], 64, /unknown command __proto__/],
  [['check-config', '--config', join(folder, 'none.toml')], 78, /none\.toml:1: .*does not exist/],
] as const) {
  test(`mtls-enforcer ${args.join(' ')}: exit ${code}`, async () => {
    const ended = await run(...args);
    assert.equal(ended.code, code);
    assert.match(ended.stderr, text);
  });
}

test('a reload while strangers hold all descriptors fails, ends nothing, and is made up for', async () => {
  const port = await freePort();
  const config = configure('descriptors.toml', `port = ${port}`);
  const few = ['/bin/sh', '-c', 'ulimit -n 64 && exec "$0" "$@"'];
  const enforcer = new Child('enforcer', [...few, process.execPath, main, 'serve', '--config', config]);
  await enforcer.line(/\bstarted\b/);
  const strangers: Socket[] = [];
  const opened = (): number => readdirSync(`/proc/${enforcer.pid}/fd`).length;
  const before = opened();
  while (opened() < 64) {
    const stranger = connect(port, '127.0.0.1').on('error', () => {});
    strangers.push(stranger);
    // The kernel takes more than the process does.
    await Promise.race([once(stranger, 'connect'), once(stranger, 'close')]);
  }
  enforcer.kill('SIGHUP');
  await enforcer.line(/not reloaded: reading it failed: EMFILE/);
  for (const stranger of strangers) stranger.destroy();
  await enforcer.line(/the files are again as they are in force/);
  assert.ok(opened() <= before + 2, `${opened()} descriptors, and ${before} before`);
  await enforcer.stop();
});

test('a start at which the disk does not give a file for a moment is none of a wrong configuration: 74, not 78', async () => {
  const config = configure('disk.toml', 'port = 1\n[[clients]]\nalias = "a"\nfile = "/proc/self/mem"');
  const { code, stderr } = await run('serve', '--config', config);
  assert.equal(code, 74, stderr);
  assert.match(
    stderr,
    /^error: .*disk\.toml:\d+: clients\[0\]\.file: .*can not be read at the moment \(EIO\)/m,
  );
});
