import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realEnvoy } from '../support/real-envoy.ts';
import { startTraceReceiver, valuesOf } from '../support/trace-receiver.ts';
import { Gateway, petstore, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const trace = (digit: string, flags: string): readonly [string, string] => [
  'traceparent',
  `00-${digit.repeat(32)}-${'b'.repeat(16)}-${flags}`,
];

test('behind a real Envoy the decisions of recorded traces reach a receiver, and no others', {
  skip,
}, async (t) => {
  const receiver = await startTraceReceiver();
  t.after(() => receiver.stop());
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.endpoint;
  t.after(() => delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const gateway = await Gateway.start(envoy!);
  t.after(() => gateway.stop());
  const asked = [
    [trace('1', '01'), petstore, 401],
    [trace('2', '00'), petstore, 401],
    [trace('3', '01'), status, 200],
    [['traceparent', 'garbage'], status, 200],
    [undefined, status, 200],
  ] as const;
  for (const [header, path, expected] of asked) {
    const headers = header === undefined ? [] : [header];
    assert.equal((await gateway.answer({ path, headers })).status, expected);
  }
  await gateway.stack.enforcer.stop();
  const seen = receiver.spans.map((span) => {
    const values = valuesOf(span);
    return [
      span.traceId[0],
      span.parentSpanId,
      values['mtls_enforcer.outcome'],
      values['mtls_enforcer.reason'],
    ];
  });
  assert.deepEqual(seen, [
    ['1', 'b'.repeat(16), 'deny', 'certificate_missing'],
    ['3', 'b'.repeat(16), 'allow', undefined],
  ]);
});

test('a variable that can not be used is told with what to write, and the service serves', {
  skip,
}, async (t) => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'collector:4317';
  t.after(() => delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const gateway = await Gateway.start(envoy!);
  t.after(() => gateway.stop());
  assert.match(
    await gateway.stack.enforcer.line(/no traces are sent/),
    /OTEL_EXPORTER_OTLP_ENDPOINT is no URL of http or https; write one, such as http:\/\/localhost:4318/,
  );
  assert.equal((await gateway.answer({ path: status })).status, 200);
});
