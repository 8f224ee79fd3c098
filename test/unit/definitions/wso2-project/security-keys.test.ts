import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemLine } from '../../../../src/config/problem.ts';
import type { DefinedApi, DefinitionEntry } from '../../../../src/definitions/written.ts';
import { readTexts } from '../../../support/definition-texts.ts';

type Texts = Readonly<Record<string, string>>;

function read(kind: DefinitionEntry['kind'], files: Texts): { api: DefinedApi; warnings: readonly string[] } {
  const { apis, warnings } = readTexts(kind, files);
  assert.equal(apis.length, 1);
  return { api: apis[0]!, warnings: warnings.map(problemLine) };
}

const openApi = (lines: string, get: string, item = ''): string =>
  `openapi: 3.0.0\ninfo: {title: A, version: "1"}\nx-wso2-basePath: /a\n${lines}\npaths:\n  /x:\n    get: ${get}\n${item}`;
const microgateway = (lines: string, get = '{}', item = '') =>
  read('microgateway', { 'a.yaml': openApi(lines, get, item) });
const project = (schemes: string, get = '{}', lines = '') =>
  read('choreo-connect', {
    'api.yaml': `type: api\nversion: v4\ndata:\n  name: A\n  version: "1"\n  context: /a\n  ${schemes}\n`,
    'Definitions/swagger.yaml': openApi(lines, get),
  });

const mandatory = 'x-wso2-mutual-ssl: mandatory';
const optional = `${mandatory}\nx-wso2-application-security: {optional: true}`;
const own = (text: string): string => `{x-wso2-application-security: {${text}}}`;

/** Of the operation GET /x, where it differs from its API. */
const asked: readonly [
  sentence: string,
  read: () => { api: DefinedApi },
  api: string,
  operation: Readonly<Record<string, unknown>>,
][] = [
  [
    'an operation that needs the token its API does not',
    () => microgateway(optional, own('optional: false')),
    'optional',
    { applicationSecurity: 'mandatory' },
  ],
  [
    'an operation that does not need the token its API does',
    () => microgateway(mandatory, own('optional: true')),
    'mandatory',
    { applicationSecurity: 'optional' },
  ],
  [
    'types alone leave optional to the API',
    () => microgateway(optional, own('security-types: [oauth2]')),
    'optional',
    {},
  ],
  [
    'a path item says it for its operations',
    () => microgateway(optional, '{}', '    x-wso2-application-security: {optional: false}\n'),
    'optional',
    { applicationSecurity: 'mandatory' },
  ],
  [
    'an operation counts before its path item',
    () =>
      microgateway(optional, own('optional: true'), '    x-wso2-application-security: {optional: false}\n'),
    'optional',
    {},
  ],
  [
    'switched on again where the document is off',
    () => microgateway('x-wso2-disable-security: true', '{x-wso2-disable-security: false}'),
    'off',
    { applicationSecurity: 'mandatory' },
  ],
  [
    'x-auth-type switches it on again as well',
    () => microgateway('x-auth-type: None', '{x-auth-type: Application User}'),
    'off',
    { applicationSecurity: 'mandatory' },
  ],
  ['switched off in the document by any of its keys', () => microgateway('security: []'), 'off', {}],
  [
    'switched off at an operation',
    () => microgateway(optional, '{x-auth-type: None}'),
    'optional',
    { secured: false },
  ],
  [
    'a project whose definition is stricter than its api.yaml',
    () => project('securityScheme: [mutualssl, mutualssl_mandatory, oauth2]', own('optional: false')),
    'optional',
    { applicationSecurity: 'mandatory' },
  ],
  [
    '… be it the whole definition',
    () =>
      project(
        'securityScheme: [mutualssl, mutualssl_mandatory, oauth2]',
        '{}',
        'x-wso2-application-security: {optional: false}',
      ),
    'optional',
    { applicationSecurity: 'mandatory' },
  ],
  [
    'a project whose definition is laxer than its api.yaml',
    () => project('securityScheme: [oauth2]', own('optional: true')),
    'mandatory',
    {},
  ],
  [
    'a definition as API Manager exports it',
    () =>
      project(
        'securityScheme: [oauth2, mutualssl, mutualssl_mandatory]',
        own('security-types: [oauth2], optional: true'),
        optional,
      ),
    'optional',
    {},
  ],
  [
    'scopes of an operation before those of the document',
    () => microgateway('security: [{a: [all]}]', '{security: [{a: [one, two]}]}'),
    'mandatory',
    { scopes: ['one', 'two'], scopesMatch: 'any' },
  ],
  [
    'scopes in x-scopes, a text or a list',
    () => microgateway('', '{x-scopes: [one], x-scope: "two three"}'),
    'mandatory',
    { scopes: ['one', 'three', 'two'], scopesMatch: 'any' },
  ],
];
for (const [sentence, make, applicationSecurity, operation] of asked) {
  test(sentence, () => {
    const { api } = make();
    assert.deepEqual(api.problems, []);
    assert.equal(api.written.applicationSecurity, applicationSecurity);
    assert.deepEqual(api.written.operations, [{ path: '/x', methods: ['GET'], ...operation }]);
  });
}

