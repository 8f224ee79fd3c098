import 'reflect-metadata';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../src/attributes.ts';
import { withoutEffect } from '../../../src/comparison/changed-keys.ts';
import { comparisonText } from '../../../src/comparison/comparison-text.ts';
import { differences } from '../../../src/comparison/difference.ts';
import { type Compared, wholeChanges } from '../../../src/comparison/whole.ts';
import { decide } from '../../../src/enforcer.ts';
import { plainPaper } from '../../../src/observability/paper.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import type { Snapshot } from '../../../src/snapshot.ts';
import { request } from '../../support/attributes.ts';
import { createAuthority, now, selfSigned } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

const ca = await createAuthority({ subject: 'CN=Partner CA' });
const certificates = {
  acme: await selfSigned({ subject: 'CN=acme' }),
  bob: await selfSigned({ subject: 'CN=bob' }),
  globex: await ca.issue({ subject: 'CN=globex', subjectAltNames: ['globex.example.com'] }),
  late: await ca.issue({ subject: 'CN=late', notAfter: new Date(now - 1000) }),
  stranger: await selfSigned({ subject: 'CN=stranger' }),
  young: await selfSigned({ subject: 'CN=young', notBefore: new Date(now + 365 * 86_400_000) }),
};
const idp = createTokenIssuer(now);
const other = createTokenIssuer(now, { issuer: 'https://other.test' });
const files = {
  'ca.pem': ca.pem,
  'jwks.json': idp.jwks,
  'other.json': other.jwks,
  'more.json': createTokenIssuer(now, { issuer: 'https://other.test' }).jwks,
  ...Object.fromEntries(Object.entries(certificates).map(([name, { pem }]) => [`${name}.pem`, pem])),
};

