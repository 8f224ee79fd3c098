import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Api } from '../../../src/apis/api.ts';
import { findApi, indexApis, isAnotherApi } from '../../../src/apis/api-index.ts';
import { findAsked, readOtherwise } from '../../../src/apis/asked.ts';
import { mostSpecificFirst, parseTemplate } from '../../../src/apis/operations.ts';
import { otherReading } from '../../../src/apis/request-path.ts';
import { asksNoMore, type Security } from '../../../src/apis/security.ts';
import { atOnce } from '../../../src/provision/slices.ts';
import { apiAt, security } from '../../support/apis.ts';
import { request } from '../../support/attributes.ts';
import { createAuthority } from '../../support/certificate-authority.ts';
import { load, outcome } from '../../support/enforcer.ts';
import { random, seedOf } from '../../support/random.ts';
import { createTokenIssuer } from '../../support/token-issuer.ts';

const ca = await createAuthority({ subject: 'CN=CA' });
const acme = await ca.issue({ subject: 'CN=acme' });
const idp = createTokenIssuer(0, { kid: 'k' });
const { snapshot } = load(
  `[[enforcer.security.tokenService]]
name = "idp"
issuer = "${idp.issuer}"
jwksPath = "jwks.json"
audiences = ["a"]
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "globex"
caFile = "ca.pem"
subject = { CN = "globex" }

[[apis]]
name = "site"
version = "1"
basePath = "/"
mutualSSL = "off"
[[apis]]
name = "admin"
version = "1"
basePath = "/admin"
aliases = ["acme"]
[[apis]]
name = "Staff"
version = "1"
basePath = "/Staff"
aliases = ["acme"]
[[apis]]
name = "open"
version = "1"
basePath = "/admin/Open"
mutualSSL = "off"
aliases = ["globex"]
[[apis]]
name = "mine"
version = "1"
basePath = "/admin/mine"
aliases = ["acme"]
[[apis]]
name = "theirs"
version = "1"
basePath = "/admin/theirs"
aliases = ["globex"]
[[apis]]
name = "both"
version = "1"
basePath = "/Both"
mutualSSL = "off"
[[apis]]
name = "both"
version = "2"
basePath = "/both"
aliases = ["acme"]
[[apis]]
name = "parts"
version = "1"
basePath = "/parts"
mutualSSL = "off"
operations = [{ path = "/open", methods = ["GET"] }, { path = "/closed", mutualSSL = "mandatory", aliases = ["acme"] }, { path = "/tags/{tag}", mutualSSL = "mandatory", aliases = ["acme"] }]

[[apis]]
name = "shop"
version = "1"
basePath = "/shop"
aliases = ["acme"]
operations = [
  { path = "/*", mutualSSL = "off" },
  { path = "/close", methods = ["POST"] },
  { path = "/listAll" },
  { path = "/orders/{id}" },
  { path = "/orders/{id}.Pdf", mutualSSL = "off" },
  { path = "/free/Here", mutualSSL = "off" },
  { path = "/Twice", mutualSSL = "off" },
  { path = "/twice" },
]
[[apis]]
name = "php"
version = "1"
basePath = "/php"
aliases = ["acme"]
operations = [
  { path = "/index.php/*", mutualSSL = "off" },
  { path = "/closed" },
  { path = "/report" },
  { path = "/report.pdf", mutualSSL = "off" },
  { path = "/health" },
  { path = "/health.{format}", mutualSSL = "off" },
  { path = "/logo" },
  { path = "/{name}.png", mutualSSL = "off" },
  { path = "/*", mutualSSL = "off" },
]
[[apis]]
name = "version"
version = "1.0"
basePath = "/1.0"
aliases = ["acme"]
[[apis]]
name = "version"
version = "1.0.5"
basePath = "/1.0.5"
mutualSSL = "off"
[[apis]]
name = "closed"
version = "1"
basePath = "/closed"
aliases = ["acme"]
unlistedOperations = "api"
operations = [{ path = "/theirs", aliases = ["globex"] }, { path = "/mine" }, { path = "/open", mutualSSL = "off" }]
[[apis]]
name = "tokens"
version = "1"
basePath = "/tokens"
mutualSSL = "off"
applicationSecurity = "mandatory"
scopes = ["read"]
operations = [{ path = "/*" }, { path = "/write", scopes = ["write"] }, { path = "/read", scopes = ["read"] }]
[[apis]]
name = "rest"
version = "1"
basePath = "/rest"
mutualSSL = "off"
operations = [
  { path = "/colors", methods = ["GET", "POST"] },
  { path = "/colors/{id}", methods = ["GET", "PUT", "DELETE"] },
  { path = "/colors/{id}/shades", methods = ["GET", "POST"] },
  { path = "/tags", methods = ["POST"], mutualSSL = "mandatory", aliases = ["acme"] },
  { path = "/tags/{id}", methods = ["GET", "PUT"] },
  { path = "/Secrets/{id}", mutualSSL = "mandatory", aliases = ["acme"] },
  { path = "/{any}/*" },
]
[[apis]]
name = "unlisted"
version = "1"
basePath = "/unlisted"
mutualSSL = "off"
unlistedOperations = "api"
operations = [{ path = "/Priv", methods = ["GET"] }]
`,
  { 'acme.pem': acme.pem, 'ca.pem': ca.pem, 'jwks.json': idp.jwks },
);
const certificate = encodeURIComponent(acme.pem);

