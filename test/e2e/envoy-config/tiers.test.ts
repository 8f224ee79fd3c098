import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { errorFormats } from '../../../src/apis/api.ts';
import { realEnvoy } from '../../support/real-envoy.ts';
import { type Gateway, startGateway } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

const tier = (name: string, ...lines: readonly string[]) =>
  `[[tiers]]\nname = ${JSON.stringify(name)}\n${lines.join('\n')}\n`;
const api = (name: string, ...lines: readonly string[]) =>
  `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "/${name}"\nbackend = "https://BACKEND"\n${lines.join('\n')}\n`;

/** `/API/TIER/ALIAS/FINGERPRINT`: whom the scripted enforcer finds. */
let gateway: Gateway;
before(async () => {
  if (!envoy) return;
  gateway = await startGateway(envoy.path, {
    toml: [
      tier('one', 'requests = 1', 'per = "day"'),
      tier('By "certificate" %', 'requests = 1', 'per = "day"', 'key = "certificate"'),
      tier('by API', 'requests = 1', 'per = "day"', 'key = "api"'),
      tier('told', 'requests = 1', 'per = "day"', 'stopOnQuotaReach = false'),
      tier('burst', 'requests = 1', 'per = "day"', 'burst = 3'),
      tier('quick', 'requests = 30', 'per = "minute"', 'burst = 1'),
      tier('Unlimited'),
      ...errorFormats.map((format) => api(format, `errorFormat = "${format}"`)),
      api('a'),
    ].join('\n'),
  });
  gateway.authz.script = ({ http, contextExtensions }) => {
    const [, name = '', tier = '', alias = '', fingerprint = ''] = http.path
      .split('/')
      .map(decodeURIComponent);
    if (tier === 'refused') return { allow: false, status: 429, reason: 'certificate_search_limited' };
    const errorFormat = errorFormats.find((format) => format === name) ?? 'choreo-connect';
    const version = contextExtensions.get('version') ?? '';
    return { allow: true, metadata: { api: name, version, tier, account: alias, fingerprint, errorFormat } };
  };
});
after(() => gateway?.stop());

const sent = (name: string, ...parts: readonly string[]) => ({
  path: `/${[name, ...parts.map(encodeURIComponent)].join('/')}`,
});
const statusOf = async (name: string, ...parts: readonly string[]) =>
  (await gateway.send(sent(name, ...parts))).status;

const keys: readonly [
  words: string,
  requests: readonly (readonly [string, ...string[]])[],
  expected: readonly number[],
][] = [
  [
    'an alias, whatever its certificate',
    [
      ['a', 'one', 'k1', 'f1'],
      ['a', 'one', 'k1', 'f2'],
      ['a', 'one', 'k2', 'f1'],
    ],
    [200, 429, 200],
  ],
  [
    'a certificate, in a tier with signs in its name',
    [
      ['a', 'By "certificate" %', 'k3', 'f1'],
      ['a', 'By "certificate" %', 'k3', 'f2'],
      ['apk', 'By "certificate" %', 'k3', 'f2'],
    ],
    [200, 200, 429],
  ],
  [
    'an alias at each API',
    [
      ['a', 'by API', 'k4'],
      ['apk', 'by API', 'k4'],
      ['a', 'by API', 'k4'],
      ['a', 'by API', 'k5'],
    ],
    [200, 200, 429, 200],
  ],
  [
    'an alias that is called as one of another tier',
    [
      ['a', 'one', 'k6'],
      ['a', 'burst', 'k6'],
      ['a', 'one', 'k6'],
    ],
    [200, 200, 429],
  ],
  [
    'a burst: so many at once',
    [
      ['a', 'burst', 'k7'],
      ['a', 'burst', 'k7'],
      ['a', 'burst', 'k7'],
      ['a', 'burst', 'k7'],
    ],
    [200, 200, 200, 429],
  ],
  [
    'a tier without a limit, and one that Envoy knows nothing of',
    [
      ['a', 'Unlimited', 'k8'],
      ['a', 'Unlimited', 'k8'],
      ['a', 'Platinum', 'k8'],
      ['a', 'Platinum', 'k8'],
    ],
    [200, 200, 200, 200],
  ],
];
for (const [words, requests, expected] of keys) {
  test(`counted apart: ${words}`, { skip }, async () => {
    const found: number[] = [];
    for (const parts of requests) found.push(await statusOf(...parts));
    assert.deepEqual(found, expected);
  });
}

