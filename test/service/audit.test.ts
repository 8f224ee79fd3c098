import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { disk } from '../../src/documents/files.ts';
import { readOwnConfig } from '../../src/provision/own-config.ts';
import { AuditTrail } from '../../src/service/audit-trail.ts';
import { request } from '../support/attributes.ts';
import { RawClient } from '../support/check-services.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { codec } from '../support/plain-codec.ts';

const folder = mkdtempSync(join(tmpdir(), 'audit-'));
after(() => rmSync(folder, { recursive: true }));

const api = {
  name: 'a',
  version: '1',
  basePath: '/a',
  errorFormat: 'choreo-connect',
  hasOperations: false,
} as const;
const allowed = { outcome: 'allow', api, tokenHeader: 'untouched' } as const;
const denied = { outcome: 'deny', code: 'certificate_missing', detail: 'none', api } as const;
const decided = { now: 0, microseconds: 1, generation: 1 };
const common = { oneIn: 3, maxMegabytes: 1, files: 1 } as const;

for (const [decisions, outcomes] of [
  ['denied', ['deny']],
  ['all', ['allow', 'allow', 'deny', 'allow', 'allow']],
  ['sampled', ['allow', 'deny', 'allow']],
] as const)
  test(`decisions = "${decisions}"`, async () => {
    const file = `${decisions}.log`;
    const told: (string | undefined)[] = [];
    const trail = new AuditTrail({
      file: join(folder, 'config.toml'),
      worker: 1,
      tell: (_, reason) => told.push(reason),
    });
    trail.decided(request(), denied, decided);
    trail.use({ ...common, decisions, file });
    for (const decision of [allowed, allowed, denied, allowed, allowed])
      trail.decided(request(), decision, decided);
    await trail.close();
    const lines = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { outcome: string }).outcome),
      outcomes,
    );
    assert.deepEqual(told, []);
    assert.deepEqual(
      [...trail.families[0]!.samples()].map((sample) => sample?.value),
      [outcomes.length, 0],
    );
  });

test('what is recorded is no file of the configuration, so that no line of it makes another', () => {
  const file = join(folder, 'named.toml');
  writeFileSync(file, '[enforcer.audit]\nfile = "named.log"\n[[clients]]\nalias = "a"\nfile = "named.pem"\n');
  writeFileSync(join(folder, 'named.log'), 'a line\n');
  const own = readOwnConfig(file, {}, disk);
  assert.ok('ok' in own);
  const read = ['named.toml', 'named.pem', 'named.log'].map((name) => own.ok.read.has(join(folder, name)));
  assert.deepEqual(read, [true, true, false]);
});

test('the second of several processes has a file of its own; other settings count at once', async () => {
  const trail = new AuditTrail({ file: join(folder, 'config.toml'), worker: 2, tell: () => {} });
  trail.use({ ...common, decisions: 'denied', file: 'first.log' });
  trail.decided(request(), denied, decided);
  trail.use({ ...common, decisions: 'denied', file: 'second.log' });
  trail.decided(request(), denied, decided);
  trail.use(undefined);
  trail.decided(request(), denied, decided);
  await trail.close();
  for (const name of ['first.log-2', 'second.log-2'])
    assert.equal(readFileSync(join(folder, name), 'utf8').split('\n').length, 2, name);
  assert.ok(!existsSync(join(folder, 'first.log')));
});

test('the service: a line a decision, all of them written at its end, and a reload changes which', async () => {
  const port = await freePort();
  const config = join(folder, 'config.toml');
  const configure = (audit: string): void =>
    writeFileSync(
      config,
      `[enforcer.authService]\nport = ${port}\n[enforcer.reload]\nwatch = false\n${audit}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
    );
  configure('[enforcer.audit]\ndecisions = "all"\nfile = "audit.log"');
  const enforcer = await EnforcerProcess.start(config);
  const client = new RawClient(`127.0.0.1:${port}`);
  const check = (path: string) =>
    client.check(
      codec.requestSerialize({
        attributes: { request: { http: { method: 'GET', path, host: 'h', scheme: 'https' } } },
      }),
    );
  try {
    await check('/a/x');
    await check('/b');
    configure('[enforcer.audit]\nfile = "audit.log"');
    assert.equal(await enforcer.reload(), 'reloaded');
    await check('/a/y');
    await check('/c');
  } finally {
    client.close();
    await enforcer.stop();
  }
  const lines = readFileSync(join(folder, 'audit.log'), 'utf8').trimEnd().split('\n');
  const told = lines.map((line) => {
    const { outcome, path, reason, generation, microseconds } = JSON.parse(line) as Record<string, unknown>;
    assert.ok(Number(microseconds) >= 0);
    return [outcome, path, reason, generation];
  });
  assert.deepEqual(told, [
    ['allow', '/a/x', undefined, 1],
    ['deny', '/b', 'api_not_found', 1],
    ['deny', '/c', 'api_not_found', 2],
  ]);
});