const rows: readonly [method: string, path: string, who: 'acme' | 'nobody', expected: string, why: string][] =
  [
    ['GET', '/admin/users', 'nobody', 'certificate_missing', 'as it is written'],
    ['GET', '/Admin/users', 'nobody', 'path_ambiguous', 'many backends find a path whatever its case'],
    ['GET', '/%41dmin/users', 'nobody', 'path_ambiguous', 'encoded, too'],
    ['GET', '/Admin;x/users', 'nobody', 'path_ambiguous', 'and with a parameter'],
    ['GET', '/Admin%3fx', 'nobody', 'path_ambiguous', 'or a query that is none yet'],
    ['GET', '/admin%3fx', 'nobody', 'path_ambiguous', 'in lower case as well'],
    ['GET', '/admin%23x', 'nobody', 'path_ambiguous', 'or a fragment'],
    ['GET', '/adm%C4%B1n', 'nobody', 'path_ambiguous', 'a dotless i is an i to some'],
    ['GET', '/adm%C4%B0n', 'nobody', 'path_ambiguous', 'and one with a dot'],
    ['GET', '/%C5%BFtaff', 'nobody', 'path_ambiguous', 'and a long s an s'],
    ['GET', '/staff', 'nobody', 'path_ambiguous', 'the capital may be what is written'],
    ['GET', '/Staff', 'nobody', 'certificate_missing', 'which is exact as it stands'],
    ['GET', '/Admins', 'nobody', 'allowed', 'whole segments only'],
    ['GET', '/About?q=/Admin', 'nobody', 'allowed', 'a query is no path'],
    ['GET', '/About/Admin', 'nobody', 'allowed', 'nor is what follows another'],
    ['GET', '/Admin', 'acme', 'path_ambiguous', 'whoever asks'],
    ['GET', '/admin/OPEN', 'acme', 'acme', 'what asks for nothing may be what is found'],
    ['GET', '/admin/OPEN', 'nobody', 'certificate_missing', 'which opens nothing'],
    ['GET', '/admin/MINE', 'acme', 'acme', 'nor is anything gained by an API that asks for the same'],
    ['GET', '/admin/THEIRS', 'acme', 'path_ambiguous', 'but by one with other clients'],
    ['GET', '/Both', 'nobody', 'allowed', 'where both spellings are written, the exact one counts'],
    ['GET', '/both', 'nobody', 'certificate_missing', 'each of them'],
    ['GET', '/BOTH', 'nobody', 'path_ambiguous', 'a third may be either'],
    ['GET', '/Parts/open', 'nobody', 'allowed', 'an operation of another API that asks for the same'],
    ['GET', '/Parts/closed', 'nobody', 'path_ambiguous', 'one that does not'],
    ['GET', '/Parts/none', 'nobody', 'path_ambiguous', 'what the other API does not list'],
    ['POST', '/Parts/open', 'nobody', 'path_ambiguous', 'nor by this method'],

    ['GET', '/index.php/admin', 'nobody', 'path_ambiguous', 'a front controller answers for all paths'],
    ['GET', '/a/Index.php/Admin', 'nobody', 'allowed', 'below its own folder'],
    ['GET', '/shop/index.php/listAll', 'nobody', 'path_ambiguous', 'below a base path'],
    ['GET', '/shop/orders/7/index.php', 'nobody', 'path_ambiguous', 'or as the index of a folder'],
    ['GET', '/shop/index.php/x', 'nobody', 'allowed', 'and elsewhere is as good as another'],
    ['GET', '/php/index.php/closed', 'nobody', 'allowed', 'where it is written, it is exact'],

    ['GET', '/admin.json', 'nobody', 'path_ambiguous', 'by an extension some let clients say the format'],
    ['GET', '/Admin.tar.gz?x.y', 'nobody', 'path_ambiguous', 'be it of two'],
    ['GET', '/admin%252e/', 'nobody', 'path_ambiguous', 'or of nothing'],
    ['GET', '/admin/mine.json', 'acme', 'acme', 'one that asks for the same'],
    ['GET', '/admin/open.json', 'nobody', 'certificate_missing', 'or for less'],
    ['GET', '/parts.json', 'nobody', 'allowed', 'nothing is listed there'],
    ['GET', '/x/1.0.5/pets.json', 'nobody', 'allowed', 'nothing is closed there'],
    ['GET', '/x/admin.json/y?z=/admin.json', 'nobody', 'allowed', 'at the end of the path alone'],
    ['GET', '/.admin', 'nobody', 'allowed', 'a name that begins with a dot has none'],
    ['GET', '/1.0.5', 'nobody', 'allowed', 'a base path is exact as it is written'],
    ['GET', '/1.0', 'nobody', 'certificate_missing', 'each of them'],
    ['GET', '/1.0.4', 'nobody', 'path_ambiguous', 'and another may be it'],
    ['POST', '/shop/close.json', 'nobody', 'path_ambiguous', 'an operation'],
    ['GET', '/shop/close.json', 'nobody', 'path_ambiguous', 'by whatever method'],
    ['GET', '/shop/listall.a.b', 'nobody', 'path_ambiguous', 'in whatever case'],
    ['GET', '/shop/free/here.json', 'nobody', 'allowed', 'one that is open'],
    ['GET', '/shop/orders/7.json', 'acme', 'acme', 'an id may have one'],
    ['GET', '/shop/orders/7.Pdf', 'nobody', 'allowed', 'or be written with one'],
    ['GET', '/php/report.pdf', 'nobody', 'allowed', 'as may the whole'],
    ['GET', '/php/report.xml', 'nobody', 'path_ambiguous', 'which is exact as it stands'],
    ['GET', '/php/health.json', 'nobody', 'allowed', 'any of them'],
    ['GET', '/php/logo.png', 'nobody', 'allowed', 'or any name with it'],
    ['GET', '/php/logo.png.jpg', 'nobody', 'path_ambiguous', 'and no other'],

    ['GET', '/%2561dmin/users', 'nobody', 'path_ambiguous', 'what is encoded twice, some decode twice'],
    ['GET', '/admin%252fusers', 'nobody', 'path_ambiguous', 'slashes as well'],
    ['GET', '/x/%252e%252e/admin', 'nobody', 'path_ambiguous', 'and dots, wherever that leads'],
    ['GET', '/x/%25%32e%252e/admin', 'nobody', 'path_ambiguous', 'however they are written'],
    ['GET', '/x/.%ff./admin', 'nobody', 'path_ambiguous', 'or what is left out between them'],
    ['GET', '/x/..%3fy', 'nobody', 'path_ambiguous', 'or what cuts them off'],
    ['GET', '/x/..%252fadmin', 'nobody', 'path_ambiguous', 'or the slash behind them'],
    ['GET', '/x/a%2e%2eb/.%2ex/y', 'nobody', 'allowed', 'where they are no segment they are a name'],
    ['GET', '/admin%253fx', 'nobody', 'path_ambiguous', 'and it ends where it does only then'],
    ['GET', '/%2541dmin%253bx%3fx', 'nobody', 'path_ambiguous', 'together with all else'],
    ['GET', '/shop/%256cistAll', 'nobody', 'path_ambiguous', 'an operation'],
    ['GET', '/shop/order%2573/7', 'nobody', 'path_ambiguous', 'with a name in it'],
    ['GET', '/a%2520b%252fc', 'nobody', 'allowed', 'where it leads nowhere, it is a name encoded twice'],
    ['GET', '/shop/orders/a%2520b', 'acme', 'acme', 'an id as well'],
    ['GET', '/parts/tags/50%25ab', 'acme', 'acme', 'or one with a percent sign'],
    ['DELETE', '/rest/colors/a%252fshades', 'nobody', 'allowed', 'or a slash, by a method that is not there'],
    ['GET', '/%25ad/100%25', 'nobody', 'allowed', 'what is no UTF-8 then is nothing'],
    ['GET', '/admin%25ff/users', 'nobody', 'path_ambiguous', 'unless that is left out'],

    ['GET', '/admin%ff/users', 'nobody', 'path_ambiguous', 'what is no UTF-8 is left out by some'],
    ['GET', '/ad%80min/users', 'nobody', 'path_ambiguous', 'wherever it stands'],
    ['GET', '/%c0Admin%3fx', 'nobody', 'path_ambiguous', 'together with all else'],
    ['GET', '/caf%e9/users%ff', 'nobody', 'allowed', 'and where it leads nowhere, it is a letter of Latin-1'],
    ['GET', '/admin/users%ff', 'nobody', 'certificate_missing', 'be it of what is closed'],
    ['GET', '/admin/mine%ff', 'acme', 'acme', 'or of one that asks for the same'],
    ['GET', '/admin/theirs%ff', 'acme', 'path_ambiguous', 'but not of one with other clients'],

    ['POST', '/shop/close', 'nobody', 'certificate_missing', 'an operation as it is written'],
    ['POST', '/shop/CLOSE', 'nobody', 'path_ambiguous', 'not by the broader one'],
    ['POST', '/shop/%43lose/', 'nobody', 'path_ambiguous', 'encoded'],
    ['POST', '/shop/close%3f', 'nobody', 'path_ambiguous', 'with what may be a query'],
    ['POST', '/shop/Close%3Fx', 'nobody', 'path_ambiguous', 'all at once'],
    ['POST', '/shop/closed%3f', 'nobody', 'allowed', 'which is one sign of many in another name'],
    ['GET', '/shop/CLOSE', 'nobody', 'path_ambiguous', 'whose path decides for all methods'],
    ['GET', '/shop/listall', 'nobody', 'path_ambiguous', 'the capital may be what is written'],
    ['GET', '/shop/listAll', 'acme', 'acme', 'which is exact as it stands'],
    ['GET', '/SHOP/close', 'nobody', 'path_ambiguous', 'an operation below a base path in capitals'],
    ['GET', '/shop/orders/ABC', 'acme', 'acme', 'ids have the case that they have'],
    ['GET', '/parts/tags/%23AB', 'acme', 'acme', 'and the signs that they have'],
    ['GET', '/parts/tags/%3Fab', 'acme', 'acme', 'be they a question'],
    ['GET', '/parts/tags/%3Bab', 'acme', 'path_ambiguous', 'but a parameter is dropped by many'],
    ['GET', '/shop/orders/Abc', 'nobody', 'certificate_missing', 'and are closed'],
    ['GET', '/shop/ORDERS/Abc', 'nobody', 'path_ambiguous', 'beside a name that has not'],
    ['GET', '/shop/orders/A.Pdf', 'nobody', 'allowed', 'text around a {name} counts as well'],
    ['GET', '/shop/orders/A.pdf', 'acme', 'acme', 'what the other spelling leads to is open'],
    ['GET', '/shop/FREE/here', 'nobody', 'allowed', 'operations that ask for the same'],
    ['GET', '/shop/Twice', 'nobody', 'allowed', 'both spellings are written: the exact one counts'],
    ['GET', '/shop/twice', 'nobody', 'certificate_missing', 'each of them'],
    ['GET', '/shop/TWICE', 'nobody', 'path_ambiguous', 'a third may be either'],

    ['GET', '/closed/Theirs', 'acme', 'path_ambiguous', 'by the API as a whole, with other clients'],
    ['GET', '/closed/Mine', 'acme', 'acme', 'with the same'],
    ['GET', '/closed/Open', 'acme', 'acme', 'with none'],
    ['GET', '/tokens/WRITE', 'nobody', 'path_ambiguous', 'other scopes'],
    ['GET', '/tokens/READ', 'nobody', 'token_missing', 'the same'],

    ['DELETE', '/rest/colors/%23ff0000', 'nobody', 'allowed', 'an id, below what has not this method'],
    ['PUT', '/rest/colors/%3fff0000', 'nobody', 'allowed', 'with either sign'],
    ['POST', '/rest/colors/C%23/shades', 'nobody', 'allowed', 'within the path'],
    [
      'GET',
      '/rest/tags/%23one',
      'nobody',
      'path_ambiguous',
      'but what is closed by another method is closed',
    ],
    ['GET', '/shop/close%3f', 'nobody', 'path_ambiguous', 'be it found by the broader one'],
    ['GET', '/rest/Secrets/%23', 'nobody', 'certificate_missing', 'as it is written'],
    [
      'GET',
      '/rest/secrets/%23',
      'nobody',
      'path_ambiguous',
      'a sign at the end hides no other case before it',
    ],
    ['GET', '/rest/secrets/%3fx', 'nobody', 'path_ambiguous', 'be it a question'],
    ['GET', '/admins%3f/x', 'nobody', 'allowed', 'nor is it the end of a base path'],
    [
      'POST',
      '/unlisted/priv',
      'nobody',
      'path_ambiguous',
      'what is listed in another case, and not for this',
    ],
  ];
