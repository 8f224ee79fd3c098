import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { readConfig } from '../../../src/config/read-config.ts';

const read = (text: string, env: Record<string, string> = {}) => readConfig(text, 'config.toml', env);
const problems = (text: string, env: Record<string, string> = {}): string[] => {
  const result = read(text, env);
  return 'config' in result ? [] : result.map(problemLine);
};
const config = (text: string, env: Record<string, string> = {}) => {
  const result = read(text, env);
  assert.ok('config' in result, JSON.stringify(result));
  return result;
};

const wrong: readonly [why: string, text: string, ...problems: string[]][] = [
  [
    'a syntax error',
    'a = 1\nb == 2',
    'config.toml:2: not TOML: "=" is out of place at column 4; write [table], or key = value with texts in quotes',
  ],
  [
    'an unknown key',
    '[router]\nlisenerPort = 1',
    'config.toml:2: router.lisenerPort: unknown key; did you mean "listenerPort"?',
  ],
  [
    'one of what there are several of, though other tables have a key of that name',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/n"\nalias=["a"]',
    'config.toml:5: apis[0].alias: unknown key; did you mean "aliases"?',
  ],
  ['an unknown key like nothing', 'zzzzzz = 1', 'config.toml:1: zzzzzz: unknown key; remove it'],
  [
    'a table misspelt',
    '[enforcer.securty.mutualSSL]\nx = 1',
    'config.toml:1: enforcer.securty: unknown key; did you mean "security"?',
  ],
  [
    'a wrong type',
    '[router]\nlistenerPort = "9090"',
    'config.toml:2: router.listenerPort: found "9090"; write a whole number from 0 to 65535',
  ],
  [
    'a number out of range',
    '[router]\nsecuredListenerPort = 70000',
    'config.toml:2: router.securedListenerPort: found 70000; write a whole number from 1 to 65535',
  ],
  [
    'a number with a fraction',
    '[router]\nmaxConnections = 1.5',
    'config.toml:2: router.maxConnections: found 1.5; write a whole number',
  ],
  [
    'a wrong choice',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/n"\nmutualSSL="maybe"',
    'config.toml:5: apis[0].mutualSSL: found "maybe"; write one of "mandatory", "optional", "off"',
  ],
  [
    'a missing key',
    '[[clients]]\nalias="a"\n[[clients]]\nfile="x"',
    'config.toml:3: clients[1].alias: missing; write a name, for example "acme"',
  ],
  [
    'a text where a switch belongs',
    '[enforcer.security.mutualSSL]\nenableClientValidation = "false"',
    'config.toml:2: enforcer.security.mutualSSL.enableClientValidation: found "false"; write true or false',
  ],
  [
    'a header name with a space',
    '[enforcer.security.mutualSSL]\ncertificateHeader = "a b"',
    'config.toml:2: enforcer.security.mutualSSL.certificateHeader: found "a b"; write a header name',
  ],
  [
    'a header name that is too long',
    `[enforcer.answers]\naliasHeader = "${'a-'.repeat(32)}a"`,
    'config.toml:2: enforcer.answers.aliasHeader: found "a-a-',
  ],
  [
    'a certificate header that is too long',
    `[enforcer.security.mutualSSL]\ncertificateHeader = "${'a'.repeat(65)}"`,
    `config.toml:2: enforcer.security.mutualSSL.certificateHeader: found "${'a'.repeat(65)}"; write a header name of at most 64 characters`,
  ],
  [
    'a CIDR range out of bounds',
    '[enforcer.security.mutualSSL]\ntrustedSenders = ["10.0.0.0/33"]',
    'config.toml:2: enforcer.security.mutualSSL.trustedSenders[0]: found "10.0.0.0/33"; write an address, a CIDR range or an alias',
  ],
  [
    'a table where a list of tables belongs',
    '[apis]\nname = "n"',
    'config.toml:1: apis: found {"name":"n"}; write [[apis]] above each entry, also above the only one',
  ],
  [
    'a list of tables where one table belongs',
    '[[router]]\nlistenerPort = 1',
    'config.toml:1: router: found [{"listenerPort":1}]; write [router], once',
  ],
  [
    'a list of tables inside another, written as a table',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/n"\n[apis.operations]\npath="/x"',
    'config.toml:5: apis[0].operations: found {"path":"/x"}; write [[apis.operations]] above each entry, also above the only one',
  ],
  [
    'a list of tables whose second entry is written as a table',
    '[[clients]]\nalias="a"\nfile="a.pem"\n[clients]\nalias="b"',
    'config.toml:4: not TOML: [clients] and [[clients]] are two things; write [[clients]] above each entry, also above the only one',
  ],
  [
    'a table that stands twice',
    '[router]\nadminPort = 1\n[router]\nlistenerPort = 2',
    'config.toml:3: not TOML: [router] stands twice; write all its keys below one of them',
  ],
  ['a key that stands twice', 'a = 1\na = 2', 'config.toml:2: not TOML: a stands twice; take one out'],
  [
    'a text where a list belongs',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/n"\naliases="acme"',
    'config.toml:5: apis[0].aliases: found "acme"; write a list, as in ["a", "b"]',
  ],
  [
    'a security key above all tables',
    'enableClientValidation = false',
    'config.toml:1: enableClientValidation: unknown key here; it belongs in [enforcer.security.mutualSSL]',
  ],
  [
    'a security key in a table of ours that is another',
    '[router]\ntrustedSenders = ["::1"]',
    'config.toml:2: router.trustedSenders: unknown key here; it belongs in [enforcer.security.mutualSSL] or [[enforcer.security.mutualSSL.sources]] or [[definitions]]',
  ],
  [
    'a security key in a table that nobody knows',
    '[enforcer.mutualSSL]\nenableClientValidation = false',
    'config.toml:2: enforcer.mutualSSL.enableClientValidation: unknown key here; it belongs in [enforcer.security.mutualSSL]',
  ],
  [
    'a security table deep in one that nobody knows',
    '[router.newer.security.mutualSSL]\ncertificateHeader = "x"',
    'config.toml:1: router.newer.security.mutualSSL: unknown key here; write [enforcer.security.mutualSSL]',
  ],
  [
    'a table of ours without its path',
    '[mutualSSL]\nenableClientValidation = false',
    'config.toml:1: mutualSSL: unknown key here; write [enforcer.security.mutualSSL]',
  ],
  [
    "an API's key above all tables",
    'mutualSSL = "off"',
    'config.toml:1: mutualSSL: unknown key here; it belongs in [[apis]] or [[apis.operations]]',
  ],
  [
    'keys that nobody knows, with those that there are',
    '[router.keystore]\ncert = "x"',
    'config.toml:2: router.keystore.cert: unknown key; remove it, or write the one that is meant: certPath, keyPath',
  ],
  [
    'a date without its time',
    '[[clients]]\nalias="a"\nfile="a.pem"\nnotAfter = 2020-01-01',
    'config.toml:4: clients[0].notAfter: found "2020-01-01"; write a date with time and zone, without quotes, for example 2026-12-31T23:59:59Z',
  ],
  [
    'a date in quotes',
    '[[clients]]\nalias="a"\nfile="a.pem"\nnotAfter = "2020-01-01T00:00:00Z"',
    'config.toml:4: clients[0].notAfter: found "2020-01-01T00:00:00Z"; write a date with time and zone, without quotes',
  ],
  [
    'a base path with a star at the end',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/billing/*"',
    'config.toml:4: apis[0].basePath: found "/billing/*"; write it without "*", a base path covers all below it: "/billing"',
  ],
  [
    'a base path that is a star',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/*"',
    'config.toml:4: apis[0].basePath: found "/*"; write it without "*", a base path covers all below it: "/"',
  ],
  [
    'a base path with dot segments',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/a/../b"',
    'config.toml:4: apis[0].basePath: found "/a/../b"; write a path without',
  ],
  [
    'a backend with a password',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/a"\nbackend="https://u:p@h/"',
    'config.toml:5: apis[0].backend: found',
  ],
  [
    'a name where Envoy listens',
    '[router]\nsecuredListenerHost = "gw.example.com"',
    'config.toml:2: router.securedListenerHost: found "gw.example.com"; write an IP address, for example "0.0.0.0", or "localhost"; Envoy does not listen on a name',
  ],
  [
    'a cipher suite that Envoy does not know',
    '[router.downstream.tls]\nciphers = "ECDHE-RSA-AES128-GCM-SHA265"',
    'config.toml:2: router.downstream.tls.ciphers: found "ECDHE-RSA-AES128-GCM-SHA265"; write cipher suites that Envoy knows, by OpenSSL\'s names, for example "ECDHE-RSA-AES128-GCM-SHA256"; it does not know "ECDHE-RSA-AES128-GCM-SHA265"',
  ],
  [
    'a cipher suite of TLS 1.3',
    '[router.upstream.tls]\nciphers = "AES128-SHA, TLS_AES_128_GCM_SHA256"',
    'config.toml:2: router.upstream.tls.ciphers: found "AES128-SHA, TLS_AES_128_GCM_SHA256"; write suites of TLS 1.2 only, those of TLS 1.3 are always on; take "TLS_AES_128_GCM_SHA256" out',
  ],
  [
    'no cipher suite at all',
    '[router.upstream.tls]\nciphers = " , "',
    'config.toml:2: router.upstream.tls.ciphers: found " , "; write cipher suites that Envoy knows',
  ],
  [
    'a CORS header that would be two',
    '[router.cors]\nallowHeaders = ["a\\r\\nb"]\nallowMethods = ["GET POST"]\nallowOrigins = ["https://ä.example"]\nexposeHeaders = ["x:y"]',
    'config.toml:2: router.cors.allowHeaders[0]: found "a\\r\\nb"; write a header name',
    'config.toml:3: router.cors.allowMethods[0]: found "GET POST"; write a method',
    'config.toml:4: router.cors.allowOrigins[0]: found "https://ä.example"; write an origin',
    'config.toml:5: router.cors.exposeHeaders[0]: found "x:y"; write a header name',
  ],
  [
    'an unset environment variable',
    '[router.keystore]\ncertPath = "$env{NOPE}/x"',
    'config.toml:2: router.keystore.certPath: the environment variable NOPE is not set',
  ],
  [
    'an environment variable that only a prototype has',
    '[router.keystore]\ncertPath = "$env{constructor}"',
    'config.toml:2: router.keystore.certPath: the environment variable constructor is not set',
  ],
  [
    'a key like a prototype',
    '[[apis]]\nname="n"\nversion="1"\nbasePath="/n"\n__proto__=1',
    'config.toml:5: apis[0].__proto__: unknown key',
  ],
  [
    'several at once, by line',
    '[router]\nadminPort = -1\nlistenerHost = "!"',
    'config.toml:2: router.adminPort',
    'config.toml:3: router.listenerHost',
  ],
];
for (const [why, text, ...expected] of wrong) {
  test(`${why} is an error with its line, key and advice`, () => {
    const found = problems(text);
    assert.equal(found.length, expected.length, found.join('\n'));
    expected.forEach((start, i) => {
      assert.ok(found[i]?.startsWith(start), `${found[i]} does not begin with ${start}`);
    });
  });
}

test('an empty file has all defaults', () => {
  const { config: all } = config('');
  assert.equal(all.router.listenerPort, 0);
  assert.equal(all.router.securedListenerPort, 9095);
  assert.equal(all.router.downstream.tls.mTLSAPIsEnabled, true);
  assert.equal(all.router.downstream.tls.trustedCertPath, undefined);
  assert.equal(all.router.downstream.tls.minimumProtocolVersion, 'TLS1_2');
  assert.equal(all.router.downstream.tls.maximumProtocolVersion, 'TLS1_3');
  assert.equal(all.enforcer.authService.port, 8081);
  const {
    certificateHeader,
    enableClientValidation,
    clientCertificateEncode,
    enableOutboundCertificateHeader,
  } = all.enforcer.security.mutualSSL;
  assert.deepEqual(
    [certificateHeader, enableClientValidation, clientCertificateEncode, enableOutboundCertificateHeader],
    ['X-WSO2-CLIENT-CERTIFICATE', true, false, false],
  );
});

test('environment variables are put in, as Choreo Connect does', () => {
  const { config: all } = config('[router.keystore]\ncertPath = "$env{DIR}/$env{NAME}.pem"', {
    DIR: '/d',
    NAME: 'n',
  });
  assert.equal(all.router.keystore.certPath, '/d/n.pem');
});

test('what an environment variable holds is never shown in an error', () => {
  const [problem = ''] = problems('[router]\nlistenerHost = "$env{SECRET}"', {
    SECRET: 'not a host, but a secret',
  });
  assert.match(problem, /found "\$env\{SECRET\}"; write an IP address/);
});

test('a private key in the wrong place is never shown', () => {
  const [problem = ''] = problems('[router]\nlistenerPort = "-----BEGIN PRIVATE KEY-----abc"');
  assert.match(problem, /found a private key; write/);
  assert.doesNotMatch(problem, /abc/);
});

test("Choreo Connect's own tables and keys are accepted, named, and their variables need not be set", () => {
  const { ignored } = config(`
[adapter]
artifactsDirectory = "$env{nothing}"
[router]
clusterTimeoutInSeconds = 20
[router.upstream.health]
timeout = 1
[enforcer.authService]
port = 8081
[enforcer.authService.threadPool]
coreSize = 400
[[enforcer.filters]]
className = "x"
[controlPlane]
password = "$env{cp_admin_pwd}"
[router.somethingNewer]
x = 1
`);
  assert.deepEqual(ignored, [
    'adapter',
    'router.clusterTimeoutInSeconds',
    'router.upstream.health',
    'enforcer.authService.threadPool',
    'enforcer.filters',
    'controlPlane',
  ]);
});

test('a table in the wrong place is ignored, and warned about with its line and where it belongs', () => {
  const read = readConfig(
    '[enforcer.mutualSSL]\nenabled = false\n[router.tls]\nx = 1\n[enforcer.somethingNewerAltogether]\n',
    'config.toml',
    {},
  );
  assert.ok('config' in read);
  assert.deepEqual(
    read.warnings.map(({ line, key, message }) => `${line} ${key}: ${message}`),
    [
      '1 enforcer.mutualSSL: unknown table, which is ignored; did you mean [enforcer.security.mutualSSL]?',
      '3 router.tls: unknown table, which is ignored; did you mean [router.downstream.tls]?',
      '5 enforcer.somethingNewerAltogether: unknown table, which is ignored; remove it, if it is not Choreo Connect’s',
    ],
  );
});

const apiKeys =
  '[adapter]\n[[enforcer.security.tokenService]]\nname = "APIM APIkey"\ncertificateAlias = "a"\n';
const good =
  '[[enforcer.security.tokenService]]\nname = "idp"\nissuer = "https://idp.test"\njwksURL = "https://idp.test/jwks"\n';

test('a token service without issuer in Choreo Connect’s own file is left out, the others keep their places', () => {
  const read = readConfig(apiKeys + good, 'config.toml', {});
  assert.ok('config' in read, JSON.stringify(read));
  assert.deepEqual(
    read.config.enforcer.security.tokenService.map(({ name }) => name),
    ['idp'],
  );
  assert.match(
    read.warnings.map(problemLine).join(),
    /config\.toml:2: enforcer\.security\.tokenService\[0\]: has no issuer/,
  );
  assert.equal(read.lineOf(['enforcer', 'security', 'tokenService', 0, 'issuer']), 7);
  assert.equal(read.isWritten(['enforcer', 'security', 'tokenService', 0, 'jwksURL']), true);
});

const withoutIssuer: readonly [sentence: string, text: string, problem: RegExp][] = [
  [
    'in a file of our own',
    apiKeys.replace('[adapter]\n', ''),
    /config\.toml:1: enforcer\.security\.tokenService\[0\]\.issuer: missing/,
  ],
  [
    'with an issuer that is misspelt',
    `${apiKeys}isuer = "https://a"\n`,
    /tokenService\[0\]\.isuer: unknown key; did you mean "issuer"\?/,
  ],
  [
    'and another with a fault, which is told at its own place',
    apiKeys + good.replace('https://idp.test/jwks', 'x'),
    /config\.toml:8: enforcer\.security\.tokenService\[1\]\.jwksURL: found "x"/,
  ],
];
for (const [sentence, text, problem] of withoutIssuer) {
  test(`a token service without issuer ${sentence}: an error`, () => {
    const read = readConfig(text, 'config.toml', {});
    assert.ok(!('config' in read));
    assert.match(read.map(problemLine).join('\n'), problem);
  });
}
