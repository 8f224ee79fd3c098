import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callGrpc } from '../support/client.ts';
import { patient } from '../support/envoy.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { catalogue, Gateway, petstore, type Sent, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** By the day: what comes back while the tests run is nothing. */
const tiers = `
[[tiers]]
name = "Gold"
requests = 3
per = "day"

[[tiers]]
name = "Silver"
requests = 2
per = "day"
`;

let gateway: Gateway;
let turn = 0;
before(async () => {
  if (!envoy) return;
  gateway = await Gateway.start(envoy, {
    editEnvoy: patient,
    watches: false,
    edit: (toml) =>
      // Other aliases at each turn, so that each test begins with full buckets.
      toml
        .replace(/tier {2}= "Bronze"/, 'tier = "Gold"')
        .replaceAll('"acme"', `"acme ${turn}"`)
        .replaceAll('"partners"', `"partners ${turn}"`)
        .replaceAll('"globex"', `"globex ${turn}"`)
        .replace('[[apis]]', `${tiers}\n[[apis]]`),
  });
});
after(() => gateway?.stop());

const orders = '/orders/1';
const statusOf = async (sent: Sent): Promise<number> => (await gateway.answer(sent)).status;

/** One behind the other. */
async function statuses(...all: readonly Sent[]): Promise<readonly number[]> {
  const found: number[] = [];
  for (const sent of all) found.push(await statusOf(sent));
  return found;
}
const times = (count: number, sent: Sent): readonly Sent[] => Array.from({ length: count }, () => sent);

/** With buckets that nobody has taken from. */
const tierTest = (words: string, run: () => Promise<void>): void => {
  test(words, { skip }, async () => {
    turn++;
    assert.equal(await gateway.configure(['enableClientValidation = true']), 'reloaded');
    await run();
  });
};

tierTest('each tier has its own number, and each alias its own bucket', async () => {
  assert.deepEqual(await statuses(...times(4, { certificate: 'acme' })), [200, 200, 200, 429]);
  assert.deepEqual(
    await statuses(...times(4, { certificate: 'globex', path: orders })),
    [200, 200, 200, 429],
  );
  assert.deepEqual(await statuses(...times(3, { certificate: 'partner' })), [200, 200, 429]);
});

tierTest('no header of the client changes what it is counted as', async () => {
  const forged: Sent = {
    certificate: 'partner',
    headers: [
      ['x-client-cert-tier', 'Gold'],
      ['x-client-cert-alias', 'nobody'],
      ['x-client-cert-sha256', 'f'.repeat(64)],
      ['x_client_cert_tier', 'Gold'],
      ['x-envoy-ratelimited', 'false'],
    ],
  };
  assert.deepEqual(await statuses(...times(3, forged)), [200, 200, 429]);
  assert.deepEqual(await statuses({ certificate: 'partner' }), [429]);
});

tierTest('an alias has one bucket for all its APIs and both versions of HTTP', async () => {
  assert.deepEqual(
    await statuses(
      { certificate: 'acme', protocol: 'h2' },
      { certificate: 'acme', protocol: 'http/1.1' },
      { certificate: 'acme', path: catalogue, protocol: 'h2' },
      { certificate: 'acme', path: catalogue, protocol: 'http/1.1' },
      { certificate: 'acme', protocol: 'h2' },
    ),
    [200, 200, 200, 429, 429],
  );
});

/** The same resource, in every way that a client may ask for it. */
const spellings: readonly Sent[] = [
  { path: petstore },
  { path: `${petstore}?x=1` },
  { path: petstore.replace('/pet/', '//pet/./') },
  { path: `/elsewhere/..${petstore}` },
  { path: petstore.replace('petstore', '%70etstore') },
  { host: 'LOCALHOST' },
  { host: 'localhost:1234' },
  { method: 'HEAD' },
  { method: 'OPTIONS' },
  { method: 'DELETE', protocol: 'h2' },
  { protocol: 'h2', headers: [['x-forwarded-for', '10.1.2.3']] },
  {
    headers: [
      ['x-envoy-retry-on', '5xx,retriable-4xx'],
      ['x-envoy-max-retries', '3'],
    ],
  },
];
for (const [i, spelling] of spellings.entries())
  tierTest(
    `each is one request of the same alias, however it is asked: ${JSON.stringify(spelling)}`,
    async () => {
      const next = spellings[(i + 1) % spellings.length]!;
      assert.deepEqual(
        await statuses(
          { certificate: 'acme', ...spelling },
          { certificate: 'acme', ...next },
          { certificate: 'acme', ...spelling },
          { certificate: 'acme', ...next },
          { certificate: 'acme', ...spelling },
        ),
        [200, 200, 200, 429, 429],
      );
    },
  );

