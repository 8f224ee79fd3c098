import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../envoy/run-program.ts';
import { patient, type RunningEnvoy, startEnvoy } from '../support/envoy.ts';
import { freePort } from '../support/free-port.ts';
import { program } from '../support/program.ts';
import { type RateLimitService, startRateLimitService } from '../support/rate-limit-service.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, type Sent, status } from './gateway.ts';

const { envoy, skip: noEnvoy } = await realEnvoy();
const service = program('service_cmd', 'go install github.com/envoyproxy/ratelimit/src/service_cmd@latest');
const redis = program('redis-server', 'apt-get install redis-server');
const skip = noEnvoy || service.skip || redis.skip;
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

let gateway: Gateway;
/** The same gateway's other Envoy, which refuses where the service gives no answer. */
let other: RunningEnvoy;
let otherPort: number;
let limits: RateLimitService;
let turn = 0;
let silver = 2;

before(async () => {
  if (skip !== false) return;
  const servicePort = await freePort();
  gateway = await Gateway.start(envoy!, {
    editEnvoy: patient,
    watches: false,
    edit: (toml) =>
      toml
        .replaceAll('"partners"', `"partners ${turn}"`)
        .replace('[router.keystore]', `[router.rateLimit]\nservice = "127.0.0.1:${servicePort}"\n\n$&`)
        .replace('[[apis]]', `[[tiers]]\nname = "Silver"\nrequests = ${silver}\nper = "day"\n\n$&`),
  });
  const { configFile, ports } = gateway.stack;
  otherPort = await freePort();
  const folder = dirname(configFile);
  const yaml = readFileSync(join(folder, 'envoy.yaml'), 'utf8');
  const denying = yaml
    .replaceAll(`port_value: ${ports.router}`, `port_value: ${otherPort}`)
    .replaceAll('failure_mode_deny: false', 'failure_mode_deny: true');
  writeFileSync(join(folder, 'other.yaml'), denying);
  other = await startEnvoy({ path: envoy!.path, config: 'other.yaml', folder });
  limits = await startRateLimitService(
    { service: service.found!, redis: redis.found! },
    servicePort,
    await rateLimitConfig(),
  );
});
after(async () => {
  await other?.stop();
  await limits?.stop();
  await gateway?.stop();
});

async function rateLimitConfig(): Promise<string> {
  const command = [process.execPath, main, 'ratelimit-config', '--config', gateway.stack.configFile] as const;
  const { code, stdout, stderr } = await run(command, { env: process.env });
  assert.equal(code, 0, stderr);
  return stdout;
}

const partner: Sent = { certificate: 'partner' };
const here = async (sent: Sent) => (await gateway.answer(sent)).status;
const there = (sent: Sent) => here({ ...sent, port: otherPort });
/** As an alias that nobody has counted yet. */
async function anew(): Promise<void> {
  turn++;
  assert.equal(await gateway.configure(['enableClientValidation = true']), 'reloaded');
}

test('two Envoys share a limit, and answer as one', { skip }, async () => {
  await anew();
  assert.deepEqual([await here(partner), await there(partner)], [200, 200]);
  for (const port of [gateway.stack.ports.router, otherPort]) {
    const { status, headers, body } = await gateway.answer({ ...partner, port });
    assert.equal(status, 429);
    assert.equal(headers['x-mtls-reason'], 'tier_limit_exceeded');
    assert.match(String(headers['x-ratelimit-limit']), /^2\b/);
    assert.equal(headers['x-ratelimit-remaining'], '0');
    assert.ok(Number(headers['retry-after']) > 0, headers['retry-after']);
    assert.match(body, /^\{"code":"900804","error_message":"Message throttled out"/);
  }
});

test('another alias has its own, and no header makes one of it', { skip }, async () => {
  const forged: Sent = {
    ...partner,
    headers: [
      ['x-client-cert-alias', 'nobody'],
      ['x-client-cert-tier', 'Gold'],
    ],
  };
  assert.equal(await here(forged), 429);
  await anew();
  assert.deepEqual([await there(forged), await here(forged), await there(partner)], [200, 200, 429]);
});

test('who has no tier is not counted', { skip }, async () => {
  for (let i = 0; i < 4; i++)
    assert.deepEqual([await here({ path: status }), await there({ path: status })], [200, 200]);
});

test('a changed number counts without a new configuration of Envoy', { skip }, async () => {
  silver = 1;
  await anew();
  await limits.configure(await rateLimitConfig());
  assert.deepEqual([await here(partner), await there(partner)], [200, 429]);
});

test('without Redis, and then without the service, it is as failureMode says', { skip }, async () => {
  for (const kill of [limits.killRedis, limits.kill]) {
    await kill();
    for (let i = 0; i < 3; i++) {
      assert.equal(await here(partner), 200);
      assert.equal(await there(partner), 503);
      assert.equal(await there({ path: status }), 200);
    }
  }
});
