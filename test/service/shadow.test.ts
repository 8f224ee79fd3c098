import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../envoy/run-program.ts';
import type { Decision } from '../../src/decision.ts';
import { decide } from '../../src/enforcer.ts';
import { writeAnswer } from '../../src/ext-authz/answer.ts';
import type { Shadowed } from '../../src/observability/audit.ts';
import { CheckCounters } from '../../src/observability/check-counters.ts';
import type { Log } from '../../src/observability/log.ts';
import { checking } from '../../src/service/check.ts';
import type { ConfigurationEvent } from '../../src/service/configuration.ts';
import { NextConfiguration } from '../../src/service/next-configuration.ts';
import { Shadow } from '../../src/service/shadow.ts';
import { request } from '../support/attributes.ts';
import { createAuthority, selfSigned } from '../support/certificate-authority.ts';
import { RawClient } from '../support/check-services.ts';
import { load } from '../support/enforcer.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { codec } from '../support/plain-codec.ts';
import { makeCredentials } from '../truth-tables/credentials.ts';
import { apisToml, basePathOf, readTable, tokenCases } from '../truth-tables/table.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'shadow-'));
after(() => rmSync(root, { recursive: true }));
const [acme, globex] = [await selfSigned({ subject: 'CN=acme' }), await selfSigned({ subject: 'CN=globex' })];

/** A folder of this name; the next configuration lies in another one, with its own files beside it. */
function folder(name: string): { readonly file: string; readonly next: string } {
  mkdirSync(join(root, name, 'next'), { recursive: true });
  writeFileSync(join(root, name, 'acme.pem'), acme.pem);
  writeFileSync(join(root, name, 'next', 'globex.pem'), globex.pem);
  return { file: join(root, name, 'config.toml'), next: join(root, name, 'next', 'config.toml') };
}
const api = (aliases: string, name = 'Orders', version = '1'): string =>
  `[[apis]]\nname = "${name}"\nversion = "${version}"\nbasePath = "/${name.toLowerCase()}"\naliases = [${aliases}]\n`;
const client = (alias: string, file = `${alias}.pem`): string =>
  `[[clients]]\nalias = "${alias}"\nfile = "${file}"\n`;
/** Without acme, with globex. */
const other = `${client('globex')}${client('acme', '../acme.pem')}${api('"globex"')}${api('"acme"', 'Stock')}`;

/** Told of everything, and waits for what is not there yet. */
function hearing() {
  const told: ConfigurationEvent[] = [];
  const waiting = new Set<() => void>();
  return {
    tell: (event: ConfigurationEvent): void => {
      told.push(event);
      for (const wake of waiting) wake();
    },
    kinds: () => told.map(({ kind }) => kind).filter((kind) => kind !== 'feed'),
    until: async (count: number): Promise<void> => {
      const enough = AbortSignal.timeout(20_000);
      while (told.filter(({ kind }) => kind !== 'feed').length < count) {
        enough.throwIfAborted();
        await new Promise<void>((wake) => {
          waiting.add(wake);
          enough.addEventListener('abort', () => wake());
        });
      }
    },
  };
}

test('a next configuration whose files the disk does not give for a moment is read again', async () => {
  const { next } = folder('disk');
  const { tell, kinds, until } = hearing();
  writeFileSync(next, other);
  const file = join(root, 'disk', 'next', 'globex.pem');
  rmSync(file);
  symlinkSync('/proc/self/mem', file);
  const configuration = new NextConfiguration({ file: next, env: {}, tell });
  configuration.watch(false);
  try {
    await until(1);
    assert.deepEqual(kinds(), ['refused-whole']);
    rmSync(file);
    writeFileSync(file, globex.pem);
    await until(2);
    assert.equal(configuration.inForce?.generation, 1);
  } finally {
    await configuration.close();
  }
});

test('a next configuration that was started meanwhile is not begun anew beside itself when its other try comes', async (t) => {
  const { next } = folder('twice');
  const { tell, kinds, until } = hearing();
  writeFileSync(next, other);
  const file = join(root, 'twice', 'next', 'globex.pem');
  rmSync(file);
  symlinkSync('/proc/self/mem', file);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const configuration = new NextConfiguration({ file: next, env: {}, tell });
  configuration.watch(false);
  try {
    await until(1);
    rmSync(file);
    writeFileSync(file, globex.pem);
    configuration.reload();
    await until(2);
    t.mock.timers.tick(5_000);
    assert.equal(configuration.inForce?.generation, 1);
    assert.deepEqual(kinds(), ['refused-whole', 'in-force']);
  } finally {
    t.mock.timers.reset();
    await configuration.close();
  }
});

