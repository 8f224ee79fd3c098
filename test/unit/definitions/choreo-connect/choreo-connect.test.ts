import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { strToU8, zipSync } from 'fflate';
import { readConfig } from '../../../../src/config/read-config.ts';
import { readChoreoConnect } from '../../../../src/definitions/choreo-connect/choreo-connect.ts';
import type { DefinitionEntry, WrittenApi } from '../../../../src/definitions/written.ts';
import { readSchemes } from '../../../../src/definitions/wso2-project/wso2-security.ts';
import { createAuthority, selfSigned } from '../../../support/certificate-authority.ts';

const { pem } = await selfSigned({ subject: 'CN=acme' });
const { pem: otherPem } = await selfSigned({ subject: 'CN=other' });
const root = mkdtempSync(join(tmpdir(), 'choreo-connect-'));
after(() => rmSync(root, { recursive: true }));
const example = new URL('../../../../examples/choreo-connect/', import.meta.url);
const entryOf = (path: string): DefinitionEntry => ({
  kind: 'choreo-connect',
  path,
  trustedSenders: undefined,
  backend: undefined,
  home: undefined,
});

let count = 0;
type Files = Readonly<Record<string, string | Uint8Array>>;
function put(files: Files): string {
  const folder = join(root, `p${count++}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
const apiYaml = (schemes: readonly string[], more = ''): string =>
  `type: api\nversion: v4\ndata:\n  name: Petstore\n  version: 1.0.5\n  context: /petstore\n  securityScheme: [${schemes.join(', ')}]\n${more}`;
const clientsYaml = (entries: string): string => `type: client_certificates\nversion: v4\ndata:\n${entries}`;
const acme = '  - alias: acme\n    certificate: acme.crt\n    tierName: Gold\n';
const project = (more: Files = {}, schemes = ['mutualssl', 'mutualssl_mandatory', 'oauth2']): Files => ({
  'api.yaml': apiYaml(schemes),
  'Client-certificates/client_certificates.yaml': clientsYaml(acme),
  'Client-certificates/acme.crt': pem,
  ...more,
});
const read = (files: Files) => readChoreoConnect(entryOf(put(files)));

const issuer = await createAuthority({ subject: 'CN=CA' });
const issued = await issuer.issue({ subject: 'CN=acme' });
const forms: readonly [form: string, file: string | Uint8Array][] = [
  ['PEM', issued.pem],
  ['DER, as Windows exports a .cer', issued.der],
  ['base64 without armour', Buffer.from(issued.der).toString('base64')],
  ['UTF-16', Buffer.from(`\ufeff${issued.pem}`, 'utf16le')],
  ['the same twice', issued.pem + issued.pem],
  ['with the CA that issued it behind it', issued.pem + issuer.pem],
];
for (const [form, file] of forms) {
  test(`a client's certificate, in ${form}`, () => {
    const [api] = read(project({ 'Client-certificates/acme.crt': file })).apis;
    assert.deepEqual(api?.problems, []);
    assert.deepEqual(api?.written.clients, [{ alias: 'acme', pem: issued.pem, tier: 'Gold' }]);
  });
}

test('the example, as it stands', () => {
  const folder = join(root, 'example');
  cpSync(example, folder, { recursive: true });
  writeFileSync(join(folder, 'petstore/Client-certificates/acme.crt'), pem);
  const { apis, tokenServices, problems, warnings } = readChoreoConnect(entryOf(folder));
  assert.deepEqual([problems, warnings, apis[0]?.problems], [[], [], []]);
  assert.deepEqual(apis[0]?.written, {
    name: 'Petstore',
    version: '1.0.5',
    basePath: '/petstore/1.0.5',
    mutualSSL: 'mandatory',
    clients: [{ alias: 'acme', pem, tier: 'Gold' }],
    optionalCertificate: 'ignore-wrong',
    applicationSecurity: 'optional',
    operations: [
      { path: '/pet/{petId}', methods: ['GET'] },
      { path: '/pet/{petId}', methods: ['DELETE'], scopes: ['pets:write'], scopesMatch: 'any' },
      { path: '/pet', methods: ['POST'], scopes: ['pets:admin', 'pets:write'], scopesMatch: 'any' },
      { path: '/health', methods: ['GET'], secured: false },
    ],
    errorFormat: 'choreo-connect',
    backend: 'https://petstore.internal:9443/v2',
  } satisfies WrittenApi);
  assert.deepEqual(
    tokenServices.map(({ written }) => written),
    [
      {
        name: 'Resident Key Manager',
        issuer: 'https://localhost:9443/oauth2/token',
        jwksURL: 'https://localhost:9443/oauth2/jwks',
        consumerKeyClaim: 'azp',
        tokenTypes: ['at+jwt', 'JWT', 'none'],
      },
    ],
  );
});

