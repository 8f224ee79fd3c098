import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type Explanation, explain, withLimit } from '../../../src/explain/explanation.ts';
import { attributesOf } from '../../../src/explain/request.ts';
import { toJson } from '../../../src/explain/to-json.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { now, selfSigned } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const sha256 = createHash('sha256').update(acme.der).digest('hex');
const service = '[router.rateLimit]\nservice = "limits:8081"\n';
const gold = (...lines: readonly string[]) => `[[tiers]]\nname = "Gold"\n${lines.join('\n')}\n`;
const counted = { requests: 5000, per: 'minute', burst: 5000, key: 'alias', stopOnQuotaReach: true };

const configured = (toml: string, tier: string | undefined) =>
  load(
    `${toml}[[clients]]
alias = "acme\\\\ ß"
file = "acme.pem"
${tier === undefined ? '' : `tier = "${tier}"`}
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
aliases = ["acme\\\\ ß"]
`,
    { 'acme.pem': acme.pem },
  );

async function explained(loaded: Provisioned, path: string): Promise<Explanation> {
  const asked = { method: 'GET', path, host: 'a', scheme: 'https', headers: [] };
  const client = { from: undefined, token: undefined, certificate: { leaf: acme.der, intermediates: [] } };
  const attributes = attributesOf({ ...asked, ...client }, loaded.snapshot, now);
  return withLimit(await explain(attributes, loaded.snapshot, now), loaded);
}

type Row = readonly [
  words: string,
  toml: string,
  tier: string | undefined,
  lines: readonly string[] | undefined,
  limit: object | undefined,
];
const rows: readonly Row[] = [
  ['no tier: nothing', gold(), undefined, undefined, undefined],
  [
    'the limit, and the bucket that Envoy counts it in',
    gold(),
    'Gold',
    [
      'Gold: 5000 a minute for each alias',
      'counted by each Envoy for itself, under tier "Gold", account "acme\\5C \\C3\\9F"',
    ],
    {
      tier: 'Gold',
      ...counted,
      countedBy: 'Envoy',
      bucket: { tier: 'Gold', account: 'acme\\5C \\C3\\9F' },
    },
  ],
  [
    'each certificate apart',
    gold('requests = 7', 'per = "day"', 'burst = 2', 'key = "certificate"', 'stopOnQuotaReach = false'),
    'Gold',
    [
      'Gold: 7 a day for each certificate, 2 at once, only told',
      `counted by each Envoy for itself, under tier "Gold", fingerprint "${sha256}"`,
    ],
    {
      tier: 'Gold',
      ...{ requests: 7, per: 'day', burst: 2, key: 'certificate', stopOnQuotaReach: false },
      countedBy: 'Envoy',
      bucket: { tier: 'Gold', fingerprint: sha256 },
    },
  ],
  [
    'the service, which knows no burst, and each API apart',
    gold('key = "api"') + service,
    'Gold',
    [
      'Gold: 5000 a minute for each alias at each API',
      'counted by the service at limits:8081, domain mtls-enforcer, under tier "Gold", \\account "acme\\5C \\C3\\9F", \\api "Orders", \\version "1"',
    ],
    {
      tier: 'Gold',
      ...{ requests: 5000, per: 'minute', key: 'api', stopOnQuotaReach: true },
      countedBy: { service: 'limits:8081', domain: 'mtls-enforcer' },
      bucket: { tier: 'Gold', '\\account': 'acme\\5C \\C3\\9F', '\\api': 'Orders', '\\version': '1' },
    },
  ],
  [
    'a tier without a limit',
    `${gold()}[[tiers]]\nname = "Unlimited"\n`,
    'Unlimited',
    ['Unlimited: no limit'],
    undefined,
  ],
  [
    'a tier that nobody defines, letter by letter',
    gold(),
    'gold',
    ['none: no [[tiers]] has the name "gold"'],
    undefined,
  ],
];
for (const [words, toml, tier, lines, limit] of rows)
  test(`an admission says how it is counted: ${words}`, async () => {
    const explanation = await explained(configured(toml, tier), '/orders');
    assert.deepEqual(explanation.stages.find(({ name }) => name === 'limit')?.lines, lines);
    assert.deepEqual(JSON.parse(toJson(explanation)).limit, limit);
  });

test('an API’s own client is counted at that API alone', async () => {
  const loaded = load(
    `${gold()}[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
[[apis.clients]]
alias = "acme"
file = "acme.pem"
tier = "Gold"
`,
    { 'acme.pem': acme.pem },
  );
  const { limit } = await explained(loaded, '/orders');
  assert.deepEqual(limit?.bucket, { tier: 'Gold', account: 'acme\\@Orders\\@1\\@/orders' });
});

test('a denied request is counted by nobody', async () => {
  const loaded = configured(gold(), 'Gold');
  const explanation = await explained(loaded, '/nowhere');
  assert.equal(explanation.decision.outcome, 'deny');
  assert.equal(explanation.limit, undefined);
  assert.ok(explanation.stages.every(({ name }) => name !== 'limit'));
});
