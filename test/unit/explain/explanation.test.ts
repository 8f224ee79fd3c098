import 'reflect-metadata';
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { denials } from '../../../src/decision.ts';
import { type Explanation, explain } from '../../../src/explain/explanation.ts';
import { attributesOf, type ToldRequest } from '../../../src/explain/request.ts';
import { explanationText } from '../../../src/explain/text.ts';
import { toJson } from '../../../src/explain/to-json.ts';
import { plainPaper } from '../../../src/observability/paper.ts';
import type { Snapshot } from '../../../src/snapshot.ts';
import {
  type Authority,
  createAuthority,
  type Issued,
  now,
  selfSigned,
} from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';
import { makeCredentials } from '../../truth-tables/credentials.ts';
import { apisToml, basePathOf, readTable, tokenCases } from '../../truth-tables/table.ts';

const asked = (parts: Partial<ToldRequest>): ToldRequest => ({
  method: 'GET',
  path: '/',
  host: 'localhost',
  scheme: 'https',
  headers: [],
  from: undefined,
  certificate: undefined,
  token: undefined,
  ...parts,
});
const ask = (parts: Partial<ToldRequest>, snapshot: Snapshot, at = now): Promise<Explanation> =>
  explain(attributesOf(asked(parts), snapshot, at), snapshot, at);
const outcomeOf = ({ decision }: Explanation): string =>
  decision.outcome === 'deny'
    ? decision.code
    : (decision.client?.alias ?? (decision.token ? 'token' : 'allowed'));

const rows = readTable();
test('every cell of the truth tables is what is explained, down to its last stage', async () => {
  const credentials = await makeCredentials(await createAuthority({ subject: 'CN=Clients' }));
  const { toml, files, at, certificateHeader, authorization } = credentials;
  const { snapshot } = load(toml + apisToml(rows).replaceAll('BACKEND', 'http://127.0.0.1:1'), files, at);
  for (const row of rows)
    for (const token of tokenCases) {
      const headers = [...certificateHeader(row.certificate), ...authorization(token)];
      const explanation = await ask({ path: basePathOf(row), headers, from: '10.0.0.1' }, snapshot, at);
      const found = outcomeOf(explanation);
      const denial = denials[found as keyof typeof denials];
      const cell = denial === undefined ? '200' : `${denial.status} ${denial.number} ${found}`;
      const where = `${basePathOf(row)}, certificate ${row.certificate}, token ${token}`;
      assert.equal(cell, row.cells[token], where);
      assert.equal(explanation.stages.at(-1)!.result, cell === '200' ? 'passed' : 'refused', where);
      const ends = explanation.stages.slice(0, -1).filter(({ result }) => result === 'refused');
      assert.equal(ends.length > 0, cell !== '200', `${where}: ${ends.map(({ name }) => name).join()}`);
    }
});

let root: Authority;
let partner: Authority;
let people: Readonly<Record<string, Issued>>;
const idp = createTokenIssuer(now);
before(async () => {
  root = await createAuthority({ subject: 'CN=Root' });
  partner = await createAuthority({ subject: 'CN=Partner CA', parent: root });
  people = {
    acme: await selfSigned({ subject: 'CN=acme' }),
    bob: await selfSigned({ subject: 'CN=bob' }),
    'acme renewed': await selfSigned({ subject: 'CN=acme' }),
    stranger: await selfSigned({ subject: 'CN=A stranger' }),
    globex: await partner.issue({ subject: 'CN=globex', extendedKeyUsage: 'client' }),
    server: await partner.issue({ subject: 'CN=server', extendedKeyUsage: 'server' }),
  };
});

const config = (more = '', aliases = '["acme"]') =>
  load(
    `[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
pem = """${people.acme!.pem}"""
tier = "Gold"
[[clients]]
alias = "bob"
pem = """${people.bob!.pem}"""
[[clients]]
alias = "partners"
caPem = """${root.pem}"""
${more}
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
aliases = ${aliases}
[[apis]]
name = "Accounts"
version = "1"
basePath = "/accounts"
aliases = ["acme"]
applicationSecurity = "mandatory"
`,
    {
      'jwks.json': idp.jwks,
      ...Object.fromEntries(Object.entries(people).map(([name, { pem }]) => [`${name}.pem`, pem])),
    },
  );

const of = (name: string, ...chain: readonly Authority[]): Partial<ToldRequest> => ({
  path: '/orders',
  certificate: { leaf: people[name]!.der, intermediates: chain.map(({ der }) => der) },
});

