import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { strToU8, zipSync } from 'fflate';
import { readConfig } from '../../../../src/config/read-config.ts';
import { readApiManager } from '../../../../src/definitions/api-manager/api-manager.ts';
import type { TableRow } from '../../../../src/definitions/api-manager/table-row.ts';
import type { DefinitionEntry, WrittenApi } from '../../../../src/definitions/written.ts';
import { FileProblem } from '../../../../src/documents/files.ts';
import { readXml } from '../../../../src/documents/xml.ts';
import { decide } from '../../../../src/enforcer.ts';
import { isProblems, loadConfig } from '../../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../../src/provision/provision.ts';
import { request } from '../../../support/attributes.ts';
import { createAuthority, selfSigned } from '../../../support/certificate-authority.ts';
import { makeJks } from '../../../support/key-stores.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const globex = await selfSigned({ subject: 'CN=globex' });
const ca = await createAuthority({ subject: 'CN=Partner CA' });
const root = mkdtempSync(join(tmpdir(), 'api-manager-'));
after(() => rmSync(root, { recursive: true }));

const now = Date.parse('2026-06-01');
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
const row = (more: Partial<TableRow> = {}): TableRow => ({
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
  rows: readonly TableRow[],
  more: Partial<DefinitionEntry> = {},
  files: Files = { 'readme.txt': '' },
) => read(files, { database: 'postgres://db/x', rows, ...more });

test('clients that are in the table only: nobody says that nobody is admitted', () => {
  const api = { 'api/api.yaml': apiYaml('securityScheme: [mutualssl, mutualssl_mandatory]') };
  const said = (rows: readonly TableRow[]): string =>
    fromTable(rows, {}, api)
      .warnings.map(({ message }) => message)
      .join('\n');
  assert.doesNotMatch(said([row()]), /nobody is admitted/);
  assert.match(said([]), /asks for a certificate, and no client has one.*nobody is admitted/);
});

test('the default version is served at both places, for the same clients of the table', () => {
  const api = {
    'api/api.yaml': `${apiYaml('securityScheme: [mutualssl, mutualssl_mandatory]')}isDefaultVersion: true\n`,
  };
  const { apis, warnings } = fromTable([row()], {}, api);
  assert.deepEqual(
    apis.map(({ written, problems }) => [written.basePath, written.clients, problems]),
    ['/pizzashack/1.0.0', '/pizzashack'].map((place) => [
      place,
      [{ alias: 'acme', tier: 'Gold', pem: acme.pem }],
      [],
    ]),
  );
  assert.deepEqual(warnings, []);
});

test('the example, as it stands', () => {
  const folder = join(root, 'example');
  cpSync(new URL('../../../../examples/api-manager/', import.meta.url), folder, { recursive: true });
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
      { alias: 'globex', certificate: Buffer.from(globex.pem).toString('base64'), tierName: 'Gold' },
    ]),
    'PizzaShack/Meta-information/swagger.json': JSON.stringify({
      swagger: '2.0',
      paths: { '/menu': { get: {} } },
    }),
  });
  assert.deepEqual(apis[0]?.problems, []);
  assert.deepEqual(apis[0]?.written.clients, [
    { alias: 'acme', pem: acme.pem, tier: 'Gold' },
    { alias: 'globex', pem: globex.pem, tier: 'Gold' },
  ]);
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

test('rows of the table: DER, PEM and base64 of PEM, with their tiers, in place of those of an archive', () => {
  for (const certificate of [
    Buffer.from(globex.der),
    Buffer.from(globex.pem),
    Buffer.from(Buffer.from(globex.pem).toString('base64')),
  ]) {
    const { apis, warnings } = fromTable(
      [row({ alias: 'globex', tier: undefined, certificate })],
      {},
      archive(),
    );
    assert.deepEqual(apis.length, 1);
    assert.deepEqual(apis[0]?.problems, []);
    assert.deepEqual(apis[0]?.written.clients, [{ alias: 'globex', pem: globex.pem }]);
    assert.match(warnings[0]?.message ?? '', /"acme" is in the archive and not in the table: not admitted/);
  }
});

test('an API that is in the table alone: nobody without one of its certificates, and a warning to export it', () => {
  const { apis, warnings } = fromTable([row()]);
  const { written, problems } = apis[0]!;
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [written.basePath, written.mutualSSL, written.applicationSecurity, written.clients?.length],
    ['/pizzashack/1.0.0', 'mandatory', 'off', 1],
  );
  assert.match(warnings[0]?.message ?? '', /in the table only: "PizzaShack" 1\.0\.0\. It does not say/);
});

