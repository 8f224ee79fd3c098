import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DefinitionEntry, WrittenApi } from '../../../src/definitions/written.ts';
import { selfSigned } from '../../support/certificate-authority.ts';
import { readTexts } from '../../support/definition-texts.ts';

/**
 * WSO2's products take no notice of a key that they don't know. What closes an API and is misspelt, in whatever way,
 * closes it here: the API is refused, or all is as if it were spelt right.
 */
const { pem } = await selfSigned({ subject: 'CN=acme' });

type Texts = Readonly<Record<string, string>>;

/** What is made of the files; undefined: something is wrong with them, and nobody is admitted. */
function read(kind: DefinitionEntry['kind'], texts: Texts): readonly WrittenApi[] | undefined {
  const { apis, problems } = readTexts(kind, texts);
  const isRefused = problems.length > 0 || apis.length === 0 || apis.some((api) => api.problems.length > 0);
  return isRefused ? undefined : apis.map(({ written }) => written);
}

const middle = (word: string): number => Math.floor(word.length / 2);
const put = (word: string, text: string, instead = 0): string =>
  word.slice(0, middle(word)) + text + word.slice(middle(word) + instead);
const slips: Readonly<Record<string, (word: string) => string>> = {
  'in capitals': (word) => word.toUpperCase(),
  'in small letters': (word) => word.toLowerCase(),
  'with a letter too few': (word) => put(word, '', 1),
  'with a letter twice': (word) => put(word, word[middle(word)]!),
  'with two letters that changed places': (word) => {
    const at = middle(word);
    return word.slice(0, at - 1) + word[at] + word[at - 1] + word.slice(at + 1);
  },
  'in the plural': (word) => `${word}s`,
  'with _ for -': (word) => word.replaceAll('-', '_'),
  'with - before capitals': (word) => word.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  'with Cyrillic letters': (word) => word.replace('a', 'а').replace('e', 'е').replace('o', 'о'),
  'with a letter of full width': (word) =>
    put(word, String.fromCodePoint(word.codePointAt(middle(word))! + 0xfee0), 1),
  'with an accent': (word) => word.replace('i', 'í').replace('u', 'ú'),
  'with a blank that is not seen': (word) => put(word, '\u200b'),
  'with a blank behind it': (word) => `"${word} "`,
  'with a zero behind it': (word) => `"${word}\\0"`,
};

const project = {
  'api.yaml':
    'data:\n  name: a\n  version: "1"\n  context: /a\n  securityScheme: [oauth2, mutualssl, mutualssl_mandatory]\n',
  'Definitions/swagger.yaml':
    'openapi: 3.0.0\npaths:\n  /x:\n    get:\n      security: [{default: [s]}]\n      x-wso2-application-security: {optional: false}\n',
};

const apiYaml = (more: string): string => `data:\n  name: a\n  version: "1"\n  context: /a\n  ${more}\n`;
const graphQl = apiYaml(
  'type: GRAPHQL\n  securityScheme: [oauth2]\n  operations:\n    - {target: x, verb: QUERY, scopes: [s]}',
);
const mutual = apiYaml('securityScheme: [mutualssl, mutualssl_mandatory]');
const acme = {
  'Client-certificates/client_certificates.yaml':
    'data:\n  - {alias: acme, certificate: acme.crt, tierName: Gold}\n',
  'Client-certificates/acme.crt': pem,
};
const openApiHead = 'openapi: 3.0.0\ninfo: {title: a, version: "1"}\n';

