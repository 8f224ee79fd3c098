import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { api as apiSchema } from '../../../../src/config/schema/api.ts';
import { tokenService } from '../../../../src/config/schema/token-service.ts';
import { readApk } from '../../../../src/definitions/apk/apk.ts';
import type {
  DefinedApi,
  Definition,
  DefinitionEntry,
  WrittenApi,
} from '../../../../src/definitions/written.ts';
import type { Problem } from '../../../../src/documents/problem.ts';
import { parseToml } from '../../../../src/documents/toml.ts';
import { createAuthority } from '../../../support/certificate-authority.ts';

const root = resolve(import.meta.dirname, '../../../..');
const folder = mkdtempSync(join(tmpdir(), 'apk-'));
after(() => rmSync(folder, { recursive: true }));

const ca = await createAuthority();
const [acme, bolt, cord] = await Promise.all(
  ['acme', 'bolt', 'cord'].map((name) => ca.issue({ subject: `CN=${name}`, extendedKeyUsage: 'client' })),
);
const indent = (text: string, by: number): string => text.trimEnd().replaceAll(/^/gm, ' '.repeat(by));
const base64 = (text: string): string => Buffer.from(text).toString('base64');

let number = 0;
type Files = Readonly<Record<string, string>>;
function place(files: Files): string {
  const project = join(folder, `${++number}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), text);
  }
  return project;
}
function read(files: Files, more: Partial<DefinitionEntry> = {}): Definition {
  const path = place(files);
  return readApk({
    kind: 'apk',
    path,
    trustedSenders: ['10.0.0.1'],
    backend: undefined,
    home: undefined,
    ...more,
  });
}
const line = ({ file, line, key, message }: Problem): string =>
  `${file.replace(/^.*\//, '')}:${line}: ${key}: ${message}`;
const all = (definition: Definition): string =>
  [...definition.problems, ...definition.apis.flatMap(({ problems }) => problems)].map(line).join('\n');
function good(files: Files, more: Partial<DefinitionEntry> = {}): DefinedApi {
  const definition = read(files, more);
  assert.equal(all(definition), '');
  assert.equal(definition.apis.length, 1);
  const [api] = definition.apis;
  assert.deepEqual(apiSchema.safeParse(api!.written).error?.issues, undefined);
  return api!;
}

const configMap = (name: string, data: string, more = ''): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${more}data:\n${data}\n`;
const certificates = configMap('mtls-configmap', `  tls.crt: |\n${indent(acme!.pem, 4)}`);
const secret = (data: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: mtls-secret}\n${data}\n`;
const conf = (authentication: string, more = ''): string => `name: "EmployeeServiceAPI"
basePath: "/employee"
version: "3.14"
type: "REST"
id: "mtls-api"
operations:
  - {target: "/employee", verb: "GET", secured: true, scopes: []}
${authentication === '' ? '' : `authentication:\n${indent(authentication, 2)}\n`}${more}`;
const mtls = (required: string): string =>
  `- authType: mTLS\n${required}  certificates: [{name: mtls-configmap, key: tls.crt}]\n`;
const oauth2 = (more: string): string => `- authType: OAuth2\n${more}`;
const authentication = (spec: string, name = 'auth', target = 'mtls-api'): string =>
  `apiVersion: dp.wso2.com/v1alpha2\nkind: Authentication\nmetadata: {name: ${name}}\nspec:\n${indent(spec, 2)}\n  targetRef: {group: gateway.networking.k8s.io, kind: API, name: ${target}}\n`;
const inline = (pem: string): string => `certificatesInline:\n- |\n${indent(pem, 2)}\n`;
const specOf = (level: string, body: string): string => `${level}:\n${indent(body, 2)}\n`;
const mtlsSpec = (body: string): string => `mtls:\n${indent(body, 2)}\n`;

const modes: readonly [sentence: string, authentication: string, expected: string][] = [
  ['no list: OAuth2 is mandatory, as APK has it', '', 'off/mandatory'],
  ['mTLS alone in the list: OAuth2 stays mandatory', mtls('  required: mandatory\n'), 'mandatory/mandatory'],
  ['required left out: mandatory', mtls(''), 'mandatory/mandatory'],
  ['optional mTLS beside OAuth2', mtls('  required: optional\n'), 'optional/mandatory'],
  [
    'any case',
    oauth2('  required: Optional\n') + mtls('  required: MANDATORY\n').replace('mTLS', 'MTLS'),
    'mandatory/optional',
  ],
  [
    'both optional: one of them',
    oauth2('  required: optional\n') + mtls('  required: optional\n'),
    'optional/optional',
  ],
  ['OAuth2 disabled', oauth2('  enabled: false\n') + mtls('  required: mandatory\n'), 'mandatory/off'],
  [
    'optional mTLS as the only security: mandatory, it would be open',
    oauth2('  enabled: false\n') + mtls('  required: optional\n'),
    'mandatory/off',
  ],
  ['mTLS disabled', mtls('  enabled: false\n'), 'off/mandatory'],
  ['optional OAuth2 as the only security: mandatory', oauth2('  required: optional\n'), 'off/mandatory'],
  ['all disabled, without mTLS: open, as it says', oauth2('  enabled: false\n'), 'off/off'],
  ['an API key beside OAuth2 can be left out', '- authType: APIKey\n', 'off/mandatory'],
];
for (const [sentence, list, expected] of modes) {
  test(`apk-conf: ${sentence}`, () => {
    const { written } = good({ 'e.apk-conf': conf(list), 'cm.yaml': certificates });
    assert.equal(`${written.mutualSSL}/${written.applicationSecurity}`, expected);
    assert.equal(written.clients?.length ?? 0, written.mutualSSL === 'off' ? 0 : 1);
  });
}

test('apk-conf: all that one comes down to', () => {
  const { written, origin } = good({
    'e.apk-conf': readFileSync(`${root}/examples/apk/employee.apk-conf`, 'utf8'),
    'cm.yaml': certificates,
  });
  assert.equal(origin.line, 1);
  assert.deepEqual(written, {
    name: 'EmployeeServiceAPI',
    version: '3.14',
    basePath: '/employee/3.14',
    mutualSSL: 'mandatory',
    clients: [{ alias: 'mtls-configmap/tls.crt', pem: acme!.pem }],
    optionalCertificate: 'reject-wrong',
    sources: [{ format: 'auto', header: 'X-WSO2-CLIENT-CERTIFICATE', trustedSenders: ['10.0.0.1'] }],
    applicationSecurity: 'optional',
    operations: [
      { path: '/employee', methods: ['GET', 'POST'] },
      { path: '/employee/{employeeId}', methods: ['PUT'] },
    ],
    errorFormat: 'apk',
    backend: 'http://employee-service:8080',
  } satisfies WrittenApi);
});

test('without trustedSenders no header is read, and the line to add is said', () => {
  const definition = read(
    { 'e.apk-conf': conf(mtls('')), 'cm.yaml': certificates },
    { trustedSenders: undefined },
  );
  assert.deepEqual(definition.apis[0]!.written.sources, [{ format: 'peer' }]);
  assert.match(definition.warnings.map(line).join('\n'), /trustedSenders = \["10\.20\.0\.0\/16"\]/);
});

const paths: readonly [sentence: string, conf: string, basePaths: string[]][] = [
  ['the version goes behind the base path', conf(''), ['/employee/3.14']],
  [
    'a base path that ends in it stays',
    conf('').replace('"/employee"', '"/employee/3.14"'),
    ['/employee/3.14'],
  ],
  [
    'a default version is served without it too',
    `${conf('')}defaultVersion: true\n`,
    ['/employee/3.14', '/employee'],
  ],
];
for (const [sentence, text, basePaths] of paths) {
  test(`apk-conf: ${sentence}`, () => {
    const definition = read({ 'e.apk-conf': text });
    assert.equal(all(definition), '');
    assert.deepEqual(
      definition.apis.map(({ written }) => written.basePath),
      basePaths,
    );
  });
}

test('operations: security off, scopes (one of several), the same twice', () => {
  const operations = `operations:
  - {target: "/open", verb: GET, secured: false, scopes: [unused]}
  - {target: "/orders/{id}", verb: get, scopes: [b, a]}
  - {target: "/orders/{number}", verb: GET, scopes: [a, b]}
  - {verb: DELETE}
`;
  const text = conf('').replace(/operations:\n.*\n/, operations);
  assert.deepEqual(good({ 'e.apk-conf': text }).written.operations, [
    { path: '/open', methods: ['GET'], secured: false },
    { path: '/orders/{id}', methods: ['GET'], scopes: ['a', 'b'], scopesMatch: 'any' },
    { path: '/*', methods: ['DELETE'] },
  ]);
});

test('where no token is asked for, scopes are left out', () => {
  const text = conf(oauth2('  enabled: false\n') + mtls('')).replace('scopes: []', 'scopes: [a]');
  assert.deepEqual(good({ 'e.apk-conf': text, 'cm.yaml': certificates }).written.operations, [
    { path: '/employee', methods: ['GET'] },
  ]);
});

test('gRPC: one API for each service, its path as the client sends it and the backend gets it', () => {
  const text = readFileSync(`${root}/examples/apk/student.apk-conf`, 'utf8').replace(
    /target: "student_service.StudentService"\n {4}verb: "Send/,
    'target: "teacher.Teachers"\n    verb: "Send',
  );
  const { apis } = read({ 'g.apk-conf': text, 'cm.yaml': certificates });
  assert.deepEqual(
    apis.map(({ written: { basePath, operations, backend, mutualSSL } }) => [
      basePath,
      operations,
      backend,
      mutualSSL,
    ]),
    [
      [
        '/org.apk.v1.student_service.StudentService',
        [{ path: '/GetStudent', methods: ['POST'] }],
        'http://grpc-backend:6565/org.apk.v1.student_service.StudentService',
        'mandatory',
      ],
      [
        '/org.apk.v1.teacher.Teachers',
        [{ path: '/SendStudentStream', methods: ['POST'] }],
        'http://grpc-backend:6565/org.apk.v1.teacher.Teachers',
        'mandatory',
      ],
    ],
  );
});

test('GraphQL: one path, and what the strictest field asks for', () => {
  const text = readFileSync(`${root}/examples/apk/starwars.apk-conf`, 'utf8');
  const files = (of: string): Files => ({ 'g.apk-conf': of, 'cm.yaml': certificates });
  const { written } = good(files(text));
  assert.equal(written.basePath, '/graphql/3.14');
  assert.equal(written.backend, 'http://graphql-service:9002/graphql');
  assert.deepEqual(written.operations, [{ path: '/', methods: ['POST'] }]);
  const [open, one, two] = [
    text.replace('secured: true', 'secured: false'),
    text.replace('scopes: []', 'scopes: [a, b]'),
    text.replace('scopes: []', 'scopes: [a]').replace('scopes: []', 'scopes: [b]'),
  ].map((changed) => good(files(changed)));
  assert.deepEqual(open!.written.operations, [{ path: '/', methods: ['POST'] }]);
  assert.equal(open!.notes.length, 1);
  assert.deepEqual(one!.written.operations, [
    { path: '/', methods: ['POST'], scopes: ['a', 'b'], scopesMatch: 'any' },
  ]);
  assert.deepEqual(two!.written.operations, [
    { path: '/', methods: ['POST'], scopes: ['a', 'b'], scopesMatch: 'all' },
  ]);
});

type Row = readonly [sentence: string, files: Files, mode: string, aliases: readonly string[]];
const base = conf(oauth2('  required: mandatory\n'));
const resources: readonly Row[] = [
  [
    'all three kinds of sources together',
    {
      'a.yaml': authentication(
        specOf(
          'default',
          mtlsSpec(
            `required: mandatory\nconfigMapRefs: [{name: mtls-configmap, key: tls.crt}]\nsecretRefs: [{name: mtls-secret, key: tls.crt}]\n${inline(cord!.pem)}`,
          ),
        ),
      ),
      's.yaml': secret(`data:\n  tls.crt: ${base64(bolt!.pem)}\n  tls.key: ${base64(bolt!.privateKeyPem)}`),
    },
    'mandatory/mandatory',
    ['mtls-configmap/tls.crt', 'mtls-secret/tls.crt', 'auth/inline'],
  ],
  [
    'several resources for one API: all their certificates, the strictest mode',
    {
      'a.yaml': authentication(specOf('default', mtlsSpec(`required: optional\n${inline(acme!.pem)}`)), 'a'),
      'b.yaml': authentication(specOf('default', mtlsSpec(`required: mandatory\n${inline(bolt!.pem)}`)), 'b'),
    },
    'mandatory/mandatory',
    ['a/inline', 'b/inline'],
  ],
  [
    'both places of mtls',
    {
      'a.yaml': authentication(
        specOf(
          'default',
          `${mtlsSpec(`required: optional\n${inline(acme!.pem)}`)}authTypes:\n  oauth2: {required: optional}\n${indent(mtlsSpec(`required: optional\nconfigMapRefs: [{name: mtls-configmap, key: tls.crt}]`), 2)}`,
        ),
      ),
    },
    'optional/mandatory',
    ['auth/inline', 'mtls-configmap/tls.crt'],
  ],
  [
    'override counts over default, its certificates too',
    {
      'a.yaml': authentication(
        specOf('override', mtlsSpec(`required: mandatory\n${inline(bolt!.pem)}`)) +
          specOf('default', mtlsSpec(`required: optional\n${inline(acme!.pem)}`)),
      ),
    },
    'mandatory/mandatory',
    ['auth/inline'],
  ],
  [
    'override counts over what the apk-conf says',
    {
      'a.yaml': authentication(
        specOf('override', 'authTypes: {oauth2: {disabled: true}}\n') +
          specOf('default', mtlsSpec(inline(acme!.pem))),
      ),
    },
    'mandatory/off',
    ['auth/inline'],
  ],
  [
    'required left out: mandatory',
    { 'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))) },
    'mandatory/mandatory',
    ['auth/inline'],
  ],
  [
    'several certificates in one value: a client each',
    {
      'a.yaml': authentication(specOf('default', mtlsSpec('configMapRefs: [{name: two, key: all}]'))),
      'two.yaml': configMap('two', `  all: |\n${indent(acme!.pem + bolt!.pem, 4)}`),
    },
    'mandatory/mandatory',
    ['two/all', 'two/all#2'],
  ],
  [
    'stringData counts over data',
    {
      'a.yaml': authentication(
        specOf('default', mtlsSpec('secretRefs: [{name: mtls-secret, key: tls.crt}]')),
      ),
      's.yaml': secret(`data: {tls.crt: "!"}\nstringData:\n  tls.crt: |\n${indent(bolt!.pem, 4)}`),
    },
    'mandatory/mandatory',
    ['mtls-secret/tls.crt'],
  ],
  [
    'a Secret with DER in it',
    {
      'a.yaml': authentication(
        specOf('default', mtlsSpec('secretRefs: [{name: mtls-secret, key: tls.crt}]')),
      ),
      's.yaml': secret(`data: {tls.crt: ${Buffer.from(bolt!.der).toString('base64')}}`),
    },
    'mandatory/mandatory',
    ['mtls-secret/tls.crt'],
  ],
  [
    'kubectl’s List',
    {
      'list.yaml': `apiVersion: v1\nkind: List\nitems:\n- ${indent(authentication(specOf('default', mtlsSpec(inline(acme!.pem)))), 2).trimStart()}\n`,
    },
    'mandatory/mandatory',
    ['auth/inline'],
  ],
  [
    'authentication disabled as a whole: open, as it says',
    { 'a.yaml': authentication(specOf('override', 'disabled: true')) },
    'off/off',
    [],
  ],
];
for (const [sentence, files, mode, aliases] of resources) {
  test(`Authentication: ${sentence}`, () => {
    const { written } = good({ 'e.apk-conf': base, 'cm.yaml': certificates, ...files });
    assert.equal(`${written.mutualSSL}/${written.applicationSecurity}`, mode);
    assert.deepEqual(written.clients?.map(({ alias }) => alias) ?? [], aliases);
  });
}

test('resources: an API with its HTTPRoute, Backend, Scope and Authentication', () => {
  const project = place({});
  cpSync(`${root}/examples/apk`, project, { recursive: true });
  writeFileSync(
    join(project, 'certificates.yaml'),
    `${certificates}---\n${secret(`data: {tls.crt: ${base64(bolt!.pem)}}`)}`,
  );
  const definition = readApk({
    kind: 'apk',
    path: project,
    trustedSenders: ['10.0.0.1'],
    backend: undefined,
    home: undefined,
  });
  assert.equal(all(definition), '');
  assert.equal(definition.apis.length, 4);
  const { written } = definition.apis.find(({ written }) => written.name === 'OrdersAPI')!;
  assert.equal(written.basePath, '/orders/1.0.0');
  assert.equal(written.backend, 'http://orders-service.apk:8080/v2');
  assert.deepEqual(written.operations, [
    { path: '/orders/*', methods: ['GET'] },
    { path: '/orders/{p2}/lines', methods: ['POST'], scopes: ['orders:write'], scopesMatch: 'any' },
  ]);
  assert.deepEqual(
    written.clients?.map(({ pem }) => pem),
    [acme!.pem, bolt!.pem],
  );
});

const api = (more = ''): string =>
  `apiVersion: dp.wso2.com/v1alpha2\nkind: API\nmetadata: {name: mtls-api}\nspec:\n  apiName: n\n  apiVersion: "1"\n  apiType: REST\n  basePath: /n/1\n  production: [{routeRefs: [r]}]\n${more}`;
const route = (rules: string, more = '', name = 'r'): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: ${name}}\nspec:\n${more}  rules:\n${indent(rules, 2)}\n`;
const match = (type: string, value: string): string =>
  `- matches: [{path: {type: ${type}, value: '${value}'}}]\n`;
const targets: readonly [type: string, value: string, path: string | undefined][] = [
  ['Exact', '/a', '/a'],
  ['PathPrefix', '/a', '/a/*'],
  ['PathPrefix', '/', '/*'],
  ['RegularExpression', '(.*)', '/*'],
  ['RegularExpression', '/a(.*)', '/a/*'],
  ['RegularExpression', '/a/(.*)', '/a/*'],
  ['RegularExpression', '/a/(.*)/b', '/a/{p2}/b'],
  ['RegularExpression', '^/a/[^/]+$', '/a/{p2}'],
  ['RegularExpression', '/v1\\.0/a', '/v1.0/a'],
  ['RegularExpression', '/a|/b', undefined],
  ['RegularExpression', '/a/(b|c)', undefined],
  ['RegularExpression', 'a(.*)', undefined],
];
for (const [type, value, path] of targets) {
  test(`HTTPRoute: ${type} ${value} is ${path ?? 'more than a path can say'}`, () => {
    const definition = read({ 'api.yaml': api(), 'r.yaml': route(match(type, value)) });
    if (path === undefined)
      assert.match(all(definition), /r\.yaml:\d+: spec\.rules\[0\]\.matches\[0\]\.path: found/);
    else assert.deepEqual(definition.apis[0]!.written.operations, [{ path }]);
  });
}

test('HTTPRoute: (.*) amid a path takes several segments where a rule with less security would', () => {
  const off = `apiVersion: dp.wso2.com/v1alpha2\nkind: Authentication\nmetadata: {name: none}\nspec:\n  default: {disabled: true}\n  targetRef: {kind: Resource, name: mtls-api}\n`;
  const rule = `${match('RegularExpression', '/files/(.*)')}  filters: [{type: ExtensionRef, extensionRef: {group: dp.wso2.com, kind: Authentication, name: none}}]\n`;
  const { written, notes } = good({
    'api.yaml': api(),
    'r.yaml': route(match('RegularExpression', '/files/(.*)/delete') + rule),
    'off.yaml': off,
  });
  assert.deepEqual(written.operations?.slice(0, 3), [
    { path: '/files/{p2}/delete' },
    { path: '/files/*', secured: false },
    { path: '/files/{p2}/{more}/delete' },
  ]);
  assert.match(notes[0]!.text, /APK fits several segments/);
});

test('apk-conf: so does a {name}, of which APK makes (.*)', () => {
  const operations = `operations:
  - {target: "/files/*", verb: GET, secured: false}
  - {target: "/files/{name}/key", verb: GET}
`;
  const { written } = good({ 'e.apk-conf': conf('').replace(/operations:\n.*\n/, operations) });
  assert.deepEqual(written.operations?.[2], { path: '/files/{name}/{more}/key', methods: ['GET'] });
  assert.equal(written.operations.length, 2 + 10 + 1);
});

test('HTTPRoute: security off for a rule leaves mandatory mTLS', () => {
  const off = `apiVersion: dp.wso2.com/v1alpha2\nkind: Authentication\nmetadata: {name: none}\nspec:\n  default: {disabled: true}\n  targetRef: {kind: Resource, name: mtls-api}\n`;
  const rule = `- matches: [{path: {type: Exact, value: /a}}]\n  filters: [{type: ExtensionRef, extensionRef: {group: dp.wso2.com, kind: Authentication, name: none}}]\n`;
  const { written } = good({
    'api.yaml': api(),
    'r.yaml': route(rule),
    'off.yaml': off,
    'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))),
  });
  assert.equal(written.mutualSSL, 'mandatory');
  assert.deepEqual(written.operations, [{ path: '/a', secured: false }]);
});

test('HTTPRoute: the sandbox has hosts of its own, and is an API of its own there', () => {
  const host = (name: string): string => `  hostnames: [${name}]\n`;
  const { apis } = read({
    'api.yaml': `${api()}  sandbox: [{routeRefs: [s]}]\n`,
    'r.yaml': route(
      `${match('Exact', '/a')}  backendRefs: [{name: prod, port: 80}]\n`,
      host('Default.gw.example.com'),
    ),
    's.yaml': route(
      `${match('Exact', '/a')}  backendRefs: [{name: sand, namespace: x, port: 80}]\n`,
      host('sandbox.gw.example.com'),
      's',
    ),
  });
  assert.deepEqual(
    apis.map(({ written: { hosts, backend } }) => [hosts, backend]),
    [
      [['default.gw.example.com'], 'http://prod:80'],
      [['sandbox.gw.example.com'], 'http://sand.x.svc.cluster.local:80'],
    ],
  );
});

const issuer = (validation: string, more = ''): string =>
  `apiVersion: dp.wso2.com/v1alpha2\nkind: TokenIssuer\nmetadata: {name: i}\nspec:\n  name: Idp\n  issuer: https://idp.example.com\n  consumerKeyClaim: azp\n  signatureValidation: ${validation}\n${more}`;
const inlineText = `{certificate: {certificateInline: ${JSON.stringify(acme!.pem)}}}`;
const issuers: readonly [sentence: string, validation: string, expected: object][] = [
  ['a JWKS', '{jwks: {url: "https://idp.example.com/jwks"}}', { jwksURL: 'https://idp.example.com/jwks' }],
  ['a certificate in place', inlineText, { certificatePem: acme!.pem }],
  [
    'of both the JWKS',
    inlineText.replace('{', '{jwks: {url: "https://idp.example.com/jwks"}, '),
    { jwksURL: 'https://idp.example.com/jwks' },
  ],
  [
    'a Secret, beside what programs leave empty',
    '{jwks: {url: ""}, certificate: {certificateInline: "", configMapRef: {name: "", key: ""}, secretRef: {name: mtls-secret, key: c}}}',
    { certificatePem: bolt!.pem },
  ],
  [
    'a ConfigMap',
    '{certificate: {configMapRef: {name: mtls-configmap, key: tls.crt}, secretRef: null}}',
    { certificatePem: acme!.pem },
  ],
];
for (const [sentence, validation, keys] of issuers) {
  test(`TokenIssuer: ${sentence}`, () => {
    const definition = read({
      'i.yaml': issuer(validation, '  targetRef: {kind: "", name: ""}\n'),
      'cm.yaml': certificates,
      's.yaml': secret(`stringData:\n  c: |\n${indent(bolt!.pem, 4)}`),
    });
    assert.equal(all(definition), '');
    assert.deepEqual(definition.warnings, []);
    assert.deepEqual(
      definition.tokenServices.map(({ written }) => written),
      [
        {
          name: 'Idp',
          issuer: 'https://idp.example.com',
          ...keys,
          consumerKeyClaim: 'azp',
          tokenTypes: ['at+jwt', 'JWT', 'none'],
        },
      ],
    );
    assert.deepEqual(tokenService.safeParse(definition.tokenServices[0]!.written).error?.issues, undefined);
  });
}

const leftOut: readonly [sentence: string, text: string, warning: RegExp][] = [
  ['no keys', issuer('{}'), /signatureValidation: has neither jwks\.url nor a certificate/],
  [
    'a Secret that is not there',
    issuer('{certificate: {secretRef: {name: x, key: y}}}'),
    /has the Secret "x"/,
  ],
  [
    'two certificates',
    issuer(`{certificate: {certificateInline: ${JSON.stringify(acme!.pem + bolt!.pem)}}}`),
    /certificateInline: has 2 certificates where one belongs/,
  ],
  ['no issuer', issuer(inlineText).replace(/ {2}issuer.*\n/, ''), /spec\.issuer: is missing/],
  [
    'for one API',
    issuer(inlineText, '  targetRef: {kind: API, name: mtls-api}\n'),
    /spec\.targetRef: is for one API/,
  ],
  [
    'for one API, misspelt',
    issuer(inlineText, '  targetRef: {kind: Apis, name: mtls-api}\n'),
    /spec\.targetRef\.kind: found "Apis"; write Gateway/,
  ],
  [
    'a misspelt key',
    issuer(inlineText, '  scopeClaim: roles\n'),
    /spec\.scopeClaim: is not known here; did you mean "scopesClaim"\?/,
  ],
];
for (const [sentence, text, warning] of leftOut) {
  test(`TokenIssuer: ${sentence}: left out and warned about, since that opens nothing`, () => {
    const definition = read({ 'i.yaml': text, 'e.apk-conf': conf('') });
    assert.equal(all(definition), '');
    assert.deepEqual(definition.tokenServices, []);
    assert.match(definition.warnings.map(line).join('\n'), warning);
    assert.match(definition.warnings.map(line).join('\n'), /unless config\.toml has the issuer/);
  });
}

test('TokenIssuer: scopes are in the claim that it names, and in no other', () => {
  const { tokenServices } = read({
    'i.yaml': issuer(inlineText, '  scopesClaim: roles\n'),
    'e.apk-conf': conf(''),
  });
  assert.deepEqual(tokenServices[0]?.written.scopesClaim, ['roles']);
});

test('what programs leave empty is nothing, not a wrong value', () => {
  const backend = `apiVersion: dp.wso2.com/v1alpha2\nkind: Backend\nmetadata: {name: b, namespace: ""}\nspec: {basePath: "", protocol: "", services: [{host: h, port: 80}]}\n`;
  const { written } = good({
    'api.yaml': `${api()}  context: ""\n  definitionPath: ""\n`,
    'r.yaml': route(`${match('Exact', '/a')}  backendRefs: [{kind: Backend, name: b, namespace: ""}]\n`),
    'b.yaml': backend,
    'a.yaml': authentication(
      `${specOf('default', `authTypes: {oauth2: {required: "", header: ""}}\n${mtlsSpec(`required: ""\n${inline(acme!.pem)}`)}`)}`,
    ),
  });
  assert.equal(written.backend, 'http://h:80');
  assert.equal(`${written.mutualSSL}/${written.applicationSecurity}`, 'mandatory/mandatory');
});

const withAuth = (spec: string, more: Files = {}): Files => ({
  'e.apk-conf': base,
  'cm.yaml': certificates,
  'a.yaml': authentication(spec),
  ...more,
});
const refers = (reference: string): string => specOf('default', mtlsSpec(`configMapRefs: [${reference}]`));
/** What is wrong, and that the API keeps its place all the same. */
const wrong: readonly [sentence: string, files: Files, expected: RegExp][] = [
  [
    'an unknown ConfigMap',
    { 'e.apk-conf': conf(mtls('')) },
    /e\.apk-conf:\d+: authentication\[0\]\.certificates\[0\]: no file of this definition has the ConfigMap "mtls-configmap"/,
  ],
  [
    'an unknown key',
    withAuth(refers('{name: mtls-configmap, key: tls.cert}')),
    /found "tls\.cert", which the ConfigMap "mtls-configmap" does not have; it has: tls\.crt/,
  ],
  [
    'a key of every object',
    withAuth(refers('{name: mtls-configmap, key: constructor}')),
    /found "constructor", which/,
  ],
  [
    'a private key under the named key',
    withAuth(refers('{name: k, key: x}'), {
      'k.yaml': configMap('k', `  x: |\n${indent(acme!.pem + acme!.privateKeyPem, 4)}`),
    }),
    /k\.yaml:\d+: data\.x: has a private key in it/,
  ],
  [
    'half a certificate',
    withAuth(refers('{name: k, key: x}'), {
      'k.yaml': configMap('k', `  x: |\n${indent(acme!.pem.slice(0, 200), 4)}`),
    }),
    /is no PEM text/,
  ],
  [
    'an empty value',
    withAuth(refers('{name: k, key: x}'), { 'k.yaml': configMap('k', '  x: ""') }),
    /is empty; it needs a PEM certificate/,
  ],
  [
    'a number for a certificate',
    withAuth(refers('{name: k, key: x}'), { 'k.yaml': configMap('k', '  x: 7') }),
    /found 7 at data\.x/,
  ],
  [
    'Secret data that is not base64',
    withAuth(specOf('default', mtlsSpec('secretRefs: [{name: mtls-secret, key: x}]')), {
      's.yaml': secret('data: {x: "-----BEGIN"}'),
    }),
    /is not base64/,
  ],
  [
    'a ConfigMap twice',
    withAuth(refers('{name: mtls-configmap, key: tls.crt}'), { 'cm2.yaml': certificates }),
    /stands in several places/,
  ],
  [
    'a ConfigMap of another namespace',
    withAuth('', {
      'a.yaml': authentication(refers('{name: far, key: x}')).replace(
        '{name: auth}',
        '{name: auth, namespace: one}',
      ),
      'far.yaml': configMap('far', '  x: y', '  namespace: two\n'),
    }),
    /no file of this definition has the ConfigMap "far" of namespace "one"/,
  ],
  [
    'keys that differ by case only',
    withAuth(refers('{name: k, key: x}, {name: k, key: X}'), {
      'k.yaml': configMap('k', `  x: |\n${indent(acme!.pem, 4)}\n  X: |\n${indent(bolt!.pem, 4)}`),
    }),
    /"k\/x" and "k\/X", which differ by case only/,
  ],
  [
    'a misspelt key of mtls',
    withAuth(specOf('default', mtlsSpec(`requird: optional\n${inline(acme!.pem)}`))),
    /spec\.default\.mtls\.requird: is not known here/,
  ],
  [
    'another word for required',
    withAuth(specOf('default', mtlsSpec(`required: sometimes\n${inline(acme!.pem)}`))),
    /found "sometimes"; write mandatory or optional/,
  ],
  ['mTLS as a list', withAuth(specOf('default', 'mtls: []')), /found \[\]; write a table/],
  [
    'mTLS and OAuth2 both disabled',
    {
      'e.apk-conf': conf(oauth2('  enabled: false\n') + mtls('  enabled: false\n')),
      'cm.yaml': certificates,
    },
    /APK refuses too/,
  ],
  [
    'an API key that must be there',
    { 'e.apk-conf': conf('- {authType: APIKey, required: mandatory}\n') },
    /API keys are not read here/,
  ],
  [
    'an API key as the only security',
    { 'e.apk-conf': conf(`${oauth2('  enabled: false\n')}- authType: APIKey\n`) },
    /API keys alone/,
  ],
  [
    'an authType nobody knows',
    { 'e.apk-conf': conf('- authType: Basic\n') },
    /found "Basic"; write mTLS or OAuth2/,
  ],
  [
    'an entry without authType',
    { 'e.apk-conf': conf('- required: mandatory\n') },
    /authentication\[0\]: found/,
  ],
  [
    'authentication as a table',
    { 'e.apk-conf': `${conf('')}authentication: {authType: mTLS}\n` },
    /authentication: found .*; write a list/,
  ],
  [
    'the same authType twice',
    { 'e.apk-conf': conf(mtls('') + mtls('')), 'cm.yaml': certificates },
    /second entry for mTLS/,
  ],
  [
    'enabled as a text',
    { 'e.apk-conf': conf(oauth2('  enabled: "false"\n')) },
    /found "false"; write true or false/,
  ],
  [
    'no operations',
    { 'e.apk-conf': conf('').replace(/operations:\n.*\n/, 'operations: []\n') },
    /names no operation/,
  ],
  [
    'a target nobody can match',
    { 'e.apk-conf': conf('').replace('"/employee", verb', '"/a*b", verb') },
    /found the target "\/a\*b"/,
  ],
  [
    'one operation twice, with other scopes',
    {
      'e.apk-conf': conf('')
        .replace(/( {2}- \{target.*\n)/, '$1$1')
        .replace('scopes: []', 'scopes: [a]'),
    },
    /stands in line 7 already and asks for something else/,
  ],
  [
    'a URL with a password',
    { 'e.apk-conf': `${conf('')}endpointConfigurations: {production: {endpoint: "http://u:secret@h"}}\n` },
    /found a URL with a password in it/,
  ],
  ['a route that is not there', { 'api.yaml': api() }, /no file of this definition has the HTTPRoute "r"/],
  [
    'a scope that is not there',
    {
      'api.yaml': api(),
      'r.yaml': route(`${match('Exact', '/a')}  filters: [{extensionRef: {kind: Scope, name: s}}]\n`),
    },
    /has the Scope "s"/,
  ],
  [
    'a match by header',
    { 'api.yaml': api(), 'r.yaml': route('- matches: [{headers: [{name: x, value: y}]}]\n') },
    /told apart by path and method only/,
  ],
  [
    'mTLS at a resource',
    {
      'api.yaml': api(),
      'r.yaml': route(
        `${match('Exact', '/a')}  filters: [{extensionRef: {kind: Authentication, name: auth}}]\n`,
      ),
      'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))).replace(
        'kind: API,',
        'kind: Resource,',
      ),
    },
    /asks for mTLS at a resource/,
  ],
  [
    'an empty list of authentication',
    { 'e.apk-conf': `${conf('')}authentication:\n` },
    /authentication: is empty/,
  ],
  ['a route without rules', { 'api.yaml': api(), 'r.yaml': route('  []') }, /rules: are none/],
  [
    'an API without routes',
    { 'api.yaml': api().replace(/ {2}production.*\n/, '') },
    /names no routes, and APK serves nothing/,
  ],
  [
    'an environment without routeRefs',
    { 'api.yaml': api().replace('{routeRefs: [r]}', 'r') },
    /spec\.production: names no routes/,
  ],
  [
    'filters that slipped into matches',
    {
      'api.yaml': api(),
      'r.yaml': route('- matches: [{type: ExtensionRef, extensionRef: {kind: Scope, name: s}}]\n'),
    },
    /matches\[0\]\.extensionRef: is not known here/,
  ],
  ['a match cut off', { 'api.yaml': api(), 'r.yaml': route('- matches:\n  -\n') }, /matches\[0\]: found/],
  ['a path cut off', { 'api.yaml': api(), 'r.yaml': route('- matches:\n  - path:\n') }, /path: is empty/],
  [
    'a filter without its kind',
    {
      'api.yaml': api(),
      'r.yaml': route(`${match('Exact', '/a')}  filters: [{type: ExtensionRef, extensionRef: {name: s}}]\n`),
    },
    /extensionRef\.kind: is missing/,
  ],
  [
    'a misspelt Authentication',
    withAuth('', {
      'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))).replace(
        'Authentication',
        'Autentication',
      ),
    }),
    /may have been meant for this one/,
  ],
  [
    'a resource of APK without a kind',
    withAuth('', { 'a.yaml': 'apiVersion: dp.wso2.com/v1alpha2\n' }),
    /may have been meant for this one/,
  ],
  [
    'an authType that is empty',
    { 'e.apk-conf': conf('- {authType: "", required: mandatory}') },
    /authentication\[0\]: found .*; write authType/,
  ],
  [
    'a list of authentications',
    { 'e.apk-conf': conf('').replace('operations:', 'authentications: [{authType: mTLS}]\noperations:') },
    /e\.apk-conf:6: authentications: is not known here; did you mean "authentication"\?/,
  ],
  [
    'the authentication in capitals',
    { 'e.apk-conf': conf('').replace('operations:', 'Authentication: []\noperations:') },
    /Authentication: is not known here; did you mean "authentication"\?/,
  ],
  [
    'a scope of an operation',
    { 'e.apk-conf': conf('').replace('scopes: []', 'scope: [a]') },
    /operations\[0\]\.scope: is not known here; did you mean "scopes"\?/,
  ],
  [
    'scopes that were cut off',
    { 'e.apk-conf': conf('').replace('scopes: []', 'scopes: ') },
    /operations\[0\]\.scopes: is empty/,
  ],
  [
    'a misspelt level of an Authentication beside a good one',
    withAuth(
      `${specOf('default', mtlsSpec(inline(acme!.pem)))}overide: {authTypes: {oauth2: {required: mandatory}}}`,
    ),
    /spec\.overide: is not known here/,
  ],
  [
    'an Authentication of a misspelt group',
    withAuth('', {
      'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))).replace('wso2.com', 'wso2.co'),
    }),
    /found "dp\.wso2\.co\/v1alpha2"; is it dp\.wso2\.com\/v1alpha2\?/,
  ],
  [
    'an Authentication of a misspelt kind, with nothing else to tell it by',
    withAuth('', {
      'a.yaml': authentication('default: {disabled: true}').replace(
        'kind: Authentication',
        'kind: authentication',
      ),
    }),
    /found "authentication"; is it kind: Authentication\?/,
  ],
  ...(
    [
      [
        'ExtensionRf, extensionRef: {kind: Scope, name: s}',
        /filters\[0\]\.type: found "ExtensionRf"; write ExtensionRef/,
      ],
      [
        'ExtensionRef, extensionRefs: {kind: Scope, name: s}',
        /filters\[0\]\.extensionRefs: is not known here/,
      ],
      [
        'ExtensionRef, extensionRef: {kind: Scpe, name: s}',
        /extensionRef\.kind: found "Scpe"; write Authentication or Scope/,
      ],
      [
        'ExtensionRef, extensionRef: {kind: SecurityPolicy, name: s}',
        /found "SecurityPolicy"; write Authentication/,
      ],
    ] as const
  ).map(([filter, expected]): [string, Files, RegExp] => [
    `a filter of type ${filter}`,
    { 'api.yaml': api(), 'r.yaml': route(`${match('Exact', '/a')}  filters: [{type: ${filter}}]\n`) },
    expected,
  ]),
  [
    'a misspelt key of a route',
    { 'api.yaml': api(), 'r.yaml': route(match('Exact', '/a'), '  hostname: [a.example]\n') },
    /r\.yaml:\d+: spec\.hostname: is not known here; did you mean "hostnames"\?/,
  ],
  [
    'a misspelt key of an API',
    { 'api.yaml': `${api()}  sandboxx: []\n`, 'r.yaml': route(match('Exact', '/a')) },
    /spec\.sandboxx: is not known here; did you mean "sandbox"\?/,
  ],
  ['an Authentication with nothing in it', withAuth('x: 1'), /has neither default nor override/],
  [
    'an Authentication without a target',
    withAuth('', {
      'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))).replace(
        / {2}targetRef.*\n/,
        '',
      ),
    }),
    /may have been meant for this one/,
  ],
  [
    'an Authentication for a gateway',
    withAuth('', {
      'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem)))).replace(
        'kind: API,',
        'kind: Gateway,',
      ),
    }),
    /found "Gateway"; write API/,
  ],
  [
    'a file with an Authentication that is no YAML',
    withAuth('', { 'a.yaml': `${authentication('default: {}')}  - {[\n` }),
    /may have been meant for this one/,
  ],
];
for (const [sentence, files, expected] of wrong) {
  test(`wrong: ${sentence}`, () => {
    const definition = read(files);
    assert.match(all(definition), expected);
    assert.doesNotMatch(all(definition), /PRIVATE KEY-----|secret@/);
    assert.equal(definition.apis.length, 1);
    assert.notEqual(definition.apis[0]!.problems.length, 0);
    assert.match(definition.apis[0]!.written.basePath, /^\/(employee\/3\.1|n\/1)/);
  });
}

test('an Authentication for an API that is not there stops nobody, and is told', () => {
  const definition = read({
    'e.apk-conf': conf(''),
    'a.yaml': authentication(specOf('default', mtlsSpec(inline(acme!.pem))), 'a', 'nobody'),
  });
  assert.match(
    definition.problems.map(line).join('\n'),
    /found "nobody", which is no API of this definition/,
  );
  assert.deepEqual(definition.apis[0]!.problems, []);
});

test('one broken API stops no other', () => {
  const { apis } = read({
    'a.apk-conf': conf(mtls('')),
    'b.apk-conf': conf('').replaceAll('mployee', 'mployer').replace('mtls-api', 'b'),
  });
  assert.deepEqual(
    apis.map(({ problems }) => problems.length > 0),
    [true, false],
  );
});

const hostile: readonly [sentence: string, text: string, expected: RegExp][] = [
  ['half a file keeps its place', `${conf('')}  - [`, /h\.apk-conf:\d+: : /],
  [
    'a YAML bomb',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nbasePath: /employee\nversion: "3.14"\n`,
    /alias/i,
  ],
  ['brackets without end', `basePath: /employee\nversion: "3.14"\nx: ${'['.repeat(100_000)}`, /nested/],
  ['a key twice', `${conf('')}name: other\n`, /unique/i],
  ['a list', '- 1\n', /write name, basePath, version, operations/],
  ['a text', 'hello\n', /write name, basePath, version, operations/],
  [
    'numbers everywhere',
    'name: 1\nversion: "3.14"\nbasePath: /employee\ntype: 1\noperations: 1\nauthentication: 1\nendpointConfigurations: 1\n',
    /name: found 1[\s\S]*operations: found 1[\s\S]*|authentication: found 1/,
  ],
  [
    'the keys of every object',
    '__proto__: {basePath: /x}\nconstructor: 1\nbasePath: /employee\nversion: "3.14"\n',
    /name: is missing/,
  ],
];
for (const [sentence, text, expected] of hostile) {
  test(`hostile: ${sentence}`, () => {
    const definition = read({ 'h.apk-conf': text });
    assert.match(all(definition), expected);
    assert.equal(definition.apis.length, 1);
    assert.notEqual(definition.apis[0]!.problems.length, 0);
    if (text.includes('basePath')) assert.equal(definition.apis[0]!.written.basePath, '/employee/3.14');
  });
}

test('hostile: one broken document of a file; the places of all can be found', () => {
  const other = conf('').replaceAll('"/employee"', '"/other"').replace('"3.14"', '"2"');
  const { apis } = read({ 'h.apk-conf': `${conf('')}---\n${other}---\n  - [` });
  assert.deepEqual(
    apis.map(({ written: { name, version, basePath }, origin }) => [name, version, basePath, origin.line]),
    [
      ['EmployeeServiceAPI', '3.14', '/employee/3.14', 1],
      ['EmployeeServiceAPI', '2', '/other/2', 8],
    ],
  );
});

test('hostile: of a manifest that breaks off, only an API has a place', () => {
  const backend =
    'apiVersion: dp.wso2.com/v1alpha2\nkind: Backend\nmetadata: {name: b}\nspec:\n  basePath: /b\n';
  const { apis } = read({ 'h.yaml': `${api()}---\n${backend}---\n  - [` });
  assert.deepEqual(
    apis.map(({ written: { name, version, basePath } }) => [name, version, basePath]),
    [['n', '1', '/n/1']],
  );
});

test('other files of a folder are none of ours; that there is nothing else, or that a path names nothing, is told', () => {
  const other = {
    'README.md': '# [',
    'openapi.yaml': 'openapi: 3.0.0\npaths: {}\n',
    'deployment.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n',
    'empty.yaml': '',
  };
  const { warnings, ...found } = read(other);
  assert.deepEqual(found, { apis: [], tokenServices: [], problems: [] });
  assert.match(warnings.map(line).join('\n'), /^\d+:1: : has nothing of APK in it: [^\n]*$/);
  const nothing = readApk({
    kind: 'apk',
    path: join(folder, 'no', 'such'),
    trustedSenders: undefined,
    backend: undefined,
    home: undefined,
  });
  assert.match(all(nothing), /names no file/);
});

test('a link in the folder that leads nowhere, or round, is passed over', () => {
  const project = place({ 'e.apk-conf': conf('') });
  symlinkSync(project, join(project, 'round'));
  symlinkSync('/no/such/file.yaml', join(project, 'gone.yaml'));
  const { apis } = readApk({
    kind: 'apk',
    path: project,
    trustedSenders: undefined,
    backend: undefined,
    home: undefined,
  });
  assert.equal(apis.length, 1);
});

test('10,000 APIs in one file are read in time', () => {
  const one = (i: number): string =>
    conf('').replace('"/employee"', `"/e${i}"`).replace('mtls-api', `id${i}`);
  const started = performance.now();
  const definition = read({ 'all.apk-conf': Array.from({ length: 10_000 }, (_, i) => one(i)).join('---\n') });
  assert.equal(definition.apis.length, 10_000);
  assert.ok(performance.now() - started < 30_000);
});

const document = readFileSync(`${root}/docs/migrating/apk.md`, 'utf8');
const snippets = [...document.matchAll(/```(yaml|toml)\n([\s\S]*?)```/g)].map(
  ([, language, text]) => [language!, text!] as const,
);

test('docs/migrating/apk.md: each YAML block is read, together with the apk-conf that it is for', () => {
  const blocks = snippets.filter(([language]) => language === 'yaml').map(([, text]) => filled(text));
  assert.ok(blocks.length >= 4);
  for (const block of blocks) {
    const isManifest = /^kind:/m.test(block);
    const isWhole = /^basePath:/m.test(block);
    const text = isWhole ? block : isManifest ? base : conf('', block);
    const others = isManifest ? { 'block.yaml': block } : {};
    const names =
      /name: "?mtls-configmap/.test(block) && /kind: "?ConfigMap/.test(block)
        ? {}
        : { 'cm.yaml': certificates };
    const hasSecret = /kind: "?Secret/.test(block);
    const definition = read({
      'e.apk-conf': text,
      ...names,
      ...(hasSecret ? {} : { 's.yaml': secret(`data: {tls.crt: ${base64(bolt!.pem)}}`) }),
      ...others,
    });
    assert.equal(all(definition), '', block);
  }
});

/** The document has a placeholder where a certificate goes. */
const filled = (text: string): string =>
  text
    .replaceAll(
      /^( *)-----BEGIN CERTIFICATE-----\n[\s\S]*?-----END CERTIFICATE-----$/gm,
      (_, spaces: string) => indent(acme!.pem, spaces.length),
    )
    .replaceAll('(base64 of the PEM file)', base64(bolt!.pem));

test('docs/migrating/apk.md: each TOML block is a [[definitions]] that TOML can read', () => {
  const blocks = snippets.filter(([language]) => language === 'toml');
  assert.ok(blocks.length >= 1);
  for (const [, text] of blocks) {
    const { value } = parseToml(text);
    for (const { kind } of (value.definitions ?? []) as { kind: string }[]) assert.equal(kind, 'apk');
  }
});

test('a version without quotes is what is written, not the number that it is', () => {
  const { apis } = read({ 'e.apk-conf': conf('').replace('"3.14"', '3.10') });
  assert.deepEqual([apis[0]?.written.version, apis[0]?.written.basePath.endsWith('/3.10')], ['3.10', true]);
});

test('without any certificate nobody is admitted, and the API stays: who took the last one out meant it', () => {
  const { apis, warnings } = read({ 'e.apk-conf': conf('- authType: mTLS\n') });
  assert.deepEqual(
    [apis[0]?.problems, apis[0]?.written.mutualSSL, apis[0]?.written.clients],
    [[], 'mandatory', []],
  );
  assert.match(warnings.map(({ message }) => message).join(), /names no certificate: nobody is admitted/);
});
