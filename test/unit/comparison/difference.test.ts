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
import type { LoadedConfig } from '../../../src/provision/load-config.ts';
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
};
const idp = createTokenIssuer(now);
const other = createTokenIssuer(now, { issuer: 'https://other.test' });
const files = {
  'ca.pem': ca.pem,
  'jwks.json': idp.jwks,
  'other.json': other.jwks,
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
const compared = ({ config, snapshot }: LoadedConfig): Compared => ({
  config,
  snapshot,
  contentOf: (path) => path,
});
const compare = (before: LoadedConfig, after: LoadedConfig): readonly string[] => {
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
    ['both decide alike', 'changed without effect on decisions: enforcer.authService.port, clients[0].tier'],
  ],
  [
    'a client more',
    (toml) => toml.replace('aliases = ["acme"]', 'aliases = ["acme", "bob"]'),
    [orders, '  + CN=bob (alias "bob") may call now, by certificate'],
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

test('by brute force: whoever gains or loses anything, anywhere, is in what is said of that place', async () => {
  const random = lots(4);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const asks = (): string => {
    const security = one(['off', 'mandatory', 'optional']);
    return `mutualSSL = "${one(['mandatory', 'optional', 'off'])}"
aliases = ${one(['["acme"]', '["acme", "bob"]', '["partners"]', '["named", "acme"]', '["late", "bob"]'])}
applicationSecurity = "${security}"
optionalCertificate = "${one(['reject-wrong', 'ignore-wrong'])}"
${security === 'off' ? '' : one(['', 'scopes = ["read"]\n', 'scopes = ["read", "write"]\n', 'scopes = ["read", "write"]\nscopesMatch = "any"\n'])}${security === 'off' ? '' : one(['', 'consumerKeys = ["app-1"]\n', 'consumerKeys = ["app-2"]\n'])}${security === 'off' ? '' : one(['issuers = ["idp"]\n', 'issuers = ["idp", "other"]\n'])}`;
  };
  const operation = (): string =>
    `[[apis.operations]]\npath = "${one(['/a', '/{x}', '/a/{y}', '/{x}/b', '/*'])}"\n${one(['', 'methods = ["GET"]\n', 'methods = ["GET", "POST"]\n'])}`;
  const api = (i: number): string => {
    const some = [...new Set([operation(), operation()])];
    const paths = new Set(some.map((text) => /path = "(.*)"/.exec(text)![1]));
    const list = paths.size === some.length ? some : [];
    return random() < 0.15
      ? ''
      : `[[apis]]
name = "${i}"
version = "1"
basePath = "/${i}${one(['', '', '/a'])}"
${one(['', '', 'hosts = ["a.test"]\n'])}${asks()}${one(['', `unlistedOperations = "api"\n${list.join('')}`, list.join('')])}`;
  };
  const make = (): LoadedConfig =>
    load(
      `[enforcer.security.mutualSSL]
${one(['enableClientValidation = true', 'enableClientValidation = false\ntrustedSenders = ["10.0.0.1"]', 'enableClientValidation = false\ntrustedSenders = ["10.0.0.1", "10.0.0.2"]'])}
rejectUntrustedHeader = ${one(['true', 'false'])}
[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[enforcer.security.tokenService]]
name = "other"
issuer = "https://other.test"
jwksPath = "other.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
${one(['', 'disabled = true\n'])}[[clients]]
alias = "bob"
file = "${one(['bob', 'globex'])}.pem"
[[clients]]
alias = "late"
file = "late.pem"
[[clients]]
alias = "partners"
caFile = "ca.pem"
[[clients]]
alias = "named"
caFile = "ca.pem"
dns = ["*.example.com"]
[[apis]]
name = "fixed"
version = "1"
basePath = "/fixed"
mutualSSL = "off"
${[0, 1].map(api).join('')}`,
      files,
    );
  const tokens = [
    undefined,
    idp.token({ scope: 'read' }),
    idp.token({ scope: 'read write', client_id: 'app-2' }),
    other.token({ scope: 'read' }),
    idp.token({ exp: 1 }),
  ];
  const paths = [
    '/0',
    '/0/a',
    '/0/q',
    '/0/a/b',
    '/0/a/q',
    '/0/q/b',
    '/0/q/q/q',
    '/1',
    '/1/a',
    '/1/a/b',
    '/1/q',
    '/fixed',
  ];
  const requests = paths.flatMap((path) =>
    ['GET', 'PUT'].flatMap((method) =>
      ['a.test', 'b.test'].flatMap((host) =>
        [undefined, ...Object.values(certificates)].flatMap((certificate) =>
          tokens.map((token) => ({ path, method, host, certificate, token })),
        ),
      ),
    ),
  );
  const admits = async (snapshot: Snapshot): Promise<readonly boolean[]> => {
    const answers: boolean[] = [];
    for (const { path, method, host, certificate, token } of requests) {
      const encoded = certificate && encodeURIComponent(certificate.pem);
      const headers: readonly Header[] = [
        ...(encoded ? [['x-wso2-client-certificate', encoded] as const] : []),
        ...(token ? [['authorization', `Bearer ${token}`] as const] : []),
      ];
      let isIn = false;
      for (const source of ['10.0.0.1', '10.0.0.2'])
        isIn =
          (
            await decide(
              request({ path, method, host, headers, source, certificate: encoded }),
              snapshot,
              now,
            )
          ).outcome === 'allow' || isIn;
      answers.push(isIn);
    }
    return answers;
  };
  const effects = { widening: 0, narrowing: 0 };
  for (let pair = 0; pair < 30; pair++) {
    const [before, after] = [make(), make()];
    const [old, young] = [await admits(before.snapshot), await admits(after.snapshot)];
    const found = differences(before.snapshot, after.snapshot, now);
    const whole = wholeChanges(compared(before), compared(after));
    for (const [i, { path, method, host }] of requests.entries()) {
      if (old[i] === young[i]) continue;
      const effect = young[i] ? 'widening' : 'narrowing';
      effects[effect]++;
      const first = path.split('/')[1];
      const isSaid =
        whole.some((change) => change.effect === effect) ||
        found.some(
          (change) =>
            change.effect === effect &&
            change.places.some(
              ({ api }) =>
                api.split('/')[1] === first && (api.startsWith('any host') || api.startsWith(host)),
            ),
        );
      assert.ok(
        isSaid,
        `${effect} of ${method} ${host}${path}, pair ${pair}: ${JSON.stringify(found.map(({ text, places }) => [text, places.length]))}`,
      );
    }
  }
  assert.ok(effects.widening > 1_000 && effects.narrowing > 1_000, JSON.stringify(effects));
});
