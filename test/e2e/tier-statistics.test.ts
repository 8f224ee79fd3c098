import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { writeRateLimitConfig } from '../../src/envoy-config/ratelimit-service.ts';
import { ownTiers } from '../../src/provision/tiers.ts';
import { Child } from '../support/child.ts';
import { freePort } from '../support/free-port.ts';
import { program } from '../support/program.ts';
import { startRateLimitService } from '../support/rate-limit-service.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { startGateway } from './envoy-config/gateway.ts';

const { envoy, skip: noEnvoy } = await realEnvoy();
const prometheus = program('prometheus', 'apt-get install prometheus');
const service = program('service_cmd', 'go install github.com/envoyproxy/ratelimit/src/service_cmd@latest');
const redis = program('redis-server', 'apt-get install redis-server');
const skip = noEnvoy || prometheus.skip || service.skip || redis.skip;

type Panel = { readonly title: string; readonly targets?: readonly { readonly expr: string }[] };
const { panels } = JSON.parse(
  readFileSync(new URL('../../deploy/grafana/mtls-enforcer.json', import.meta.url), 'utf8'),
) as { readonly panels: readonly Panel[] };
const queries = panels.flatMap(({ targets = [] }) =>
  targets.flatMap(({ expr }) =>
    /envoy_|ratelimit_/.test(expr) ? [expr.replaceAll('$__rate_interval', '1m')] : [],
  ),
);
const toml = `[[tiers]]
name = "Gold"
requests = 1
per = "day"
[[tiers]]
name = "Gold!"
requests = 1
per = "day"
[[tiers]]
name = "told"
requests = 1
per = "day"
stopOnQuotaReach = false
[[apis]]
name = "a"
version = "1"
basePath = "/a"
backend = "https://BACKEND"
`;

test('the dashboard’s queries about tiers have answers from what Envoy and its service really tell Prometheus', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tier-statistics-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [asked, limitsPort] = [await freePort(), await freePort()];
  const alone = await startGateway(envoy!.path, { toml });
  t.after(() => alone.stop());
  const shared = await startGateway(envoy!.path, {
    toml: `[router.rateLimit]\nservice = "127.0.0.1:${limitsPort}"\n${toml}`,
  });
  t.after(() => shared.stop());
  const limits = await startRateLimitService(
    { service: service.found!, redis: redis.found! },
    limitsPort,
    writeRateLimitConfig(ownTiers(shared.config)),
  );
  t.after(() => limits.stop());
  for (const { authz } of [alone, shared])
    authz.script = ({ http }) => {
      const tier = http.path.split('/')[2]!;
      return { allow: true, metadata: { tier, account: 'acme', errorFormat: 'apk' } };
    };
  const page = (targets: readonly string[], path: string) => ({
    job_name: targets.join(),
    metrics_path: path,
    static_configs: [{ targets }],
  });
  writeFileSync(
    join(folder, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [
        page([alone.envoy.admin, shared.envoy.admin], '/stats/prometheus'),
        page([limits.metrics], '/metrics'),
      ],
    }),
  );
  const child = new Child('prometheus', [
    prometheus.found!,
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${asked}`,
  ]);
  t.after(() => child.stop());
  await child.line(/Server is ready to receive web requests/);

  type Series = { readonly metric: Readonly<Record<string, string>>; readonly value: [number, string] };
  const query = async (expr: string): Promise<readonly Series[]> => {
    const answer = await fetch(`http://127.0.0.1:${asked}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { status, data } = (await answer.json()) as { status: string; data: { result: Series[] } };
    assert.equal(status, 'success', expr);
    return data.result;
  };
  /** Requests go on until the rates of these tiers, and of no others, are above nothing. */
  const untilTold = async (expr: string, expected: readonly string[]): Promise<void> => {
    for (;;) {
      for (const gateway of [alone, shared])
        for (const tier of ['Gold', 'Gold!', 'told']) await gateway.send({ path: `/a/${tier}` });
      const above = (await query(expr)).filter(({ value }) => Number(value[1]) > 0);
      const names = above.map(({ metric }) => Object.values(metric).join()).sort();
      if (names.join() === expected.join()) return;
      assert.ok(child.running, child.tail());
      await pause(200);
    }
  };
  const [refused, told, over, uncounted, ...others] = queries;
  assert.deepEqual(others, []);
  await untilTold(refused!, ['tier_Gold', 'tier_Gold~21']);
  await untilTold(told!, ['tier_told']);
  await untilTold(over!, ['tier_Gold', 'tier_Gold!', 'tier_told']);
  await limits.kill();
  await untilTold(
    uncounted!,
    [shared.backend.port].map((port) => `127_0_0_1_${port}`),
  );
});
