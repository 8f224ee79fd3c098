import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { readDefinition } from '../../../src/definitions/readers.ts';
import { writeToml } from '../../../src/definitions/write-toml.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { tierLine } from '../../../src/provision/tiers.ts';
import { createAuthority, now } from '../../support/certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiers-'));
after(() => rmSync(folder, { recursive: true }));
const ca = await createAuthority({ subject: 'CN=CA' });
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
write('acme.pem', (await ca.issue({ subject: 'CN=acme', extendedKeyUsage: 'client' })).pem);
/** A tier of WSO2's, one that is not, and none. */
mkdirSync(join(folder, 'project', 'Client-certificates'), { recursive: true });
write(
  'project/api.yaml',
  'type: api\nversion: v4\ndata:\n  name: Petstore\n  version: 1.0.5\n  context: /petstore\n  securityScheme: [mutualssl, mutualssl_mandatory]\n',
);
write(
  'project/Client-certificates/client_certificates.yaml',
  "type: client_certificates\nversion: v4\ndata:\n  - alias: a\n    certificate: a.crt\n    tierName: Gold\n  - alias: b\n    certificate: b.crt\n    tierName: Platinum\n  - alias: c\n    certificate: c.crt\n    tierName: ''\n",
);
for (const name of ['a', 'b', 'c']) {
  const { pem } = await ca.issue({ subject: `CN=foreign ${name}`, extendedKeyUsage: 'client' });
  write(`project/Client-certificates/${name}.crt`, pem);
}

const lines = (problems: Provisioned['problems']) =>
  problems.map((problem) => problemLine({ ...problem, file: problem.file.replace(`${folder}/`, '') }));
function load(toml: string): Provisioned | readonly string[] {
  write('config.toml', toml);
  const loaded = loadConfig(join(folder, 'config.toml'), {}, now);
  return isProblems(loaded) ? lines(loaded) : loaded;
}
function good(toml: string): Provisioned {
  const loaded = load(toml);
  assert.ok('config' in loaded, String(loaded));
  return loaded;
}
write(
  'policies.yaml',
  'subscriptionPolicies:\n- Gold: {count: 7, unitTime: 1, timeUnit: hour}\n- Silver: {count: 8, unitTime: 1, timeUnit: hour}\n',
);
write('small.yaml', 'subscriptionPolicies:\n- gold: {count: 7, unitTime: 1, timeUnit: hour}\n');
write('month.yaml', 'subscriptionPolicies:\n- Gold:\n    count: 7\n    timeUnit: month\n');
write('bytes.yaml', 'policyName: Big\ndefaultLimit: {type: BANDWIDTHLIMIT}\n');
const client = (tier: string) => `[[clients]]\nalias = "acme"\nfile = "acme.pem"\ntier = "${tier}"\n`;
const tier = (name: string, more = '') => `[[tiers]]\nname = "${name}"\n${more}\n`;
const limit = { per: 'minute', key: 'alias', stopOnQuotaReach: true };

const meanings: readonly [words: string, toml: string, expected: object | undefined][] = [
  ['WSO2’s number where nothing else is written', tier('Gold'), { ...limit, requests: 5000, burst: 5000 }],
  ['as a name like 50PerMin says', tier('50PerMin'), { ...limit, requests: 50, burst: 50 }],
  ['WSO2’s name with another number', tier('Gold', 'requests = 7'), { ...limit, requests: 7, burst: 7 }],
  ['no limit', tier('Unlimited'), undefined],
  [
    'everything written',
    tier('x', 'requests = 7\nper = "day"\nburst = 2\nkey = "api"\nstopOnQuotaReach = false'),
    { requests: 7, per: 'day', burst: 2, key: 'api', stopOnQuotaReach: false },
  ],
];
for (const [words, toml, expected] of meanings)
  test(`a tier means ${words}`, () => assert.deepEqual(good(toml).tiers[0]?.limit, expected));

test('a file’s policies are tiers, and what is written beside it counts over them', () => {
  const { tiers, warnings } = good(
    `[[tiers]]\nfile = "policies.yaml"\nkey = "api"\n${tier('Gold', 'requests = 1\nper = "day"')}${client('Silver')}`,
  );
  assert.deepEqual(lines(warnings), []);
  assert.deepEqual(Object.fromEntries(tiers.map(({ name, limit }) => [name, limit])), {
    Silver: { requests: 8, per: 'hour', burst: 8, key: 'api', stopOnQuotaReach: true },
    Gold: { requests: 1, per: 'day', burst: 1, key: 'alias', stopOnQuotaReach: true },
  });
});

