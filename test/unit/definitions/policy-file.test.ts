import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PolicyTier, readPolicyFile } from '../../../src/definitions/policy-file.ts';

const apictl = (name: string, quota: string, more = '') => `type: throttling policy
subtype: subscription policy
version: v4.1.0
data:
  policyId: 15797f4c-3742-4909-920c-13f164fd2b1c
  policyName: ${name}
  displayName: ${name}
  isDeployed: true
  type: SubscriptionThrottlePolicy
  defaultLimit:
    type: REQUESTCOUNTLIMIT
    requestCount:
${quota}
    bandwidth: null
    eventCount: null
  rateLimitCount: 0
  rateLimitTimeUnit: null
  customAttributes: []
${more}`;
const quota = (count: string, unitTime: string, timeUnit: string) =>
  `      timeUnit: ${timeUnit}\n      unitTime: ${unitTime}\n      requestCount: ${count}`;
const tier = (name: string, requests: number, per: string, burst = requests, stopOnQuotaReach = true) => ({
  name,
  limit: { requests, per, burst },
  stopOnQuotaReach,
});

const files: readonly [words: string, text: string, tiers: readonly object[]][] = [
  [
    'API Manager’s, as apictl writes it',
    apictl('Silver', quota('2000', '1', 'min')),
    [tier('Silver', 2000, 'minute')],
  ],
  [
    'the same, that is not to stop anybody',
    apictl('Silver', quota('2000', '1', 'min'), '  stopOnQuotaReach: false'),
    [tier('Silver', 2000, 'minute', 2000, false)],
  ],
  [
    'the same as JSON of the REST API',
    '{"type":"throttling policy","data":{"policyName":"Gold","defaultLimit":{"type":"REQUESTCOUNTLIMIT","requestCount":{"timeUnit":"min","unitTime":1,"requestCount":5000}},"rateLimitCount":-1,"stopOnQuotaReach":true}}',
    [tier('Gold', 5000, 'minute')],
  ],
  [
    'with a burst limit',
    apictl('Gold', quota('5000', '1', 'hour')).replace('rateLimitCount: 0', 'rateLimitCount: 100'),
    [tier('Gold', 5000, 'hour', 100)],
  ],
  [
    'a list of them, older ones',
    '{"count":2,"list":[{"policyName":"A","defaultLimit":{"type":"RequestCountLimit","timeUnit":"Minutes","unitTime":1,"requestCount":7}},{"policyName":"B","defaultLimit":{"requestCount":{"timeUnit":"day","unitTime":1,"requestCount":8}}}]}',
    [tier('A', 7, 'minute'), tier('B', 8, 'day')],
  ],
  [
    'several documents in one file',
    `${apictl('A', quota('7', '1', 'sec'))}\n---\n${apictl('B', quota('8', '1', 'days'))}`,
    [tier('A', 7, 'second'), tier('B', 8, 'day')],
  ],
  [
    'Microgateway’s lists, of which a subscription’s counts first',
    'applicationPolicies:\n- Gold:\n    count: 1\n    unitTime: 1\n    timeUnit: min\n- 50PerMin:\n    count: 50\n    unitTime: 1\n    timeUnit: min\nsubscriptionPolicies:\n- Gold:\n    count: 5000\n    unitTime: 1\n    timeUnit: min\n    stopOnQuotaReach: true\n',
    [tier('Gold', 5000, 'minute'), tier('50PerMin', 50, 'minute')],
  ],
  [
    'Microgateway’s as tables',
    'subscriptionPolicies:\n  Gold: {count: 5, unitTime: 1, timeUnit: hours}\n',
    [tier('Gold', 5, 'hour')],
  ],
  [
    'Microgateway’s, as its documents show them',
    '- 10kPerMin:\n     count: 10000\n     unitTime: 1\n     timeUnit: min\n',
    [tier('10kPerMin', 10_000, 'minute')],
  ],
  ['ten minutes that can be parted', apictl('A', quota('100', '10', 'min')), [tier('A', 10, 'minute', 100)]],
  ['ten minutes that can’t: by the hour', apictl('A', quota('5', '10', 'min')), [tier('A', 30, 'hour', 5)]],
  [
    'never in whole numbers: a little less',
    apictl('A', quota('100', '7', 'day')),
    [tier('A', 14, 'day', 100)],
  ],
  ['once in two days: once a day, at least', apictl('A', quota('1', '2', 'day')), [tier('A', 1, 'day')]],
];
for (const [words, text, tiers] of files) {
  test(`policies are read: ${words}`, () => {
    const read = readPolicyFile('p.yaml', text);
    assert.deepEqual(read.problems, []);
    assert.deepEqual(read.tiers, tiers as readonly PolicyTier[]);
  });
}

const told: readonly [words: string, text: string, problem: RegExp][] = [
  ['nothing', '', /^1 : has no throttling policy; write what API Manager exports/],
  ['another file', 'openapi: 3.0.0\ninfo: {title: x}\n', /has no throttling policy/],
  ['no YAML', '{', /^\d+ : /],
  [
    'a month',
    apictl('A', quota('5', '1', 'month')),
    /^13 data\.defaultLimit\.requestCount\.timeUnit: found "month"; write sec, min, hour or day/,
  ],
  [
    'no unit',
    apictl('A', '      requestCount: 5'),
    /timeUnit: found nothing|timeUnit: found .*; write sec, min, hour or day/,
  ],
  ['no request', apictl('A', quota('0', '1', 'min')), /requestCount: found 0; write a whole number from 1/],
  [
    'a text for a number',
    apictl('A', quota('many', '1', 'min')),
    /requestCount: found a text; write a whole number/,
  ],
  ['no period', apictl('A', quota('5', '0', 'min')), /unitTime: found 0; write a whole number from 1/],
  [
    'no name',
    apictl('', quota('5', '1', 'min')),
    /policyName: is (empty|missing); write it, for example "Gold"/,
  ],
  [
    'a flag that is none',
    apictl('A', quota('5', '1', 'min'), '  stopOnQuotaReach: maybe'),
    /stopOnQuotaReach: found .*; write true or false/,
  ],
];
for (const [words, text, problem] of told) {
  test(`policies are refused: ${words}`, () => {
    const { tiers, problems } = readPolicyFile('p.yaml', text);
    assert.deepEqual(problems.length, 1, JSON.stringify(problems));
    const [{ line, key, message } = { line: 0, key: '', message: '' }] = problems;
    assert.match(`${line} ${key}: ${message}`, problem);
    assert.ok(tiers.length <= 1);
  });
}

test('a policy that counts bytes has no limit, which is told', () => {
  const { tiers, problems, warnings } = readPolicyFile(
    'p.yaml',
    '{"policyName":"Big","defaultLimit":{"type":"BANDWIDTHLIMIT","bandwidth":{"dataAmount":5,"dataUnit":"MB","timeUnit":"min","unitTime":1}}}',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(tiers, [{ name: 'Big', limit: undefined, stopOnQuotaReach: true }]);
  assert.match(warnings[0]?.message ?? '', /"Big" counts no requests/);
});

test('half a character in a name is refused: Envoy would take nothing of a file that has it', () => {
  const { tiers, problems } = readPolicyFile(
    'p.json',
    '{"data": {"policyName": "G\\ud800", "defaultLimit": {}}}',
  );
  assert.deepEqual(tiers, []);
  assert.match(problems[0]!.message, /^has half a character in its name, "G\\ud800"/);
});