test('an archive says the same as the folder, with or without a folder around it', () => {
  const files = project();
  for (const prefix of ['', 'Petstore-1.0.5/']) {
    const path = join(put({ 'x.txt': '' }), 'petstore.zip');
    writeFileSync(
      path,
      zipSync(
        Object.fromEntries(
          Object.entries(files).map(([name, text]) => [
            prefix + name,
            typeof text === 'string' ? strToU8(text) : text,
          ]),
        ),
      ),
    );
    const [api] = readChoreoConnect(entryOf(path)).apis;
    assert.deepEqual(api?.problems, []);
    assert.deepEqual(api?.written.clients, [{ alias: 'acme', pem, tier: 'Gold' }]);
  }
});

const schemes: readonly [
  list: readonly string[],
  mutualSSL: string,
  applicationSecurity: string,
  why: string,
][] = [
  [
    ['mutualssl', 'mutualssl_mandatory', 'oauth2', 'oauth_basic_auth_api_key_mandatory'],
    'mandatory',
    'mandatory',
    'both marked',
  ],
  [['mutualssl', 'mutualssl_mandatory', 'oauth2'], 'mandatory', 'optional', 'the certificate marked'],
  [
    ['mutualssl', 'oauth2', 'oauth_basic_auth_api_key_mandatory'],
    'optional',
    'mandatory',
    'the token marked',
  ],
  [['mutualssl', 'oauth2'], 'optional', 'mandatory', 'neither marked'],
  [['mutualssl'], 'mandatory', 'off', 'only mutualssl would leave the API open, were it optional'],
  [['mutualssl', 'mutualssl_mandatory'], 'mandatory', 'off', 'only mutualssl, marked'],
  [['oauth2'], 'off', 'mandatory', 'no mutual TLS'],
  [[], 'off', 'mandatory', 'no scheme at all'],
  [['OAuth2', 'MutualSSL', 'MUTUALSSL_MANDATORY'], 'mandatory', 'optional', 'whatever the case'],
  [['mutualssl_mandatory', 'oauth2'], 'mandatory', 'optional', 'the marker alone means it, too'],
];
for (const [list, mutualSSL, applicationSecurity, why] of schemes) {
  test(`[${list.join(', ')}]: mutual TLS ${mutualSSL}, token ${applicationSecurity}: ${why}`, () => {
    const asked = readSchemes(list);
    assert.deepEqual(
      [asked.mutualSSL, asked.applicationSecurity, asked.problem],
      [mutualSSL, applicationSecurity, undefined],
    );
  });
}

test('what can be called by API key alone is refused, beside OAuth2 warned about', () => {
  assert.match(readSchemes(['api_key']).problem ?? '', /can be called by api_key, which is not taken here/);
  assert.match(readSchemes(['basic_auth', 'mutualssl']).problem ?? '', /basic_auth/);
  assert.equal(readSchemes(['api_key', 'oauth2']).problem, undefined);
  assert.match(readSchemes(['api_key', 'oauth2']).warnings[0] ?? '', /callers need an OAuth2 token/);
  const certificateOnly = readSchemes(['mutualssl', 'mutualssl_mandatory', 'api_key']);
  assert.deepEqual([certificateOnly.mutualSSL, certificateOnly.applicationSecurity], ['mandatory', 'off']);
  assert.match(
    readSchemes(['mutualtls']).problem ?? '',
    /found the security scheme "mutualtls"; write some of/,
  );
});