test('a next configuration that is missing, broken, good, broken, as it was, and another: what counts of it', async () => {
  const { next } = folder('life');
  const { tell, kinds, until } = hearing();
  const configuration = new NextConfiguration({ file: next, env: {}, tell });
  /** At once, as editors do. */
  const write = (text: string): void => {
    writeFileSync(`${next}~`, text);
    renameSync(`${next}~`, next);
  };
  const state = () => [configuration.inForce?.generation, configuration.isGood];
  try {
    await until(1);
    assert.deepEqual(state(), [undefined, false]);
    write('[[apis');
    await until(2);
    assert.deepEqual(state(), [undefined, false]);
    write(other);
    await until(3);
    assert.deepEqual(state(), [1, true]);
    write(`${other}nonsense = 1\n`);
    await until(4);
    assert.deepEqual(state(), [1, false]);
    write(other);
    await until(5);
    assert.deepEqual(state(), [1, true]);
    configuration.watch(false);
    write(other.replace('Stock', 'Store'));
    configuration.reload();
    await until(6);
    assert.equal(configuration.inForce?.config.apis[1]?.name, 'Store');
    assert.deepEqual(kinds(), ['refused', 'refused', 'in-force', 'refused', 'unchanged', 'in-force']);
  } finally {
    await configuration.close();
  }
});

test('on each row of the truth table: no answer is another, nothing is remembered for it, and what differs is what both decide', async () => {
  const rows = readTable();
  const at = Math.floor(Date.now() / 1000) * 1000;
  const dates = { notBefore: new Date(at - 86_400_000), notAfter: new Date(at + 86_400_000) };
  const { files, certificateHeader, authorization, toml } = await makeCredentials(
    await createAuthority({ subject: 'CN=Clients', ...dates }),
    at,
    dates,
  );
  const apis = apisToml(rows).replaceAll('BACKEND', 'http://127.0.0.1:1');
  const file = join(root, 'table.toml');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const others = { mandatory: 'optional', optional: 'mandatory' } as const;
  const swapped =
    toml + apis.replace(/= "(mandatory|optional)"/g, (_, one: keyof typeof others) => `= "${others[one]}"`);
  writeFileSync(file, swapped);
  const snapshotOf = (text: string) => load(text, files, at).snapshot;
  const [shadowed, alone, next] = [snapshotOf(toml + apis), snapshotOf(toml + apis), snapshotOf(swapped)];
  const found: Shadowed[] = [];
  const { tell, until } = hearing();
  const shadow = new Shadow({
    env: {},
    tell,
    differed: (_, other) => found.push(other),
    onError: assert.ifError,
    clock: () => 0,
  });
  const { config } = load(toml, files, at);
  const silent: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const service = (snapshot: typeof alone, its: Pick<Shadow, 'decided'>) => {
    return checking({
      configuration: { inForce: { snapshot, config, generation: 1 } },
      log: { now: silent },
      metrics: { checks: new CheckCounters() },
      audit: { decided: () => {} },
      shadow: its,
    });
  };
  try {
    shadow.use(file, false);
    await until(1);
    const [watched, plain] = [service(shadowed, shadow), service(alone, { decided: () => {} })];
    const said = (decision: Decision): string =>
      decision.outcome === 'deny'
        ? decision.code
        : JSON.stringify([decision.client?.alias, decision.token?.clientId]);
    let different = 0;
    let sent = 0;
    // What was valid once is known as such to all snapshots of a process: the second would be ahead.
    const before = snapshotOf(toml + apis);
    for (const row of rows) {
      const headers = certificateHeader(row.certificate);
      await decide(request({ path: basePathOf(row), headers, source: '10.0.0.1' }), before, at);
    }
    for (const row of rows) {
      for (const token of tokenCases) {
        const headers = [...certificateHeader(row.certificate), ...authorization(token)];
        const asked = request({ path: basePathOf(row), headers, source: '10.0.0.1' });
        const [one, two] = [await watched(asked), await plain(asked)];
        const [answer, expected] = [one, two].map(({ decision, answers, backendJwt }) =>
          writeAnswer(decision, answers, headers, backendJwt).toString('hex'),
        );
        assert.equal(answer, expected, `${basePathOf(row)} ${row.certificate} ${token}`);
        if (said(one.decision) !== said(await decide(asked, next, Date.now()))) different++;
        sent++;
        // In a later turn, so that not too many wait.
        while (compared(shadow) < sent) await new Promise((resume) => setImmediate(resume));
      }
    }
    const results = resultsOf(shadow);
    assert.ok(different > 100 && sent - different > 100, `${different} of ${sent}`);
    assert.deepEqual(results, { same: sent - different, different, 'not-compared': 0 });
    assert.ok(found.length > 50 && found.length <= 400, `${found.length} lines, in a minute or two`);
    assert.deepEqual(shadowed.certificates.state, alone.certificates.state);
    assert.deepEqual(shadowed.searchLimit.checks, alone.searchLimit.checks);
  } finally {
    await shadow.close();
  }
});

const message = (path: string, certificate: string): Buffer =>
  codec.requestSerialize({
    attributes: {
      source: {
        address: { socket_address: { address: '10.1.2.3', port_value: 1 } },
        certificate: encodeURIComponent(certificate),
      },
      request: {
        http: { method: 'GET', path, host: 'a.example', scheme: 'https', headers: { 'x-request-id': 'r-1' } },
      },
    },
  });

