import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeRateLimitConfig } from '../../../src/envoy-config/ratelimit-service.ts';
import type { Tier } from '../../../src/provision/tiers.ts';
import { patient } from '../../support/envoy.ts';
import { freePort } from '../../support/free-port.ts';
import { program } from '../../support/program.ts';
import { startRateLimitService } from '../../support/rate-limit-service.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { clientCertificate, newAuthority, serverCertificate, startGateway } from './gateway.ts';

const { envoy, skip: noEnvoy } = await realEnvoy();
const service = program('service_cmd', 'go install github.com/envoyproxy/ratelimit/src/service_cmd@latest');
const redis = program('redis-server', 'apt-get install redis-server');
const skip = noEnvoy || service.skip || redis.skip;

const tiers: readonly Tier[] = [
  { name: 'one', limit: { requests: 1, per: 'day', burst: 1, key: 'alias', stopOnQuotaReach: true } },
];

async function startService(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const port = await freePort();
  const programs = { service: service.found!, redis: redis.found!, env };
  const limits = await startRateLimitService(programs, port, writeRateLimitConfig(tiers));
  t.after(() => limits.stop());
  return { limits, port };
}

type At = {
  readonly service: string;
  /** Lines of [router.rateLimit]. */
  readonly lines?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** As much time for an answer as a busy machine takes. */
  readonly isPatient?: boolean;
};

/** What comes of requests of an alias, one behind the other, and how long each took. */
async function startEnvoyAt(t: TestContext, { service, lines = [], files = {}, isPatient = false }: At) {
  const gateway = await startGateway(envoy!.path, {
    ...(isPatient && { editEnvoy: patient }),
    files,
    toml: `[router.rateLimit]
service = "${service}"
${lines.join('\n')}
[[tiers]]
name = "one"
requests = 1
per = "day"
[[apis]]
name = "a"
version = "1"
basePath = "/a"
backend = "https://BACKEND"
`,
  });
  t.after(() => gateway.stop());
  gateway.authz.script = ({ http }) => {
    const [, , alias] = http.path.split('/');
    return { allow: true, metadata: alias ? { tier: 'one', account: alias, errorFormat: 'apk' } : {} };
  };
  return async (alias: string, times: number): Promise<readonly number[]> => {
    const found: number[] = [];
    for (let i = 0; i < times; i++) found.push((await gateway.send({ path: `/a/${alias}` })).status);
    return found;
  };
}

test('over TLS: Envoy asks the service that it trusts, which asks who Envoy is', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'limits-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [ca, otherCa] = [await newAuthority('CN=Limits CA'), await newAuthority('CN=Another CA')];
  const own = await serverCertificate(ca, ['127.0.0.1']);
  const [client, stranger] = [await clientCertificate(ca), await clientCertificate(otherCa)];
  const put = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { port } = await startService(t, {
    GRPC_SERVER_USE_TLS: 'true',
    GRPC_SERVER_TLS_CERT: put('own.pem', own.certificatePem),
    GRPC_SERVER_TLS_KEY: put('own.key', own.privateKeyPem),
    GRPC_CLIENT_TLS_CACERT: put('ca.pem', ca.pem),
  });
  const files = {
    'limits-ca.pem': ca.pem,
    'other-ca.pem': otherCa.pem,
    'client.pem': client.certificatePem,
    'client.key': client.privateKeyPem,
    'stranger.pem': stranger.certificatePem,
    'stranger.key': stranger.privateKeyPem,
  };
  const trusting = 'trustedCertPath = "limits-ca.pem"';
  const proving = ['certPath = "client.pem"', 'keyPath = "client.key"'];
  const rows: readonly [
    words: string,
    host: string,
    lines: readonly string[],
    expected: readonly number[],
  ][] = [
    ['both prove themselves', '127.0.0.1', [trusting, ...proving], [200, 429]],
    ['Envoy does not', '127.0.0.1', [trusting], [503, 503]],
    [
      'Envoy does by a certificate of another CA',
      '127.0.0.1',
      [trusting, 'certPath = "stranger.pem"', 'keyPath = "stranger.key"'],
      [503, 503],
    ],
    [
      'the service is not of the CA',
      '127.0.0.1',
      ['trustedCertPath = "other-ca.pem"', ...proving],
      [503, 503],
    ],
    ['the service is another of the CA', 'localhost', [trusting, ...proving], [503, 503]],
    ['in clear text', '127.0.0.1', [], [503, 503]],
  ];
  for (const [i, [words, host, lines, expected]] of rows.entries())
    await t.test(words, async (t) => {
      const at = { service: `${host}:${port}`, files, isPatient: true };
      const statuses = await startEnvoyAt(t, { ...at, lines: [...lines, 'failureMode = "deny"'] });
      assert.deepEqual(await statuses(`k${i}`, 2), expected);
    });
});

/** Passes on what comes, each piece so much later. */
async function startDelay(t: TestContext, port: number, ms: number): Promise<number> {
  const sockets = new Set<Socket>();
  const later = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('error', () => to.destroy()).on('close', () => to.destroy());
    from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), ms));
  };
  const server = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    later(near, far);
    later(far, near);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

for (const [mode, status] of [
  ['allow', 200],
  ['deny', 503],
] as const) {
  test(`failureMode = "${mode}": a service that hangs, is slow or gone`, { skip }, async (t) => {
    const { limits, port } = await startService(t);
    const lines = [`failureMode = "${mode}"`];
    const at = await startEnvoyAt(t, { service: `127.0.0.1:${port}`, lines });
    const slowAt = await startEnvoyAt(t, {
      service: `127.0.0.1:${await startDelay(t, port, 500)}`,
      lines,
    });
    const inTime = await startEnvoyAt(t, {
      service: `127.0.0.1:${await startDelay(t, port, 50)}`,
      lines,
      isPatient: true,
    });
    limits.hang();
    assert.deepEqual(await at('hanging', 3), [status, status, status]);
    // Who has no tier waits for nobody.
    assert.deepEqual(await at('', 1), [200]);
    limits.goOn();
    assert.deepEqual(await slowAt('slow', 3), [status, status, status]);
    assert.deepEqual(await inTime('in-time', 3), [200, 429, 429]);
    await limits.kill();
    assert.deepEqual(await at('gone', 3), [status, status, status]);
  });
}
