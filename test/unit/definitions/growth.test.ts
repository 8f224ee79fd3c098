import '../pki/steps.ts';

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { readDefinition } from '../../../src/definitions/readers.ts';
import type { DefinitionEntry } from '../../../src/definitions/written.ts';
import { stepsOf } from '../pki/steps.ts';

const root = mkdtempSync(join(tmpdir(), 'growth-'));
after(() => rmSync(root, { recursive: true }));

const entryOf = (kind: DefinitionEntry['kind'], path: string): DefinitionEntry => ({
  kind,
  path,
  trustedSenders: undefined,
  backend: undefined,
  home: undefined,
});

const many = (n: number, make: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => make(i)).join('');
const openApi = (more: string): string =>
  `openapi: 3.0.0\ninfo: {title: A, version: "1"}\nx-wso2-basePath: /a\n${more}`;
const project = (context: string, more = ''): string =>
  `data:\n  name: A\n  version: "1"\n  context: ${context}\n  securityScheme: [oauth2]\n${more}`;

const conf = (id: string, operations = '  - {target: /x, verb: GET}\n'): string =>
  `name: A\nid: "${id}"\nversion: "1"\nbasePath: /a\noperations:\n${operations}`;
const resource = (kind: string, name: string, spec: string, group = 'dp.wso2.com'): string =>
  `---\napiVersion: ${group}/v1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const httpRoute = (path: string): string =>
  resource('API', 'a', '{apiName: a, apiVersion: "1", basePath: /a, production: [{routeRefs: [r]}]}') +
  resource(
    'HTTPRoute',
    'r',
    `{rules: [{matches: [{path: {type: RegularExpression, value: ${path}}}]}]}`,
    'gateway.networking.k8s.io',
  );

type Make = (n: number) => Readonly<Record<string, string>>;
type Hostile = readonly [sentence: string, kind: DefinitionEntry['kind'], make: Make];

/** One line each: only a pattern could take long with it, and its steps are not counted. */
const lines: readonly Hostile[] = [
  ...[' ', ',', '"', ', ', '\t', "' "].flatMap((piece): Hostile[] =>
    ['title', 'version', 'x-wso2-basePath', 'basePath'].map((key) => [
      `a broken OpenAPI file whose ${key} is ${JSON.stringify(piece)} again and again`,
      'microgateway',
      (n) => ({ 'a.yaml': `openapi: 3\nbasePath: /a\n  broken: [\n${key}: a${piece.repeat(n)}#\n` }),
    ]),
  ),
  ...[' ', '"', "', "].map(
    (piece): Hostile => [
      `a broken api.yaml whose context is ${JSON.stringify(piece)} again and again`,
      'choreo-connect',
      (n) => ({ 'api.yaml': `name: a\nbroken: [\ncontext: /a${piece.repeat(n)}#\n` }),
    ],
  ),
  ...['\n', ' ', '-', '\t', '"', ' -', '\n-', 'basePath: /a\n', '---\n', 'kind:\n'].flatMap(
    (piece): Hostile[] =>
      (['apk', 'bijira'] as const).map((kind) => [
        `a broken file of ${kind} that is ${JSON.stringify(piece)} again and again`,
        kind,
        (n) => ({
          'a.yaml': `x: [\n${piece.repeat(n / piece.length)}`,
          'a.apk-conf': `basePath: /a\nx: [\n${piece.repeat(n / piece.length)}`,
        }),
      ]),
  ),
  ...['(.*)', '/', '{a}', '/{a}', '[^/]+', '.', '\\\\.', '/a'].map(
    (piece): Hostile => [
      `a path of an HTTPRoute that is ${piece} again and again`,
      'apk',
      (n) => ({ 'a.yaml': httpRoute(`"/${piece.repeat(n / piece.length)}x"`) }),
    ],
  ),
  ...['/', '{a}', '/{a}', '/a', 'a{'].map(
    (piece): Hostile => [
      `a target of an apk-conf that is ${piece} again and again`,
      'apk',
      (n) => ({
        'a.apk-conf': conf('a', `  - {target: "/${piece.repeat(n / piece.length)}x", verb: GET}\n`),
      }),
    ],
  ),
  [
    'a context of slashes',
    'choreo-connect',
    (n) => ({ 'api.yaml': project(`"${'/'.repeat(n)}a${'/'.repeat(n)}b"`) }),
  ],
  [
    'a path of braces',
    'microgateway',
    (n) => ({ 'a.yaml': openApi(`paths:\n  ? "/${'{}'.repeat(n / 2)}*"\n  : {get: {}}\n`) }),
  ],
  [
    'a list of certificates that is one encoded text without an end',
    'api-manager',
    (n) => ({
      'api.yaml': project('/a'),
      'Client-certificates/client_certificates.yaml': `- alias: a\n  certificate: "${'LS0tLS1CRUdJTi'.repeat(n / 14)}`,
    }),
  ],
];