const rows: readonly [kind: DefinitionEntry['kind'], files: Texts, file: string, keys: readonly string[]][] =
  [
    [
      'apk',
      {
        'c.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {tls.crt: ${JSON.stringify(pem)}}\n`,
        'a.apk-conf':
          'name: a\nversion: "1"\nbasePath: /a\noperations:\n  - {target: /x, verb: GET, secured: true, scopes: [s]}\nauthentication:\n  - {authType: OAuth2, required: mandatory}\n  - {authType: mTLS, required: mandatory, certificates: [{name: m, key: tls.crt}]}\n',
      },
      'a.apk-conf',
      ['authentication', 'authType', 'required', 'mandatory', 'OAuth2', 'mTLS', 'operations', 'scopes'],
    ],
    [
      'bijira',
      {
        'a.yaml': `- name: A\n  version: v1\n  basePath: /a\n  policies:\n    - {policy: OAuth2}\n    - {policy: MTLS Authenticator, Certificate Content: ${JSON.stringify(pem)}, Optional: false}\n  resources:\n    - {path: /x, policies: []}\n`,
      },
      'a.yaml',
      ['policies', 'policy', 'OAuth2', 'MTLS Authenticator', 'Optional', 'resources', 'path'],
    ],
    [
      'microgateway',
      {
        'a.yaml':
          'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\nx-wso2-mutual-ssl: mandatory\nx-wso2-application-security: {security-types: [oauth2], optional: true}\npaths:\n  /x:\n    get:\n      x-scope: s\n      x-wso2-application-security: {optional: false}\n',
      },
      'a.yaml',
      [
        'x-wso2-mutual-ssl',
        'mandatory',
        'x-wso2-application-security',
        'optional',
        'paths',
        'get',
        'x-scope',
      ],
    ],
    [
      'microgateway',
      {
        'a.yaml': `${openApiHead}x-wso2-basePath: /a\npaths: {/x: {get: {x-scope: s}}}\n`,
        'b.yaml': `${openApiHead.replace('title: a', 'title: b')}x-wso2-basePath: /b\nbasePath: /v2\npaths: {/x: {get: {x-scope: s}}}\n`,
      },
      'b.yaml',
      ['openapi', 'x-wso2-basePath'],
    ],
    [
      'microgateway',
      {
        'a.yaml': `${openApiHead}x-wso2-basePath: /a\npaths: {/x: {get: {}}}\n`,
        'micro-gw.conf':
          '[mutualSSLConfig]\nsslVerifyClient = "require"\n[[mutualSSLConfig.api.certificates]]\nname = "b"\nversion = "1"\naliasList = ["acme"]\n',
      },
      'micro-gw.conf',
      ['mutualSSLConfig', 'sslVerifyClient', 'require', 'aliasList'],
    ],
    [
      'choreo-connect',
      {
        'p/api.yaml': mutual,
        'config.toml':
          '[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = "X-SSL-CERT"\n',
      },
      'config.toml',
      ['enforcer', 'security', 'mutualSSL', 'enableClientValidation', 'certificateHeader'],
    ],
    [
      'api-manager',
      {
        'api.yaml': mutual,
        'deployment.toml':
          '[apimgt.mutual_ssl]\nenable_client_validation = false\ncertificate_header = "X-SSL-CERT"\n',
      },
      'deployment.toml',
      ['apimgt', 'mutual_ssl', 'enable_client_validation', 'certificate_header'],
    ],
    ...(['choreo-connect', 'api-manager'] as const).flatMap((kind): (typeof rows)[number][] => [
      [kind, project, 'api.yaml', ['securityScheme', 'mutualssl', 'mutualssl_mandatory', 'oauth2']],
      [kind, { 'api.yaml': graphQl }, 'api.yaml', ['data', 'operations', 'scopes']],
      [
        kind,
        { 'api.yaml': graphQl, 'Definitions/swagger.yaml': 'openapi: 3.0.0\npaths: {/x: {get: {}}}\n' },
        'api.yaml',
        ['type', 'GRAPHQL', 'operations', 'scopes'],
      ],
      [
        kind,
        {
          'api.yaml': apiYaml('securityScheme: [oauth2]'),
          'Definitions/asyncapi.yaml':
            'asyncapi: 2.0.0\nchannels:\n  /x:\n    subscribe: {x-scopes: [s]}\n    publish: {security: [{default: [t]}]}\n',
        },
        'Definitions/asyncapi.yaml',
        ['asyncapi', 'channels', 'subscribe', 'publish', 'x-scopes', 'security'],
      ],
      [
        kind,
        { 'api.yaml': mutual, ...acme },
        'Client-certificates/client_certificates.yaml',
        ['alias', 'certificate', 'tierName'],
      ],
      [
        kind,
        {
          'api.yaml': mutual,
          'deployment_environments.yaml': 'data:\n  - {deploymentVhost: a.example}\n',
        },
        'deployment_environments.yaml',
        ['data', 'deploymentVhost'],
      ],
      [
        kind,
        project,
        'Definitions/swagger.yaml',
        ['paths', 'get', 'security', 'x-wso2-application-security', 'optional'],
      ],
    ]),
  ];