for (const [method, path, who, expected, why] of rows) {
  test(`${method} ${path} by ${who}: ${expected}: ${why}`, async () => {
    const parts = { method, path, certificate: who === 'acme' ? certificate : '' };
    assert.equal(await outcome(parts, snapshot), expected);
  });
}

test('a route that names the API is held to the same', async () => {
  const contextExtensions = { vHost: '*', basePath: '/', version: '1' };
  assert.equal(await outcome({ path: '/x', contextExtensions }, snapshot), 'allowed');
  assert.equal(await outcome({ path: '/Admin', contextExtensions }, snapshot), 'path_ambiguous');
});

test('unless it names it in spite of the path', async () => {
  const contextExtensions = { name: 'site', version: '1' };
  assert.equal(await outcome({ path: '/admin', contextExtensions }, snapshot), 'allowed');
  const other = { ...contextExtensions, name: 'open' };
  assert.equal(await outcome({ path: '/Admin', contextExtensions: other }, snapshot), 'allowed');
});

const at = (basePath: string, security: string, ...hosts: readonly string[]): string =>
  `[[apis]]\nname = "${basePath}"\nversion = "1"\nbasePath = "${basePath}"\n${security}\nhosts = ${JSON.stringify(hosts)}\n`;
const sharing = load(
  `[[clients]]\nalias = "acme"\nfile = "acme.pem"\n${[
    at('/', 'mutualSSL = "off"', 'a.test', 'b.test', '*.wild.test'),
    at('/Orders', 'aliases = ["acme"]', 'a.test'),
    at('/pay', 'aliases = ["acme"]', 'b.test', '*.wild.test'),
  ].join('')}`,
  { 'acme.pem': acme.pem },
).snapshot;
const shared: readonly [host: string, path: string, expected: string, why: string][] = [
  ['a.test', '/orders', 'path_ambiguous', 'the host that the route names'],
  ['a.test', '/PAY', 'allowed', 'where this is none'],
  ['b.test', '/orders', 'allowed', 'what another host has is nothing here'],
  ['b.test', '/Orders%3f', 'allowed', 'nor cut'],
  ['b.test', '/PAY', 'path_ambiguous', 'but what this one has'],
  ['b.test', '/pay%3f', 'path_ambiguous', 'cut as well'],
  ['B.test.:8443', '/PAY', 'path_ambiguous', 'however the host is written'],
  ['x.wild.test', '/PAY', 'path_ambiguous', 'one below a wildcard'],
  ['x.wild.test', '/orders', 'allowed', 'and nothing else'],
  ['c.test', '/orders', 'path_ambiguous', 'of a host that nobody knows the route’s word counts'],
  ['b.test:1:1', '/orders', 'path_ambiguous', 'as of one that each reader sees otherwise'],
];
for (const [host, path, expected, why] of shared) {
  test(`${host}${path} by a route that hosts share: ${expected}: ${why}`, async () => {
    const contextExtensions = { vHost: 'a.test', basePath: '/', version: '1' };
    assert.equal(await outcome({ host, path, contextExtensions }, sharing), expected);
  });
}

