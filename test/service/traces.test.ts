import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Traces } from '../../src/service/traces.ts';
import { request } from '../support/attributes.ts';
import { startTraceReceiver, valuesOf } from '../support/trace-receiver.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentId = 'b7ad6b7169203331';
const secret = 'eyJ0aGlzIjoic2VjcmV0In0';
const asked = request({
  path: `/p?token=${secret}`,
  headers: [
    ['authorization', `Bearer ${secret}`],
    ['x-request-id', 'f00'],
    ['tracestate', secret],
  ],
});
const api = {
  name: 'Petstore',
  version: '1',
  basePath: '/p',
  errorFormat: 'choreo-connect',
  hasOperations: false,
} as const;
const denial = {
  outcome: 'deny',
  code: 'certificate_missing',
  detail: secret,
  api,
  operation: '/pets',
} as const;
const trace = { traceId, parentId, isSampled: true };
const decided = { now: 1_780_315_200_123, microseconds: 21.4, generation: 3, trace };

async function open(t: TestContext, answer?: () => number | 'nothing') {
  const receiver = await startTraceReceiver(answer);
  t.after(() => receiver.stop());
  return { receiver, ...tracesTo(t, receiver.endpoint) };
}

function tracesTo(t: TestContext, endpoint: string, headers: Readonly<Record<string, string>> = {}) {
  const told: (string | undefined)[] = [];
  const traces = new Traces({
    url: new URL(`${endpoint}/v1/traces`),
    headers: { 'x-key': 'k', ...headers },
    timeout: 60_000,
    resource: { 'service.name': 'mtls-enforcer' },
    version: '1.2.3',
    tell: (trouble) => told.push(trouble),
  });
  t.after(() => traces.close());
  const counts = () =>
    Object.fromEntries(
      traces.families.flatMap(({ samples }) =>
        [...samples()].map((sample) => [sample!.labels!.outcome, sample!.value] as const),
      ),
    );
  return { told, traces, counts };
}

test('a decision whose trace is recorded is a span below the one that asked, and holds no secret', async (t) => {
  const { receiver, traces, counts } = await open(t);
  traces.decided(asked, denial, decided);
  await traces.close();
  const [{ path, batch } = assert.fail('nothing came')] = receiver.requests;
  assert.equal(path, '/v1/traces');
  assert.deepEqual(valuesOf(batch.resourceSpans[0]!.resource), {
    'service.name': 'mtls-enforcer',
    'service.version': '1.2.3',
  });
  const [{ spanId, attributes, ...span } = assert.fail('no span')] = receiver.spans;
  assert.match(spanId, /^[\da-f]{16}$/);
  assert.deepEqual(span, {
    traceId,
    parentSpanId: parentId,
    name: 'envoy.service.auth.v3.Authorization/Check',
    kind: 2,
    startTimeUnixNano: '1780315200123000000',
    endTimeUnixNano: '1780315200123021400',
    status: {},
  });
  assert.deepEqual(valuesOf({ attributes }), {
    'rpc.system.name': 'grpc',
    'rpc.method': 'envoy.service.auth.v3.Authorization/Check',
    'rpc.response.status_code': 'OK',
    'mtls_enforcer.outcome': 'deny',
    'mtls_enforcer.reason': 'certificate_missing',
    'mtls_enforcer.api': 'Petstore',
    'mtls_enforcer.api_version': '1',
    'mtls_enforcer.operation': '/pets',
    'mtls_enforcer.generation': 3,
    'mtls_enforcer.request_id': 'f00',
  });
  assert.equal(JSON.stringify(receiver.requests).includes(secret), false);
  assert.deepEqual(counts(), { sent: 1, dropped: 0, failed: 0 });
});

test('a decision whose trace nobody records leaves nothing', async (t) => {
  const { receiver, traces, counts } = await open(t);
  traces.decided(asked, denial, { ...decided, trace: undefined });
  await traces.close();
  assert.deepEqual(receiver.requests, []);
  assert.deepEqual(counts(), { sent: 0, dropped: 0, failed: 0 });
});

test('what a receiver does not take is counted, and told once; so is that it takes them again', async (t) => {
  let status = 503;
  const { receiver, told, traces, counts } = await open(t, () => status);
  for (let i = 0; i < 300; i++) traces.decided(asked, denial, decided);
  await receiver.until(() => receiver.requests.length === 3);
  status = 200;
  traces.decided(asked, denial, decided);
  await receiver.until(() => receiver.spans.length === 1);
  await traces.close();
  assert.deepEqual(told, ['HTTP 503', undefined]);
  assert.deepEqual(counts(), { sent: 1, dropped: 0, failed: 300 });
});

test('a receiver that gives no answer: a bounded number waits, the rest is dropped and counted, and an end is not kept waiting', async (t) => {
  const { receiver, told, traces, counts } = await open(t, () => 'nothing');
  for (let i = 0; i < 5_000; i++) traces.decided(asked, denial, decided);
  await receiver.until(() => receiver.requests.length === 1);
  const began = performance.now();
  await traces.close();
  assert.ok(performance.now() - began < 10_000);
  assert.deepEqual(counts(), { sent: 0, dropped: 5_000 - 128, failed: 128 });
  assert.deepEqual(told, ['the service ends']);
});

for (const { what, answer, headers, reason } of [
  {
    what: 'switches protocols',
    answer: 'HTTP/1.1 101 \r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    reason: 'HTTP 101',
  },
  { what: 'hangs up', answer: '', reason: 'ECONNRESET' },
  { what: 'speaks no HTTP', answer: 'junk\r\n\r\n', reason: 'HPE_INVALID_CONSTANT' },
  { what: 'never gets to its answer', answer: 'HTTP/1.1 103 \r\n\r\n', reason: 'ECONNRESET' },
  {
    what: 'has one interim answer after the other',
    answer: 'HTTP/1.1 102 \r\n\r\n'.repeat(1_000),
    reason: 'it sent more than 16 interim answers (1xx)',
  },
  {
    what: 'has an answer in crumbs',
    answer: `HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n${'1\r\n{\r\n'.repeat(5_000)}`,
    reason: 'it sent its answer in crumbs',
  },
  {
    what: 'redirects',
    answer: 'HTTP/1.1 302 \r\nlocation: /\r\ncontent-length: 0\r\n\r\n',
    reason: 'HTTP 302',
  },
  {
    what: 'is sent headers that Node refuses',
    answer: '',
    headers: { trailer: secret },
    reason: 'ERR_HTTP_TRAILER_INVALID',
  },
])
  test(`a receiver that ${what} costs its spans alone, and keeps no end waiting`, async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { told, traces, counts } = tracesTo(
      t,
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      headers,
    );
    traces.decided(asked, denial, decided);
    await traces.close();
    assert.deepEqual(told, [reason]);
    assert.deepEqual(counts(), { sent: 0, dropped: 0, failed: 1 });
  });
