import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { matchesDns, matchesEmail, matchesPath, matchesUri } from '../../../src/apis/name-pattern.ts';
import {
  createAuthority,
  generateKeys,
  type Issued,
  type IssueOptions,
  selfSigned,
} from '../../support/certificate-authority.ts';
import { load, outcome } from '../../support/enforcer.ts';

const patterns: readonly [
  matches: (pattern: string, name: string) => boolean,
  pattern: string,
  name: string,
  fits: boolean,
][] = [
  [matchesDns, 'a.example.com', 'A.Example.Com', true],
  [matchesDns, '*.example.com', 'a.example.com', true],
  [matchesDns, '*.example.com', 'a.b.example.com', false],
  [matchesDns, '*.example.com', 'example.com', false],
  [matchesDns, '*.example.com', '.example.com', false],
  [matchesDns, '*.example.com', '*.example.com', false],
  [matchesDns, '*.example.com', 'a.example.com.evil.test', false],
  [matchesDns, 'web*.example.com', 'web1.example.com', false],
  [matchesEmail, '*@example.com', 'bot@EXAMPLE.com', true],
  [matchesEmail, '*@example.com', 'bot@evil.example.com', false],
  [matchesEmail, '*@example.com', '@example.com', false],
  [matchesEmail, 'Bot@example.com', 'bot@example.com', false],
  [matchesEmail, 'bot@*.example.com', 'bot@a.example.com', true],
  [matchesEmail, '*@example.com', 'x@evil.test@example.com', true],
  [matchesUri, 'https://example.com/t/*', 'https://example.com/t/7', true],
  [matchesUri, 'https://example.com/t/*', 'https://example.com/t/7/x', false],
  [matchesUri, 'https://example.com/t/*', 'https://example.com/t/', false],
  [matchesUri, 'https://example.com/t/*', 'https://example.com/t/..', false],
  [matchesUri, 'https://example.com/t/*', 'https://example.com/t/a%2Fb', false],
  [matchesUri, 'https://example.com/t/*', 'https://example.com/t/7?x', false],
  [matchesUri, 'https://*.example.com/t', 'https://a.example.com/t', true],
  [matchesUri, 'https://*.example.com/t', 'http://a.example.com/t', false],
  [matchesUri, 'https://example.com', 'https://example.com@evil.test', false],
  [matchesUri, 'urn:acme:1', 'urn:acme:1', true],
  [matchesUri, 'urn:acme:*', 'urn:acme:1', false],
  [matchesPath, '/ns/*/sa/web', '/ns/prod/sa/web', true],
  [matchesPath, '/ns/*/sa/web', '/ns/prod/x/sa/web', false],
];
for (const [matches, pattern, name, fits] of patterns) {
  test(`${matches.name}: ${name} ${fits ? 'fits' : 'does not fit'} ${pattern}`, async () =>
    assert.equal(matches(pattern, name), fits));
}

const ca = await createAuthority({ subject: 'CN=CA' });
const root = await createAuthority({ subject: 'CN=Root' });
const below = await createAuthority({ subject: 'CN=Below,O=Acme', parent: root });
const issue = (options: IssueOptions, by = ca): Promise<Issued> =>
  by.issue({ extendedKeyUsage: 'client', ...options });
