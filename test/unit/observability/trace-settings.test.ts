import assert from 'node:assert/strict';
import { test } from 'node:test';
import { traceSettings } from '../../../src/observability/trace-settings.ts';

type Env = Parameters<typeof traceSettings>[0];
const told = (env: Env): string => {
  const settings = traceSettings(env);
  if (settings === undefined) return 'none';
  if ('problem' in settings) return settings.problem;
  const { url, headers, timeout, resource } = settings.ok;
  return `${url} ${JSON.stringify(headers)} ${timeout} ${JSON.stringify(resource)}`;
};
const own = '{"service.name":"mtls-enforcer"}';

const cases: readonly [what: string, env: Env, expected: string | RegExp][] = [
  ['nobody asks', {}, 'none'],
  ['nobody asks, and a name is there anyway', { OTEL_SERVICE_NAME: 'a' }, 'none'],
  ['empty is unset', { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_TRACES_EXPORTER: '' }, 'none'],
  ['none', { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318' }, 'none'],
  ['switched off as a whole', { OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' }, 'none'],
  [
    'a receiver for everything',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318/' },
    `http://a:4318/v1/traces {} 10000 ${own}`,
  ],
  [
    'one behind a path',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://a/otlp' },
    `https://a/otlp/v1/traces {} 10000 ${own}`,
  ],
  [
    "traces' own, which is taken as it is",
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b/t', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a' },
    `http://b/t {} 10000 ${own}`,
  ],
  ['the usual place', { OTEL_TRACES_EXPORTER: 'otlp' }, `http://localhost:4318/v1/traces {} 10000 ${own}`],
  [
    'all of it',
    {
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x, a=b',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=other',
    },
    'http://localhost:4318/v1/traces {"authorization":"Bearer x","a":"b"} 500 {"deployment.environment.name":"test","service.name":"other"}',
  ],
  [
    'another exporter',
    { OTEL_TRACES_EXPORTER: 'zipkin' },
    'OTEL_TRACES_EXPORTER is "zipkin"; write otlp, or none',
  ],
  [
    'gRPC',
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    /^OTEL_EXPORTER_OTLP_PROTOCOL is grpc; write http\/json/,
  ],
  ['no URL', { OTEL_EXPORTER_OTLP_ENDPOINT: 'a:4318' }, /^OTEL_EXPORTER_OTLP_ENDPOINT is no URL/],
  [
    'a file',
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'file:///a' },
    /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no URL/,
  ],
  [
    'a header that is none',
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_HEADERS: 'secret' },
    /^OTEL_EXPORTER_OTLP_HEADERS: write name=value/,
  ],
  [
    'a header that would begin another',
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_HEADERS: 'a=secret%0d%0ab:c' },
    /^OTEL_EXPORTER_OTLP_HEADERS: write name=value/,
  ],
  [
    'half an escape',
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_RESOURCE_ATTRIBUTES: 'a=%' },
    /^OTEL_RESOURCE_ATTRIBUTES: write key=value/,
  ],
  [
    'no time',
    { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_TIMEOUT: '10s' },
    /^OTEL_EXPORTER_OTLP_TIMEOUT: write milliseconds/,
  ],
];
for (const [what, env, expected] of cases)
  test(`traces: ${what}`, () => {
    if (typeof expected === 'string') assert.equal(told(env), expected);
    else assert.match(told(env), expected);
    assert.doesNotMatch(told(env), /secret/);
  });