type Says = readonly [stage: string, result: 'passed' | 'refused' | 'told', text: RegExp];
const told: readonly [
  what: string,
  parts: () => Partial<ToldRequest>,
  outcome: string,
  says: readonly Says[],
][] = [
  [
    'who it is, by what, with which tier',
    () => of('acme'),
    'acme',
    [
      ['API', 'passed', /^Orders 1, at any host, base path \/orders$/],
      ['certificate', 'told', /^CN=acme, issued by CN=acme/],
      ['path', 'passed', /trusted by itself/],
      ['alias', 'passed', /^"acme", by this very certificate; tier "Gold"$/],
      ['truth table', 'passed', /mutual TLS mandatory, application security off/],
    ],
  ],
  [
    'the whole path, up to the trusted CA, and whose certificate it is',
    () => of('globex', partner),
    'certificate_not_bound',
    [
      ['path', 'passed', /^CN=globex < CN=Partner CA < CN=Root \(trusted\)$/],
      ['alias', 'refused', /it is a certificate of alias "partners", which may not call this API/],
    ],
  ],
  [
    'a path that was tried, and why it failed',
    () => of('globex'),
    'issuer_unknown',
    [['path', 'refused', /no certificate of CN=Partner CA, which CN=globex names as its issuer/]],
  ],
  [
    'the purpose that it lacks',
    () => of('server', partner),
    'extended_key_usage_not_client',
    [
      ['certificate', 'told', /extended key usage serverAuth/],
      ['path', 'refused', /extended_key_usage_not_client: \S+ is for serverAuth$/],
    ],
  ],
  [
    'what was looked at where no certificate came',
    () => ({ path: '/orders' }),
    'certificate_missing',
    [['certificate', 'refused', /none came: the TLS client presented none/]],
  ],
  [
    'the token that was judged, and by whom it was issued',
    () => ({ ...of('acme'), path: '/accounts', token: idp.token() }),
    'acme',
    [['token', 'passed', /^of "idp", client "app-1", scopes \["orders:read"\], until 2026-06-01T00:05/]],
  ],
  [
    'what is wrong with a token',
    () => ({ ...of('acme'), path: '/accounts', token: idp.token({ exp: 1 }) }),
    'token_expired',
    [['token', 'refused', /token_expired: on 1970-01-01T00:00:01/]],
  ],
  [
    'APIs that are near',
    () => ({ path: '/nowhere' }),
    'api_not_found',
    [['API', 'refused', /there is Orders 1 at any host, base path \/orders/]],
  ],
];
for (const [what, parts, outcome, says] of told) {
  test(`it tells ${what}`, async () => {
    const explanation = await ask(parts(), config().snapshot);
    assert.equal(outcomeOf(explanation), outcome);
    for (const [name, result, text] of says) {
      const stage = explanation.stages.find((one) => one.name === name);
      assert.equal(stage?.result, result, name);
      assert.match(stage!.lines.join('\n'), text);
    }
  });
}

const mends: readonly [who: string, chain: () => readonly Authority[], before: string, after: string][] = [
  ['bob', () => [], 'certificate_not_bound', 'bob'],
  ['globex', () => [partner], 'certificate_not_bound', 'partners'],
  ['stranger', () => [], 'issuer_unknown', 'a-stranger'],
  ['acme renewed', () => [], 'issuer_unknown', 'acme'],
  ['globex', () => [], 'issuer_unknown', 'globex'],
];
for (const [who, chain, code, alias] of mends) {
  test(`the very lines that it gives admit ${who}, who was refused with ${code}`, async () => {
    const parts = of(who, ...chain());
    const { decision, change } = await ask(parts, config().snapshot);
    assert.equal(decision.outcome === 'deny' && decision.code, code);
    const toml = change!.toml.map((line) => line.replace(/"clients\/.*\.pem"/, `"${who}.pem"`));
    const at = toml.findIndex((line) => line.startsWith('aliases = '));
    const entry = toml.filter((line, i) => i !== at && !line.startsWith('#')).join('\n');
    const aliases = at === -1 ? '["acme"]' : toml[at]!.slice('aliases = '.length);
    const after = await ask(parts, config(entry, aliases).snapshot);
    assert.equal(outcomeOf(after), alias);
  });
}

test('neither text nor JSON has a token, a key, a query or the value of a header', async () => {
  const secret = 's3cr3t-value';
  for (const token of [idp.token(), `${secret}.${secret}.${secret}`, secret]) {
    const parts = {
      ...of('acme'),
      path: `/accounts?access_token=${secret}`,
      headers: [['x-wso2-client-certificate', secret]] as const,
      token,
    };
    const explanation = await ask(parts, config().snapshot);
    for (const text of [explanationText(explanation, plainPaper()), toJson(explanation)])
      for (const hidden of [secret, token.split('.').at(-1)!, people.acme!.privateKeyPem.split('\n')[1]!])
        assert.ok(!text.includes(hidden), text);
  }
});

test('lines are no longer than the paper, but for words that are; nothing acts on a terminal', async () => {
  const explanation = await ask({ ...of('globex'), host: 'a\u001b[31mb\u202e' }, config().snapshot);
  const text = explanationText(explanation, plainPaper(80));
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
  assert.match(text, /a\\u\{1b\}\[31mb\\u\{202e\}/);
  for (const line of text.split('\n')) {
    const words = line
      .trimStart()
      .replace(/^\S+ +\S+ +/, '')
      .split(' ');
    assert.ok(line.length <= 80 || words.length <= 2, line);
  }
});

test('what other requests made known of a certificate is not what is explained', async () => {
  const { snapshot } = config('', '["partners"]');
  assert.equal(outcomeOf(await ask(of('globex', partner), snapshot)), 'partners');
  const again = await ask(of('globex', partner), snapshot);
  assert.match(again.stages.find(({ name }) => name === 'path')!.lines[0]!, /< CN=Partner CA < CN=Root/);
});

test('what a path in another case may be taken for is told by its name', async () => {
  const open =
    '[[apis]]\nname = "Site"\nversion = "2"\nbasePath = "/"\nmutualSSL = "off"\noperations = [{ path = "/*" }, { path = "/close", mutualSSL = "mandatory", aliases = ["bob"] }]\n';
  const { snapshot } = config(open);
  for (const [path, text] of [
    ['/ORDERS/7', /path_ambiguous: .* is of "Orders" 1 \(\/orders\), which asks for something else/],
    ['/Close', /path_ambiguous: .* is of \/close of "Site" 2 \(\/\), which asks for something else/],
  ] as const) {
    const { stages } = await ask({ path }, snapshot);
    assert.deepEqual(
      stages.slice(1).map(({ name, result }) => [name, result]),
      [
        ['API', 'passed'],
        ['operation', 'refused'],
      ],
    );
    assert.match(stages.at(-1)!.lines.join('\n'), text);
  }
});
