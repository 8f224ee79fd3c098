import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../support/check-services.ts';
import { Child } from '../support/child.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { codec } from '../support/plain-codec.ts';
import { program } from '../support/program.ts';

const prometheus = program('prometheus', 'apt-get install prometheus');
const promtool = program('promtool', 'apt-get install prometheus');
const folder = mkdtempSync(join(tmpdir(), 'exemplars-'));
after(() => rmSync(folder, { recursive: true }));

const recorded = '0af7651916cd43dd8448eb211c80319c';
const unrecorded = '11111111111111111111111111111111';
const message = (traceId: string, flags: string): Buffer =>
  codec.requestSerialize({
    attributes: {
      request: {
        http: {
          method: 'GET',
          path: '/petstore',
          host: 'h',
          scheme: 'https',
          header_map: {
            headers: [
              { key: 'traceparent', raw_value: Buffer.from(`00-${traceId}-b7ad6b7169203331-${flags}`) },
            ],
          },
        },
      },
    },
  });

/** Those of the dashboard's queries whose points are exemplars. */
const { panels } = JSON.parse(
  readFileSync(new URL('../../deploy/grafana/mtls-enforcer.json', import.meta.url), 'utf8'),
) as { panels: readonly { targets?: readonly { expr: string; exemplar?: boolean }[] }[] };
const queries = panels.flatMap(({ targets = [] }) =>
  targets.flatMap(({ expr, exemplar }) =>
    exemplar ? [expr.replace('$instance', '.*').replace('$__rate_interval', '1m')] : [],
  ),
);

type Exemplars = {
  readonly status: string;
  readonly data: readonly {
    readonly seriesLabels: Readonly<Record<string, string>>;
    readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[];
  }[];
};

test('a real Prometheus finds the trace of a slow bucket, and only one that is recorded, of any worker', {
  skip: prometheus.skip,
  timeout: 60_000,
}, async (t) => {
  const [port, watch, asked] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(
    join(folder, 'config.toml'),
    `[enforcer.authService]
port = ${port}
workers = 2
[enforcer.metrics]
port = ${watch}
[enforcer.audit]
decisions = "all"
file = "audit.log"
[[apis]]
name = "Petstore"
version = "1"
basePath = "/petstore"
mutualSSL = "off"
`,
  );
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }\nscrape_configs:\n- job_name: mtls-enforcer\n  static_configs:\n  - targets: ["127.0.0.1:${watch}"]\n`,
  );
  const enforcer = await EnforcerProcess.start(join(folder, 'config.toml'));
  t.after(() => enforcer.stop());
  await enforcer.line(/all workers serve/);
  const client = new RawClient(`127.0.0.1:${port + 1}`);
  t.after(() => client.close());
  await client.check(message(recorded, '01'));
  await client.check(message(unrecorded, '00'));

  const page = async (accept: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${watch}/metrics`, { headers: { accept } })).text();
  const [openMetrics, text] = [await page('application/openmetrics-text'), await page('text/plain')];
  assert.ok(openMetrics.endsWith('\n# EOF\n'));
  assert.equal(openMetrics.match(/^# EOF$/gm)?.length, 1);
  assert.ok(!text.includes(recorded) && !text.includes('# EOF'));
  // All families are called apart without what a counter has behind it.
  const families = [...openMetrics.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  assert.equal(new Set(families).size, families.length);
  execFileSync(promtool.found!, ['check', 'metrics'], { input: text });

  const child = new Child('prometheus', [
    prometheus.found!,
    '--enable-feature=exemplar-storage',
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${asked}`,
  ]);
  t.after(() => child.stop());
  await child.line(/Server is ready to receive web requests/);
  const found = async (expr: string) => {
    const query = `query=${encodeURIComponent(expr)}&start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 600}`;
    const answer = await fetch(`http://127.0.0.1:${asked}/api/v1/query_exemplars?${query}`);
    const { status, data } = (await answer.json()) as Exemplars;
    assert.equal(status, 'success');
    return data;
  };
  assert.equal(queries.length, 2);
  for (const query of queries) {
    let data = await found(query);
    for (; data.length === 0; data = await found(query)) {
      assert.ok(child.running, child.tail());
      await pause(100);
    }
    assert.deepEqual(
      data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels)),
      [{ trace_id: recorded }],
    );
    assert.equal(data[0]!.seriesLabels.worker, '2');
  }
  const record = readFileSync(join(folder, 'audit.log-2'), 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    record.map((line) => (JSON.parse(line) as { traceId: string }).traceId),
    [recorded, unrecorded],
  );
});