test('the service: what differs is counted and recorded, whatever is recorded else; a reload takes it up and ends it', async () => {
  const { file, next } = folder('service');
  const [port, watch] = [await freePort(), await freePort()];
  const own = `${client('acme')}${client('globex', 'next/globex.pem')}${api('"acme"')}${api('"acme"', 'Stock')}`;
  const configure = (shadow: string): void =>
    writeFileSync(
      file,
      `[enforcer.authService]\nport = ${port}\n[enforcer.metrics]\nport = ${watch}\n[enforcer.audit]\nfile = "audit.log"\n${shadow}${own}`,
    );
  writeFileSync(next, other);
  configure('');
  const enforcer = await EnforcerProcess.start(file);
  const envoy = new RawClient(`127.0.0.1:${port}`);
  const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${watch}/metrics`)).text();
  const count = async (series: string): Promise<number> =>
    Number(
      (await page())
        .split('\n')
        .find((line) => line.startsWith(`mtls_enforcer_shadow_${series} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  /** Until one of them was compared: on a busy machine there is no time for each. */
  const send = async (path: string, { pem }: { readonly pem: string }, result: string): Promise<void> => {
    const series = `checks_total{result="${result}"}`;
    const before = await count(series);
    for (let sent = 0; (await count(series)) === before; sent++) {
      assert.ok(sent < 500, `${path}: none of ${sent} was ${result}`);
      await envoy.check(message(path, pem));
    }
  };
  try {
    await envoy.check(message('/orders/x', acme.pem));
    assert.doesNotMatch(await page(), /shadow/);
    configure('[enforcer.shadow]\nconfig = "next/config.toml"\n');
    await enforcer.line(/info +"?shadow: requests are compared"? .*apis=2/);
    await send('/stock/x', acme, 'same');
    assert.doesNotMatch(await page(), /shadow_differences_total\{/);
    await send('/orders/x', acme, 'different');
    await send('/orders/x', globex, 'different');
    const of = 'differences_total{api="Orders",version="1"';
    assert.ok(
      (await count(
        `${of},outcome="allow",reason="",next_outcome="deny",next_reason="certificate_not_bound"}`,
      )) > 0,
    );
    assert.ok(
      (await count(
        `${of},outcome="deny",reason="certificate_not_bound",next_outcome="allow",next_reason=""}`,
      )) > 0,
    );
    assert.equal(await count('configuration_good'), 1);

    writeFileSync(next, `${other}nonsense = 1\n`);
    await enforcer.line(/warn +"?shadow: .*next\/config\.toml:\d+: apis\[1\]\.nonsense/);
    assert.equal(await count('configuration_good'), 0);
    await send('/orders/x', acme, 'different');

    writeFileSync(next, own.replace('"acme.pem"', '"../acme.pem"').replace('next/', ''));
    await enforcer.line(/info +"?shadow: requests are compared"? .*changes=/);
    await send('/orders/x', acme, 'same');
    assert.doesNotMatch(await page(), /shadow_differences_total\{/, 'nothing differs any more');

    const from = enforcer.lines.length;
    configure('');
    await enforcer.line(/info +reloaded/, from);
    assert.doesNotMatch(await page(), /shadow/);
  } finally {
    envoy.close();
    await enforcer.stop();
  }
  const lines = readFileSync(join(root, 'service', 'audit.log'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { next?: Record<string, unknown> });
  const said = lines
    .filter(({ type }) => type === 'shadow')
    .map(({ outcome, alias, requestId, differs, next }) =>
      JSON.stringify([requestId, differs, outcome, alias, next?.outcome, next?.reason, next?.alias]),
    );
  assert.deepEqual(
    [...new Set(said)],
    [
      '["r-1",["outcome"],"allow","acme","deny","certificate_not_bound",null]',
      '["r-1",["outcome"],"deny",null,"allow",null,"globex"]',
    ],
  );
  assert.ok(lines.every(({ type, outcome }) => type === 'shadow' || outcome === 'deny'));
});

test('where nothing is watched, a reload by command reads the next configuration again, too', async () => {
  const { file, next } = folder('command');
  writeFileSync(
    file,
    `[enforcer.authService]\nport = ${await freePort()}\ncontrol = "control.sock"\n[enforcer.reload]\nwatch = false\n[enforcer.audit]\n[enforcer.shadow]\nconfig = "next/config.toml"\n${client('acme')}${api('"acme"')}`,
  );
  writeFileSync(next, other);
  const enforcer = await EnforcerProcess.start(file);
  try {
    await enforcer.line(/shadow: requests are compared .*generation=1/);
    writeFileSync(next, other.replace('Stock', 'Store'));
    const { code } = await run([process.execPath, start, 'reload', '--config', file], { env: process.env });
    assert.equal(code, 0);
    await enforcer.line(/shadow: requests are compared .*generation=2 .*APIs added: Store/);
  } finally {
    await enforcer.stop();
  }
});

const resultsOf = (shadow: Shadow): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...shadow.families[0]!.samples()].map((sample) => [sample!.labels!.result, sample!.value] as const),
  );
const compared = (shadow: Shadow): number =>
  Object.values(resultsOf(shadow)).reduce((sum, count) => sum + count, 0);