const counted = (name: string, requests: number) => ({
  name,
  limit: { ...limit, requests, burst: requests },
});
const gold = [counted('Gold', 5000)];
const published = [
  { name: 'Unlimited', limit: undefined },
  ...gold,
  counted('Silver', 2000),
  counted('Bronze', 1000),
  counted('Unauthenticated', 500),
  counted('DefaultSubscriptionless', 10_000),
  counted('10PerMin', 10),
  counted('20PerMin', 20),
  counted('50PerMin', 50),
  counted('10KPerMin', 10_000),
  counted('20KPerMin', 20_000),
  counted('50KPerMin', 50_000),
];

const foreign = '[[definitions]]\nkind = "choreo-connect"\npath = "project"\n';

for (const kind of ['choreo-connect', 'api-manager'] as const) {
  test(`WSO2’s tiers count beside files of ${kind}, whichever these use, without any [[tiers]]; others do not`, () => {
    const { tiers, warnings, problems } = good(`[[definitions]]\nkind = "${kind}"\npath = "project"\n`);
    assert.deepEqual(lines(problems), []);
    assert.deepEqual(tiers, published);
    assert.doesNotMatch(lines(warnings).join('\n'), /tier/i);
  });

  test(`import --from ${kind} prints the tiers that it uses, and they count as they did`, () => {
    const read = { kind, path: join(folder, 'project'), home: undefined, trustedSenders: undefined };
    const toml = writeToml(readDefinition({ ...read, backend: undefined, isImport: true }));
    assert.match(
      toml,
      /^# "Platinum" has no limit: it is none of WSO2's own tiers\. Write \[\[tiers\]\] with the file of its policy, or/m,
    );
    const { tiers, warnings } = good(toml);
    assert.deepEqual(tiers, gold);
    assert.match(lines(warnings).join('\n'), /found "Platinum", which no \[\[tiers\]\] has/);
  });
}

test('a file is told what it is read for, where it counts no requests', () => {
  assert.match(
    lines(good('[[tiers]]\nfile = "bytes.yaml"\n').warnings).join('\n'),
    /^bytes\.yaml:1: .*"Big" counts no requests, which is all that is counted here/,
  );
});

