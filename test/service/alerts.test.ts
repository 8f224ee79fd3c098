import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { program } from '../support/program.ts';

const promtool = program('promtool', 'apt-get install prometheus');
const rules = fileURLToPath(new URL('../../deploy/prometheus/mtls-enforcer.rules.yaml', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'alerts-'));
after(() => rmSync(folder, { recursive: true }));

type Case = {
  readonly what: string;
  /** All that fire by then. */
  readonly fires: readonly string[];
  /** Values as promtool writes them: from, step and how often. */
  readonly series: Readonly<Record<string, string>>;
  readonly interval?: string;
  readonly at?: string;
};

const decisions = (labels: string): string => `mtls_enforcer_decisions_total{${labels}}`;
const petstore = 'api="Petstore",version="1"';
const ends = (labels: string): string => `mtls_enforcer_certificate_expiry_timestamp_seconds{${labels}}`;
const day = 86_400;

const cases: readonly Case[] = [
  {
    what: 'all is well',
    fires: [],
    series: {
      'up{job="mtls-enforcer"}': '1x60',
      'mtls_enforcer_worker_up{worker="1"}': '1x60',
      [decisions(`${petstore},outcome="allow",reason=""`)]: '0+600x60',
      [decisions(`${petstore},outcome="deny",reason="certificate_missing"`)]: '0+6x60',
      [ends('kind="client",alias="acme",sha256="a"')]: `${100 * day}x60`,
      mtls_enforcer_configuration_last_change_successful: '1x60',
      mtls_enforcer_configuration_problems: '0x60',
      'mtls_enforcer_feed_available{feed="crl",from="f"}': '1x60',
      'mtls_enforcer_feed_failures{feed="crl",from="f"}': '0 1 2 0x57',
      'mtls_enforcer_feed_next_update_timestamp_seconds{feed="crl",from="f"}': `${day}x60`,
      'mtls_enforcer_call_duration_seconds_bucket{le="0.001"}': '0+600x60',
      'mtls_enforcer_call_duration_seconds_bucket{le="+Inf"}': '0+600x60',
      'mtls_enforcer_audit_lines_total{outcome="dropped"}': '0x60',
      'envoy_cluster_ratelimit_error{envoy_cluster_name="a"}': '7x60',
    },
  },
  {
    what: 'the rate limit service is away',
    fires: ['MtlsEnforcerLimitsNotCounted'],
    series: { 'envoy_cluster_ratelimit_error{envoy_cluster_name="a"}': '0x50 1+9x10' },
  },
  { what: 'it is down', fires: ['MtlsEnforcerDown'], series: { 'up{job="mtls-enforcer"}': '0x60' } },
  {
    what: 'one of its processes hangs',
    fires: ['MtlsEnforcerWorkerDown'],
    series: { 'mtls_enforcer_worker_up{worker="1"}': '1x60', 'mtls_enforcer_worker_up{worker="2"}': '0x60' },
  },
  {
    what: 'a fault of ours',
    fires: ['MtlsEnforcerFault'],
    series: { [decisions('api="",version="",outcome="deny",reason="internal_error"')]: '0x55 1x5' },
  },
  {
    what: "a partner's certificate is refused since ten minutes, after a good day",
    fires: ['MtlsEnforcerDenialsJump'],
    series: {
      [decisions(`${petstore},outcome="allow",reason=""`)]: '0+3000x330',
      [decisions(`${petstore},outcome="deny",reason="certificate_expired"`)]: '0+30x300 9000+900x30',
    },
    interval: '5m',
    at: '27h',
  },
  {
    what: 'as many are denied as every day',
    fires: [],
    series: {
      [decisions(`${petstore},outcome="allow",reason=""`)]: '0+3000x330',
      [decisions(`${petstore},outcome="deny",reason="certificate_missing"`)]: '0+900x330',
    },
    interval: '5m',
    at: '27h',
  },
  {
    what: 'an API admits nobody',
    fires: ['MtlsEnforcerAdmitsNobody'],
    series: { [decisions(`${petstore},outcome="deny",reason="api_misconfigured"`)]: '0+60x60' },
    at: '50m',
  },
  {
    what: "a client's certificate ends in three weeks, and the one that replaces another does not count twice",
    fires: ['MtlsEnforcerClientCertificateEnds'],
    series: {
      [ends('kind="client",alias="acme",sha256="a"')]: `${21 * day}x60`,
      [ends('kind="client",alias="renewed",sha256="b"')]: `${21 * day}x60`,
      [ends('kind="client",alias="renewed",sha256="c"')]: `${300 * day}x60`,
    },
  },
  {
    what: "a client's CA ends in three days",
    fires: ['MtlsEnforcerClientCertificateEnds', 'MtlsEnforcerClientCertificateEndsSoon'],
    series: { [ends('kind="client-ca",alias="partners",sha256="a"')]: `${3 * day}x60` },
  },
  {
    what: 'a trusted CA ends in three weeks, beside one that does not',
    fires: ['MtlsEnforcerCaOrKeyEnds'],
    series: {
      [ends('kind="trusted-ca",alias="",sha256="a"')]: `${21 * day}x60`,
      [ends('kind="trusted-ca",alias="",sha256="b"')]: `${300 * day}x60`,
    },
  },
  {
    what: 'a trusted CA ended last week',
    fires: ['MtlsEnforcerCaOrKeyEnds'],
    series: { [ends('kind="trusted-ca",alias="",sha256="a"')]: `${-7 * day}x60` },
  },
  {
    what: 'a public root in a bundle ended long ago',
    fires: [],
    series: { [ends('kind="trusted-ca",alias="",sha256="a"')]: `${-400 * day}x60` },
  },
  {
    what: "a load balancer's certificate ended long ago",
    fires: ['MtlsEnforcerCaOrKeyEnds'],
    series: { [ends('kind="sender",alias="balancer",sha256="a"')]: `${-400 * day}x60` },
  },
  {
    what: "Envoy's certificate ends in three weeks",
    fires: ['MtlsEnforcerCaOrKeyEnds'],
    series: { [ends('kind="router",alias="",sha256="a"')]: `${21 * day}x60` },
  },
  {
    what: "a load balancer's certificate ends in three weeks",
    fires: ['MtlsEnforcerCaOrKeyEnds'],
    series: { [ends('kind="sender",alias="balancer",sha256="a"')]: `${21 * day}x60` },
  },
  {
    what: 'a reload was refused',
    fires: ['MtlsEnforcerReloadRefused'],
    series: { mtls_enforcer_configuration_last_change_successful: '0x60' },
  },
  {
    what: 'the next configuration would admit nobody at an API',
    fires: ['MtlsEnforcerShadowDiffers'],
    series: {
      'mtls_enforcer_shadow_differences_total{api="Petstore",version="1",outcome="allow",reason="",next_outcome="deny",next_reason="alias_disabled"}':
        '1x60',
      mtls_enforcer_shadow_configuration_good: '1x60',
    },
  },
  {
    what: 'the next configuration is broken',
    fires: ['MtlsEnforcerShadowFaulty'],
    series: { mtls_enforcer_shadow_configuration_good: '0x60' },
  },
  {
    what: 'a definition is broken',
    fires: ['MtlsEnforcerDefinitionBroken'],
    series: { mtls_enforcer_configuration_problems: '2x60' },
  },
  {
    what: "an issuer's keys were never there",
    fires: ['MtlsEnforcerFetchingFails', 'MtlsEnforcerNothingFetched'],
    series: {
      'mtls_enforcer_feed_available{feed="jwks",from="f"}': '0x60',
      'mtls_enforcer_feed_failures{feed="jwks",from="f"}': '0+1x60',
    },
  },
  {
    what: 'a CRL is out of date',
    fires: ['MtlsEnforcerCrlStale'],
    series: { 'mtls_enforcer_feed_next_update_timestamp_seconds{feed="crl",from="f"}': '60x60' },
  },
  {
    what: 'strangers by the thousand',
    fires: ['MtlsEnforcerOverload'],
    series: {
      [decisions(`${petstore},outcome="allow",reason=""`)]: '0+60x60',
      [decisions(`${petstore},outcome="deny",reason="certificate_search_limited"`)]: '0+1x60',
    },
  },
  {
    what: 'Checks wait',
    fires: ['MtlsEnforcerSlow'],
    series: {
      'mtls_enforcer_call_duration_seconds_bucket{le="0.1"}': '0+90x60',
      'mtls_enforcer_call_duration_seconds_bucket{le="0.25"}': '0+100x60',
      'mtls_enforcer_call_duration_seconds_bucket{le="+Inf"}': '0+100x60',
    },
  },
  {
    what: 'the disk of the record is full',
    fires: ['MtlsEnforcerRecordDropped'],
    series: { 'mtls_enforcer_audit_lines_total{outcome="dropped"}': '0+5x60' },
  },
];

test('promtool takes the rules', { skip: promtool.skip }, () => {
  const { status, stdout, stderr } = spawnSync(promtool.found!, ['check', 'rules', rules], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
});

for (const [i, { what, fires, series, interval = '1m', at = '58m' }] of cases.entries())
  test(`alerts: ${what}`, { skip: promtool.skip }, () => {
    const file = join(folder, `${i}.yaml`);
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({
        rule_files: [rules],
        evaluation_interval: '1m',
        tests: [
          {
            interval,
            input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
            promql_expr_test: [
              {
                expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
                eval_time: at,
                exp_samples: fires.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
              },
            ],
          },
        ],
      }),
    );
    const { status, stdout, stderr } = spawnSync(promtool.found!, ['test', 'rules', file], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
  });

test('every alert is made to fire above', () => {
  const { groups } = parse(readFileSync(rules, 'utf8')) as {
    groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
  };
  const fired = new Set(cases.flatMap(({ fires }) => fires));
  assert.deepEqual(
    groups.flatMap(({ rules }) => rules.map(({ alert }) => alert)).filter((alert) => !fired.has(alert)),
    [],
  );
});