test(`patterns: files of a megabyte on one line take no hours: ${lines.length} of them`, () => {
  for (const [i, [, kind, make]] of lines.entries()) put(join(kind, `p${i}`), make(1_000_000));
  const readers = new URL('../../../src/definitions/readers.ts', import.meta.url).href;
  const read = `const { readDefinition } = await import(${JSON.stringify(readers)});
    for (const [kind, path] of ${JSON.stringify(lines.map(([, kind], i) => [kind, join(root, kind, `p${i}`)]))}) {
      readDefinition({ kind, path });
      console.log(path);
    }`;
  // Of the processor's time, whatever else it does.
  const limited = ['-c', 'ulimit -t 120 && exec "$@"', 'sh', process.execPath];
  const { stdout, stderr, status } = spawnSync('sh', [...limited, '--input-type=module', '-e', read], {
    encoding: 'utf8',
  });
  const done = stdout.split('\n').length - 1;
  assert.equal(status, 0, `not read to its end: ${lines[done]?.[0]}\n${stderr}`);
});

function put(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    const file = join(root, folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return join(root, folder);
}

const sizes: readonly Hostile[] = [
  [
    'many operations',
    'apk',
    (n) => ({
      'a.apk-conf': conf(
        'a',
        many(n, (i) => `  - {target: /x${i}, verb: GET}\n`),
      ),
    }),
  ],
  [
    'many APIs of one name, and as many Authentications for it',
    'apk',
    (n) => ({
      ...Object.fromEntries(Array.from({ length: n }, (_, i) => [`a${i}.apk-conf`, conf('a')])),
      'a.yaml': many(n, (i) =>
        resource('Authentication', `a${i}`, '{default: {disabled: true}, targetRef: {kind: API, name: a}}'),
      ),
    }),
  ],
  [
    'many APIs, and as many Authentications that may be meant for any',
    'apk',
    (n) => ({
      ...Object.fromEntries(Array.from({ length: n }, (_, i) => [`a${i}.apk-conf`, conf(`a${i}`)])),
      'a.yaml': many(n, (i) => resource('Authentication', `a${i}`, '{default: {disabled: true}}')),
    }),
  ],
  ['many lines of a broken list', 'bijira', (n) => ({ 'a.yaml': `${'- basePath: /a\n'.repeat(n)}x: [` })],
  [
    'many policies, and as many resources',
    'bijira',
    (n) => ({
      'a.yaml': `- name: a\n  version: v1\n  basePath: /a\n  policies:\n${'    - policy: OAuth2\n'.repeat(n)}  resources:\n${many(n, (i) => `    - {path: /${i}, policies: [{policy: OAuth2}]}\n`)}`,
    }),
  ],
  [
    'many lines of a broken file',
    'microgateway',
    (n) => ({ 'a.yaml': `openapi: 3\nx: [\n${'a: b\n'.repeat(n)}` }),
  ],
  [
    'many paths',
    'microgateway',
    (n) => ({ 'a.yaml': openApi(`paths:\n${many(n, (i) => `  /${i}: {get: {}}\n`)}`) }),
  ],
  [
    'many files of one project',
    'choreo-connect',
    (n) => ({
      'api.yaml': project('/a'),
      ...Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}.txt`, ''])),
    }),
  ],
  [
    'many clients of one project',
    'choreo-connect',
    (n) => ({
      'api.yaml': project('/a'),
      'Client-certificates/client_certificates.yaml': many(
        n,
        (i) => `- {alias: a${i}, certificate: c.crt}\n`,
      ),
    }),
  ],
  [
    'many bindings, and as many APIs',
    'microgateway',
    (n) => ({
      'micro-gw.conf': many(
        n,
        (i) => `[[mutualSSLConfig.api.certificates]]\nname = "A"\nversion = "${i}"\naliasList = ["a"]\n`,
      ),
      ...Object.fromEntries(
        Array.from({ length: n }, (_, i) => [
          `a${i}.yaml`,
          openApi('').replace('version: "1"', `version: "${i}"`),
        ]),
      ),
    }),
  ],
  [
    'many operations, and as many scopes that the document asks for',
    'microgateway',
    (n) => ({
      'a.yaml': openApi(
        `security: [{a: [${many(n, (i) => `s${i}, `)}]}]\npaths:\n${many(n, (i) => `  /${i}: {get: {}}\n`)}`,
      ),
    }),
  ],
];

for (const [sentence, kind, make] of sizes) {
  test(`twice as much costs twice as much: ${sentence}`, () => {
    const steps = (n: number): number => {
      const path = put(join(kind, `${sentence.replaceAll(' ', '-')}-${n}`), make(n));
      return stepsOf(() => void readDefinition(entryOf(kind, path)), '/src/definitions/');
    };
    steps(10);
    const [small, large] = [steps(200), steps(400)];
    assert.ok(large <= small * 2.3 + 200, `${small} steps became ${large}`);
  });
}