const broken: readonly [why: string, files: Files, message: RegExp][] = [
  ['no YAML', project({ 'api.yaml': 'data: [' }), /api\.yaml:\d+: /],
  [
    'a key twice',
    project({ 'api.yaml': 'data:\n  name: a\n  name: b\n' }),
    /api\.yaml:3: : Map keys must be unique/,
  ],
  [
    'an alias bomb',
    project({
      'api.yaml': `a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\ndata: [*c,*c,*c,*c]\n`,
    }),
    /resource exhaustion/,
  ],
  [
    'no name',
    project({ 'api.yaml': 'data:\n  version: 1.0.5\n  context: /petstore\n' }),
    /data\.name.* is missing/,
  ],
  [
    'schemes that are a number',
    project({ 'api.yaml': apiYaml(['oauth2']).replace('[oauth2]', '7') }),
    /securityScheme: found 7; write a list/,
  ],
  [
    'a certificate that is not there',
    { 'api.yaml': apiYaml(['mutualssl']), 'Client-certificates/client_certificates.yaml': clientsYaml(acme) },
    /data\[0\]\.certificate: found "acme\.crt", which is not beside this file/,
  ],
  [
    'a certificate elsewhere',
    project({
      'Client-certificates/client_certificates.yaml': clientsYaml(
        '  - alias: a\n    certificate: ../../../etc/passwd\n',
      ),
    }),
    /write the name of a file beside this one/,
  ],
  [
    'an absolute path',
    project({
      'Client-certificates/client_certificates.yaml': clientsYaml(
        '  - alias: a\n    certificate: /etc/passwd\n',
      ),
    }),
    /write the name of a file beside this one/,
  ],
  [
    'a private key',
    project({
      'Client-certificates/acme.crt': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
    }),
    /has a private key in it/,
  ],
  ['no PEM', project({ 'Client-certificates/acme.crt': 'hello' }), /has no certificate in it|is no PEM/],
  [
    'two certificates',
    project({ 'Client-certificates/acme.crt': pem + otherPem }),
    /has 2 certificates where one belongs/,
  ],
  [
    'two aliases that differ by case',
    project({
      'Client-certificates/client_certificates.yaml': clientsYaml(
        `${acme}  - alias: ACME\n    certificate: acme.crt\n`,
      ),
    }),
    /found "ACME" beside "acme"/,
  ],
  [
    'a path that can not be',
    project({ 'Definitions/swagger.yaml': 'paths:\n  "/a b":\n    get: {}\n' }),
    /found the path "\/a b"/,
  ],
];
for (const [why, files, message] of broken) {
  test(`${why}: the API keeps its place, and says what to do`, () => {
    const { apis } = read(files);
    const [api] = apis;
    assert.ok(api);
    const lines = api.problems.map(
      ({ file, line, key, message: text }) => `${file}:${line}: ${key}: ${text}`,
    );
    assert.match(lines.join('\n'), message);
    assert.ok(api.problems.every(({ line }) => line >= 1));
    if (!/name|bomb|twice|YAML/.test(why)) assert.equal(api.written.basePath, '/petstore/1.0.5');
  });
}

test('without any client nobody is admitted, and the API stays: who took the last one out meant it', () => {
  const { apis, warnings } = read({ 'api.yaml': apiYaml(['mutualssl']) });
  assert.deepEqual(
    [apis[0]?.problems, apis[0]?.written.mutualSSL, apis[0]?.written.clients],
    [[], 'mandatory', []],
  );
  assert.match(warnings[0]?.message ?? '', /no client has one in Client-certificates: nobody is admitted/);
});

test('8: one broken project beside others: they go on', () => {
  const folder = put({});
  const all = put({
    ...Object.fromEntries(Object.entries(project()).map(([name, text]) => [`good/${name}`, text])),
    'bad/api.yaml': 'data: [',
    'bad.zip': 'no archive',
  });
  assert.ok(folder !== all);
  const { apis, problems } = readChoreoConnect(entryOf(all));
  assert.deepEqual(apis.map(({ problems: own }) => own.length > 0).sort(), [false, true]);
  assert.match(problems[0]?.message ?? '', /is no archive that can be unpacked/);
});

