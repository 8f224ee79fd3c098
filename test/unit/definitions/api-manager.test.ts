import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { readConfig } from '../../../src/config/read-config.ts';
import { readApiManager } from '../../../src/definitions/api-manager.ts';
import type { ClientCertificateRow, DefinitionEntry, WrittenApi } from '../../../src/definitions/written.ts';
import { readXml, XmlProblem } from '../../../src/definitions/xml-file.ts';
import { createAuthority, selfSigned } from '../../support/certificate-authority.ts';
import { makeJks } from '../../support/key-stores.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const globex = await selfSigned({ subject: 'CN=globex' });
const ca = await createAuthority({ subject: 'CN=Partner CA' });
const root = mkdtempSync(join(tmpdir(), 'api-manager-'));
after(() => rmSync(root, { recursive: true }));

let count = 0;
type Files = Readonly<Record<string, string | Buffer>>;
function put(files: Files): string {
  const folder = join(root, `p${count++}`);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}
const entryOf = (path: string, more: Partial<DefinitionEntry> = {}): DefinitionEntry => ({
  kind: 'api-manager',
  path,
  trustedSenders: undefined,
  backend: undefined,
  home: undefined,
  ...more,
});
const apiYaml = (security: string): string =>
  `id:\n  providerName: admin\n  apiName: PizzaShack\n  version: 1.0.0\ncontext: /pizzashack\n${security}\n`;
const archive = (security = 'apiSecurity: oauth2,mutualssl', pem = acme.pem): Files => ({
  'api/api.yaml': apiYaml(security),
  'api/Client-certificates/client_certificates.yaml':
    'data:\n  - alias: acme\n    certificate: a.crt\n    tierName: Gold\n',
  'api/Client-certificates/a.crt': pem,
});
const read = (files: Files, more: Partial<DefinitionEntry> = {}) => readApiManager(entryOf(put(files), more));
const row = (more: Partial<ClientCertificateRow> = {}): ClientCertificateRow => ({
  alias: 'acme',
  tier: 'Gold',
  certificate: Buffer.from(acme.pem),
  tenant: -1234,
  keyType: undefined,
  revision: undefined,
  apiName: 'PizzaShack',
  apiVersion: '1.0.0',
  apiProvider: 'admin',
  apiContext: '/pizzashack/1.0.0',
  ...more,
});
const fromTable = (
  rows: readonly ClientCertificateRow[],
  more: Partial<DefinitionEntry> = {},
  files: Files = { 'readme.txt': '' },
) => read(files, { database: 'postgres://db/x', rows, ...more });

test('the example, as it stands', () => {
  const folder = join(root, 'example');
  cpSync(new URL('../../../examples/api-manager/', import.meta.url), folder, { recursive: true });
  writeFileSync(join(folder, 'PizzaShack-1.0.0/Client-certificates/acme.crt'), acme.pem);
  writeFileSync(
    join(folder, 'repository/resources/security/client-truststore.jks'),
    makeJks([['acme', acme.der]], 'wso2carbon'),
  );
  const { apis, problems, warnings } = readApiManager(
    entryOf(folder, { home: folder, trustedSenders: ['10.20.0.0/16'] }),
  );
  assert.deepEqual([problems, warnings, apis[0]?.problems], [[], [], []]);
  assert.deepEqual(apis[0]?.written, {
    name: 'PizzaShack',
    version: '1.0.0',
    basePath: '/pizzashack/1.0.0',
    mutualSSL: 'optional',
    clients: [{ alias: 'acme', pem: acme.pem, tier: 'Gold' }],
    optionalCertificate: 'ignore-wrong',
    applicationSecurity: 'optional',
    operations: [
      { path: '/menu', methods: ['GET'] },
      { path: '/order', methods: ['POST'] },
    ],
    errorFormat: 'api-manager',
    sources: [
      { format: 'peer' },
      { format: 'auto', header: 'X-WSO2-CLIENT-CERTIFICATE', trustedSenders: ['10.20.0.0/16'] },
    ],
  } satisfies WrittenApi);
});