test('equal lists of clients are one, of whichever API or operation', () => {
  const { apis } = load(
    `[[clients]]
alias = "a"
fingerprints = ["${'aa'.repeat(32)}"]
[[clients]]
alias = "b"
fingerprints = ["${'bb'.repeat(32)}"]
disabled = true
[[apis]]
name = "first"
version = "1"
basePath = "/first"
aliases = ["a", "b"]
[[apis]]
name = "second"
version = "1"
basePath = "/second"
aliases = ["A", "b"]
operations = [{ path = "/x", aliases = ["a", "b"] }, { path = "/y", aliases = ["b", "a"] }]
`,
    {},
  ).snapshot.apis;
  const [first, second] = apis;
  assert.equal(second!.security.clients, first!.security.clients);
  const [x, y] = second!.operations!;
  assert.equal(x!.security.clients, first!.security.clients);
  assert.notEqual(y!.security.clients, first!.security.clients);
  assert.deepEqual([...y!.security.clients.exact.keys()], [...x!.security.clients.exact.keys()].reverse());
});

test('of very many spellings of one base path none is looked into', async () => {
  const spellings = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      [...'abcde'].map((letter, k) => (((i + 1) >> k) & 1 ? letter.toUpperCase() : letter)).join(''),
    );
  const open = (basePath: string) =>
    `[[apis]]\nname = "n${basePath}"\nversion = "1"\nbasePath = "/${basePath}"\nmutualSSL = "off"\n`;
  const among = (count: number) => load(['', ...spellings(count)].map(open).join(''), {}).snapshot;
  assert.equal(await outcome({ path: '/abcde/x' }, among(16)), 'allowed');
  assert.equal(await outcome({ path: '/abcde/x' }, among(17)), 'path_ambiguous');
  assert.equal(await outcome({ path: '/Abcde/x' }, among(17)), 'allowed', 'but for the exact one');
});