test('stopOnQuotaReach = false: beyond the limit it is only told', { skip }, async () => {
  for (const remaining of ['0', '0', '0']) {
    const { status, headers } = await gateway.send(sent('a', 'told', 't1'));
    assert.equal(status, 200);
    assert.equal(headers['x-ratelimit-remaining'], remaining);
  }
});

test('what was used up comes back with time', { skip }, async () => {
  // There is nothing to wait for but the answers: a request is quicker than the two seconds that fill the bucket.
  for (const wanted of [429, 200]) while ((await statusOf('a', 'quick', 'q1')) !== wanted);
});

const bodies: Readonly<Record<(typeof errorFormats)[number], readonly [type: string, body: string]>> = {
  'choreo-connect': [
    'application/json',
    '{"code":"900804","error_message":"Message throttled out","error_description":"You have exceeded your quota"}',
  ],
  apk: [
    'application/json',
    '{"error_message":"Message throttled out","code":"900804","error_description":"You have exceeded your quota"}',
  ],
  bijira: [
    'application/json',
    '{"error_message":"Message throttled out","code":"900804","error_description":"You have exceeded your quota."}',
  ],
  microgateway: [
    'application/json',
    '{"fault":{"code":900804,"message":"Message throttled out","description":"You have exceeded your quota"}}',
  ],
  'api-manager': [
    'application/json',
    '{"code":"900804","message":"Message throttled out","description":"You have exceeded your quota"}',
  ],
  'problem+json': [
    'application/problem+json',
    '{"type":"about:blank","title":"Message throttled out","status":429,"detail":"The client has used up what its tier allows for now: try again after what Retry-After says.","code":"tier_limit_exceeded","number":"900804"}',
  ],
};
for (const format of errorFormats) {
  for (const protocol of ['http/1.1', 'h2'] as const) {
    test(`the answer in ${format}’s words (${protocol})`, { skip }, async () => {
      const request = { ...sent(format, 'one', `${format} ${protocol}`), protocol };
      assert.equal((await gateway.send(request)).status, 200);
      const { status, headers, body } = await gateway.send(request);
      assert.deepEqual(
        [status, headers['content-type'], headers['x-mtls-reason'], body],
        [429, bodies[format][0], 'tier_limit_exceeded', bodies[format][1]],
      );
    });
  }
}

const fault =
  '<faultcode>soapenv:Client</faultcode><faultstring>Message throttled out</faultstring><detail><code>900804</code>';
const soap: readonly [words: string, type: string, action: boolean, says: string][] = [
  ['SOAP 1.1', 'text/xml; charset=utf-8', true, fault],
  [
    'SOAP 1.2',
    'Application/SOAP+XML',
    false,
    '<soapenv:Text xml:lang="en">Message throttled out</soapenv:Text>',
  ],
  ['text/xml that is no SOAP', 'text/xml', false, '"message":"Message throttled out"'],
];
for (const [words, type, action, says] of soap) {
  test(`the answer to ${words}`, { skip }, async () => {
    const request = {
      ...sent('api-manager', 'one', words),
      method: 'POST',
      headers: [['content-type', type] as const, ...(action ? [['soapaction', '""'] as const] : [])],
      body: Buffer.from('<x/>'),
    };
    assert.equal((await gateway.send(request)).status, 200);
    const { status, body } = await gateway.send(request);
    assert.equal(status, 429);
    assert.ok(body.includes(says), body);
  });
}

test('a 429 of the enforcer’s own stays what it is', { skip }, async () => {
  const { status, body, headers } = await gateway.send(sent('a', 'refused'));
  assert.deepEqual(
    [status, body, headers['x-mtls-reason']],
    [429, 'certificate_search_limited', 'certificate_search_limited'],
  );
});

test('a script of an allowed origin may read what is left', { skip }, async () => {
  const { headers } = await gateway.send({
    ...sent('a', 'one', 'cors'),
    headers: [['origin', 'https://app.test']],
  });
  assert.match(headers['access-control-expose-headers'] ?? '', /x-ratelimit-remaining/);
});