const faults: readonly [words: string, toml: string, line: RegExp][] = [
  [
    'a name of one’s own without a number',
    tier('Platinum'),
    /^config\.toml:1: tiers\[0\]\.requests: missing; write how many requests "Platinum" allows, for example requests = 5000/,
  ],
  [
    'a period without a number',
    tier('Gold', 'per = "hour"'),
    /^config\.toml:3: tiers\[0\]\.per: found without requests/,
  ],
  ['no name', '[[tiers]]\nrequests = 1\n', /^config\.toml:1: tiers\[0\]\.name: missing; write a name/],
  [
    'a file that is not there',
    '[[tiers]]\nfile = "nowhere.yaml"\n',
    /^config\.toml:2: tiers\[0\]\.file: found "nowhere\.yaml", which does not exist/,
  ],
  [
    'a file that says what can’t be counted',
    '[[tiers]]\nfile = "month.yaml"\n',
    /^config\.toml:2: tiers\[0\]\.file: found "month\.yaml", where in line 4 subscriptionPolicies\[0\]\.Gold\.timeUnit found "month"; write sec/,
  ],
  [
    'a file beside a name',
    '[[tiers]]\nname = "Gold"\nfile = "policies.yaml"\n',
    /^config\.toml:2: tiers\[0\]\.name: found beside file/,
  ],
  [
    'a file beside a number',
    '[[tiers]]\nfile = "policies.yaml"\nburst = 7\n',
    /^config\.toml:3: tiers\[0\]\.burst: found beside file/,
  ],
  [
    'no request at all',
    tier('x', 'requests = 0'),
    /^config\.toml:3: tiers\[0\]\.requests: found 0; write a whole number from 1 to 4294967295/,
  ],
  [
    'more than can be counted',
    tier('x', 'requests = 4294967296'),
    /tiers\[0\]\.requests: found 4294967296; write a whole number from 1 to/,
  ],
  ['half a request', tier('x', 'requests = 1.5'), /tiers\[0\]\.requests: found 1\.5; write a whole number/],
  [
    'a period that there is not',
    tier('x', 'requests = 1\nper = "month"'),
    /tiers\[0\]\.per: found "month"; write one of "second", "minute", "hour", "day"/,
  ],
  [
    'a key that there is not',
    tier('x', 'requests = 1\nkey = "ip"'),
    /tiers\[0\]\.key: found "ip"; write one of "alias"/,
  ],
  ['a misspelt key', tier('x', 'request = 1'), /tiers\[0\]\.request: unknown key; did you mean "requests"\?/],
  [
    'one name twice',
    tier('Gold') + tier('Gold'),
    /^config\.toml:5: tiers\[1\]\.name: found "Gold", which an entry before has/,
  ],
  [
    'two names that differ by case',
    tier('Gold') + tier('GOLD', 'requests = 1'),
    /tiers\[1\]\.name: found "GOLD", beside "Gold", of another case/,
  ],
  ['one table in place of a list', '[tiers]\nname = "Gold"\n', /write \[\[tiers\]\] above each entry/],
  [
    'a service without a port',
    '[router.rateLimit]\nservice = "ratelimit"\n',
    /^config\.toml:2: router\.rateLimit\.service: found "ratelimit"; write host and port/,
  ],
  [
    'a service as a URL',
    '[router.rateLimit]\nservice = "http://a:1"\n',
    /router\.rateLimit\.service: .*write host and port/,
  ],
  [
    'a port beyond all',
    '[router.rateLimit]\nservice = "a:65536"\n',
    /router\.rateLimit\.service: .*write host and port/,
  ],
  [
    'a certificate in clear text',
    '[router.rateLimit]\nservice = "a:1"\ncertPath = "a.pem"\nkeyPath = "a.key"\n',
    /^config\.toml:3: router\.rateLimit\.certPath: found without trustedCertPath, so that the service is spoken to in clear text/,
  ],
  [
    'a certificate without a key',
    '[router.rateLimit]\nservice = "a:1"\ntrustedCertPath = "ca.pem"\ncertPath = "a.pem"\n',
    /router\.rateLimit\.certPath: certPath and keyPath go together; write both or none/,
  ],
  [
    'no service',
    '[router.rateLimit]\nfailureMode = "deny"\n',
    /router\.rateLimit\.service: missing; write host and port/,
  ],
];
for (const [words, toml, line] of faults) {
  test(`refused: ${words}`, () => {
    const loaded = load(toml);
    assert.ok(!('config' in loaded), 'taken');
    assert.match(loaded.join('\n'), line);
    assert.equal(loaded.length, 1, loaded.join('\n'));
  });
}