test('of a very long path that can be read in very many ways none is looked into', async () => {
  const manyWays = (times: number) => `/x/index.php${'/%ff%2541%3f'.repeat(times)}/a.b.c`;
  assert.equal(await outcome({ path: manyWays(500) }, snapshot), 'allowed');
  assert.equal(await outcome({ path: manyWays(4_000) }, snapshot), 'path_ambiguous');
  assert.equal(await outcome({ path: `/x${'/a'.repeat(29_000)}.b.c` }, snapshot), 'allowed', 'but for a few');
});

test('however many operations there are of a template, and however long the path, it is taken apart once', async () => {
  const methods = Array.from({ length: 1_500 }, (_, i) =>
    i.toString(2).padStart(12, '0').replaceAll('0', 'A'),
  );
  const operations = methods.map((method) => `{ path = "/*", methods = ["${method.replaceAll('1', 'B')}"] }`);
  const spelled = methods.map((method) => {
    const path = method.replaceAll('1', 'a').replaceAll('A', (_, at: number) => 'bcdefghijklm'[at]!);
    return `{ path = "/${path}", methods = ["POST"] }`;
  });
  const { snapshot } = load(
    `[[apis]]\nname = "n"\nversion = "1"\nbasePath = "/n"\nmutualSSL = "off"\noperations = [${operations}]
[[apis]]\nname = "m"\nversion = "1"\nbasePath = "/m"\nmutualSSL = "off"\noperations = [{ path = "/*" },${spelled}]\n`,
    {},
  );
  const method = 'A'.repeat(12);
  const paths = [`/n${'/a'.repeat(28_000)}.b.c`, '/m/bcdefghijklm%3f'];
  for (const path of paths) await outcome({ path, method }, snapshot);
  // Of the processor's time, which the system tells by the tick.
  const began = process.threadCpuUsage();
  for (const path of paths) for (let i = 0; i < 5; i++) await outcome({ path, method }, snapshot);
  const { user, system } = process.threadCpuUsage(began);
  assert.ok(user + system < 500_000, `${(user + system) / 10_000} ms each`);
});