for (const [kind, files, file, keys] of rows)
  for (const key of keys)
    test(`${kind}, ${file}: a slip of ${key} opens nothing`, () => {
      const right = read(kind, files);
      assert.ok(right !== undefined);
      const text = files[file]!;
      for (const [how, slip] of Object.entries(slips))
        for (const { index, 0: word } of text.matchAll(new RegExp(`(?<![\\w-])${key}(?![\\w-])`, 'g'))) {
          const slipped = text.slice(0, index) + slip(word) + text.slice(index + word.length);
          const apis = read(kind, { ...files, [file]: slipped });
          if (apis !== undefined) assert.deepEqual(apis, right, `${how}: ${slip(word)}`);
        }
    });

const openApi = (operation: string, top = ''): Texts => ({
  'a.yaml': `openapi: 3.0.0\nx-wso2-basePath: /a\n${top.includes('info:') ? '' : 'info: {title: a, version: "1"}\n'}${top}paths:\n  /x:\n    get: ${operation}\n`,
});
const inProject = (api: string, more: Texts = {}): Texts => ({
  ...project,
  'api.yaml': `data:\n  name: a\n  version: "1"\n  context: /a\n  ${api}\n`,
  ...more,
});
const conf = (top: string, operation = ''): Texts => ({
  'a.apk-conf': `name: a\nversion: "1"\nbasePath: /a\n${top}\noperations: [{target: /x, verb: GET${operation}}]\n`,
});
const route = (rule: string): Texts => ({
  'a.yaml': `apiVersion: dp.wso2.com/v1alpha2\nkind: API\nmetadata: {name: a}\nspec: {apiName: a, apiVersion: "1", apiType: REST, basePath: /a/1, production: [{routeRefs: [r]}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {rules: [{matches: [{path: {type: PathPrefix, value: /x}, method: GET}], ${rule}}]}\n---\napiVersion: dp.wso2.com/v1alpha1\nkind: Scope\nmetadata: {name: s}\nspec: {names: [s]}\n---\napiVersion: dp.wso2.com/v1alpha2\nkind: Backend\nmetadata: {name: b}\nspec: {services: [{host: h, port: 80}]}\n`,
});
const scope = 'filters: [{type: ExtensionRef, extensionRef: {group: dp.wso2.com, kind: Scope, name: s}}]';

test('the files of the next tests are good but for what they are about', () => {
  assert.ok(read('microgateway', openApi('{security: [{o: [s]}]}')));
  assert.ok(read('choreo-connect', inProject('securityScheme: [oauth2]')));
  assert.ok(read('apk', conf('', ', scopes: [s]')));
  assert.ok(read('apk', route(`${scope}, backendRefs: [{group: dp.wso2.com, kind: Backend, name: b}]`)));
});

const besideOpen =
  'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\npaths:\n  /*: {get: {x-auth-type: None}}\n';

