import 'reflect-metadata';
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { AuthorityKeyIdentifierExtension, SubjectKeyIdentifierExtension } from '@peculiar/x509';
import { decide } from '../../src/enforcer.ts';
import { auditAdmission, auditDenial } from '../../src/observability/audit.ts';
import { type RequestParts, request } from '../support/attributes.ts';
import {
  type Authority,
  createAuthority,
  type Issued,
  now,
  selfSigned,
} from '../support/certificate-authority.ts';
import { load } from '../support/enforcer.ts';

/** Whoever reads "I get 401" in a ticket reads one line of the log: it must say whose turn it is. */
let partner: Authority;
let renewed: Authority;
let other: Authority;
let people: Readonly<Record<string, Issued>>;
before(async () => {
  const client = (ca: Authority, subject: string, ...subjectAltNames: string[]) =>
    ca.issue({ subject, extendedKeyUsage: 'client', ...(subjectAltNames.length > 0 && { subjectAltNames }) });
  partner = await createAuthority({ subject: 'CN=Partner CA' });
  renewed = await createAuthority({ subject: 'CN=Partner CA' });
  other = await createAuthority({ subject: 'CN=Other CA' });
  people = {
    acme: await selfSigned({ subject: 'CN=acme,O=Acme', extendedKeyUsage: 'client' }),
    'acme renewed': await selfSigned({ subject: 'CN=acme,O=Acme', extendedKeyUsage: 'client' }),
    stranger: await selfSigned({ subject: 'CN=stranger', extendedKeyUsage: 'client' }),
    bob: await selfSigned({ subject: 'CN=bob', extendedKeyUsage: 'client' }),
    workload: await client(partner, 'O=SPIRE', 'spiffe://prod.example/ns/dev/sa/x', 'a.example.com'),
    'of the other CA': await client(other, 'O=SPIRE', 'spiffe://prod.example/ns/prod/sa/web'),
    'of the renewed CA': await client(renewed, 'CN=late'),
  };
});

const pem = (name: string): string => `"""${people[name]!.pem}"""`;
const start = (mutualSSL = '') =>
  load(
    `[enforcer.security.mutualSSL]
${mutualSSL}
[[clients]]
alias = "acme"
pem = ${pem('acme')}
[[clients]]
alias = "bob"
pem = ${pem('bob')}
[[clients]]
alias = "web"
caPem = """${partner.pem}"""
spiffe = { trustDomain = "prod.example", paths = ["/ns/prod/sa/*"] }
[[clients]]
alias = "others"
caPem = """${other.pem}"""
[[apis]]
name = "Billing"
version = "1"
basePath = "/billing"
aliases = ["acme", "web"]
`,
    {},
  );

async function lineOf(parts: RequestParts, mutualSSL?: string) {
  const attributes = request({ path: '/billing/x?token=secret', ...parts });
  const decision = await decide(attributes, start(mutualSSL).snapshot, now);
  return decision.outcome === 'deny'
    ? auditDenial(attributes, decision)
    : auditAdmission(attributes, decision);
}
const sent = (name: string): RequestParts => ({ certificate: encodeURIComponent(people[name]!.pem) });