test('a faulty API is not reached with an extension either', async () => {
  const good = load(
    '[[apis]]\nname = "site"\nversion = "1"\nbasePath = "/"\nmutualSSL = "off"\n[[apis]]\nname = "admin"\nversion = "1"\nbasePath = "/admin"\naliases = []\nmutualSSL = "off"\n',
    {},
  ).snapshot;
  const apis = [...good.apis.byNameAndVersion.values()].flat();
  const { index } = atOnce(
    indexApis(apis.map((api) => (api.name === 'admin' ? { ...api, fault: 'f' } : api))),
  );
  assert.equal(await outcome({ path: '/admin' }, { ...good, apis: index }), 'api_misconfigured');
  assert.equal(await outcome({ path: '/admin.json' }, { ...good, apis: index }), 'path_ambiguous');
});

test('what two ask for is compared once', () => {
  const listed = new Map(['a', 'b'].map((sha256) => [sha256, []]));
  let reads = 0;
  const counted = (): Security => ({
    ...security,
    mutualSsl: 'mandatory',
    clients: {
      ...security.clients,
      get exact() {
        reads++;
        return new Map(listed);
      },
    },
  });
  const [a, b] = [counted(), counted()];
  assert.equal(asksNoMore(a, b), true);
  const once = reads;
  assert.equal(asksNoMore(a, b), true);
  assert.equal(reads, once);
  assert.equal(asksNoMore(a, { ...b, clients: { ...security.clients, exact: new Map() } }), false);
  assert.equal(asksNoMore(a, b), true);
});