const security: readonly [security: string, mutualSSL: string, applicationSecurity: string, why: string][] = [
  ['apiSecurity: oauth2,mutualssl', 'optional', 'optional', 'both chosen: either admits'],
  ['apiSecurity: mutualssl', 'mandatory', 'off', 'mutual SSL alone'],
  ['apiSecurity: oauth2', 'off', 'mandatory', 'OAuth2 alone'],
  [
    'apiSecurity: oauth2,mutualssl,mutualssl_mandatory,oauth_basic_auth_api_key_mandatory',
    'mandatory',
    'mandatory',
    'with the markers of later versions',
  ],
  ['securityScheme: [mutualssl, oauth2]', 'optional', 'mandatory', 'later versions: as Choreo Connect'],
];
for (const [lines, mutualSSL, applicationSecurity, why] of security) {
  test(`${lines}: ${why}`, () => {
    const { written, problems } = read(archive(lines)).apis[0]!;
    assert.deepEqual(
      [problems, written.mutualSSL, written.applicationSecurity],
      [[], mutualSSL, applicationSecurity],
    );
  });
}

test('archives of older versions: Meta-information, certificates in the list itself', () => {
  const { apis } = read({
    'PizzaShack/Meta-information/api.json': JSON.stringify({
      id: { apiName: 'PizzaShack', version: '1.0.0' },
      context: '/pizzashack/1.0.0',
      apiSecurity: 'oauth2,mutualssl',
    }),
    'PizzaShack/Meta-information/client_certificates.json': JSON.stringify([
      { alias: 'acme', certificate: acme.pem, tierName: 'Gold' },
    ]),
    'PizzaShack/Meta-information/swagger.json': JSON.stringify({
      swagger: '2.0',
      paths: { '/menu': { get: {} } },
    }),
  });
  assert.deepEqual(apis[0]?.problems, []);
  assert.deepEqual(apis[0]?.written.clients, [{ alias: 'acme', pem: acme.pem, tier: 'Gold' }]);
  assert.equal(apis[0]?.written.basePath, '/pizzashack/1.0.0');
  assert.deepEqual(apis[0]?.written.operations, [{ path: '/menu', methods: ['GET'] }]);
});

test('chain validation means real validation: an uploaded CA admits what it issued', () => {
  const conf = (on: boolean): Files => ({
    ...archive(undefined, ca.pem),
    'deployment.toml': `[apimgt.mutual_ssl]\nenable_certificate_chain_validation = ${on}\n`,
  });
  assert.deepEqual(read(conf(true)).apis[0]?.written.clients, [
    { alias: 'acme', tier: 'Gold', caPem: ca.pem },
  ]);
  assert.deepEqual(read(conf(false)).apis[0]?.written.clients, [
    { alias: 'acme', pem: ca.pem, tier: 'Gold' },
  ]);
});

test('rows of the table: DER, PEM and base64 of PEM, with their tiers, beside an archive', () => {
  for (const certificate of [
    Buffer.from(globex.der),
    Buffer.from(globex.pem),
    Buffer.from(Buffer.from(globex.pem).toString('base64')),
  ]) {
    const { apis } = fromTable([row({ alias: 'globex', tier: undefined, certificate })], {}, archive());
    assert.deepEqual(apis[0]?.problems, []);
    assert.deepEqual(apis[0]?.written.clients, [
      { alias: 'acme', pem: acme.pem, tier: 'Gold' },
      { alias: 'globex', pem: globex.pem },
    ]);
  }
});

test('an API that is in the table alone: either admits, at the context that stands there', () => {
  const { written, problems } = fromTable([row()]).apis[0]!;
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [written.basePath, written.mutualSSL, written.applicationSecurity, written.clients?.length],
    ['/pizzashack/1.0.0', 'optional', 'optional', 1],
  );
});

const chosen: readonly [
  why: string,
  rows: readonly ClientCertificateRow[],
  more: Partial<DefinitionEntry>,
  aliases: readonly string[],
][] = [
  ['one tenant', [row(), row({ alias: 'other', tenant: 7 })], { tenant: -1234 }, ['acme']],
  [
    'any tenant',
    [row(), row({ alias: 'other', tenant: 7, certificate: Buffer.from(globex.pem) })],
    {},
    ['acme', 'other'],
  ],
  [
    'one key type',
    [row({ keyType: 'PRODUCTION' }), row({ alias: 'sand', keyType: 'SANDBOX' })],
    { keyType: 'PRODUCTION' },
    ['acme'],
  ],
  ['the key type, where the column is missing', [row()], { keyType: 'PRODUCTION' }, ['acme']],
  [
    'the current revision',
    [row({ revision: 'Current API' }), row({ alias: 'old', revision: '0c1d' })],
    {},
    ['acme'],
  ],
];
for (const [why, rows, more, aliases] of chosen) {
  test(`of the rows those of ${why}`, () =>
    assert.deepEqual(
      fromTable(rows, more).apis[0]?.written.clients?.map(({ alias }) => alias),
      aliases,
    ));
}

