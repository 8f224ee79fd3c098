import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { problemLine } from '../../../src/config/problem.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import { api as apiSchema } from '../../../src/config/schema/api.ts';
import { kinds } from '../../../src/config/schema/definitions.ts';
import { underRules } from '../../../src/definitions/api-rules.ts';
import { readDefinition } from '../../../src/definitions/readers.ts';
import { writeToml } from '../../../src/definitions/write-toml.ts';
import type { DefinitionEntry } from '../../../src/definitions/written.ts';
import { disk } from '../../../src/documents/files.ts';
import { writeEnvoyConfig } from '../../../src/envoy-config/bootstrap.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import { createAuthority, now, selfSigned } from '../../support/certificate-authority.ts';
import { makeJks } from '../../support/key-stores.ts';

const acme = await selfSigned({ subject: 'CN=acme' });
const ca = await createAuthority({ subject: 'CN=CA' });
const root = mkdtempSync(join(tmpdir(), 'import-'));
after(() => rmSync(root, { recursive: true }));
cpSync(new URL('../../../examples/', import.meta.url), root, { recursive: true });
const put = (name: string, content: string | Buffer): void => writeFileSync(join(root, name), content);
put(
  'microgateway/t.p12',
  makeJks(
    [
      ['ballerina', acme.der],
      ['wso2apim310', ca.der],
    ],
    'ballerina',
  ),
);
put('choreo-connect/petstore/Client-certificates/acme.crt', acme.pem);
put('api-manager/PizzaShack-1.0.0/Client-certificates/acme.crt', acme.pem);
put(
  'api-manager/repository/resources/security/client-truststore.jks',
  makeJks([['acme', acme.der]], 'wso2carbon'),
);
put(
  'apk/configmap.yaml',
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mtls-configmap\ndata:\n  tls.crt: |\n${acme.pem.replaceAll(/^/gm, '    ')}\n`,
);

const entries: readonly (readonly [kind: DefinitionEntry['kind'], path: string, home: string | undefined])[] =
  [
    ['microgateway', 'microgateway', undefined],
    ['choreo-connect', 'choreo-connect', undefined],
    ['apk', 'apk/{*.apk-conf,configmap.yaml}', undefined],
    ['api-manager', 'api-manager', 'api-manager'],
  ];
for (const [kind, path, home] of entries) {
  test(`import --from ${kind} prints the example as config.toml, and it reads the same`, () => {
    if (kind === 'microgateway') {
      const conf = 'microgateway/conf/micro-gw.conf';
      put(
        conf,
        '[listenerConfig]\ntrustStorePath = "../t.p12"\ntrustStorePassword = "ballerina"\n[mutualSSLConfig]\n[[mutualSSLConfig.api.certificates]]\nname = "Swagger Petstore"\nversion = "1.0.5"\naliasList = ["ballerina"]\n',
      );
    }
    const definition = readDefinition({
      kind,
      path: join(root, path),
      home: home && join(root, home),
      trustedSenders: ['10.20.0.0/16'],
      backend: undefined,
    });
    assert.deepEqual([definition.problems, definition.apis.flatMap(({ problems }) => problems)], [[], []]);
    const read = readConfig(writeToml(definition), 'config.toml', {});
    assert.ok('config' in read, JSON.stringify(read));
    assert.ok(read.config.apis.length > 0);
    assert.deepEqual(
      read.config.apis,
      definition.apis.map(({ written }) => apiSchema.parse(written)),
    );
  });
}

for (const kind of kinds) {
  test(`import --from ${kind} of a folder that has nothing of it is an error`, () => {
    const path = mkdtempSync(join(root, 'nothing-'));
    writeFileSync(join(path, 'other.yaml'), 'kind: Other\n');
    const entry = { kind, path, home: undefined, trustedSenders: undefined, backend: undefined };
    const { problems, apis } = readDefinition({ ...entry, isImport: true });
    assert.ok([...problems, ...apis.flatMap((api) => api.problems)].length > 0);
  });
}

const idp = `[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksURL = "https://idp.test/jwks"
audiences = ["x"]
`;
const printed = (kind: DefinitionEntry['kind'], path: string, home?: string) => {
  const entry = { kind, path: join(root, path), home: home && join(root, home), isImport: true };
  const definition = underRules(
    readDefinition({ ...entry, trustedSenders: undefined, backend: undefined }),
    disk,
  );
  return { definition, toml: writeToml(definition) };
};
const accepted = (toml: string): void => {
  put('printed.toml', toml);
  const loaded = loadConfig(join(root, 'printed.toml'), {}, now);
  assert.ok(!isProblems(loaded), isProblems(loaded) ? loaded.map(problemLine).join('\n') : '');
};
for (const [kind, path, home] of entries) {
  test(`what import --from ${kind} prints is accepted by check-config; who issues tokens is asked for where the files don't say`, () => {
    const { definition, toml } = printed(kind, path, home);
    const asked = definition.warnings.filter(({ message }) =>
      message.endsWith(
        'access tokens are asked for, and these files do not say who issues them; write [[enforcer.security.tokenService]] beside what is printed here',
      ),
    );
    assert.equal(asked.length, definition.tokenServices.length === 0 ? 1 : 0);
    accepted(asked.length === 0 ? toml : `${idp}${toml}`);
    const messages = definition.warnings.map(problemLine).join('\n');
    assert.doesNotMatch(messages, /this \[\[definitions\]\]/, 'there is none; it is an option');
  });
}