const seed = seedOf(process.env.SEED);
const { below, of } = random(seed);

const kinds: readonly Security[] = [
  { ...security, mutualSsl: 'off' },
  { ...security, mutualSsl: 'mandatory' },
  { ...security, mutualSsl: 'optional' },
];
const anyCase = (text: string): string =>
  text.replace(/[a-z]/g, (letter) => (below(3) === 0 ? letter.toUpperCase() : letter));
const anySpelling = (path: string): string =>
  anyCase(path).replace(/[A-Za-z]/g, (letter) =>
    below(8) === 0 ? `%${letter.charCodeAt(0).toString(16)}` : letter,
  );
const pathOf = (segments: readonly string[], most: number): string =>
  Array.from({ length: below(most + 1) }, () => `/${of(segments)}`).join('');

type Written = {
  readonly basePath: string;
  readonly kind: Security;
  readonly servesUnlisted: boolean;
  readonly operations: readonly { readonly path: string; readonly kind: Security }[];
};
const unique = <T>(all: readonly T[], key: (one: T) => string): readonly T[] => [
  ...new Map(all.map((one) => [key(one), one])).values(),
];
/** No two paths of it differ by case alone. */
const anyApis = (): readonly Written[] =>
  unique(
    Array.from({ length: 1 + below(5) }, () => ({
      basePath: pathOf(['a', 'b'], 2),
      kind: of(kinds),
      servesUnlisted: below(2) === 0,
      operations: unique(
        Array.from({ length: below(4) }, () => ({
          path: pathOf(['a', 'b', '{x}', 'a{x}'], 2) + of(['', '/*']) || '/',
          kind: of(kinds),
        })),
        ({ path }) => path,
      ),
    })),
    ({ basePath }) => basePath,
  );