const zips: readonly [why: string, entries: Readonly<Record<string, Uint8Array>>, message: RegExp][] = [
  [
    'an entry that leads out of it',
    { 'api.yaml': strToU8('a'), '../../evil': strToU8('x') },
    /leads out of the archive/,
  ],
  ['an absolute one', { 'api.yaml': strToU8('a'), '/etc/evil': strToU8('x') }, /leads out of the archive/],
  ['a bomb', { 'api.yaml': new Uint8Array(17_000_000) }, /unpacks to more than 16777216 bytes/],
  [
    'thousands of entries',
    Object.fromEntries(Array.from({ length: 5001 }, (_, i) => [`f${i}`, new Uint8Array()])),
    /more than 5000 entries/,
  ],
  ['no API', { 'readme.md': strToU8('x') }, /has no api\.yaml in it/],
];
for (const [why, entries, message] of zips) {
  test(`an archive with ${why} is not read`, () => {
    const path = join(put({ 'x.txt': '' }), 'a.zip');
    writeFileSync(path, zipSync(entries));
    assert.match(readChoreoConnect(entryOf(path)).problems[0]?.message ?? '', message);
  });
}

/** An archive whose directory has `count` entries that share one's bytes, and says what it likes of their sizes. */
function forgedZip(
  packed: Uint8Array,
  { method, size, count }: Record<'method' | 'size' | 'count', number>,
): Buffer {
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50);
  const entries = Array.from({ length: count }, (_, i) => {
    const name = Buffer.from(i === 0 ? 'api.yaml' : `Definitions/${i}`);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(size, 24);
    entry.writeUInt16LE(name.length, 28);
    return Buffer.concat([entry, name]);
  });
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(local.length + packed.length, 16);
  return Buffer.concat([local, packed, ...entries, end]);
}
const zeros = new Uint8Array(100_000);
const forgeries: readonly [why: string, archive: Buffer, message: RegExp][] = [
  [
    'many entries of the same bytes, stored',
    forgedZip(zeros, { method: 0, size: 0, count: 5000 }),
    /overlap/,
  ],
  ['the same, packed', forgedZip(deflateRawSync(zeros), { method: 8, size: 0, count: 5000 }), /overlap/],
  [
    'a stored entry larger than it says',
    forgedZip(zeros, { method: 0, size: 0, count: 1 }),
    /not what its directory/,
  ],
  [
    'a packed one',
    forgedZip(deflateRawSync(zeros), { method: 8, size: 5, count: 1 }),
    /not what its directory/,
  ],
  [
    'one smaller than it says',
    forgedZip(deflateRawSync(zeros), { method: 8, size: 200_000, count: 1 }),
    /not what/,
  ],
  ['another packing', forgedZip(zeros, { method: 12, size: 100_000, count: 1 }), /packed by method 12/],
  ['an end that is missing', Buffer.from('PK\x03\x04'), /its end is missing/],
  ['an end that breaks off', Buffer.from('PK\x05\x06\0\0'), /breaks off/],
];
for (const [why, archive, message] of forgeries) {
  test(`an archive with ${why} is told, and nothing of it unpacked beyond what it says`, () => {
    const path = join(put({ 'x.txt': '' }), 'a.zip');
    writeFileSync(path, archive);
    const { apis, problems } = readChoreoConnect(entryOf(path));
    assert.equal(apis.length, 0);
    assert.match(problems[0]?.message ?? '', message);
  });
}

test('an archive of which a bit has turned is told', () => {
  const path = join(put({ 'x.txt': '' }), 'a.zip');
  const archive = zipSync({ 'api.yaml': strToU8(apiYaml(['oauth2'])) }, { level: 0 });
  archive[60]! ^= 1;
  writeFileSync(path, archive);
  assert.match(readChoreoConnect(entryOf(path)).problems[0]?.message ?? '', /not what its directory says/);
});

test('of an archive that is unpacked which is read', () => {
  const path = join(put({ 'x.txt': '' }), 'a.zip');
  const texts = Object.entries(project()).map(
    ([name, text]) => [`a/${name}`, strToU8(String(text))] as const,
  );
  const entries = { ...Object.fromEntries(texts), 'a/Docs/film': new Uint8Array(70_000_000) };
  writeFileSync(path, zipSync(entries));
  const { apis, problems } = readChoreoConnect(entryOf(path));
  assert.deepEqual([problems, apis[0]?.problems, apis[0]?.written.clients?.length], [[], [], 1]);
});