const refused: readonly [sentence: string, read: () => { api: DefinedApi }, problem: RegExp][] = [
  [
    'an optional token beside an optional certificate, at an operation',
    () => microgateway('x-wso2-mutual-ssl: optional', own('optional: true')),
    /a\.yaml:7: paths\."\/x"\.get\.x-wso2-application-security: is optional, which needs x-wso2-mutual-ssl: "mandatory"/,
  ],
  [
    'an operation that takes API keys alone',
    () => microgateway(mandatory, own('security-types: [apikey]')),
    /get\.x-wso2-application-security\.security-types: can be called by apikey, which is not taken here/,
  ],
  [
    'a flag that is a text',
    () => microgateway(mandatory, own('optional: "no"')),
    /get\.x-wso2-application-security\.optional: .*write true or false/,
  ],
  [
    'a switch that is a text',
    () => microgateway(mandatory, '{x-wso2-disable-security: "false"}'),
    /x-wso2-disable-security: .*write true or false/,
  ],
  [
    'a key of the table that nobody knows',
    () => microgateway(mandatory, own('optionally: false')),
    /optionally: .*security-types, optional/,
  ],
  [
    'mutual TLS that one operation asks for, which is the API’s as a whole',
    () => microgateway('', `{${mandatory}}`),
    /get\.x-wso2-mutual-ssl: is "mandatory", and here the API’s counts, which is off; write it for the API as a whole/,
  ],
  [
    'mutual TLS that one path asks for',
    () => microgateway('', '{}', `    ${mandatory}\n`),
    /paths\."\/x"\.x-wso2-mutual-ssl: is "mandatory"/,
  ],
  [
    'another word for mandatory, at an operation',
    () => microgateway('', '{x-wso2-mutual-ssl: required}'),
    /get\.x-wso2-mutual-ssl: .*write mandatory or optional/,
  ],
  [
    'mutual TLS of a definition that its api.yaml does not ask for',
    () => project('securityScheme: [oauth2]', '{}', mandatory),
    /swagger\.yaml:4: x-wso2-mutual-ssl: is "mandatory".*write mutualssl and mutualssl_mandatory into the API’s securityScheme/,
  ],
  [
    'another case',
    () => microgateway('x-wso2-mutual-SSL: mandatory'),
    /a\.yaml:4: x-wso2-mutual-SSL: is not known here; did you mean "x-wso2-mutual-ssl"\?/,
  ],
  [
    'other signs between',
    () => microgateway('x_wso2_mutual_ssl: mandatory'),
    /did you mean "x-wso2-mutual-ssl"/,
  ],
  [
    'a letter too few, at an operation',
    () => microgateway(optional, '{x-wso2-aplication-security: {optional: false}}'),
    /get\.x-wso2-aplication-security: .*did you mean "x-wso2-application-security"/,
  ],
  [
    'a letter too many, at a path',
    () => microgateway(optional, '{}', '    x-wso2-application-securityy: {optional: false}\n'),
    /paths\."\/x"\.x-wso2-application-securityy: .*did you mean/,
  ],
  [
    'scopes that are asked for by a misspelt key',
    () => microgateway('', '{secuirty: [{a: [admin]}]}'),
    /get\.secuirty: .*did you mean "security"/,
  ],
  [
    'a security key of another product, perhaps',
    () => microgateway('x-wso2-client-auth: mandatory'),
    /x-wso2-client-auth: may ask for security, and is not known here/,
  ],
  [
    'a security key with nothing behind it',
    () => microgateway('x-wso2-mutual-ssl:'),
    /x-wso2-mutual-ssl: is empty; write what belongs there/,
  ],
  [
    'a misspelt securityScheme',
    () => project('securityschema: [mutualssl, mutualssl_mandatory]'),
    /api\.yaml:7: data\.securityschema: .*did you mean "securityScheme"/,
  ],
  [
    'a securityScheme with nothing behind it',
    () => project('securityScheme:'),
    /data\.securityScheme: is empty/,
  ],
  [
    'another name for it',
    () => project('mutualSSL: mandatory'),
    /data\.mutualSSL: may ask for security, and is not known here; write some of securityScheme, apiSecurity/,
  ],
  [
    'a securityScheme beside data',
    () =>
      read('choreo-connect', {
        'api.yaml': 'securityScheme: [mutualssl]\ndata:\n  name: A\n  version: "1"\n  context: /a\n',
      }),
    /api\.yaml:1: securityScheme: stands beside data; write it into data/,
  ],
  [
    'several names in one segment where a broader path asks for more',
    () =>
      read('microgateway', {
        'a.yaml': openApi('', '{}').replace('/x:', '"/f/{a}-{b}": {get: {x-auth-type: None}}\n  /f/*:'),
      }),
    /has several names in one segment, which is read as one name, and a path that ends in \* asks for something else/,
  ],
];
for (const [sentence, make, problem] of refused) {
  test(`not served: ${sentence}`, () =>
    assert.match(make().api.problems.map(problemLine).join('\n'), problem));
}

