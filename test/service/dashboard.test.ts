import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { RawClient } from '../support/check-services.ts';
import { Child } from '../support/child.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { opensslCa } from '../support/openssl-ca.ts';
import { codec } from '../support/plain-codec.ts';
import { program } from '../support/program.ts';

const prometheus = program('prometheus', 'apt-get install prometheus');
const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
after(() => rmSync(folder, { recursive: true }));

type Panel = {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
};
const dashboard = JSON.parse(
  readFileSync(new URL('../../deploy/grafana/mtls-enforcer.json', import.meta.url), 'utf8'),
) as {
  readonly panels: readonly Panel[];
  readonly annotations: { list: readonly { readonly expr: string }[] };
};

/** Those of Envoy and its service are asked for where these run: test/e2e/tier-statistics.test.ts. */
const isOwn = (expr: string): boolean => expr.includes('mtls_enforcer') || !/envoy_|ratelimit_/.test(expr);

/** As Grafana fills them in. */
const filled = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$job', 'mtls-enforcer')
    .replace(/\$(instance|api)/g, '.*');

test('a page of its own names each metric that the dashboard and the alerts ask for', () => {
  const page = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8');
  const rules = readFileSync(
    new URL('../../deploy/prometheus/mtls-enforcer.rules.yaml', import.meta.url),
    'utf8',
  );
  const names = new Set(
    `${JSON.stringify(dashboard)}${rules}`.match(
      /(mtls_enforcer|envoy_http|envoy_cluster|ratelimit_service)_\w+/g,
    ),
  );
  for (const name of names) assert.ok(page.includes(name.replace(/_bucket$/, '')), name);
});

test('each panel is in one of the pictures in docs', () => {
  const folder = new URL('../../docs/pictures/', import.meta.url);
  const drawn = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  for (const { title } of dashboard.panels)
    assert.equal(drawn.filter((picture) => picture.includes(`>${title}</text>`)).length, 1, title);
});

/** A CRL, keys and denials are there, so that no panel has a reason to be empty. */
test('every query of the dashboard has an answer from a real Prometheus', {
  skip: prometheus.skip,
  timeout: 180_000,
}, async () => {
  const [port, watch, asked] = [await freePort(), await freePort(), await freePort()];
  const ca = opensslCa('Partners');
  const { certificatePem } = ca.issue('acme');
  writeFileSync(join(folder, 'ca.pem'), readFileSync(ca.certificateFile));
  writeFileSync(join(folder, 'partners.crl'), ca.crl());
  writeFileSync(
    join(folder, 'config.toml'),
    `[enforcer.authService]
port = ${port}
[enforcer.metrics]
port = ${watch}
[enforcer.audit]
file = "audit.log"
[enforcer.security.revocation]
mode = "hard-fail"
sources = ["crl"]
crlFiles = ["partners.crl"]
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[apis]]
name = "Petstore"
version = "1"
basePath = "/petstore"
aliases = ["partners"]
`,
  );
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n- job_name: mtls-enforcer\n  static_configs:\n  - targets: ["127.0.0.1:${watch}"]\n`,
  );
  const enforcer = await EnforcerProcess.start(join(folder, 'config.toml'));
  const child = new Child('prometheus', [
    prometheus.found!,
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${asked}`,
  ]);
  const client = new RawClient(`127.0.0.1:${port}`);
  const check = (path: string, certificate = '') =>
    client.check(
      codec.requestSerialize({
        attributes: {
          source: { certificate },
          request: { http: { method: 'GET', path, host: 'h', scheme: 'https' } },
        },
      }),
    );
  type Result = readonly { readonly value: readonly [number, string] }[];
  const query = async (expr: string): Promise<Result> => {
    const answer = await fetch(`http://127.0.0.1:${asked}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: Result };
    };
    assert.equal(status, 'success', `${expr}: ${error}`);
    return data.result;
  };
  try {
    await child.line(/Server is ready to receive web requests/);
    // Requests go on, and are asked for again, until each rate has two scrapes to be made of.
    const open = new Set(
      dashboard.panels.flatMap(({ title, targets = [] }) =>
        targets.filter(({ expr }) => isOwn(expr)).map(({ expr }) => `${title}\n${filled(expr)}`),
      ),
    );
    while (open.size > 0) {
      await check('/petstore', encodeURIComponent(certificatePem));
      await check('/petstore');
      for (const one of open) {
        const result = await query(one.split('\n')[1]!);
        if (result.length > 0 && result.every(({ value }) => Number.isFinite(Number(value[1]))))
          open.delete(one);
      }
      assert.ok(child.running, child.tail());
      await pause(100);
    }
    for (const { expr } of dashboard.annotations.list) await query(filled(expr));
  } finally {
    client.close();
    await Promise.all([enforcer.stop(), child.stop()]);
  }
});