test('many small archives that unpack to gigabytes: one sum for all of a path, and the others go on', () => {
  const folder = put({ 'x.txt': '' });
  const bomb = zipSync({
    'api.yaml': strToU8(apiYaml(['oauth2'])),
    'Definitions/swagger.yaml': new Uint8Array(16_000_000),
  });
  for (let i = 0; i < 40; i++) writeFileSync(join(folder, `a${i}.zip`), bomb);
  writeFileSync(join(folder, 'z.zip'), zipSync({ 'api.yaml': strToU8(apiYaml(['oauth2'])) }));
  const { apis, problems } = readChoreoConnect(entryOf(folder));
  const refused = problems.filter(({ message }) => /unpack to more than 536870912 bytes/.test(message));
  assert.deepEqual([problems.length, refused.length], [7, 7]);
  assert.deepEqual([apis.length, apis.at(-1)?.problems], [34, []]);
});

const defaultVersions: readonly [sentence: string, context: string, places: readonly string[]][] = [
  ['its context without a version', '/petstore', ['/petstore/1.0.5', '/petstore']],
  ['the version in full', '/petstore/1.0.5', ['/petstore/1.0.5', '/petstore']],
  ['the version by template', '"/{version}/petstore"', ['/1.0.5/petstore', '/petstore']],
  ['nothing but the version', '"/{version}"', ['/1.0.5', '/']],
];
for (const [sentence, context, places] of defaultVersions) {
  test(`the default version is served at its place without a version, too: ${sentence}`, () => {
    const text = `${apiYaml(['mutualssl', 'mutualssl_mandatory']).replace('/petstore', context)}  isDefaultVersion: true\n`;
    const { apis } = read(project({ 'api.yaml': text }));
    assert.deepEqual(
      apis.map(({ problems, written }) => [written.basePath, problems]),
      places.map((place) => [place, []]),
    );
    const [first, second] = apis.map(({ written: { basePath: _, ...others } }) => others);
    assert.deepEqual(second, first);
  });
}

test('whoever lies in a project is its client, be he listed for an older version of it: told once', () => {
  const entry = (alias: string, identifier: string): string =>
    `  - alias: ${alias}\n    certificate: acme.crt\n    apiIdentifier: ${identifier}\n`;
  const { apis, warnings } = read(
    project({
      'Client-certificates/client_certificates.yaml': clientsYaml(
        entry('same', '{apiName: Petstore, version: 1.0.5}') +
          entry('older', '{apiName: Petstore, version: 1.0.4}') +
          entry('other', '{apiName: Pets, version: 1.0.5}'),
      ),
    }),
  );
  assert.deepEqual(
    apis[0]?.written.clients?.map(({ alias }) => alias),
    ['same', 'older', 'other'],
  );
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]?.message ?? '',
    /is of "Petstore" 1\.0\.4, and this project is "Petstore" 1\.0\.5: "older", and whoever else lies in it, counts here all the same/,
  );
});

test('a WebSocket API: its channels are asked for by GET, its backend is upgraded to', () => {
  const asyncApi = `asyncapi: 2.0.0\ninfo: {title: Ticker, version: 1.0.0}\nchannels:\n  /prices: {subscribe: {x-scopes: [read]}}\n  /open: {publish: {}, x-auth-type: None}\n  'rooms/{id}': {publish: {}}\n`;
  const { apis } = read({
    'api.yaml': `data:\n  name: Ticker\n  context: /ticker\n  version: 1.0.0\n  type: WS\n  securityScheme: [oauth2]\n  endpointConfig: {endpoint_type: ws, production_endpoints: {url: "ws://ticker:8080"}}\n`,
    'Definitions/asyncapi.yaml': asyncApi,
  });
  assert.deepEqual(apis[0]?.problems, []);
  assert.equal(apis[0]?.written.backend, 'ws://ticker:8080');
  assert.deepEqual(apis[0]?.written.operations, [
    { path: '/prices', methods: ['GET'], scopes: ['read'], scopesMatch: 'any' },
    { path: '/open', methods: ['GET'], secured: false },
    { path: '/rooms/{id}', methods: ['GET'] },
  ]);
});