const hundred = Array.from({ length: 100 }, (_, i) => tier(`t${i}`, 'requests = 1')).join('');
const warnings: readonly [words: string, toml: string, expected: readonly RegExp[]][] = [
  ['a tier that is there', client('Gold') + tier('Gold'), []],
  ['nobody is to count', client('Platinum'), []],
  [
    'a tier that nobody defines',
    client('Platinum') + tier('Gold'),
    [
      /^config\.toml:4: clients\[0\]\.tier: found "Platinum", which no \[\[tiers\]\] has: its requests have no limit; write a \[\[tiers\]\] with name = "Platinum"$/,
    ],
  ],
  [
    'one of another case',
    client('gold') + tier('Gold'),
    [
      /found "gold", which no \[\[tiers\]\] has: its requests have no limit; write "Gold", or a \[\[tiers\]\]/,
    ],
  ],
  [
    'one of WSO2’s in our own file, which does not write it',
    client('Silver') + tier('Gold'),
    [/found "Silver", which no \[\[tiers\]\] has/],
  ],
  [
    'the same at two clients: once',
    client('x') + client('x').replace('acme"', 'other"') + tier('Gold'),
    [/clients\[0\]\.tier: found "x"/],
  ],
  [
    'one of an API’s own clients',
    `${tier('Gold')}[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\n[[apis.clients]]\nalias = "acme"\nfile = "acme.pem"\ntier = "x"\n`,
    [/apis\[0\]\.clients\[0\]\.tier: found "x"/],
  ],
  [
    'one of WSO2’s that foreign files use, and one of our own of another case',
    `${tier('GOLD', 'requests = 1')}[[definitions]]\nkind = "choreo-connect"\npath = "project"\n`,
    [
      /^config\.toml:2: tiers\[0\]\.name: found "GOLD", beside "Gold", of another case: each has a limit of its own/,
      /found "Platinum", which no \[\[tiers\]\] has/,
    ],
  ],
  [
    'a policy of a file, and one of our own of another case',
    `[[tiers]]\nfile = "policies.yaml"\n${tier('SILVER', 'requests = 1')}`,
    [/^config\.toml:4: tiers\[1\]\.name: found "SILVER", beside "Silver", of another case/],
  ],
  [
    'policies of two files that differ by case',
    `[[tiers]]\nfile = "policies.yaml"\n[[tiers]]\nfile = "small.yaml"\n`,
    [/tiers\[\d\]\.file: found "(gold|Gold)", beside "(gold|Gold)", of another case/],
  ],
  ['a hundred tiers', hundred, []],
  [
    'more than Envoy is to look at for each request',
    `${hundred}${tier('Gold')}`,
    [
      /^config\.toml:1: tiers: found 101 tiers with a limit, each of which Envoy looks at for every request; write/,
    ],
  ],
  [
    'as many, which the service finds',
    `${hundred}${tier('Gold')}[router.rateLimit]\nservice = "127.0.0.1:1"\n`,
    [],
  ],
  ['a service on loopback', '[router.rateLimit]\nservice = "[::1]:1"\n', []],
  ['one that proves itself', '[router.rateLimit]\nservice = "a.test:1"\ntrustedCertPath = "ca.pem"\n', []],
  [
    'a service in clear text, over a network',
    '[router.rateLimit]\nservice = "a.test:1"\n',
    [
      /^config\.toml:2: router\.rateLimit\.service: found "a\.test:1" without trustedCertPath: aliases go there in clear/,
    ],
  ],
  [
    'a burst that the service knows nothing of',
    `${tier('Gold', 'requests = 5\nburst = 9')}[router.rateLimit]\nservice = "127.0.0.1:1"\n`,
    [/^config\.toml:4: tiers\[0\]\.burst: the service of \[router\.rateLimit\] counts in fixed windows/],
  ],
];
for (const [words, toml, expected] of warnings) {
  test(`warned about: ${words}`, () => {
    const found = lines(good(toml).warnings);
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [i, line] of expected.entries()) assert.match(found[i]!, line);
  });
}

const people: readonly [toml: string, line: string][] = [
  [tier('Gold'), 'Gold: 5000 a minute for each alias'],
  [tier('Unlimited'), 'Unlimited: no limit'],
  [
    tier('x', 'requests = 7\nper = "day"\nburst = 2\nkey = "api"\nstopOnQuotaReach = false'),
    'x: 7 a day for each alias at each API, 2 at once, only told',
  ],
];
for (const [toml, line] of people)
  test(`people read: ${line}`, () => assert.equal(tierLine(good(toml).tiers[0]!), line));

test('WSO2’s tiers count in the order config.toml, its files, what is published; and not without foreign files', () => {
  const written = `${tier('Gold', 'requests = 1')}[[tiers]]\nfile = "policies.yaml"\n`;
  const requests = ({ tiers }: Provisioned) =>
    Object.fromEntries(tiers.map(({ name, limit }) => [name, limit?.requests]));
  assert.deepEqual(requests(good(written)), { Silver: 8, Gold: 1 });
  const { Gold, Silver, Bronze } = requests(good(written + foreign));
  assert.deepEqual({ Gold, Silver, Bronze }, { Gold: 1, Silver: 8, Bronze: 1000 });
  assert.deepEqual(good(client('Gold')).tiers, []);
});

test('a number of WSO2’s that counts for config.toml’s own clients is told, whatever foreign files use', () => {
  const said = (toml: string) =>
    lines(good(toml + foreign).warnings).filter((line) => /WSO2’s number/.test(line));
  for (const [name, requests] of [
    ['Gold', 5000],
    ['Silver', 2000],
  ] as const)
    assert.deepEqual(said(client(name)), [
      `config.toml:4: clients[0].tier: found "${name}", which no [[tiers]] has: beside [[definitions]], WSO2’s number counts for it (${name}: ${requests} a minute for each alias); write a [[tiers]] with name = "${name}" and your number, or another name here`,
    ]);
  for (const toml of [client('Unlimited'), client('Platinum'), '']) assert.deepEqual(said(toml), []);
  assert.deepEqual(said(client('Gold') + tier('Gold', 'requests = 7')), []);
  assert.deepEqual(said(`${client('Gold')}[[tiers]]\nfile = "policies.yaml"\n`), []);
});