const base = `[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "bob"
file = "bob.pem"
[[clients]]
alias = "late"
file = "late.pem"
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
aliases = ["acme"]
[[apis]]
name = "Accounts"
version = "1"
basePath = "/accounts"
aliases = ["acme", "partners"]
applicationSecurity = "mandatory"
scopes = ["read", "write"]
[[apis.operations]]
path = "/list"
methods = ["GET"]
[[apis.operations]]
path = "/{id}"
`;
/** Files lie in folders of their own, by the same names. */
const compared = ({ config, snapshot, tiers }: Provisioned): Compared => ({
  config,
  snapshot,
  tiers,
  contentOf: (path) => path,
});
const compare = (before: Provisioned, after: Provisioned): readonly string[] => {
  const found = {
    differences: differences(before.snapshot, after.snapshot, now),
    whole: wholeChanges(compared(before), compared(after)),
  };
  const isSame = found.differences.length + found.whole.length === 0;
  const keys = withoutEffect(before.config, after.config, isSame);
  return comparisonText({ ...found, withoutEffect: keys }, plainPaper())
    .trimEnd()
    .split('\n');
};
const header = `[enforcer.security.mutualSSL]
enableClientValidation = false
trustedSenders = ["10.0.0.1"]
`;
const orders = 'any host/orders';
const rows: readonly [
  what: string,
  change: (toml: string) => string,
  says: readonly string[],
  from?: string,
][] = [
  ['nothing', (toml) => toml, ['both decide alike']],
  [
    'an alias that is called otherwise',
    (toml) => toml.replaceAll('"acme"', '"a-c-m-e"'),
    [
      'both decide alike',
      'changed without effect on decisions: clients[0].alias, apis[0].aliases[0], apis[1].aliases[0]',
    ],
  ],
  [
    'a port, and a tier',
    (toml) =>
      `[enforcer.authService]\nport = 1\n${toml.replace('alias = "acme"', 'alias = "acme"\ntier = "Gold"')}`,
    [
      `${orders}; any host/accounts`,
      '  ~ CN=acme (alias "acme"): tier none -> "Gold"',
      'changed without effect on decisions: enforcer.authService.port',
    ],
  ],
  [
    'the tier of one who may call nothing',
    (toml) => toml.replace('alias = "bob"', 'alias = "bob"\ntier = "Gold"'),
    ['both decide alike', 'changed without effect on decisions: clients[1].tier'],
  ],
  [
    "the tier of a client under another name, who is an API's own now",
    (toml) =>
      `${toml.replace('aliases = ["acme"]', '')}mutualSSL = "off"\n`
        .replace(
          'basePath = "/orders"\n',
          'basePath = "/orders"\nclients = [{ alias = "a", file = "acme.pem", tier = "Gold" }]\n',
        )
        .replace(/mutualSSL = "off"\n$/, ''),
    [orders, '  ~ CN=acme (alias "a"): tier none -> "Gold"'],
  ],
  [
    'a tier that allows more, and one that nobody counts any more',
    (toml) => `${toml}[[tiers]]\nname = "Gold"\nrequests = 10\n[[tiers]]\nname = "Silver"\n`,
    [
      'everywhere',
      '  ~ tier "Gold": not counted -> 10 a minute for each alias',
      '  ~ tier "Silver": not counted -> 2000 a minute for each alias',
    ],
  ],
  [
    'one of a CA by his certificate, in a tier of his own',
    (toml) =>
      toml
        .replace(
          'alias = "acme"',
          'alias = "globex"\nfile = "globex.pem"\ntier = "Gold"\n[[clients]]\nalias = "acme"',
        )
        .replace('["acme", "partners"]', '["acme", "partners", "globex"]'),
    ['any host/accounts', '  ~ CN=globex (alias "globex"): tier none -> "Gold"'],
  ],
  [
    'a client more',
    (toml) => toml.replace('aliases = ["acme"]', 'aliases = ["acme", "bob"]'),
    [orders, '  + CN=bob (alias "bob") may call now, by certificate'],
  ],
  [
    'a client more, and what is watched, recorded and compared',
    (toml) =>
      `[enforcer.shadow]\nconfig = "next.toml"\n[enforcer.audit]\n[enforcer.reload]\nwatch = false\n${toml.replace('aliases = ["acme"]', 'aliases = ["acme", "bob"]')}`,
    [
      orders,
      '  + CN=bob (alias "bob") may call now, by certificate',
      'changed without effect on decisions: enforcer.reload.watch, enforcer.audit, enforcer.shadow',
    ],
  ],
  [
    'a client who has expired',
    (toml) => toml.replace('aliases = ["acme"]', 'aliases = ["acme", "late"]'),
    ['both decide alike', 'changed without effect on decisions: apis[0].aliases[1]'],
  ],
  [
    'another in place of one',
    (toml) => toml.replace('aliases = ["acme"]', 'aliases = ["bob"]'),
    [
      orders,
      '  + CN=bob (alias "bob") may call now, by certificate',
      '  - CN=acme (alias "acme") may call no more, by certificate',
    ],
  ],
  [
    'a CA in place of one of its clients',
    (toml) => toml.replace('caFile = "ca.pem"', 'caFile = "ca.pem"\ndns = ["*.example.com"]'),
    [
      'any host/accounts',
      '  + what CN=Partner CA issued with dns = ["*.example.com"] (alias "partners") may call now, by certificate',
      '  - all that CN=Partner CA issued (alias "partners") may call no more, by certificate',
    ],
  ],
  [
    'a client who is switched off',
    (toml) => toml.replace('file = "acme.pem"', 'file = "acme.pem"\ndisabled = true'),
    ['any host/orders; any host/accounts', '  - CN=acme (alias "acme") may call no more, by certificate'],
  ],
  [
    'somebody whom an entry keeps out that no API lists',
    (toml) =>
      `[[clients]]\nalias = "blocked"\ncaFile = "ca.pem"\nsubject = { CN = "globex" }\ndisabled = true\n${toml}`,
    [
      'any host/orders; any host/accounts',
      '  - what CN=Partner CA issued with subject = {"CN":"globex"} (alias "blocked") is kept out now',
    ],
  ],
  [
    'a client whose time is longer',
    (toml) => toml.replace('notAfter = 2027', 'notAfter = 2028'),
    [
      'any host/terms',
      '  + CN=stranger (alias "b"): from ever to 2027-01-01T00:00:00.000Z -> from ever to 2028-01-01T00:00:00.000Z',
    ],
    '[[apis]]\nname = "Terms"\nversion = "1"\nbasePath = "/terms"\naliases = ["b"]\n[[clients]]\nalias = "b"\nfile = "stranger.pem"\nnotAfter = 2027-01-01T00:00:00Z\n',
  ],
  [
    'a client whose certificate begins in a year',
    (toml) => toml.replace('aliases = ["acme"]', 'aliases = ["acme", "young"]'),
    [orders, '  + CN=young (alias "young") may call now, by certificate'],
    '[[clients]]\nalias = "young"\nfile = "young.pem"\n',
  ],
  [
    'a certificate that is needed no more',
    (toml) => toml.replace('aliases = ["acme"]', 'aliases = ["acme"]\nmutualSSL = "optional"'),
    [orders, '  + certificate: mandatory -> optional'],
  ],
  [
    'a scope less',
    (toml) => toml.replace('["read", "write"]', '["read"]'),
    ['any host/accounts', '  + scopes needed: read, write (all) -> read'],
  ],
  [
    'one of two scopes',
    (toml) => toml.replace('["read", "write"]', '["read", "write"]\nscopesMatch = "any"'),
    ['any host/accounts', '  + scopes needed: read, write (all) -> read, write (any)'],
  ],
  [
    'a new API',
    (toml) => `${toml}[[apis]]\nname = "Open"\nversion = "1"\nbasePath = "/open"\nmutualSSL = "off"\n`,
    ['any host/open', '  + new (was 404): everybody, with nothing'],
  ],
  [
    'an API that is gone',
    (toml) => toml.replace(/\[\[apis\]\]\nname = "Orders"[\s\S]*?(?=\[\[apis)/, ''),
    [orders, '  - no more (api_not_found): certificate mandatory ("acme")'],
  ],
  [
    'an operation that is open, in the place of one that is not',
    (toml) =>
      `${toml}[[apis.operations]]\npath = "/health"\nmutualSSL = "off"\napplicationSecurity = "off"\n`,
    [
      'any host/accounts: GET /health, other methods /health',
      '  + certificate: mandatory -> off',
      '  + access token: mandatory -> off',
    ],
  ],
  [
    'a sender more',
    (toml) => toml.replace('["10.0.0.1"]', '["10.0.0.1", "10.1.0.0/16"]'),
    [
      'any host/orders; any host/accounts',
      '  + certificate header: x-wso2-client-certificate (auto) from 10.1.0.0/16 counts now',
    ],
    header,
  ],
  [
    'an issuer with other keys in a file of the same name',
    (toml) => toml.replace('jwks.json', 'other.json'),
    [
      'any host/accounts',
      '  + tokens of https://idp.test: its keys are others, or come from elsewhere',
      '  - tokens of https://idp.test: its keys are others, or come from elsewhere',
    ],
  ],
  [
    'SHA-1',
    (toml) => `[enforcer.security.certificates]\nsha1 = true\n${toml}`,
    ['everywhere', '  + certificates with sha1: refused -> taken'],
  ],
];
for (const [what, change, says, top = ''] of rows) {
  test(`it says what becomes of ${what}`, () => {
    const [before, after] = [load(top + base, files), load(change(top + base), files)];
    assert.deepEqual(compare(before, after), says);
    // And the other way round: what let in more lets in less.
    const back = compare(after, before);
    for (const [sign, opposite] of [
      ['  + ', '  - '],
      ['  - ', '  + '],
    ] as const)
      assert.equal(
        back.filter((line) => line.startsWith(opposite)).length,
        says.filter((line) => line.startsWith(sign)).length,
        back.join('\n'),
      );
  });
}

/** mulberry32: the same pairs each time. */
function lots(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type One = <T>(key: string, of: readonly T[]) => T;

/** A small configuration by what is chosen for each key. */
function configurationBy(one: One): string {
  const asks = (key: string): string => {
    const security = one(`${key} security`, ['off', 'mandatory', 'optional']);
    const token = `${one(`${key} scopes`, ['', 'scopes = ["read"]\n', 'scopes = ["read", "write"]\n', 'scopes = ["read", "write"]\nscopesMatch = "any"\n'])}${one(`${key} keys`, ['', 'consumerKeys = ["app-1"]\n', 'consumerKeys = ["app-2"]\n'])}`;
    return `mutualSSL = "${one(`${key} mutual`, ['mandatory', 'mandatory', 'optional', 'off'])}"
aliases = ${one(`${key} aliases`, ['["acme"]', '["acme", "bob"]', '["partners"]', '["named", "acme"]', '["partners", "bob", "named"]', '["late", "bob"]'])}
applicationSecurity = "${security}"
optionalCertificate = "${one(`${key} wrong`, ['reject-wrong', 'ignore-wrong'])}"
${security === 'off' ? '' : token}`;
  };
  const operations = (key: string): string =>
    ['/a', '/{x}', '/a/{y}', '/{x}/b', '/*', '/a/b']
      .filter((path) => one(`${key} has ${path}`, [true, false]))
      .map(
        (path) =>
          `[[apis.operations]]\npath = "${path}"\n${one(`${key} methods ${path}`, ['', 'methods = ["GET"]\n', 'methods = ["GET", "PUT"]\n'])}${one(`${key} asks ${path}`, [true, false]) ? asks(`${key} ${path}`) : ''}`,
      )
      .join('');
  const tier = (alias: string): string =>
    one(`tier of ${alias}`, ['', 'tier = "Gold"\n', 'tier = "Silver"\n']);
  const api = (i: string): string =>
    one(`${i} is there`, [true, true, true, false])
      ? `[[apis]]
name = "${i}"
version = "1"
basePath = "/${i}${one(`${i} below`, ['', '', '/a'])}"
${one(`${i} hosts`, ['', '', 'hosts = ["a.test"]\n'])}${asks(i)}${one(`${i} issuers`, ['issuers = ["idp"]\n', 'issuers = ["idp", "other"]\n'])}${one(`${i} unlisted`, ['', 'unlistedOperations = "api"\n'])}${one(`${i} lists`, [true, false]) ? operations(i) : ''}`
      : '';
  return `[enforcer.security.mutualSSL]
rejectUntrustedHeader = ${one('reject', ['true', 'false'])}
${one('source', ['enableClientValidation = true', 'enableClientValidation = false\ntrustedSenders = ["10.0.0.1"]', 'enableClientValidation = false\ntrustedSenders = ["10.0.0.1", "10.0.0.2"]'])}
[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ${one('audiences', ['["https://api.test"]', '["https://api.test", "b"]', '["b"]'])}
[[enforcer.security.tokenService]]
name = "other"
issuer = "https://other.test"
jwksPath = "${one('other keys', ['other.json', 'more.json'])}"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
${tier('acme')}${one('acme', ['', 'disabled = true\n', 'notAfter = 2026-01-01T00:00:00Z\n'])}[[clients]]
alias = "bob"
file = "${one('bob', ['bob', 'globex'])}.pem"
${tier('bob')}[[clients]]
alias = "late"
file = "late.pem"
[[clients]]
alias = "partners"
caFile = "ca.pem"
${tier('partners')}[[clients]]
alias = "named"
caFile = "ca.pem"
${tier('named')}dns = ["${one('named', ['*.example.com', 'other.example.com'])}"]
[[clients]]
alias = "blocked"
caFile = "ca.pem"
subject = { CN = "globex" }
disabled = ${one('blocked', ['true', 'false', 'false'])}
[[apis]]
name = "fixed"
version = "1"
basePath = "/fixed"
mutualSSL = "off"
${api('0')}${api('1')}`;
}

test('by brute force: one choice is changed, and whoever gains or loses by it is in what is said of that place', async () => {
  const random = lots(4);
  const tokens = [
    undefined,
    idp.token({ scope: 'read' }),
    idp.token({ scope: 'write', aud: 'b' }),
    idp.token({ scope: 'read write', client_id: 'app-2' }),
    other.token({ scope: 'read' }),
  ];
  const below = ['', '/a', '/q', '/a/b', '/a/q', '/q/b', '/q/q/q'];
  const paths = ['0', '0/a', '1', '1/a'].flatMap((base) => below.map((path) => `/${base}${path}`));
  const requests = [...new Set(paths)].flatMap((path) =>
    (
      [
        ['GET', 'a.test'],
        ['POST', 'a.test'],
        ['GET', 'b.test'],
      ] as const
    ).flatMap(([method, host]) =>
      [undefined, ...Object.values(certificates)].flatMap((certificate) =>
        tokens.map((token) => ({ path, method, host, certificate, token })),
      ),
    ),
  );
  /** From each of two senders: with which tier. */
  const admits = async (snapshot: Snapshot): Promise<readonly (readonly string[])[]> => {
    const answers: (readonly string[])[] = [];
    for (const { path, method, host, certificate, token } of requests) {
      const encoded = certificate && encodeURIComponent(certificate.pem);
      const headers: readonly Header[] = [
        ...(encoded ? [['x-wso2-client-certificate', encoded] as const] : []),
        ...(token ? [['authorization', `Bearer ${token}`] as const] : []),
      ];
      const answer: string[] = [];
      for (const source of ['10.0.0.1', '10.0.0.2']) {
        const sent = request({ path, method, host, headers, source, certificate: encoded });
        const decision = await decide(sent, snapshot, now);
        answer.push(decision.outcome === 'deny' ? '-' : (decision.client?.tier ?? '+'));
      }
      answers.push(answer);
    }
    return answers;
  };
  const effects = { widening: 0, narrowing: 0, tier: 0, pairs: 0 };
  for (let pair = 0; pair < 250; pair++) {
    const chosen = new Map<string, number>();
    const by =
      (choices: ReadonlyMap<string, number>): One =>
      (key, of) => {
        const lot = choices.get(key) ?? chosen.get(key) ?? random();
        chosen.set(key, chosen.get(key) ?? lot);
        return of[Math.floor(lot * of.length)]!;
      };
    const old = configurationBy(by(new Map()));
    // Each kind of key as often as another, however many there are of it.
    const kinds = [...Map.groupBy(chosen.keys(), (key) => key.replace(/^[01] ?|\/\S*/g, '')).values()];
    const kind = kinds[pair % kinds.length]!;
    const key = kind[Math.floor(random() * kind.length)]!;
    const young = configurationBy(by(new Map([[key, random()]])));
    if (old === young) continue;
    effects.pairs++;
    const [before, after] = [load(old, files), load(young, files)];
    const found = differences(before.snapshot, after.snapshot, now);
    const whole = wholeChanges(compared(before), compared(after));
    const [were, are] = [await admits(before.snapshot), await admits(after.snapshot)];
    for (const [i, { path, method, host }] of requests.entries())
      for (const sender of [0, 1]) {
        if (were[i]![sender] === are[i]![sender]) continue;
        const [was, is] = [were[i]![sender]!, are[i]![sender]!];
        const effect = was === '-' ? 'widening' : is === '-' ? 'narrowing' : 'tier';
        effects[effect]++;
        const isThere = ({ api }: { readonly api: string }): boolean => {
          const [, where, basePath] = /^(any host|[^/]*)(\/.*)$/.exec(api)!;
          return (where === 'any host' || where === host) && `${path}/`.startsWith(`${basePath}/`);
        };
        const isSaid = [...whole, ...found.filter(({ places }) => places.some(isThere))].some(
          // Another tier may come of whatever else is said there, unless it is the only thing that changed.
          (change) => change.effect === effect || (effect === 'tier' && !/tier/.test(key)),
        );
        const said = JSON.stringify([
          whole,
          found.map(({ effect, text, places }) => [effect, text, places[0]]),
        ]);
        assert.ok(isSaid, `${key}: ${effect} of ${method} ${host}${path}, pair ${pair}: ${said}`);
      }
  }
  assert.ok(
    effects.widening > 1_000 && effects.narrowing > 1_000 && effects.tier > 1_000,
    JSON.stringify(effects),
  );
});