const refusals: readonly [who: string, code: string, says: readonly RegExp[]][] = [
  ['bob', 'certificate_not_bound', [/it is a certificate of alias "bob", which may not call this API/]],
  [
    'workload',
    'certificate_not_bound',
    [
      /alias "web" nearly fits: its CA is right, but not spiffe = \{"trustDomain":"prod\.example","paths":\["\/ns\/prod\/sa\/\*"\]\}/,
      /this API takes "acme" \(exactly O=Acme,CN=acme, SHA-256 [0-9a-f]{16}…\), "web" \(of CN=Partner CA, spiffe = /,
    ],
  ],
  [
    'of the other CA',
    'certificate_not_bound',
    [
      /alias "others", which may not/,
      /"web" asks for what it says, but of CN=Partner CA, which is not above it/,
    ],
  ],
  ['stranger', 'issuer_unknown', [/it names itself as its issuer, and no \[\[clients\]\] file has it/]],
  [
    'acme renewed',
    'issuer_unknown',
    [
      /no \[\[clients\]\] file has it; alias "acme" has another certificate of this subject \(SHA-256 [0-9a-f]{64}\)/,
    ],
  ],
  [
    'of the renewed CA',
    'signature_invalid',
    [/known with another key: it was renewed, or somebody uses its name/],
  ],
];
for (const [who, code, says] of refusals) {
  test(`the line of a denial, ${who}: ${code}, and why`, async () => {
    const { fields } = await lineOf(sent(who));
    assert.ok('code' in fields);
    assert.equal(fields.code, code);
    for (const pattern of says) assert.match(fields.detail, pattern);
    assert.ok(fields.detail.length < 1500);
  });
}

test('the line has the request id, and the names, issuer and dates of the certificate, and no query', async () => {
  const { fields, level } = await lineOf({ ...sent('workload'), headers: [['x-request-id', 'a-1']] });
  assert.equal(level, 'info');
  const { requestId, subject, names, issuer, notBefore, notAfter, path } = fields;
  assert.deepEqual(
    { requestId, subject, names, issuer, path },
    {
      requestId: 'a-1',
      subject: 'O=SPIRE',
      names: 'uri:spiffe://prod.example/ns/dev/sa/x dns:a.example.com',
      issuer: 'CN=Partner CA',
      path: '/billing/x',
    },
  );
  assert.ok(Date.parse(notBefore!) < now && now < Date.parse(notAfter!));
});

test('a file that no CA of trustedCertPath has issued: issuer_unknown, and whose it is', async () => {
  const file = await partner.issue({ subject: 'CN=bob', extendedKeyUsage: 'client' });
  const renewed = await partner.issue({ subject: 'CN=bob', extendedKeyUsage: 'client' });
  const { snapshot } = load(
    `[router.downstream.tls]
trustedCertPath = "other.pem"
[[clients]]
alias = "bob"
file = "bob.pem"
[[clients]]
alias = "bob"
file = "renewed.pem"
[[apis]]
name = "A"
version = "1"
basePath = "/"
aliases = ["bob"]
`,
    { 'other.pem': other.pem, 'bob.pem': file.pem, 'renewed.pem': renewed.pem },
  );
  const denial = await decide(request({ certificate: encodeURIComponent(file.pem) }), snapshot, now);
  assert.ok(denial.outcome === 'deny');
  assert.equal(denial.code, 'issuer_unknown');
  assert.equal(
    denial.detail,
    'no certificate of CN=Partner CA, which CN=bob names as its issuer: alias "bob" has this very certificate, but trustedCertPath has no CA above it, and a file needs one as well',
  );
});

test('a CA renewed under its name, where certificates say which key: issuer_unknown, and that', async () => {
  const old = await createAuthority({
    subject: 'CN=CA',
    extensions: [new SubjectKeyIdentifierExtension('aa01')],
  });
  const young = await createAuthority({ subject: 'CN=CA' });
  const leaf = await young.issue({
    subject: 'CN=late',
    extendedKeyUsage: 'client',
    extensions: [new AuthorityKeyIdentifierExtension('bb02')],
  });
  const { snapshot } = load(
    `[[clients]]
alias = "a"
caPem = """${old.pem}"""
[[apis]]
name = "A"
version = "1"
basePath = "/"
aliases = ["a"]
`,
    {},
  );
  const denial = await decide(request({ certificate: encodeURIComponent(leaf.pem) }), snapshot, now);
  assert.ok(denial.outcome === 'deny');
  assert.equal(denial.code, 'issuer_unknown');
  assert.match(
    denial.detail,
    /another key of CN=CA than .*identifier bb02, known aa01\): the CA has been renewed/,
  );
});

for (const id of ['a b', 'x'.repeat(129), '', 'é', 'a"b']) {
  test(`what is no request id is not repeated: ${id.slice(0, 9)}`, async () => {
    const { fields } = await lineOf({ headers: [['x-request-id', id]] });
    assert.equal(fields.requestId, undefined);
  });
}

test('an admission has a line at level debug, with its alias', async () => {
  const { fields, level } = await lineOf(sent('acme'));
  assert.equal(level, 'debug');
  assert.ok('alias' in fields);
  assert.deepEqual([fields.alias, fields.api, fields.subject], ['acme', 'Billing', 'O=Acme,CN=acme']);
});

const headerMode =
  'enableClientValidation = false\ncertificateFormat = "ingress-nginx"\ntrustedSenders = ["127.0.0.1"]';