const fields: readonly [sentence: string, operations: string, asked: object][] = [
  [
    'one set',
    '[{target: a, scopes: [x, y]}, {target: b, scopes: []}]',
    { scopes: ['x', 'y'], scopesMatch: 'any' },
  ],
  [
    'several sets',
    '[{target: a, scopes: [x]}, {target: b, scopes: [y]}]',
    { scopes: ['x', 'y'], scopesMatch: 'all' },
  ],
  ['none', '[{target: a}]', {}],
];
for (const [sentence, operations, asked] of fields) {
  test(`scopes of GraphQL's fields, which go to one path: what any of them needs counts for all: ${sentence}`, () => {
    const { apis } = read({
      'api.yaml': `${apiYaml(['oauth2'])}  type: GRAPHQL\n  operations: ${operations}\n`,
    });
    const { scopes, scopesMatch } = apis[0]?.written ?? {};
    assert.deepEqual({ ...(scopes && { scopes }), ...(scopesMatch && { scopesMatch }) }, asked);
    assert.deepEqual(apis[0]?.problems, []);
  });
}

const inBoth: readonly [sentence: string, ofApi: string, ofDefinition: string, warns: boolean][] = [
  ['the same in both', 's', 's', false],
  ['more in the definition', '', 's', false],
  ['one that the definition does not ask for: that is what counts, which is told', 's', '', true],
];
for (const [sentence, ofApi, ofDefinition, warns] of inBoth) {
  test(`scopes of api.yaml’s operations beside a definition: ${sentence}`, () => {
    const { apis, warnings } = read({
      'api.yaml': apiYaml(['oauth2'], `  operations: [{target: /x, verb: GET, scopes: [${ofApi}]}]\n`),
      'Definitions/swagger.yaml': `openapi: 3.0.0\npaths: {/x: {get: {security: [{default: [${ofDefinition}]}]}}}\n`,
    });
    assert.deepEqual(apis[0]?.problems, []);
    assert.deepEqual(
      warnings.map(({ key, message }) => `${key} ${message}`),
      warns
        ? ['data.operations asks for the scope "s", and the definition does not: the definition counts']
        : [],
    );
    assert.deepEqual(apis[0]?.written.operations?.[0]?.scopes, ofDefinition === '' ? undefined : ['s']);
  });
}

test('one config.toml counts, at the top of the path; what lies deeper speaks for nobody', () => {
  const issuer = (name: string): string =>
    `[[enforcer.security.tokenService]]\nname = "${name}"\nissuer = "https://${name}"\njwksURL = "https://${name}/jwks"\n`;
  const files = {
    'p/api.yaml': apiYaml(['oauth2']),
    'deep/config.toml': issuer('evil'),
    'other.toml': issuer('evil'),
  };
  const without = read(files);
  assert.deepEqual(without.tokenServices, []);
  assert.match(
    without.warnings.map(({ file, message }) => `${file}: ${message}`).join(),
    /deep\/config\.toml: is not read; the config\.toml that counts lies at the top of the path/,
  );
  const { tokenServices } = read({ ...files, 'config.toml': issuer('good') });
  assert.deepEqual(
    tokenServices.map(({ written }) => written.name),
    ['good'],
  );
});

test('a project that is mounted by links, as Kubernetes does, is read', () => {
  const linked = put(project());
  mkdirSync(join(linked, '..2026'));
  renameSync(join(linked, 'api.yaml'), join(linked, '..2026', 'api.yaml'));
  symlinkSync('..2026', join(linked, '..data'));
  symlinkSync(join('..data', 'api.yaml'), join(linked, 'api.yaml'));
  const { apis } = readChoreoConnect(entryOf(linked));
  assert.equal(apis[0]?.written.name, 'Petstore');
});

test('context, version, hosts and JSON endpoints, as they are met', () => {
  const of = (more: string, files: Files = {}) =>
    read({ 'api.yaml': apiYaml(['oauth2'], more), ...files }).apis[0]?.written;
  assert.equal(of('')?.basePath, '/petstore/1.0.5');
  const replaced = (context: string) =>
    read({ 'api.yaml': apiYaml(['oauth2']).replace('/petstore', context) }).apis[0]?.written.basePath;
  assert.equal(replaced('/petstore/1.0.5'), '/petstore/1.0.5');
  assert.equal(replaced('/{version}/petstore'), '/1.0.5/petstore');
  const unquoted = read({ 'api.yaml': apiYaml(['oauth2']).replace('1.0.5', '1.10') }).apis[0]?.written;
  assert.deepEqual([unquoted?.version, unquoted?.basePath], ['1.10', '/petstore/1.10']);
  assert.equal(
    of('  endpointConfig: \'{"production_endpoints":{"url":"https://b.test/v2"}}\'\n')?.backend,
    'https://b.test/v2',
  );
  assert.deepEqual(
    of('', {
      'deployment_environments.yaml':
        'type: deployment_environments\ndata:\n  - deploymentVhost: a.test\n  - deploymentVhost: a.test\n',
    })?.hosts,
    ['a.test'],
  );
});