tierTest(
  'of many at once as many pass as the tier allows, whichever worker of Envoy they come to',
  async () => {
    const sent = Array.from(
      { length: 24 },
      (_, i): Sent => ({ certificate: 'acme', protocol: i % 2 === 0 ? 'h2' : 'http/1.1' }),
    );
    const found = await Promise.all(sent.map(statusOf));
    assert.deepEqual(found.toSorted(), [200, 200, 200, ...Array(21).fill(429)]);
  },
);

tierTest('a pre-flight uses nothing up', async () => {
  const preflight: Sent = {
    certificate: 'partner',
    method: 'OPTIONS',
    headers: [
      ['origin', 'https://app.example.com'],
      ['access-control-request-method', 'GET'],
    ],
  };
  assert.deepEqual(await statuses(...times(3, preflight)), [200, 200, 200]);
  assert.deepEqual(await statuses(...times(3, { certificate: 'partner' })), [200, 200, 429]);
  // Nor is it kept from asking, once everything is used up.
  assert.deepEqual(await statuses(preflight), [200]);
});

tierTest('who comes without a certificate is not counted, and is told of no limit', async () => {
  for (const path of [status, catalogue]) {
    assert.deepEqual(await statuses(...times(6, { path })), Array(6).fill(200));
    const { headers } = await gateway.answer({ path });
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.includes('ratelimit')),
      [],
    );
  }
});

tierTest('what the enforcer refuses uses nothing up', async () => {
  assert.deepEqual(
    await statuses(...times(5, { certificate: 'globex', path: petstore })),
    Array(5).fill(401),
  );
  assert.deepEqual(await statuses({ certificate: 'globex', path: orders }), [200]);
});

tierTest('the answer says how much is left, and beyond the limit when to come back', async () => {
  const { headers: first } = await gateway.answer({ certificate: 'partner' });
  assert.equal(first['x-ratelimit-limit'], '2');
  assert.equal(first['x-ratelimit-remaining'], '1');
  assert.equal(first['retry-after'], undefined);
  await gateway.answer({ certificate: 'partner' });
  const from = gateway.stack.envoy!.lines.length;
  const answer = await gateway.answer({ certificate: 'partner' });
  assert.equal(answer.status, 429);
  assert.equal(answer.headers['x-ratelimit-remaining'], '0');
  assert.equal(answer.headers['x-mtls-reason'], 'tier_limit_exceeded');
  // Two a day: the next half a day later.
  const retryAfter = Number(answer.headers['retry-after']);
  assert.ok(retryAfter > 43_000 && retryAfter <= 43_200, answer.headers['retry-after']);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(
    answer.body,
    '{"code":"900804","error_message":"Message throttled out","error_description":"You have exceeded your quota"}',
  );
  const line = await gateway.stack.envoy!.line(/"status":429/, from);
  const { alias, tier, flags, details } = JSON.parse(line) as Readonly<Record<string, string>>;
  assert.deepEqual(
    { alias, tier, flags, details },
    { alias: `partners ${turn}`, tier: 'Silver', flags: 'RL', details: 'local_rate_limited' },
  );
});

tierTest('a gRPC caller is told RESOURCE_EXHAUSTED', async () => {
  const call = () =>
    callGrpc({
      port: gateway.stack.ports.router,
      ca: gateway.pki.routerCaPem,
      path: '/demo.Greeter/SayHello',
      certificate: gateway.pki.clients.acme,
    });
  for (let i = 0; i < 3; i++) assert.equal((await call()).headers['grpc-status'], '0');
  const { status, headers } = await call();
  assert.equal(status, 200);
  assert.equal(headers['grpc-status'], '8');
  assert.match(String(headers['grpc-message']), /^The client has used up what its tier allows/);
  assert.ok(Number(headers['retry-after']) > 0);
});
