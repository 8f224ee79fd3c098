import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { readConfig } from '../../../../src/config/read-config.ts';
import { readMicrogatewayConf } from '../../../../src/definitions/microgateway/conf.ts';
import { readMicrogateway } from '../../../../src/definitions/microgateway/microgateway.ts';
import type { DefinitionEntry, WrittenApi } from '../../../../src/definitions/written.ts';
import { selfSigned } from '../../../support/certificate-authority.ts';
import { makeJks } from '../../../support/key-stores.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const globex = await selfSigned({ subject: 'CN=globex' });
const root = mkdtempSync(join(tmpdir(), 'microgateway-'));
after(() => rmSync(root, { recursive: true }));
const store = makeJks(
  [
    ['ballerina', acme.der],
    ['wso2apim310', globex.der],
    ['own', acme.der, 'private-key'],
    ['cut', acme.der.subarray(0, 100)],
    ['twin', acme.der],
    ['Twin', globex.der],
  ],
  'ballerina',
);

let count = 0;
function put(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = join(root, `p${count++}`);
  for (const [name, content] of Object.entries({ 'trust.jks': store, ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}
const entryOf = (path: string, more: Partial<DefinitionEntry> = {}): DefinitionEntry => ({
  kind: 'microgateway',
  path,
  trustedSenders: undefined,
  backend: undefined,
  home: undefined,
  ...more,
});
const listener = '[listenerConfig]\ntrustStorePath = "trust.jks"\ntrustStorePassword = "ballerina"\n';
const conf = (aliases = '"Ballerina"', mutual = '', binding = ''): string =>
  `${listener}[mutualSSLConfig]\n${mutual}\n[[mutualSSLConfig.api.certificates]]\nname = "swagger petstore"\nversion = "1.0.5"\naliasList = [${aliases}]\n${binding}\n`;
const openApi = (lines = 'x-wso2-mutual-ssl: "Mandatory"\n'): string =>
  `openapi: 3.0.0\ninfo:\n  title: Swagger Petstore\n  version: 1.0.5\nx-wso2-basePath: /petstore/v1\n${lines}paths:\n  /pet:\n    get: {}\n`;
const read = (files: Record<string, string | Buffer>, more: Partial<DefinitionEntry> = {}) =>
  readMicrogateway(entryOf(put(files), more));
const api = (files: Record<string, string | Buffer>, more: Partial<DefinitionEntry> = {}) => {
  const found = read(files, more).apis[0];
  assert.ok(found);
  return found;
};

test('the example, as it stands', () => {
  const home = join(root, 'home');
  mkdirSync(join(home, 'runtime/bre/security'), { recursive: true });
  writeFileSync(join(home, 'runtime/bre/security/ballerinaTruststore.p12'), store);
  const folder = join(root, 'example');
  cpSync(new URL('../../../../examples/microgateway/', import.meta.url), folder, { recursive: true });
  const { apis, problems, warnings } = readMicrogateway(
    entryOf(folder, { home, trustedSenders: ['10.20.0.0/16'] }),
  );
  assert.deepEqual([problems, warnings, apis[0]?.problems], [[], [], []]);
  assert.deepEqual(apis[0]?.written, {
    name: 'Swagger Petstore',
    version: '1.0.5',
    basePath: '/petstore/v1',
    mutualSSL: 'mandatory',
    clients: [
      { alias: 'ballerina', pem: acme.pem },
      { alias: 'wso2apim310', pem: globex.pem },
    ],
    optionalCertificate: 'ignore-wrong',
    sources: [{ format: 'peer' }, { format: 'auto', header: 'X-SSL-CERT', trustedSenders: ['10.20.0.0/16'] }],
    applicationSecurity: 'optional',
    operations: [
      { path: '/pet/{petId}', methods: ['GET'] },
      { path: '/pet/{petId}', methods: ['DELETE'], scopes: ['write:pets'], scopesMatch: 'any' },
      { path: '/health', methods: ['GET'], secured: false },
    ],
    errorFormat: 'microgateway',
    backend: 'https://petstore.internal:9443/v2',
  } satisfies WrittenApi);
});

test('without trustedSenders no header is read, and the line to add is told', () => {
  const { apis, warnings } = read({
    'micro-gw.conf': conf(undefined, 'certificateHeaderName = "X-SSL-CERT"'),
    'a.yaml': openApi(),
  });
  assert.deepEqual(apis[0]?.written.sources, [{ format: 'peer' }]);
  assert.match(
    warnings[0]?.message ?? '',
    /in the header X-SSL-CERT there.* add trustedSenders = \["10\.20\.0\.0\/16"\]/,
  );
});

const headers: readonly [why: string, mutual: string, binding: string, header: string][] = [
  ['nothing said', '', '', 'X-WSO2-CLIENT-CERTIFICATE'],
  ['for all', 'certificateHeaderName = "X-A"', '', 'X-A'],
  ['for all, the other spelling', 'certificateHeadername = "X-A"', '', 'X-A'],
  [
    'for one API, which the original ignored',
    'certificateHeaderName = "X-A"',
    'certificateHeadername = "X-B"',
    'X-B',
  ],
  ['for one API, the other spelling', '', 'certificateHeaderName = "X-B"', 'X-B'],
];
for (const [why, mutual, binding, header] of headers) {
  test(`the header's name, ${why}`, () => {
    const { written } = api(
      { 'micro-gw.conf': conf('"ballerina"', mutual, binding), 'a.yaml': openApi() },
      { trustedSenders: ['10.0.0.1'] },
    );
    assert.equal(written.sources?.[1]?.header, header);
  });
}

test('a slip in the header’s name of one API: the default header may be any client’s own', () => {
  const { problems } = api(
    {
      'micro-gw.conf': conf('"ballerina"', '', 'certificateHeaderNmae = "X-B"'),
      'a.yaml': openApi(),
    },
    { trustedSenders: ['10.0.0.1'] },
  );
  assert.match(problems[0]?.message ?? '', /did you mean "certificateHeaderName"/);
});

const modes: readonly [
  why: string,
  mutual: string,
  lines: string,
  mutualSSL: string,
  applicationSecurity: string,
][] = [
  ['mandatory, in any case', '', 'x-wso2-mutual-ssl: "MANDATORY"\n', 'mandatory', 'mandatory'],
  ['optional', '', 'x-wso2-mutual-ssl: optional\n', 'optional', 'mandatory'],
  ['what sslVerifyClient says', 'sslVerifyClient = "require"', '', 'mandatory', 'mandatory'],
  ['optional unless it says so', '', '', 'optional', 'mandatory'],
  [
    'an optional token',
    '',
    'x-wso2-mutual-ssl: mandatory\nx-wso2-application-security: {optional: true}\n',
    'mandatory',
    'optional',
  ],
  [
    'security switched off: the certificate is all there is',
    '',
    'x-wso2-mutual-ssl: optional\nx-wso2-disable-security: true\n',
    'mandatory',
    'off',
  ],
];
for (const [why, mutual, lines, mutualSSL, applicationSecurity] of modes) {
  test(`${why}: mutual TLS ${mutualSSL}, token ${applicationSecurity}`, () => {
    const { written, problems } = api({
      'micro-gw.conf': conf('"ballerina"', mutual),
      'a.yaml': openApi(lines),
    });
    assert.deepEqual(
      [problems, written.mutualSSL, written.applicationSecurity],
      [[], mutualSSL, applicationSecurity],
    );
  });
}

test('an API of which nobody says anything asks for a token alone', () => {
  const { written } = api({ 'micro-gw.conf': listener, 'a.yaml': openApi('') });
  assert.deepEqual([written.mutualSSL, written.applicationSecurity], ['off', 'mandatory']);
});

test('OpenAPI 2, JSON, basePath of its own', () => {
  const { written } = api({
    'micro-gw.conf': conf(),
    'a.json': JSON.stringify({
      swagger: '2.0',
      info: { title: 'Swagger Petstore', version: '1.0.5' },
      basePath: '/v2',
      'x-wso2-mutual-ssl': 'mandatory',
      paths: { '/pet': { get: {} }, '/pet/{a}-{b}': { get: {} } },
    }),
  });
  assert.equal(written.basePath, '/v2');
  assert.deepEqual(
    written.operations?.map(({ path }) => path),
    ['/pet', '/{several}'].map((path, i) => (i === 0 ? path : '/pet/{several}')),
  );
});

const broken: readonly [why: string, files: Record<string, string | Buffer>, message: RegExp][] = [
  [
    'an alias of a private key',
    { 'micro-gw.conf': conf('"own"'), 'a.yaml': openApi() },
    /found "own", which is the entry of a private key/,
  ],
  [
    'an alias whose certificate can not be read',
    { 'micro-gw.conf': conf('"cut"'), 'a.yaml': openApi() },
    /micro-gw\.conf:\d+: mutualSSLConfig\.api\.certificates\[0\]\.aliasList: found "cut", whose certificate in the trust store of trustStorePath can't be read: certificate_malformed/,
  ],
  [
    'aliases that differ by case',
    { 'micro-gw.conf': conf('"twin"'), 'a.yaml': openApi() },
    /has 2 that differ by case only/,
  ],
  [
    'a wrong password',
    { 'micro-gw.conf': conf().replace('"ballerina"\n[mutual', '"x"\n[mutual'), 'a.yaml': openApi() },
    /which can not be opened with this password/,
  ],
  [
    'a store that is not there',
    { 'micro-gw.conf': conf().replace('trust.jks', 'none.p12'), 'a.yaml': openApi() },
    /none\.p12, which does not exist/,
  ],
  [
    'a store that is none',
    { 'micro-gw.conf': conf(), 'trust.jks': 'hello', 'a.yaml': openApi() },
    /is neither a JKS nor a PKCS#12 key store/,
  ],
  [
    'a home that is not known',
    { 'micro-gw.conf': conf().replace('trust.jks', '${' + 'mgw-runtime.home}/t.p12'), 'a.yaml': openApi() },
    /write home = "…"/,
  ],
  [
    'another word for mandatory',
    { 'micro-gw.conf': conf(), 'a.yaml': openApi('x-wso2-mutual-ssl: required\n') },
    /x-wso2-mutual-ssl: found "required"; write mandatory or optional/,
  ],
  [
    'an optional token beside an optional certificate',
    {
      'micro-gw.conf': conf(),
      'a.yaml': openApi('x-wso2-mutual-ssl: optional\nx-wso2-application-security: {optional: true}\n'),
    },
    /needs x-wso2-mutual-ssl: "mandatory"/,
  ],
  [
    'API keys alone',
    {
      'micro-gw.conf': conf(),
      'a.yaml': openApi(
        'x-wso2-mutual-ssl: mandatory\nx-wso2-application-security: {security-types: [apikey]}\n',
      ),
    },
    /can be called by apikey, which is not taken here/,
  ],
  [
    'a key that is misspelt',
    { 'micro-gw.conf': conf(undefined, 'sslVerifyCleint = "require"'), 'a.yaml': openApi() },
    /sslVerifyCleint: is not known here/,
  ],
  [
    'a table that is misspelt',
    {
      'micro-gw.conf': conf().replace(
        '[mutualSSLConfig]',
        '[mutualSslConfig]\nsslVerifyClient = "require"\n[mutualSSLConfig]',
      ),
      'a.yaml': openApi(),
    },
    /mutualSslConfig: is not known here; did you mean "mutualSSLConfig"\?/,
  ],
  [
    'bindings that are misspelt',
    { 'micro-gw.conf': conf().replace('api.certificates', 'api.certificate'), 'a.yaml': openApi() },
    /mutualSSLConfig\.api\.certificate: is not known here; there are: certificates/,
  ],
  [
    'another word for require',
    { 'micro-gw.conf': conf(undefined, 'sslVerifyClient = "required"'), 'a.yaml': openApi() },
    /found "required"; write optional or require or not_require/,
  ],
  [
    'a binding without aliases',
    { 'micro-gw.conf': conf(''), 'a.yaml': openApi() },
    /needs name, version and aliasList/,
  ],
  [
    'a configuration that breaks off',
    { 'micro-gw.conf': '[mutualSSLConfig\n', 'a.yaml': openApi() },
    /micro-gw\.conf:\d+/,
  ],
  [
    'no base path',
    { 'micro-gw.conf': conf(), 'a.yaml': openApi().replace('x-wso2-basePath: /petstore/v1\n', '') },
    /has no x-wso2-basePath/,
  ],
];
for (const [why, files, message] of broken) {
  test(`${why}: the API keeps its place, and says what to do`, () => {
    const { problems, written } = api(files);
    assert.match(
      problems.map(({ file, line, key, message: text }) => `${file}:${line}: ${key}: ${text}`).join('\n'),
      message,
    );
    assert.equal(written.name, 'Swagger Petstore');
  });
}

test('an alias that the trust store does not have: told, and the API is served for the others', () => {
  const { apis, warnings } = read({ 'micro-gw.conf': conf('"gone", "ballerina"'), 'a.yaml': openApi() });
  assert.deepEqual(
    [apis[0]?.problems, apis[0]?.written.clients],
    [[], [{ alias: 'ballerina', pem: acme.pem }]],
  );
  assert.match(
    warnings.map(({ key, message }) => `${key}: ${message}`).join('\n'),
    /mutualSSLConfig\.api\.certificates\[0\]\.aliasList: found "gone", which the trust store does not have: it is not admitted; the store has: ballerina/,
  );
});

test('TLS keys of [mutualSSLConfig] are read, as the product’s own template has them', () => {
  const tls =
    'protocolName = "TLS"\nprotocolVersions = "TLSv1.2,TLSv1.1"\nciphers = "TLS_RSA_WITH_AES_128_GCM_SHA256"\nsslVerifyClient = "optional"\ncertificateHeaderName = "X-A"\nisClientCertificateValidationEnabled = true';
  const { apis, problems, warnings } = read(
    { 'micro-gw.conf': conf(undefined, tls), 'a.yaml': openApi() },
    { trustedSenders: ['10.0.0.1'] },
  );
  assert.deepEqual([problems, warnings, apis[0]?.problems], [[], [], []]);
});

const switchedOff: readonly [lines: string, mutualSSL: string][] = [
  ['', 'off'],
  ['x-wso2-mutual-ssl: mandatory\n', 'mandatory'],
];
for (const [lines, mutualSSL] of switchedOff) {
  test(`sslVerifyClient = "not_require", and ${lines || 'the API says nothing'}: ${mutualSSL}`, () => {
    const { problems, written } = api({
      'micro-gw.conf': conf(undefined, 'sslVerifyClient = "not_require"'),
      'a.yaml': openApi(lines),
    });
    assert.deepEqual(
      [problems, written.mutualSSL, written.applicationSecurity],
      [[], mutualSSL, 'mandatory'],
    );
  });
}

test('without trustStorePath and password those that the product ships count', () => {
  const home = join(root, 'shipped');
  mkdirSync(join(home, 'runtime/bre/security'), { recursive: true });
  writeFileSync(join(home, 'runtime/bre/security/ballerinaTruststore.p12'), store);
  for (const listenerConfig of [
    '',
    '[listenerConfig]\ntrustStorePath = "$' + '{ballerina.home}/bre/security/ballerinaTruststore.p12"\n',
  ]) {
    const files = { 'micro-gw.conf': conf().replace(listener, listenerConfig), 'a.yaml': openApi() };
    const { problems, written } = api(files, { home });
    assert.deepEqual([problems, written.clients], [[], [{ alias: 'Ballerina', pem: acme.pem }]]);
  }
});

test('an issuer whose certificate can not be looked up: what is wrong with the store is said', () => {
  const issuer = '[[jwtTokenConfig]]\nissuer = "https://idp.test"\ncertificateAlias = "idp"\n';
  const rows: [conf: string, more: Partial<DefinitionEntry>, why: RegExp][] = [
    [
      '',
      {},
      /where the Microgateway is installed is not known; write home = "…" at this \[\[definitions\]\]/,
    ],
    ['', { isImport: true }, /where the Microgateway is installed is not known; give --home FOLDER/],
    [
      '',
      { home: '/nowhere' },
      /found \/nowhere\/runtime\/bre\/security\/ballerinaTruststore\.p12, which does not exist/,
    ],
    [listener.replace('"ballerina"', '"x"'), {}, /trust\.jks, which can not be opened with this password/],
  ];
  for (const [text, more, why] of rows) {
    const { warnings } = read({ 'micro-gw.conf': text + issuer, 'a.yaml': openApi('') }, more);
    assert.match(
      warnings.map(({ key, message }) => `${key}: ${message}`).join('\n'),
      new RegExp(
        `jwtTokenConfig\\[0\\]: has no jwksURL, and its certificate can not be looked up: .*${why.source}.*: its tokens are refused`,
      ),
    );
  }
});

test('[jwtTokenConfig] of 3.0 is one issuer', () => {
  const { tokenServices } = read({
    'micro-gw.conf': `${listener}[jwtTokenConfig]\nissuer = "https://idp.test"\ncertificateAlias = "ballerina"\n`,
    'a.yaml': openApi(''),
  });
  assert.deepEqual(
    tokenServices.map(({ written }) => [written.issuer, written.certificatePem]),
    [['https://idp.test', acme.pem]],
  );
});

test('what import printed beside micro-gw.conf is no second configuration; another of its kind is', () => {
  const files = { 'micro-gw.conf': conf(), 'a.yaml': openApi() };
  const ours = '[[apis]]\nname = "a"\n[[enforcer.security.tokenService]]\nname = "a"\n';
  for (const text of ['', ours]) assert.deepEqual(read({ ...files, 'out.toml': text }).problems, []);
  for (const text of ['[mutualSSLConfig]\n', '[mutualSslConfig]\n', '[listenerConfig]\n'])
    assert.match(
      read({ ...files, 'out.toml': text })
        .problems.map(({ message }) => message)
        .join(),
      /found a second configuration beside/,
    );
});

const nobody = /nobody is admitted/;
for (const [why, files, more, problem, says] of [
  [
    'the trust store can not be opened',
    { 'micro-gw.conf': conf().replace('"ballerina"', '"x"') },
    {},
    /which can not be opened with this password/,
    undefined,
  ],
  [
    'the trust store is not where home says',
    { 'micro-gw.conf': conf().replace(listener, '') },
    { home: '/nowhere' },
    /which does not exist/,
    undefined,
  ],
  ['its file can not be read', { 'micro-gw.conf': `${conf()}x` }, {}, /./, undefined],
  [
    'no alias is in the trust store',
    { 'micro-gw.conf': conf('"gone"') },
    {},
    undefined,
    /of the aliases that \[\[mutualSSLConfig\.api\.certificates\]\] has for this API none is in the trust store: nobody is admitted/,
  ],
] as const)
  test(`with a binding, and no client since ${why}: it is not said that there is none`, () => {
    for (const asks of [undefined, 'x-wso2-disable-security: true\n']) {
      const { apis, warnings } = read({ ...files, 'a.yaml': openApi(asks) }, more);
      const told = warnings.map(({ message }) => message).join('\n');
      const problems = (apis[0]?.problems ?? []).map(({ message }) => message).join('\n');
      if (problem === undefined) assert.equal(problems, '');
      else assert.match(problems, problem);
      assert.doesNotMatch(told, /is for this API|which none of the OpenAPI files is/);
      if (says !== undefined && asks === undefined) assert.match(told, says);
      else assert.doesNotMatch(told, says === undefined ? /nobody is admitted|it is open/ : nobody);
    }
  });

test('without any binding nobody is admitted, and the API stays: who took the last one out meant it', () => {
  const { apis, warnings } = read({ 'micro-gw.conf': listener, 'a.yaml': openApi() });
  assert.deepEqual(
    [apis[0]?.problems, apis[0]?.written.mutualSSL, apis[0]?.written.clients],
    [[], 'mandatory', []],
  );
  assert.match(warnings.map(({ message }) => message).join(), /is for this API: nobody is admitted/);
});

test('8: an OpenAPI file that breaks off keeps its place; the others go on', () => {
  const { apis, problems } = read({
    'micro-gw.conf': conf(),
    'good.yaml': openApi(),
    'bad.yaml':
      'openapi: 3.0.0\ninfo:\n  title: Other\n  version: 2.0\nx-wso2-basePath: /petstore/v1/other\npaths: [',
  });
  assert.equal(problems.length, 1);
  assert.deepEqual(
    apis.map(({ written, problems: own }) => [written.name, written.basePath, own.length > 0]).sort(),
    [
      ['Other', '/petstore/v1/other', true],
      ['Swagger Petstore', '/petstore/v1', false],
    ],
  );
});

test('issuers of micro-gw.conf, by certificates of its trust store', () => {
  const { tokenServices, warnings } = read({
    'micro-gw.conf': `${conf()}[[jwtTokenConfig]]\nissuer = "https://idp.test"\naudience = "http://org.wso2.apimgt/gateway"\ncertificateAlias = "wso2apim310"\n[[jwtTokenConfig]]\nissuer = "https://lost.test"\ncertificateAlias = "gone"\n`,
    'a.yaml': openApi(),
  });
  assert.deepEqual(
    tokenServices.map(({ written }) => written),
    [
      {
        name: 'https://idp.test',
        issuer: 'https://idp.test',
        certificatePem: globex.pem,
        audiences: ['http://org.wso2.apimgt/gateway'],
        tokenTypes: ['at+jwt', 'JWT', 'none'],
      },
    ],
  );
  assert.match(
    warnings.map(({ message }) => message).join(),
    /its certificateAlias is not in the trust store/,
  );
});

test('docs/migrating/microgateway.md: each snippet is what it says it is', () => {
  const page = readFileSync(new URL('../../../../docs/migrating/microgateway.md', import.meta.url), 'utf8');
  const snippets = [...page.matchAll(/```(toml)\n([\s\S]*?)```/g)];
  assert.ok(snippets.length >= 3);
  for (const [, kind, text = ''] of snippets) {
    assert.equal(kind, 'toml');
    // The document's own snippets are of micro-gw.conf, all others of ours.
    if (text.includes('[mutualSSLConfig]')) {
      const conf = readMicrogatewayConf(join(put({ 'micro-gw.conf': text }), 'micro-gw.conf'), entryOf('.'), {
        problems: [],
        warnings: [],
      });
      assert.deepEqual([conf.lost, conf.bindings[0]?.aliases], [[], ['ballerina', 'wso2apim310']]);
      continue;
    }
    const read = readConfig(text, 'config.toml', { DB_PASSWORD: 'x' });
    assert.ok('config' in read, JSON.stringify(read));
  }
});

for (const [why, key, message] of [
  ['misspelt', 'audiance = "x"', /audiance: is not known here; did you mean "audience"\?/],
  ['a list', 'audience = ["x"]', /audience: found a list; write a text/],
  ['a word', 'validateSubscription = "true"', /validateSubscription: found "true"; write true or false/],
] as const) {
  test(`an issuer of micro-gw.conf with a key that would narrow it and is ${why} is left out`, () => {
    const { tokenServices, warnings } = read({
      'micro-gw.conf': `${conf()}[[jwtTokenConfig]]\nissuer = "https://idp.test"\ncertificateAlias = "wso2apim310"\n${key}\n`,
      'a.yaml': openApi(),
    });
    assert.deepEqual(tokenServices, []);
    assert.match(warnings.map(({ message }) => message).join('\n'), message);
  });
}

test('a micro-gw.conf beyond all bounds is told, and not read', () => {
  const { problems } = read({
    'micro-gw.conf': `${conf()}a = [${'1,'.repeat(1024 * 1024)}]\n`,
    'a.yaml': openApi(),
  });
  assert.match(
    problems.map(({ message }) => message).join(),
    /has more than 2097152 characters, which are not read/,
  );
});