const settings: readonly [
  why: string,
  toml: string,
  more: Partial<DefinitionEntry>,
  sources: unknown,
  warning: RegExp | undefined,
][] = [
  ['the handshake', 'enableClientValidation = true', {}, [{ format: 'peer' }], undefined],
  [
    'a header',
    'enableClientValidation = false\ncertificateHeader = "SSL-CLIENT-CERT"',
    { trustedSenders: ['10.0.0.1'] },
    [{ format: 'auto', header: 'SSL-CLIENT-CERT', trustedSenders: ['10.0.0.1'] }],
    undefined,
  ],
  [
    'an encoded header',
    'enableClientValidation = false\nclientCertificateEncode = true',
    { trustedSenders: ['10.0.0.1'] },
    [{ format: 'percent-pem', header: 'X-WSO2-CLIENT-CERTIFICATE', trustedSenders: ['10.0.0.1'] }],
    undefined,
  ],
  [
    'a header that nobody may send',
    'enableClientValidation = false',
    {},
    [{ format: 'peer' }],
    /add trustedSenders/,
  ],
  [
    'an outbound header',
    'enableOutboundCertificateHeader = true',
    {},
    [{ format: 'peer' }],
    /of our own config\.toml/,
  ],
];
for (const [why, toml, more, sources, warning] of settings) {
  test(`its config.toml says where certificates come from: ${why}`, () => {
    const files = Object.entries(project()).map(([name, text]) => [`p/${name}`, text] as const);
    const folder = put({
      ...Object.fromEntries(files),
      'config.toml': `[enforcer.security.mutualSSL]\n${toml}\n`,
    });
    const { apis, warnings } = readChoreoConnect({ ...entryOf(folder), ...more });
    assert.deepEqual(apis[0]?.written.sources, sources);
    if (warning) assert.match(warnings[0]?.message ?? '', warning);
    else assert.deepEqual(warnings, []);
  });
}

test('ten thousand projects load in seconds', { timeout: 60_000 }, () => {
  const folder = join(root, 'many');
  for (let i = 0; i < 10_000; i++) {
    mkdirSync(join(folder, `a${i}`), { recursive: true });
    writeFileSync(
      join(folder, `a${i}`, 'api.yaml'),
      apiYaml(['oauth2']).replaceAll('etstore', `etstore${i}`),
    );
  }
  assert.equal(readChoreoConnect(entryOf(folder)).apis.length, 10_000);
});

test('docs/migrating/choreo-connect.md: each snippet is what it says it is', () => {
  const page = readFileSync(new URL('../../../../docs/migrating/choreo-connect.md', import.meta.url), 'utf8');
  const snippets = [...page.matchAll(/```(toml)\n([\s\S]*?)```/g)];
  assert.ok(snippets.length >= 3);
  for (const [, kind, text = ''] of snippets) {
    assert.equal(kind, 'toml');
    const read = readConfig(text, 'config.toml', { DB_PASSWORD: 'x' });
    assert.ok('config' in read, JSON.stringify(read));
  }
});

test('an issuer of its config.toml with a misspelt key that would narrow it is left out', () => {
  const conf =
    '[[enforcer.security.tokenService]]\nname = "idp"\nissuer = "https://idp"\njwksURL = "https://idp/jwks"\nvalidateSubscriptions = true\n';
  const { tokenServices, problems } = read({ 'p/api.yaml': apiYaml(['oauth2']), 'config.toml': conf });
  assert.deepEqual(tokenServices, []);
  assert.match(
    problems.map(({ message }) => message).join(),
    /validateSubscriptions: is not known here; did you mean "validateSubscription"\?; its tokens are refused/,
  );
});