const indexOf = (written: readonly Written[]) =>
  atOnce(
    indexApis(
      written.map(
        ({ basePath, kind, servesUnlisted, operations }): Api => ({
          ...apiAt({ name: basePath, version: '1', hosts: ['*'], basePath }),
          security: kind,
          servesUnlisted,
          operations:
            operations.length === 0
              ? undefined
              : mostSpecificFirst(
                  operations.map(({ path, kind }) => ({
                    ...parseTemplate(path),
                    methods: undefined,
                    security: kind,
                  })),
                ),
        }),
      ),
    ),
  ).index;

/** What the request is judged by, and whether it is refused for another reading; undefined: it is not there. */
function judged(path: string, index: ReturnType<typeof indexOf>) {
  const attributes = request({ path });
  const api = findApi(attributes, index);
  if (api === undefined) return undefined;
  const reading = otherReading(path);
  if (isAnotherApi(attributes, reading, api, index)) return 'another API';
  const asked = findAsked(api, attributes);
  if (typeof asked === 'string') return undefined;
  return {
    by: asked.security,
    isRefused: readOtherwise(attributes, reading, index, { api, asked }) !== undefined,
  };
}

test(`what is admitted in any spelling asks for no less than all of it in lower case (SEED=${seed})`, () => {
  const met = { refused: 0, admitted: 0 };
  for (let round = 0; round < 3_000; round++) {
    const written = anyApis();
    const inCapitals = indexOf(
      written.map((api) => ({
        ...api,
        basePath: anyCase(api.basePath),
        operations: api.operations.map(({ path, kind }) => ({ path: anyCase(path), kind })),
      })),
    );
    const inLowerCase = indexOf(written);
    for (let k = 0; k < 5; k++) {
      const path = `${pathOf(['a', 'b', 'ab', 'c'], 4) || '/'}${of(['', '', '/'])}`.replace('//', '/');
      const spelled = anySpelling(path);
      const found = judged(spelled, inCapitals);
      const twin = judged(path, inLowerCase);
      if (found === undefined || found === 'another API') continue;
      assert.ok(twin !== 'another API' && !twin?.isRefused, 'nothing else can be read in lower case');
      const isHarmless = twin?.by === found.by || twin?.by === kinds[0];
      assert.equal(found.isRefused, !isHarmless, `${spelled} among ${JSON.stringify(written)}`);
      met[found.isRefused ? 'refused' : 'admitted']++;
    }
  }
  assert.ok(met.refused > 100 && met.admitted > 100, JSON.stringify(met));
});