const acmeGone = { alias: 'acme', pem: acme.pem, tier: 'Gold', disabled: true };
const removals: readonly [why: string, rows: readonly TableRow[], files: Files][] = [
  ['removed in the table, still in an archive', [row({ removed: true })], archive()],
  ['in an archive only', [], archive()],
  ['in an archive only, of an API that is nothing without', [], archive('apiSecurity: mutualssl')],
  ['removed in the table, of an API that is there alone', [row({ removed: true })], { 'readme.txt': '' }],
];
for (const [why, rows, files] of removals) {
  test(`a certificate that is ${why}: admitted no more, and its API is no worse for it`, () => {
    const { apis } = fromTable(rows, {}, files);
    assert.deepEqual([apis.length, apis[0]?.problems, apis[0]?.written.clients], [1, [], [acmeGone]]);
  });
}

test('a reload after the last certificate was removed: it is refused, not set back to what was good before', async () => {
  const folder = put({ 'readme.txt': '' });
  const file = join(folder, 'config.toml');
  const database = 'postgres://db/x';
  writeFileSync(
    file,
    `[[definitions]]\nkind = "api-manager"\npath = "readme.txt"\ndatabase = "${database}"\n`,
  );
  const load = (rows: readonly TableRow[], before?: Provisioned): Provisioned => {
    const tables = new Map([[database, rows]]);
    const loaded = loadConfig(file, {}, now, { tables, ...(before && { before }) });
    assert.ok(!isProblems(loaded), JSON.stringify(loaded));
    return loaded;
  };
  const outcome = async ({ snapshot }: Provisioned): Promise<string> => {
    const certificate = encodeURIComponent(acme.pem);
    const decision = await decide(request({ path: '/pizzashack/1.0.0/menu', certificate }), snapshot, now);
    return decision.outcome === 'deny' ? decision.code : 'allow';
  };
  const good = load([row()]);
  assert.equal(await outcome(good), 'allow');
  const after = load([row({ removed: true })], good);
  assert.deepEqual([await outcome(after), after.problems], ['alias_disabled', []]);
});

test('a removed certificate says nothing while there are others', () => {
  const rows = [row(), row({ removed: true, tier: 'Silver', certificate: Buffer.from(globex.pem) })];
  assert.deepEqual(fromTable(rows).apis[0]?.written.clients, [
    { alias: 'acme', pem: acme.pem, tier: 'Gold' },
  ]);
});

test('the same name and version of another tenant: its clients are not this one’s', () => {
  const other = row({
    alias: 'globex',
    certificate: Buffer.from(globex.pem),
    tenant: 7,
    apiContext: '/t/globex.example/pizzashack/1.0.0',
  });
  const { apis, warnings } = fromTable([row(), other], {}, archive());
  assert.deepEqual(
    apis.map(({ written }) => [written.basePath, written.clients?.map(({ alias }) => alias)]),
    [
      ['/pizzashack/1.0.0', ['acme']],
      ['/t/globex.example/pizzashack/1.0.0', ['globex']],
    ],
  );
  assert.match(
    warnings[0]?.message ?? '',
    /at \/t\/globex\.example\/pizzashack\/1\.0\.0, not at \/pizzashack\/1\.0\.0/,
  );
});

test('a certificate with its CA behind it is the certificate', async () => {
  const issuer = await createAuthority({ subject: 'CN=CA' });
  const { pem } = await issuer.issue({ subject: 'CN=acme' });
  for (const certificate of [pem, pem + issuer.pem, Buffer.from(pem).toString('base64')]) {
    const { apis } = fromTable([row({ certificate: Buffer.from(certificate) })]);
    assert.deepEqual(apis[0]?.written.clients, [{ alias: 'acme', pem, tier: 'Gold' }]);
  }
});

