import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Header } from '../../../src/attributes.ts';
import { type CertificateFormat, formats } from '../../../src/client-certificate/formats/table.ts';
import { asReceived } from '../../../src/client-certificate/formats/xfcc.ts';
import { writeCertificate } from '../../../src/client-certificate/outbound.ts';
import type { Config } from '../../../src/config/schema/config.ts';
import { decide } from '../../../src/enforcer.ts';
import { headersForEnforcer } from '../../../src/envoy-config/request-headers.ts';
import { writeAnswer } from '../../../src/ext-authz/answer.ts';
import type { Snapshot } from '../../../src/snapshot.ts';
import { type RequestParts, request } from '../../support/attributes.ts';
import { createAuthority, now } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { makeCredentials } from '../../truth-tables/credentials.ts';
import { apisToml, basePathOf, readTable, tokenCases } from '../../truth-tables/table.ts';

/** What Envoy's ListStringMatcher lets through: a name that is one of them, or as a whole one of the pattern. */
function sent(config: Config, headers: readonly Header[]): readonly Header[] {
  const { patterns } = headersForEnforcer(config) as {
    readonly patterns: readonly {
      readonly exact?: string;
      readonly safe_regex?: { readonly regex: string };
    }[];
  };
  return headers.filter(([name]) =>
    patterns.some(({ exact, safe_regex }) =>
      safe_regex === undefined ? exact === name : new RegExp(`^(?:${safe_regex.regex})$`).test(name),
    ),
  );
}

const others: readonly Header[] = [
  ['cookie', 'session=secret'],
  ['x-api-key', 'secret'],
  ['accept', 'text/html'],
  ['user-agent', 'curl'],
];

/** The whole answer, byte for byte, by all headers of a request and by those that Envoy sends. */
async function both(
  { config, snapshot }: { config: Config; snapshot: Snapshot },
  parts: RequestParts,
  at = now,
) {
  const headers = [...others, ...(parts.headers ?? [])];
  const answer = async (headers: readonly Header[]) => {
    const decision = await decide(request({ ...parts, headers }), snapshot, at);
    const detail = decision.outcome === 'deny' ? decision.detail : '';
    return { detail, answer: writeAnswer(decision, snapshot.answers, headers).toString('latin1') };
  };
  return { all: await answer(headers), some: await answer(sent(config, headers)) };
}

const authority = await createAuthority({ subject: 'CN=Clients' });
const rows = readTable();
const { files, certificateHeader, authorization, toml, at } = await makeCredentials(authority);
const tables = load(toml + apisToml(rows).replaceAll('BACKEND', 'http://127.0.0.1:1'), files, at);

test('every cell of the truth tables has the same answer by what Envoy sends', async () => {
  for (const row of rows)
    for (const token of tokenCases) {
      const headers = [...certificateHeader(row.certificate), ...authorization(token)];
      const { all, some } = await both(tables, { path: basePathOf(row), headers, source: '10.0.0.1' }, at);
      assert.deepEqual(some, all, `${basePathOf(row)}, certificate ${row.certificate}, token ${token}`);
    }
});

const acme = await authority.issue({ subject: 'CN=acme' });
const api = (security: string): string => `[enforcer.security.mutualSSL]
${security}
[[clients]]
alias = "acme"
file = "acme.pem"
[[apis]]
name = "n"
version = "1"
basePath = "/n"
aliases = ["acme"]
`;
const formatNames = Object.keys(formats) as CertificateFormat[];

for (const format of formatNames)
  test(`${format}: its certificate is known by what Envoy sends, its chain and hash included`, async () => {
    const loaded = load(
      api(`enableClientValidation = false\ncertificateFormat = "${format}"\ntrustedSenders = ["10.0.0.1"]`),
      {
        'acme.pem': acme.pem,
      },
    );
    const headers = writeCertificate(format, acme.der, [authority.der]).map(
      ([name, value]): Header => [asReceived(name), value],
    );
    const { all, some } = await both(loaded, { path: '/n', headers, source: '10.0.0.1' });
    assert.deepEqual(some, all);
    assert.ok(some.answer.includes('acme'), some.detail);
  });

test('sources with headers of their own, of the gateway and of an API', async () => {
  const loaded = load(
    `${api('sources = [{ header = "X-Mine", format = "percent-pem", trustedSenders = ["10.0.0.1"] }]')}[[apis]]
name = "o"
version = "1"
basePath = "/o"
aliases = ["acme"]
sources = [{ header = "X-Own", format = "haproxy", chainHeader = "X-Own-Chain", trustedSenders = ["10.0.0.2"] }]
`,
    { 'acme.pem': acme.pem },
  );
  for (const [path, source, header] of [
    ['/n', '10.0.0.1', ['x-mine', encodeURIComponent(acme.pem)]],
    ['/o', '10.0.0.2', ['x-own', Buffer.from(acme.der).toString('base64')]],
  ] as const) {
    const { all, some } = await both(loaded, { path, source, headers: [header] });
    assert.deepEqual(some, all);
    assert.ok(some.answer.includes('acme'), some.detail);
  }
  assert.equal(sent(loaded.config, [['x-own-chain', '']]).length, 1);
});

const names: readonly [name: string, isSent: boolean, why: string][] = [
  ['cookie', false, 'a secret, and nothing to us'],
  ['x-api-key', false, 'a secret, and nothing to us'],
  ['authorization', false, 'here tokens come in another header, and this one is the backend’s'],
  ['x-token', true, 'the token'],
  ['x_token', true, 'a backend may take it for the token: it is removed'],
  ['x.client.cert.alias', true, 'a backend may take it for one of ours'],
  ['x-gateway-certificate', true, 'certificates may come in it after a reload'],
  [':path', false, 'it has a field of its own'],
  [':authority', false, 'it has a field of its own'],
  ['x-request-id', true, 'what a denial is found by'],
  ['content-type', true, 'by which a denial is written for gRPC and SOAP'],
  ['x-forwarded-client-cert', true, 'the chain'],
  ['x-received-client-cert', true, 'where Envoy keeps a load balancer’s'],
];
const named = load(
  `${api('trustedSenders = ["10.0.0.1"]')}[enforcer.security.authHeader]\nauthorizationHeader = "X-Token"\n`,
  {
    'acme.pem': acme.pem,
  },
).config;
for (const [name, isSent, why] of names)
  test(`${name} is ${isSent ? 'sent' : 'not sent'}: ${why}`, () => {
    assert.equal(sent(named, [[name, 'x']]).length, isSent ? 1 : 0);
  });