/** Where nobody asks for it, or as nobody reads it. */
const misplaced: readonly [sentence: string, kind: DefinitionEntry['kind'], files: Texts][] = [
  ['scopes in a list in a list', 'microgateway', openApi('{x-scope: [[s]]}')],
  ['scopes in a table', 'microgateway', openApi('{x-scope: {name: s}}')],
  ['scopes without a scheme', 'microgateway', openApi('{security: [s]}')],
  ['scopes as keys', 'microgateway', openApi('{security: [{o: {s: read}}]}')],
  ['a scope that is a number', 'microgateway', openApi('{security: [{o: [1]}]}')],
  ['x-auth-type in a list', 'microgateway', openApi('{x-auth-type: [Any]}')],
  ['an operation in a list', 'microgateway', openApi('[{x-scope: s}]')],
  [
    'an operation behind a reference',
    'microgateway',
    {
      'a.yaml':
        'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\npaths: {/x: {$ref: "#/x"}}\n',
    },
  ],
  [
    'a path behind a reference, beside a path that ends in * and is open',
    'microgateway',
    { 'a.yaml': `${besideOpen}  /x: {$ref: "#/y"}\n` },
  ],
  [
    'a path with nothing behind it, beside a path that ends in * and is open',
    'microgateway',
    { 'a.yaml': `${besideOpen}  /x: \n` },
  ],
  [
    'a path with parameters alone, beside a path that ends in * and is open',
    'microgateway',
    { 'a.yaml': `${besideOpen}  /x: {parameters: []}\n` },
  ],
  [
    'a method with nothing behind it, beside a path that ends in * and is open',
    'microgateway',
    { 'a.yaml': `${besideOpen}  /x: {get: , post: {}}\n` },
  ],
  [
    'paths under another name',
    'microgateway',
    {
      'a.yaml':
        'openapi: 3.1.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\nwebhooks: {/x: {get: {x-scope: s}}}\n',
    },
  ],
  [
    'mutual TLS in info',
    'microgateway',
    openApi('{}', 'info: {title: a, version: "1", x-wso2-mutual-ssl: mandatory}\n'),
  ],
  ['mutual TLS in components', 'microgateway', openApi('{}', 'components: {x-wso2-mutual-ssl: mandatory}\n')],
  [
    'a second definition',
    'api-manager',
    inProject('securityScheme: [oauth2]', {
      'Definitions/swagger.json': '{"openapi":"3.0.0","paths":{"/x":{"get":{}}}}',
    }),
  ],
  [
    'data in a list',
    'choreo-connect',
    inProject('', {
      'api.yaml': 'name: a\nversion: "1"\ncontext: /a\ndata: [{securityScheme: [mutualssl_mandatory]}]\n',
    }),
  ],
  [
    'authentication at an operation',
    'apk',
    conf('', ', authentication: [{authType: mTLS, required: mandatory}]'),
  ],
  ['mTLS beside authentication', 'apk', conf('mtls: {required: mandatory}')],
  ['scopes at the API', 'apk', conf('scopes: [s]')],
  [
    'mutual_ssl in another table',
    'api-manager',
    { 'api.yaml': mutual, 'deployment.toml': '[apim.mutual_ssl]\ncertificate_header = "X-SSL-CERT"\n' },
  ],
  [
    'a slip of the header’s name in XML',
    'api-manager',
    {
      'api.yaml': mutual,
      'api-manager.xml':
        '<APIManager><MutualSSL><ClientCertficateHeader>X-SSL-CERT</ClientCertficateHeader></MutualSSL></APIManager>',
    },
  ],
  [
    'mutualSSL that is no table',
    'choreo-connect',
    {
      'p/api.yaml': mutual,
      'config.toml': '[enforcer.security]\nmutualSSL = "X-SSL-CERT"\n',
    },
  ],
  [
    'a header that is a list',
    'choreo-connect',
    {
      'p/api.yaml': mutual,
      'config.toml':
        '[enforcer.security.mutualSSL]\nenableClientValidation = false\ncertificateHeader = ["X-SSL-CERT"]\n',
    },
  ],
  [
    'an operation of GraphQL that is a text',
    'api-manager',
    {
      'api.yaml': apiYaml('type: GRAPHQL\n  securityScheme: [oauth2]\n  operations: [x]'),
    },
  ],
  [
    'AsyncAPI 3, with its scopes at operations of its own',
    'api-manager',
    {
      'api.yaml': apiYaml('securityScheme: [oauth2]'),
      'Definitions/asyncapi.yaml':
        'asyncapi: 3.0.0\nchannels: {x: {address: /x}}\noperations: {o: {action: send, security: [{default: [s]}]}}\n',
    },
  ],
  [
    'another word for what a channel takes',
    'choreo-connect',
    {
      'api.yaml': apiYaml('securityScheme: [oauth2]'),
      'Definitions/asyncapi.yaml': 'asyncapi: 2.0.0\nchannels: {/x: {send: {x-scopes: [s]}}}\n',
    },
  ],
  [
    'a scope at a backend',
    'apk',
    route(`backendRefs: [{group: dp.wso2.com, kind: Backend, name: b, ${scope}}]`),
  ],
];
for (const [sentence, kind, files] of misplaced)
  test(`${kind}: ${sentence} opens nothing`, () => assert.equal(read(kind, files), undefined));