const twoSources = `[[enforcer.security.mutualSSL.sources]]
format = "peer"
[[enforcer.security.mutualSSL.sources]]
format = "ingress-nginx"
trustedSenders = ["127.0.0.1"]
[[enforcer.security.mutualSSL.sources]]
format = "apache"
trustedSenders = ["192.0.2.1"]
`;
const absences: readonly [why: string, mutualSSL: string, parts: () => RequestParts, says: RegExp][] = [
  [
    'nothing came',
    '',
    () => ({}),
    /^no certificate came: the TLS client presented none, or Envoy sends none \(include_peer_certificate\)$/,
  ],
  [
    'header mode, and a TLS certificate came',
    headerMode,
    () => sent('acme'),
    /no header ssl-client-cert of a trusted sender; a certificate came by TLS and is not looked at, since enableClientValidation = false/,
  ],
  [
    'header mode, and the header came under another name',
    headerMode,
    () => ({ headers: [['x-ssl-client-cert', 'x']] }),
    /; x-ssl-client-cert came and is not looked at, since no source names it$/,
  ],
  [
    'peer mode, and a header came',
    '',
    () => ({ headers: [['ssl-client-cert', 'x']] }),
    /; ssl-client-cert came and is not looked at/,
  ],
  [
    'a gateway that sends XFCC alone',
    '',
    () => ({ headers: [['x-forwarded-client-cert', 'Hash=a']] }),
    /x-forwarded-client-cert came without a certificate in the Check: set include_peer_certificate .*, or else peer = "xfcc"$/,
  ],
  [
    "the trusted sender's word for none, Apache's",
    headerMode.replace('ingress-nginx', 'apache'),
    () => ({ headers: [['ssl_client_cert', '(null)']] }),
    /^no certificate came: header ssl_client_cert of the trusted sender is \(null\): its client presented none$/,
  ],
  [
    'an empty header of the trusted sender',
    headerMode,
    () => ({ headers: [['ssl-client-cert', '']] }),
    /^no certificate came: header ssl-client-cert of the trusted sender is empty: its client presented none$/,
  ],
  [
    "an empty header of the trusted sender, and the sender's own certificate",
    twoSources,
    () => ({ ...sent('acme'), headers: [['ssl-client-cert', '']] }),
    /^no certificate came: header ssl-client-cert of the trusted sender is empty: its client presented none; a certificate came by TLS and is not looked at, since its sender is trusted for that header$/,
  ],
  [
    'none by the trusted sender, and a header that another is trusted for',
    twoSources,
    () => ({ headers: [['ssl_client_cert', '(null)']] }),
    /^no certificate came: no header ssl-client-cert of a trusted sender; ssl_client_cert came from a sender that is not trusted for it$/,
  ],
];
for (const [why, mutualSSL, parts, says] of absences) {
  test(`certificate_missing says what was looked at: ${why}`, async () => {
    const { fields } = await lineOf(parts(), mutualSSL);
    assert.ok('code' in fields);
    assert.equal(fields.code, 'certificate_missing');
    assert.match(fields.detail, says);
  });
}

const likenesses: readonly [value: (pem: string) => string, format: string | undefined][] = [
  [(text) => text.trimEnd().replaceAll('\n', ' '), 'apache'],
  [(text) => text.trimEnd().replaceAll('\n', '\t'), 'nginx'],
  [(text) => Buffer.from(text).toString('base64'), 'base64-pem'],
  [(text) => text.replaceAll(/-----.*-----|\n/g, ''), 'base64-der'],
  [(text) => `:${text.replaceAll(/-----.*-----|\n/g, '')}:`, 'rfc9440'],
  [() => 'Hash=ab;URI=x', 'xfcc'],
  [() => 'junk', undefined],
];
for (const [value, format] of likenesses) {
  test(`a header in another format: the line names ${format ?? 'none for junk'}`, async () => {
    const mode = 'enableClientValidation = false\ntrustedSenders = ["127.0.0.1"]';
    const header = ['x-wso2-client-certificate', value(people.acme!.pem)] as const;
    const { fields } = await lineOf({ headers: [header] }, mode);
    assert.ok('code' in fields);
    assert.equal(fields.code, 'header_coding_invalid');
    const named = /certificateFormat = "([^"]+)"/.exec(fields.detail)?.[1];
    assert.equal(named, format);
    assert.doesNotMatch(fields.detail, /MII|BEGIN/, 'no value of a header');
  });
}
