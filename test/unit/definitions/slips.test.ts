import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDefinition } from '../../../src/definitions/readers.ts';
import type { DefinitionEntry, WrittenApi } from '../../../src/definitions/written.ts';
import { FileProblem } from '../../../src/documents/files.ts';
import { selfSigned } from '../../support/certificate-authority.ts';

/**
 * WSO2's products take no notice of a key that they don't know. What closes an API and is misspelt, in whatever way,
 * closes it here: the API is refused, or all is as if it were spelt right.
 */
const { pem } = await selfSigned({ subject: 'CN=acme' });

type Texts = Readonly<Record<string, string>>;

/** What is made of the files, in memory; undefined: something is wrong with them, and nobody is admitted. */
function read(kind: DefinitionEntry['kind'], texts: Texts): readonly WrittenApi[] | undefined {
  const text = (path: string): string => {
    const found = texts[path.slice('/d/'.length)];
    if (found === undefined) throw new FileProblem('does not exist');
    return found;
  };
  const { apis, problems } = readDefinition({
    kind,
    path: '/d',
    trustedSenders: undefined,
    backend: 'https://b.example',
    home: undefined,
    files: {
      text,
      bytes: (path) => Buffer.from(text(path)),
      list: () => Object.keys(texts).map((name) => `/d/${name}`),
    },
  });
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
    ...(['choreo-connect', 'api-manager'] as const).flatMap((kind): (typeof rows)[number][] => [
      [kind, project, 'api.yaml', ['securityScheme', 'mutualssl', 'mutualssl_mandatory', 'oauth2']],
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