test('what import prints of files with several issuers is accepted, too: each API takes the tokens of all of them', () => {
  const issuer = (name: string) =>
    `[[jwtTokenConfig]]\nissuer = "https://${name}"\naudience = "x"\njwksURL = "https://${name}/jwks"\n`;
  mkdirSync(join(root, 'several'));
  put('several/micro-gw.conf', issuer('a') + issuer('b'));
  put(
    'several/a.yaml',
    'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\npaths: {/x: {get: {}}}\n',
  );
  const { toml } = printed('microgateway', 'several');
  accepted(toml);
  assert.match(toml, /^issuers = \["https:\/\/a", "https:\/\/b"\]$/m);
});

test('all kinds beside each other and [[apis]], as config.toml names them; Envoy gets their routes and backends', () => {
  put(
    'config.toml',
    `${entries
      .map(
        ([kind, path, home]) =>
          `[[definitions]]\nkind = "${kind}"\npath = "${path}"\n${home ? `home = "${home}"\n` : ''}`,
      )
      .join('')}${idp}[[apis]]
name = "Status"
version = "1.0"
basePath = "/status"
mutualSSL = "off"
`,
  );
  const loaded = loadConfig(join(root, 'config.toml'), {}, now);
  assert.ok(!isProblems(loaded), isProblems(loaded) ? loaded.map(problemLine).join('\n') : '');
  assert.deepEqual(loaded.problems.map(problemLine), []);
  assert.ok(loaded.config.apis.length >= 6);
  const yaml = writeEnvoyConfig(loaded.config, {
    resolvePath: (path) => path,
    enforcer: loaded.config.router.enforcer,
  });
  for (const part of [
    '/petstore/v1',
    '/petstore/1.0.5',
    '/employee/3.14',
    '/pizzashack/1.0.0',
    'petstore.internal',
    'employee-service',
  ])
    assert.ok(yaml.includes(part), part);
});

const refused: readonly [
  sentence: string,
  files: Readonly<Record<string, string>>,
  problem: RegExp,
  kept: readonly string[],
][] = [
  [
    'a context and a version with a comment in the text (WSO2’s SampleWebsocketApi)',
    {
      'p/api.yaml':
        'data:\n  name: Ticker\n  context: /ticker    // where it is\n  version: 1.0.0      // its version\n  type: WS\n  securityScheme: [oauth2]\n',
    },
    /api\.yaml:1: basePath: found "\/ticker/,
    [],
  ],
  [
    'two APIs at one place',
    Object.fromEntries(
      ['a', 'b'].map((name) => [
        `${name}/api.yaml`,
        `data:\n  name: ${name}\n  version: "1"\n  context: /a\n`,
      ]),
    ),
    /b\/api\.yaml:1: basePath: "b" 1 claims \*\/a\/1, which "a" 1 has already/,
    ['a'],
  ],
  [
    'an operation twice',
    {
      'p/api.yaml': 'data:\n  name: a\n  version: "1"\n  context: /a\n',
      'p/Definitions/swagger.yaml':
        'openapi: 3.0.0\npaths:\n  /x/{a}: {get: {}}\n  /x/{b}: {get: {x-auth-type: None}}\n',
    },
    /operations\[1\]\.path: found "\/x\/\{b\}", which an operation before/,
    [],
  ],
  [
    'an issuer twice, one whose certificate is away, and one whose URL is none',
    {
      'p/api.yaml': 'data:\n  name: a\n  version: "1"\n  context: /a\n',
      'config.toml': [
        'a"\njwksURL = "https://a/jwks',
        'a"\njwksURL = "https://a/jwks',
        'b"\ncertificateFilePath = "none.pem',
        'c"\njwksURL = "ftp://a/jwks',
      ]
        .map((text) =>
          `[[enforcer.security.tokenService]]\nissuer = "x"\nname = "${text}"\n`.replace(
            '"x"',
            text.slice(0, 2) === 'a"' ? '"a"' : `"${text[0]}"`,
          ),
        )
        .join(''),
    },
    /"a" is left out: has the name "a".*"b" is left out: found .*none\.pem, which does not exist.*"c" is left out: jwksURL: write/s,
    ['a'],
  ],
];
for (const [sentence, files, problem, kept] of refused) {
  test(`import leaves out what config.toml would refuse, and says so: ${sentence}`, () => {
    const folder = mkdtempSync(join(root, 'refused-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const definition = underRules(
      readDefinition({
        kind: 'choreo-connect',
        path: folder,
        home: undefined,
        trustedSenders: undefined,
        backend: undefined,
      }),
      disk,
    );
    const all = [...definition.problems, ...definition.apis.flatMap(({ problems }) => problems)];
    assert.match(all.map(problemLine).join('\n'), problem);
    const read = readConfig(writeToml(definition), 'config.toml', {});
    assert.ok('config' in read, JSON.stringify(read));
    assert.deepEqual(
      read.config.apis.map(({ name }) => name),
      kept,
    );
  });
}
