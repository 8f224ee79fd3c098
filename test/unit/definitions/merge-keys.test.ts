import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DefinitionEntry, WrittenApi } from '../../../src/definitions/written.ts';
import { readTexts } from '../../support/definition-texts.ts';

function read(kind: DefinitionEntry['kind'], name: string, text: string): readonly WrittenApi[] {
  const { apis, problems } = readTexts(kind, { [name]: text });
  assert.deepEqual([...problems, ...apis.flatMap((api) => api.problems)], []);
  return apis.map(({ written }) => written);
}

const rows: readonly [
  kind: DefinitionEntry['kind'],
  sentence: string,
  file: string,
  whole: string,
  merged: string,
][] = [
  [
    'microgateway',
    'a scope',
    'a.yaml',
    'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\npaths: {/x: {get: {security: [{o: [read]}]}}}\n',
    'openapi: 3.0.0\ninfo: {title: a, version: "1"}\nx-wso2-basePath: /a\nx-s: &s {security: [{o: [read]}]}\npaths: {/x: {get: {<<: *s}}}\n',
  ],
  [
    'choreo-connect',
    'the security scheme',
    'api.yaml',
    'data: {name: a, version: "1", context: /a, securityScheme: [mutualssl, mutualssl_mandatory]}\n',
    'x: &s {securityScheme: [mutualssl, mutualssl_mandatory]}\ndata: {<<: *s, name: a, version: "1", context: /a}\n',
  ],
  [
    'api-manager',
    'the security scheme',
    'api.yaml',
    'data: {name: a, version: "1", context: /a, securityScheme: [mutualssl, mutualssl_mandatory]}\n',
    'x: &s {securityScheme: [mutualssl, mutualssl_mandatory]}\ndata: {<<: [*s], name: a, version: "1", context: /a}\n',
  ],
  [
    'apk',
    'the authentication',
    'a.apk-conf',
    'name: a\nversion: "1"\nbasePath: /a\noperations: [{target: /x, verb: GET}]\nauthentication: [{authType: OAuth2, required: mandatory}, {authType: mTLS, required: mandatory}]\n',
    'name: a\nversion: "1"\nbasePath: /a\noperations: [{target: /x, verb: GET}]\nauthentication:\n  - {authType: OAuth2, <<: &m {required: mandatory}}\n  - {authType: mTLS, <<: *m}\n',
  ],
  [
    'bijira',
    'the policies',
    'a.yaml',
    '- {name: a, version: v1, basePath: /a, policies: [{policy: OAuth2}]}\n- {name: b, version: v1, basePath: /b, policies: [{policy: OAuth2}]}\n',
    '- &a {name: a, version: v1, basePath: /a, policies: [{policy: OAuth2}]}\n- {<<: *a, name: b, basePath: /b}\n',
  ],
];
for (const [kind, sentence, file, whole, merged] of rows) {
  test(`${kind}: ${sentence} behind << counts as if it were written out`, () => {
    const apis = read(kind, file, merged);
    assert.ok(apis.length > 0);
    assert.deepEqual(apis, read(kind, file, whole));
  });
}