test('keys that close nothing are left alone', () => {
  const harmless = [
    'x-wso2-auth-header: Authorization',
    'x-wso2-cors: {}',
    'x-wso2-transports: [https]',
    'x-wso2-production-endpoints: {urls: ["https://b.test"]}',
    'x-wso2-sandbox-endpoints: {urls: ["https://b.test"]}',
    'x-wso2-throttling-tier: Gold',
    'x-throttling-tier: Gold',
    'x-wso2-response-cache: {}',
    'x-wso2-label: [default]',
    'x-wso2-pass-request-payload-to-enforcer: true',
    'x-wso2-request-interceptor: a',
    'x-author: me',
    'x-scoreboard: 1',
    'servers: []',
    'schemes: [https]',
    'tags: []',
  ].join('\n');
  assert.deepEqual(
    microgateway(harmless, '{summary: a, parameters: [], x-throttling-tier: Gold}').api.problems,
    [],
  );
});

test('that a definition is stricter, or laxer, is told', () => {
  const stricter = project(
    'securityScheme: [mutualssl, mutualssl_mandatory, oauth2]',
    own('optional: false'),
  );
  assert.match(
    stricter.warnings.join('\n'),
    /asks for a token, which is optional by the API’s securityScheme: the stricter counts/,
  );
  const laxer = microgateway(`${mandatory}`, '{x-wso2-mutual-ssl: optional}');
  assert.match(
    laxer.warnings.join('\n'),
    /get\.x-wso2-mutual-ssl: is "optional", and here the API’s counts, which is mandatory/,
  );
});