const spkiOf = ({ der }: Issued): string =>
  createHash('sha256')
    .update(new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
const sha256Of = ({ der }: Issued): string => createHash('sha256').update(der).digest('hex');

const api = '[[apis]]\nname = "n"\nversion = "1"\nbasePath = "/n"\naliases = [ALIASES]\n';
const call = (
  clients: string,
  who: Issued,
  files: Record<string, string> = {},
  aliases = '"a"',
  at?: number,
): Promise<string> => {
  const { snapshot } = load(clients + api.replace('ALIASES', aliases), {
    'ca.pem': ca.pem,
    'root.pem': root.pem,
    'below.pem': below.pem,
    ...files,
  });
  return outcome({ path: '/n', certificate: encodeURIComponent(who.pem) }, snapshot, at);
};
/** What check-config says of clients. */
function refusal(clients: string, files: Record<string, string> = {}): string {
  try {
    load(clients + api.replace('ALIASES', '"a"'), { 'ca.pem': ca.pem, ...files });
    return 'good';
  } catch (error) {
    return (error as Error).message;
  }
}
const underCa = (lines: string): string => `[[clients]]\nalias = "a"\ncaFile = "ca.pem"\n${lines}\n`;

const acme = await issue({
  subject: 'CN=acme,O=Acme Inc',
  subjectAltNames: ['a.clients.test', 'bot@clients.test'],
});
const web = await issue({ subject: 'CN=web', subjectAltNames: ['spiffe://prod.test/ns/shop/sa/web'] });
const twoUris = await issue({
  subject: 'CN=web',
  subjectAltNames: ['spiffe://prod.test/ns/shop/sa/web', 'https://x.test/'],
});
const stranger = await selfSigned({ subject: 'CN=acme,O=Acme Inc', subjectAltNames: ['a.clients.test'] });

const rules: readonly [lines: string, who: Issued, expected: string, why: string][] = [
  ['dns = ["*.clients.test"]', acme, 'a', 'a DNS name by pattern'],
  ['dns = ["b.clients.test"]', acme, 'certificate_not_bound', 'another DNS name'],
  ['dns = ["a.clients.test"]', stranger, 'issuer_unknown', 'the right name, which nobody vouches for'],
  ['email = ["*@clients.test"]', acme, 'a', 'an e-mail address'],
  [
    'dns = ["*.clients.test"]\nemail = ["x@clients.test"]',
    acme,
    'certificate_not_bound',
    'each kind must fit',
  ],
  ['subject = "O=Acme Inc,CN=acme"', acme, 'a', 'the whole subject'],
  ['subject = "o=ACME  inc,cn=Acme"', acme, 'a', 'the same name by RFC 5280 7.1'],
  ['subject = "CN=acme,O=Acme Inc"', acme, 'certificate_not_bound', 'the order of RDNs counts'],
  ['subject = "/CN=acme/O=Acme Inc"', acme, 'a', "openssl's oneline has the first RDN first"],
  ['subject = "CN=acme"', acme, 'certificate_not_bound', 'a part of the subject is not the subject'],
  ['subject = { CN = "acme" }', acme, 'a', 'some of its attributes'],
  ['subject = { commonName = "ACME", "2.5.4.10" = "acme inc" }', acme, 'a', 'by other names'],
  ['subject = { CN = "acme", O = "Acme" }', acme, 'certificate_not_bound', 'a prefix is not the value'],
  ['subject = { cn = "acme", OU = "x" }', acme, 'certificate_not_bound', 'an attribute that is not there'],
  [`spki = ["${spkiOf(acme)}"]`, acme, 'a', 'the key'],
  [`spki = ["${spkiOf(web)}"]`, acme, 'certificate_not_bound', 'another key'],
  ['spiffe = { trustDomain = "prod.test", paths = ["/ns/*/sa/web"] }', web, 'a', 'a SPIFFE ID'],
  ['spiffe = { trustDomain = "prod.test" }', web, 'a', 'a trust domain'],
  ['spiffe = { trustDomain = "test" }', web, 'certificate_not_bound', 'another trust domain'],
  ['spiffe = { trustDomain = "prod.test" }', twoUris, 'certificate_not_bound', 'two URIs are no SVID'],
];
for (const [lines, who, expected, why] of rules) {
  test(`${lines.replaceAll('\n', ', ')}: ${expected}: ${why}`, async () =>
    assert.equal(await call(underCa(lines), who), expected));
}

const brazil = 'businessCategory=Private Organization,jurisdictionCountryName=BR';
const openFinance = await issue({
  subject: [
    'C=BR',
    'O=Banco Acme S.A.',
    '2.5.4.97=#0c184f464242522d64373338346264302d383432662d34336335',
    '1.3.6.1.4.1.311.60.2.1.3=#13024252',
    '2.5.4.15=#0c1450726976617465204f7267616e697a6174696f6e',
    '2.5.4.5=#130e3133333533323336303030313839',
    'CN=mtls.example.org',
  ].join(','),
});
const openFinanceRules: readonly [line: string, expected: string][] = [
  [
    `"CN=mtls.example.org,serialNumber=13353236000189,${brazil},organizationIdentifier=OFBBR-d7384bd0-842f-43c5,O=Banco Acme S.A.,C=BR"`,
    'a',
  ],
  [
    '"CN=mtls.example.org,2.5.4.5=#130E3133333533323336303030313839,2.5.4.15=#0c1450726976617465204f7267616e697a6174696f6e,1.3.6.1.4.1.311.60.2.1.3=#13024252,2.5.4.97=OFBBR-d7384bd0-842f-43c5,O=Banco Acme S.A.,C=BR"',
    'a',
  ],
  ['{ businessCategory = "private organization", jurisdictionC = "br" }', 'a'],
  ['{ organizationIdentifier = "OFBBR-d7384bd0-842f-43c5" }', 'a'],
  ['{ organizationIdentifier = "OFBBR-d7384bd0-842f-43c6" }', 'certificate_not_bound'],
  ['{ "2.5.4.5" = "#130e3133333533323336303030313839" }', 'a'],
];
for (const [line, expected] of openFinanceRules) {
  test(`Open Finance Brasil: ${line}: ${expected}`, async () =>
    assert.equal(await call(underCa(`subject = ${line}`), openFinance), expected));
}

const lookalikes: readonly [subject: string, expected: string, why: string][] = [
  ['CN=ACME', 'a', 'case'],
  ['CN=ac  me', 'certificate_not_bound', 'a space is one'],
  ['CN=\u00a0acme', 'certificate_not_bound', 'a no-break space'],
  ['CN=ac\u200bme', 'certificate_not_bound', 'an invisible character'],
  ['CN=\uff41cme', 'certificate_not_bound', 'a full-width letter'],
  ['CN=acm\u0435', 'certificate_not_bound', 'a letter of another script'],
];
for (const [subject, expected, why] of lookalikes) {
  test(`a subject that looks like acme: ${why}: ${expected}`, async () => {
    const leaf = await issue({ subject });
    assert.equal(await call(underCa('subject = { CN = "acme" }'), leaf), expected);
    assert.equal(await call(underCa('subject = "CN=acme"'), leaf), expected);
  });
}

test('letters beyond ASCII: neither case nor composition counts, and none is one of ASCII', async () => {
  const leaf = await issue({ subject: 'CN=S\u00c3O PAULO' });
  assert.equal(await call(underCa('subject = { CN = "sa\u0303o paulo" }'), leaf), 'a');
  const kelvin = await issue({ subject: 'CN=\u212aelvin' });
  assert.equal(await call(underCa('subject = { CN = "kelvin" }'), kelvin), 'certificate_not_bound');
});

const neverNames: readonly [lines: string, message: RegExp][] = [
  ['subject = { CNN = "acme" }', /subject\.CNN: "CNN" is no attribute that is known; there are CN, /],
  ['subject = "CNN=acme"', /subject: found "CNN=acme"; "CNN" is no attribute/],
  [
    'subject = { CN = "a", commonName = "b" }',
    /commonName: is there a second time under another of its names/,
  ],
  ['subject = "acme"', /subject: found "acme"; write a name as RFC 4514 has it/],
];
for (const [lines, message] of neverNames) {
  test(`check-config refuses ${lines}`, () => assert.match(refusal(underCa(lines)), message));
}

const never: readonly [lines: string, message: RegExp][] = [
  [
    'dns = ["https://x.example.com"]',
    /dns\[0\]: found "https:\/\/x\.example\.com"; write the host name alone, without "https:\/\/"/,
  ],
  ['dns = ["web-*.example.com"]', /dns\[0\]: .*write "\*" for the whole first label and nowhere else/],
  ['dns = ["a.*.example.com"]', /write "\*" for the whole first label and nowhere else/],
  ['dns = ["*.*.example.com"]', /write "\*" for the whole first label and nowhere else/],
  ['dns = ["**.example.com"]', /write "\*" for the whole first label and nowhere else/],
  ['dns = ["10.0.0.1"]', /write a DNS name: an address is none/],
  ['dns = ["2001:db8::1"]', /write a DNS name: an address is none/],
  ['dns = ["[::1]"]', /write a DNS name: an address is none/],
  ['dns = ["a.example.com b.example.com"]', /write it without spaces/],
  ['dns = [" a.example.com"]', /write it without spaces/],
  ['dns = ["a.example.com:8443"]', /without port and path/],
  ['dns = ["a.example.com/x"]', /without port and path/],
  ['dns = ["a.example.com."]', /without the dot at its end/],
  ['dns = [".example.com"]', /write "\*\.example\.com" for one more label/],
  ['dns = ["a..example.com"]', /write a DNS name of letters/],
  ['dns = ["bücher.example"]', /write it as certificates have it: "xn--bcher-kva\.example"/],
  ['dns = ["bot@example.com"]', /addresses of mail go into email/],
  ['dns = []', /dns: found \[\]; write at least one: a DNS name/],
  ['dns = [""]', /dns\[0\]: found ""; write a DNS name, for example/],
  ['email = ["acme"]', /email\[0\]: found "acme"; write an address, for example "bot@example\.com"/],
  ['email = ["example.com"]', /write an address, .* or "\*@example\.com" for all of a domain/],
  ['email = ["@example.com"]', /write "\*@example\.com" for all of a domain/],
  ['email = ["mailto:a@example.com"]', /without "mailto:"/],
  ['email = ["bot*@example.com"]', /write what is before the "@" in full/],
  ['email = ["Acme <a@example.com>"]', /write what is before the "@" in full/],
  ['email = ["a@mail.*.example.com"]', /write "\*" for the whole first label/],
  ['email = ["a@10.0.0.1"]', /an address is none/],
  ['email = []', /write at least one: an e-mail address/],
  ['uri = ["example.com/x"]', /uri\[0\]: .*write it with its scheme, for example "https:/],
  ['uri = ["example.com:8443/x"]', /write it with its scheme/],
  ['uri = ["//example.com/x"]', /write it with its scheme/],
  ['uri = ["https:/example.com/x"]', /write "\/\/" behind "https:"/],
  ['uri = ["spiffe:prod.test/x"]', /write "\/\/" behind "spiffe:"/],
  ['uri = ["https://"]', /write the host behind "\/\/" as well/],
  ['uri = ["https:///x"]', /write the host behind "\/\/" as well/],
  ['uri = ["urn:"]', /write all of it/],
  ['uri = ["https://example.com/a b"]', /write it without spaces/],
  ['uri = ["https://a.*.example.com/"]', /write "\*" for the whole first label/],
  ['uri = ["https://example.com/t*"]', /write "\*" for a whole segment only/],
  ['uri = ["urn:acme:*"]', /"\*" is for scheme:\/\/host\/path only/],
  ['uri = ["https://example.com/*?x=1"]', /"\*" is for scheme:\/\/host\/path only/],
  ['uri = []', /write at least one: a URI/],
  [
    'spiffe = { trustDomain = "spiffe://prod.test" }',
    /spiffe\.trustDomain: found "spiffe:\/\/prod\.test"; write the trust domain alone, in lower case: "prod\.test"$/,
  ],
  ['spiffe = { trustDomain = "Prod.Test" }', /write the trust domain alone, in lower case: "prod\.test"$/],
  ['spiffe = { trustDomain = "spiffe://prod.test/ns/x" }', /"prod\.test"; what follows it goes into paths/],
  ['spiffe = { trustDomain = "*.test" }', /write one trust domain in lower-case letters/],
  ['spiffe = { trustDomain = "prod.test:443" }', /write one trust domain/],
  ['spiffe = {}', /spiffe\.trustDomain: missing; write a trust domain/],
  [
    'spiffe = { trustDomain = "prod.test", paths = ["spiffe://prod.test/ns/x"] }',
    /paths\[0\]: .*write the path alone: "\/ns\/x"/,
  ],
  ['spiffe = { trustDomain = "prod.test", paths = ["ns/x"] }', /write it with a slash in front: "\/ns\/x"/],
  ['spiffe = { trustDomain = "prod.test", paths = ["/ns/x/"] }', /without a slash at its end/],
  ['spiffe = { trustDomain = "prod.test", paths = ["/ns/web-*"] }', /write "\*" for a whole segment only/],
  ['spiffe = { trustDomain = "prod.test", paths = ["/ns/**"] }', /write "\*" for a whole segment only/],
  ['spiffe = { trustDomain = "prod.test", paths = ["/ns//x"] }', /none of them empty/],
  ['spiffe = { trustDomain = "prod.test", paths = ["/ns/../x"] }', /none of them empty/],
  ['spiffe = { trustDomain = "prod.test", paths = [] }', /write at least one: a path/],
  [
    'spiffe = { trustDomain = "prod.test" }\nuri = ["https://x.test/"]',
    /uri: found beside spiffe, whose ID is the only URI/,
  ],
  ['subject = { CN = "" }', /subject\.CN: found ""; write a value, or leave the attribute out/],
  ['ip = ["10.0.0.1"]', /clients\[0\]\.ip: unknown key/],
  ['notAfter = 2020-01-01', /notAfter: found "2020-01-01"; write a date with time and zone, without quotes/],
  [
    'notAfter = 2025-01-01T00:00:00Z',
    /notAfter: the certificate is valid from 2026-01-01T00:00:00.000Z to 2036.* and this entry counts at another time/,
  ],
  [
    'notBefore = 2037-01-01T00:00:00Z',
    /notBefore: the certificate is valid from .* and this entry counts at another time/,
  ],
  ['certFile = "a.pem"', /certFile: unknown key; did you mean "file"\?/],
  ['thumbprint = "00"', /thumbprint: unknown key; did you mean "fingerprints"\?/],
];
for (const [lines, message] of never) {
  test(`a rule that nothing can fit is an error: ${lines}`, () =>
    assert.match(refusal(underCa(lines)), message));
}

for (const lines of [
  'dns = ["*.clients.test", "*", "host_1.example.com", "xn--bcher-kva.example"]',
  'email = ["*@clients.test", "bot@*.clients.test", "\\"a b\\"@example.com"]',
  'uri = ["https://*.example.com:8443/t/*", "urn:acme:1", "https://10.0.0.1/x", "https://example.com/?a#b", "file:///x"]',
  'spiffe = { trustDomain = "prod", paths = ["/*/sa/web"] }\nuri = ["spiffe://prod/x/sa/web"]',
])
  test(`a rule that something can fit: ${lines}`, () => assert.equal(refusal(underCa(lines)), 'good'));

test('fingerprints mean exactly these certificates, with colons or without', async () => {
  const hex = sha256Of(stranger).toUpperCase();
  for (const written of [hex, hex.match(/../g)!.join(':'), Buffer.from(hex, 'hex').toString('base64')]) {
    const clients = `[[clients]]\nalias = "a"\nfingerprints = ["${written}"]\n`;
    assert.equal(await call(clients, stranger), 'a');
    assert.equal(await call(clients, acme), 'issuer_unknown');
  }
});

test('with trustedCertPath a fingerprint needs a path as well: only a self-signed file is exempt', async () => {
  const clients = `[router.downstream.tls]\ntrustedCertPath = "root.pem"\n[[clients]]\nalias = "a"\nfingerprints = ["${sha256Of(stranger)}", "${sha256Of(acme)}"]\n`;
  assert.equal(await call(clients, stranger), 'issuer_unknown');
  assert.equal(await call(clients, acme), 'issuer_unknown');
});

test('issuer names a trusted CA, and the path must lead through it', async () => {
  const mine = await issue({ subject: 'CN=mine' }, below);
  const other = await issue({ subject: 'CN=other' }, root);
  const clients = `[router.downstream.tls]\ntrustedCertPath = "root.pem"\nintermediatesPath = "below.pem"\n[[clients]]\nalias = "a"\nissuer = "O=Acme, CN=Below"\n`;
  assert.equal(await call(clients, mine), 'a');
  assert.equal(await call(clients, other), 'certificate_not_bound');
});

test('a key alone will do under trustedCertPath, and only with a path', async () => {
  const keys = await generateKeys('P-256');
  const real = await issue({ subject: 'CN=real', keys }, root);
  const forged = await selfSigned({ subject: 'CN=real', keys });
  const clients = `[router.downstream.tls]\ntrustedCertPath = "root.pem"\n[[clients]]\nalias = "a"\nspki = ["${spkiOf(real)}"]\n`;
  assert.equal(await call(clients, real), 'a');
  assert.equal(await call(clients, forged), 'issuer_unknown');
});

test('several certificates of one alias: old and new together', async () => {
  const next = await issue({ subject: 'CN=acme' });
  const clients = '[[clients]]\nalias = "a"\nfile = "old.pem"\n[[clients]]\nalias = "a"\nfile = "new.pem"\n';
  const files = { 'old.pem': acme.pem, 'new.pem': next.pem };
  assert.deepEqual(
    [await call(clients, acme, files), await call(clients, next, files), await call(clients, web, files)],
    ['a', 'a', 'issuer_unknown'],
  );
});

test('the exact certificate comes first, then the rule, then the CA, then the order of aliases', async () => {
  const exact = '[[clients]]\nalias = "exact"\nfile = "acme.pem"\n';
  const rule = '[[clients]]\nalias = "rule"\ncaFile = "ca.pem"\ndns = ["*.clients.test"]\n';
  const all = '[[clients]]\nalias = "all"\ncaFile = "ca.pem"\n';
  const files = { 'acme.pem': acme.pem };
  assert.equal(await call(exact + rule + all, acme, files, '"all", "rule", "exact"'), 'exact');
  assert.equal(await call(exact + rule + all, acme, files, '"all", "rule"'), 'rule');
  assert.equal(await call(exact + rule + all, acme, files, '"all"'), 'all');
});

test('a certificate of a disabled alias is refused whatever else admits it', async () => {
  const all = '[[clients]]\nalias = "all"\ncaFile = "ca.pem"\n';
  const off = '[[clients]]\nalias = "off"\nfile = "acme.pem"\ndisabled = true\n';
  const files = { 'acme.pem': acme.pem };
  assert.equal(await call(all + off, acme, files, '"all"'), 'alias_disabled');
  assert.equal(await call(all + off, acme, files, '"off", "all"'), 'alias_disabled');
  assert.equal(await call(all + off, web, files, '"all"'), 'all');
});

test('unless another exact entry of the same alias is in force for it', async () => {
  const both =
    '[[clients]]\nalias = "a"\ncaFile = "ca.pem"\ndisabled = true\n[[clients]]\nalias = "a"\nfile = "acme.pem"\n';
  const files = { 'acme.pem': acme.pem };
  assert.equal(await call(both, acme, files), 'a');
  assert.equal(await call(both, web, files), 'alias_disabled');
});

test('an entry counts from its first second to its last, whatever the certificate says', async () => {
  const clients =
    '[[clients]]\nalias = "a"\nfile = "acme.pem"\nnotBefore = 2026-03-01T00:00:00Z\nnotAfter = 2026-09-01T00:00:00Z\n';
  const at = (instant: number) => call(clients, acme, { 'acme.pem': acme.pem }, '"a"', instant);
  const [from, until] = [Date.UTC(2026, 2), Date.UTC(2026, 8)];
  assert.deepEqual(await Promise.all([at(from - 1), at(from), at(until), at(until + 1)]), [
    'alias_not_current',
    'a',
    'a',
    'alias_not_current',
  ]);
});

test("an API's own client that is switched off stays out of operations that do not name it", async () => {
  const toml = `[[clients]]
alias = "everyone"
caFile = "ca.pem"
[[apis]]
name = "n"
version = "1"
basePath = "/n"
[[apis.clients]]
alias = "fired"
file = "acme.pem"
disabled = true
[[apis.clients]]
alias = "others"
caFile = "ca.pem"
[[apis.operations]]
path = "/a"
[[apis.operations]]
path = "/b"
aliases = ["others"]
[[apis.operations]]
path = "/c"
aliases = ["everyone"]
[[apis]]
name = "other"
version = "1"
basePath = "/other"
aliases = ["everyone"]
`;
  const { snapshot } = load(toml, { 'ca.pem': ca.pem, 'acme.pem': acme.pem });
  for (const path of ['/n/a', '/n/b', '/n/c'])
    assert.equal(
      await outcome({ path, certificate: encodeURIComponent(acme.pem) }, snapshot),
      'alias_disabled',
      path,
    );
  assert.equal(
    await outcome({ path: '/other', certificate: encodeURIComponent(acme.pem) }, snapshot),
    'everyone',
  );
  assert.equal(await outcome({ path: '/n/b', certificate: encodeURIComponent(web.pem) }, snapshot), 'others');
});