test('a table that could not be read is a problem, and the archives go on', () => {
  const { problems, apis } = read(archive(), { database: 'postgres://db/x' });
  assert.match(problems[0]?.message ?? '', /the table of client certificates could not be read/);
  assert.deepEqual(apis[0]?.problems, []);
});

const broken: readonly [why: string, files: Files, message: RegExp][] = [
  [
    'a DOCTYPE',
    {
      ...archive(),
      'api-manager.xml': '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><APIManager>&x;</APIManager>',
    },
    /api-manager\.xml:1: .*has a DOCTYPE/,
  ],
  ['XML that breaks off', { ...archive(), 'axis2.xml': '<axisconfig>\n<a>' }, /axis2\.xml:2: .*is no XML/],
  ['another root', { ...archive(), 'listenerprofiles.xml': '<a/>' }, /is no <parameter name="SSLProfiles">/],
  [
    'another word for require',
    {
      ...archive(),
      'listenerprofiles.xml':
        '<parameter name="SSLProfiles"><profile><SSLVerifyClient>always</SSLVerifyClient></profile></parameter>',
    },
    /found SSLVerifyClient "always"; write optional or require/,
  ],
  ['TOML that breaks off', { ...archive(), 'deployment.toml': '[apimgt' }, /deployment\.toml:1/],
  [
    'a key that is misspelt',
    { ...archive(), 'deployment.toml': '[apimgt.mutual_ssl]\nenable_certificate_chain_validatoin = true\n' },
    /is not known here; there are: certificate_header/,
  ],
  [
    'a text for a switch',
    { ...archive(), 'deployment.toml': '[apimgt.mutual_ssl]\nenable_client_validation = "false"\n' },
    /found "false"; write true or false/,
  ],
];
for (const [why, files, message] of broken) {
  test(`${why}: no API is served by what can only be half known`, () => {
    const { apis, problems } = read(files);
    const lines = problems.map(({ file, line, key, message: text }) => `${file}:${line}: ${key}: ${text}`);
    assert.match(lines.join('\n'), message);
    assert.ok((apis[0]?.problems.length ?? 0) > 0);
  });
}

test('what is asked for there and not here is warned about', () => {
  const { warnings } = read({
    ...archive(),
    'axis2.xml':
      '<axisconfig><transportReceiver name="https"><parameter name="SSLVerifyClient">require</parameter></transportReceiver></axisconfig>',
    'listenerprofiles.xml':
      '<parameter name="SSLProfiles"><profile><bindAddress>10.0.0.1</bindAddress></profile></parameter>',
    'api-manager.xml':
      '<APIManager><EnableMTLSForAPIs>false</EnableMTLSForAPIs><MutualSSL><ClientCertificateHeader>X-A</ClientCertificateHeader></MutualSSL></APIManager>',
    'deployment.toml': '[apimgt.mutual_ssl]\nforward_client_certificate_header = true\n',
  });
  const text = warnings.map(({ message }) => message).join('\n');
  for (const part of [
    /every client needs a certificate there/,
    /is for 10\.0\.0\.1 only/,
    /mutual SSL is switched off there/,
    /enableOutboundCertificateHeader/,
    /Add trustedSenders/,
  ])
    assert.match(text, part);
});

test('XML: entities, depth and namespaces are no way in', () => {
  assert.throws(() => readXml('<a>&undefined;</a>'), XmlProblem);
  assert.throws(() => readXml('<a>'.repeat(200)), /nested more than 100 deep/);
  assert.throws(() => readXml(''), XmlProblem);
  assert.equal(readXml('<a x="1">t<![CDATA[<b>]]></a>').text, 't<b>');
});

test('docs/migrating/api-manager.md: each snippet is what it says it is', () => {
  const page = readFileSync(new URL('../../../docs/migrating/api-manager.md', import.meta.url), 'utf8');
  const snippets = [...page.matchAll(/```(toml|xml)\n([\s\S]*?)```/g)];
  assert.ok(snippets.length >= 3);
  for (const [, kind, text = ''] of snippets) {
    if (kind === 'xml') {
      assert.equal(readXml(text).name, 'parameter');
      continue;
    }
    const read = readConfig(text, 'config.toml', { DB_PASSWORD: 'x' });
    assert.ok('config' in read, JSON.stringify(read));
  }
});