const badRows: readonly [why: string, certificate: Buffer, message: RegExp][] = [
  ['no certificate at all', Buffer.from('rubbish'), /has no certificate in it/],
  ['nothing', Buffer.alloc(0), /is empty, or larger than a certificate can be/],
  ['half of one', Buffer.from(acme.der).subarray(0, 100), /has a certificate that can't be read/],
  ['DER and something behind it', Buffer.concat([acme.der, Buffer.from([0])]), /can't be read/],
  ['two', Buffer.from(acme.pem + globex.pem), /has 2 certificates where one belongs/],
  [
    'a private key',
    Buffer.from(`${acme.pem}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`),
    /has a private key in it/,
  ],
];
for (const [why, certificate, message] of badRows) {
  test(`a row with ${why} is left out and told, and the others go on`, () => {
    const { apis, warnings } = fromTable([row(), row({ alias: 'bad', certificate })]);
    assert.deepEqual(apis[0]?.problems, []);
    assert.deepEqual(
      apis[0]?.written.clients?.map(({ alias }) => alias),
      ['acme'],
    );
    const told = warnings.find(({ key }) => key === 'AM_API_CLIENT_CERTIFICATE bad');
    assert.match(told?.message ?? '', message);
  });
}

const chosen: readonly [
  why: string,
  rows: readonly TableRow[],
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
    'the key type of production, unless another is asked for',
    [row({ keyType: 'PRODUCTION' }), row({ alias: 'sand', keyType: 'SANDBOX' })],
    {},
    ['acme'],
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

test('a table that could not be read: nobody knows who was removed, so that no certificate is believed', () => {
  const { problems, warnings, apis } = read(
    { ...archive(), 'open/api.yaml': apiYaml('apiSecurity: oauth2').replace('PizzaShack', 'Open') },
    { database: 'postgres://db/x' },
  );
  assert.match(problems[0]?.message ?? '', /the table of client certificates could not be read/);
  assert.deepEqual(warnings, [], 'nobody knows what is not in it');
  assert.deepEqual(
    apis.map(({ written, problems: own }) => [written.name, own.length]),
    [
      ['PizzaShack', 1],
      ['Open', 0],
    ],
  );
});

test('later archives have a folder for each kind of key: production’s, or the one that is asked for', () => {
  const list = (file: string): string => `data:\n  - alias: acme\n    certificate: ${file}\n`;
  const files: Files = {
    'api/api.yaml': apiYaml('apiSecurity: mutualssl'),
    'api/Client-certificates/PRODUCTION/client_certificates.yaml': list('a.crt'),
    'api/Client-certificates/PRODUCTION/a.crt': acme.pem,
    'api/Client-certificates/SANDBOX/client_certificates.yaml': list('b.crt'),
    'api/Client-certificates/SANDBOX/b.crt': globex.pem,
  };
  assert.deepEqual(read(files).apis[0]?.written.clients, [{ alias: 'acme', pem: acme.pem }]);
  assert.deepEqual(read(files, { keyType: 'SANDBOX' }).apis[0]?.written.clients, [
    { alias: 'acme', pem: globex.pem },
  ]);
});

test('an archive that is being written: its API stays where it was, in its last good state', () => {
  const good = zipSync({
    'P/api.yaml': strToU8(apiYaml('apiSecurity: mutualssl')),
    'P/Client-certificates/client_certificates.yaml': strToU8(
      'data:\n  - alias: acme\n    certificate: a.crt\n',
    ),
    'P/Client-certificates/a.crt': strToU8(acme.pem),
  });
  const folder = put({
    'apis/p.zip': Buffer.from(good),
    'config.toml': '[[definitions]]\nkind = "api-manager"\npath = "apis/"\n',
  });
  const first = loadConfig(join(folder, 'config.toml'), {}, now);
  assert.ok(!isProblems(first), JSON.stringify(first));
  writeFileSync(join(folder, 'apis/p.zip'), good.subarray(0, 40));
  const second = loadConfig(join(folder, 'config.toml'), {}, now, { before: first });
  assert.ok(!isProblems(second), JSON.stringify(second));
  assert.match(second.problems[0]?.message ?? '', /is no archive that can be unpacked/);
  assert.deepEqual(second.config.apis, first.config.apis);
  assert.equal(second.config.apis.length, 1);
});

test('configuration beside an api.yaml counts, and files of any name are no harm', () => {
  const files = {
    'api.yaml': apiYaml('apiSecurity: oauth2,mutualssl'),
    'deployment.toml': '[apimgt.mutual_ssl]\ncertificate_header = "X-Cert"\n',
    constructor: '',
    __proto__x: '',
    toString: '',
  };
  const folder = put(files);
  writeFileSync(join(folder, '__proto__'), '');
  const { apis } = readApiManager(entryOf(folder, { trustedSenders: ['10.0.0.1'] }));
  assert.equal(apis[0]?.written.sources?.[1]?.header, 'X-Cert');
  assert.deepEqual(readApiManager(entryOf(join(folder, '__proto__'))).apis, []);
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
    'no table',
    { ...archive(), 'deployment.toml': '[apimgt]\nmutual_ssl = true\n' },
    /is no table; write \[apimgt\.mutual_ssl\]/,
  ],
  [
    'two installations that differ',
    {
      ...archive(),
      'a/deployment.toml': '[apimgt.mutual_ssl]\nenable_certificate_chain_validation = true\n',
      'b/deployment.toml': '[apimgt.mutual_ssl]\nenable_certificate_chain_validation = false\n',
    },
    /b\/deployment\.toml:1: : says otherwise of certificate chain validation than .*a\/deployment\.toml/,
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
    /add trustedSenders/,
  ])
    assert.match(text, part);
});

test('XML: entities, depth and namespaces are no way in', () => {
  assert.throws(() => readXml('<a>&undefined;</a>'), FileProblem);
  assert.throws(() => readXml('<a>'.repeat(200)), /nested more than 100 deep/);
  assert.throws(() => readXml(''), FileProblem);
  assert.equal(readXml('<a x="1">t<![CDATA[<b>]]></a>').text, 't<b>');
});

test('docs/migrating/api-manager.md: each snippet is what it says it is', () => {
  const page = readFileSync(new URL('../../../../docs/migrating/api-manager.md', import.meta.url), 'utf8');
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
