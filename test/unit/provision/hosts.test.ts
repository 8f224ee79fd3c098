import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { problemLine } from '../../../src/config/problem.ts';
import { bootstrap } from '../../../src/envoy-config/bootstrap.ts';
import { placeholder } from '../../../src/provision/definitions.ts';
import { mostRepeatedRoutes, settleHosts } from '../../../src/provision/hosts.ts';
import { type LastGood, nothingYet, type State } from '../../../src/provision/last-good.ts';
import { isProblems, loadConfig } from '../../../src/provision/load-config.ts';
import type { Provisioned } from '../../../src/provision/provision.ts';
import { atOnce } from '../../../src/provision/slices.ts';
import { now } from '../../support/certificate-authority.ts';
import { outcome } from '../../support/enforcer.ts';

const api = (name: string, ...hosts: readonly string[]) =>
  placeholder({ name, version: '1', basePath: `/${name}`, hosts });
/** Of a file, which is named before the colon, and before that, where there is a slash, its entry. */
const state = (name: string, ...hosts: readonly string[]): State => ({
  api: api(name, ...hosts),
  origin: { file: name.split(':')[0]!, line: 1 },
  entry: name.split('/').at(-2) ?? '',
  key: name,
  problems: [],
  state: 'good',
});
const held = (...names: readonly string[]): LastGood => ({
  ...nothingYet,
  apis: new Map(names.map((name) => [name, state(name)])),
});
const four = ['own1', 'own2', 'own3', 'own4'].map((name) => api(name, '*'));
const own = [
  ...four,
  api('named', 'named.test'),
  api('wild', '*.wild.test'),
  ...[1, 2, 3].map((i) => api(`wilder${i}`, '*.wilder.test')),
];
const faulty = { ...state('a:1', 'h1'), state: 'faulty' as const };

const rows: readonly [
  sentence: string,
  states: readonly State[],
  before: LastGood,
  room: number,
  refused: readonly string[],
][] = [
  ['one host has all of config.toml’s again', [state('a:1', 'h1')], nothingYet, 4, []],
  ['and not where there is no room', [state('a:1', 'h1')], nothingYet, 3, ['a:1']],
  ['hosts of one API are one', [state('a:1', 'h1', 'h2', 'h3')], nothingYet, 4, []],
  ['on a host that config.toml names it has what that has', [state('a:1', 'named.test')], nothingYet, 1, []],
  ['which Envoy has anyhow', [state('a:1', 'named.test')], nothingYet, 0, []],
  ['as it has what is for all hosts', [state('a:1', '*'), state('a:2', '*')], nothingYet, 0, []],
  ['but not both, where they part', [state('a:1', '*'), state('a:2', '*', 'h1')], nothingYet, 4, ['a:2']],
  ['the name of a host has no case', [state('a:1', 'h1'), state('b:1', 'H1')], nothingYet, 4, []],
  ['each API with a host of its own', [state('a:1', 'h1'), state('a:2', 'h2')], nothingYet, 7, ['a:2']],
  [
    'a file with many hosts takes no room from others, wherever it stands',
    [state('a:1', 'h1'), state('a:2', 'h2'), state('b:1', 'h3')],
    nothingYet,
    8,
    ['a:2'],
  ],
  [
    'of as many, who was there before comes first',
    [state('a:1', 'h1'), state('b:1', 'h2'), state('c:1', 'h3')],
    held('b:1', 'c:1'),
    8,
    ['a:1'],
  ],
  [
    'of a file, too',
    [state('a:1', 'h1'), state('a:2', 'h2'), state('a:3', 'h3')],
    held('a:2', 'a:3'),
    8,
    ['a:1'],
  ],
  [
    'and takes no room from others beyond its turn',
    [state('a:1', 'h1'), state('a:2', 'h2'), state('b:1', 'h3')],
    held('a:1', 'a:2'),
    8,
    ['a:2'],
  ],
  [
    'an entry with many files takes none from another with one',
    [
      state('e/a:1', 'h1'),
      state('e/b:1', 'h2'),
      state('e/c:1', 'h3'),
      state('f/a:1', 'h4'),
      state('f/a:2', 'h5'),
    ],
    held('e/a:1', 'e/b:1', 'e/c:1'),
    16,
    ['e/c:1'],
  ],
  [
    'what one leaves others may have',
    [state('e/a:1', 'h1'), state('e/a:2', 'h2'), state('e/a:3', 'h3'), state('f/a:1', 'h4')],
    nothingYet,
    16,
    [],
  ],
  [
    'of entries with as much, who was there before comes first',
    [state('e/a:1', 'h1'), state('f/a:1', 'h2')],
    held('f/a:1'),
    4,
    ['e/a:1'],
  ],
  [
    'it is routes that are shared, not APIs: one that takes many comes after others’ few',
    [state('e/a:1', 'x.wild.test', 'x.wilder.test', 'x'), state('f/a:1', 'h1'), state('f/a:2', 'h2')],
    held('e/a:1'),
    10,
    ['e/a:1'],
  ],
  [
    'what admits nobody anyhow comes after others of other entries, too',
    [{ ...state('e/a:1', 'h1'), state: 'faulty' }, state('f/b:1', 'h2'), state('f/b:2', 'h3')],
    nothingYet,
    8,
    ['e/a:1'],
  ],
  ['what admits nobody anyhow comes last', [faulty, state('b:1', 'h2')], nothingYet, 4, ['a:1']],
  [
    'an API more on the same hosts repeats nothing',
    [state('a:1', 'h1'), state('b:1', 'h1'), state('b:2', 'h1')],
    nothingYet,
    4,
    [],
  ],
  [
    'on half of the hosts it parts them',
    [state('a:1', 'h1', 'h2'), state('b:1', 'h1', 'h3', 'h4')],
    nothingYet,
    12,
    ['b:1'],
  ],
];
for (const [sentence, states, before, room, refused] of rows)
  test(`room for ${room} routes: ${sentence}`, () => {
    const settled = atOnce(settleHosts(states, own, before, room));
    const crowding = settled.states.filter(({ isCrowding }) => isCrowding);
    assert.deepEqual(
      crowding.map(({ key }) => key),
      refused,
    );
    assert.ok(crowding.every(({ state, fault }) => state === 'faulty' && fault !== undefined));
    // What is counted is what Envoy's routes are.
    assert.ok(repeated(settled.states) <= room);
    for (const [i, each] of states.entries())
      if (!refused.includes(each.key)) assert.deepEqual(settled.states[i], each);
  });

test('what is repeated is counted to the route', () => {
  const host = fc.constantFrom(
    '*',
    'named.test',
    'x.wild.test',
    '*.wild.test',
    '*.x.wilder.test',
    'h1',
    'h2',
    'h3',
  );
  const hosts = fc.array(fc.uniqueArray(host, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(hosts, (all) => {
      const states = all.map((some, i) => state(`e${i % 3}/f:${i}`, ...some));
      const needed = repeated(states);
      const refused = (room: number): boolean =>
        atOnce(settleHosts(states, own, nothingYet, room)).states.some(({ isCrowding }) => isCrowding);
      assert.equal(refused(needed), false);
      if (needed > 0) assert.equal(refused(needed - 1), true);
    }),
  );
});

/** Routes of virtual hosts that would not be there without these, but for one of each API. */
function repeated(states: readonly State[]): number {
  const routes = (some: readonly State[]): number => {
    const config = { ...whole.config, apis: [...own, ...some.map((each) => each.api)] };
    const crowding = new Set(some.flatMap((each) => (each.isCrowding ? [each.api] : [])));
    const sites = virtualHosts(bootstrap(config, { ...whole, crowding, ownApis: own.length, resolvePath }));
    return sites.flatMap((each) => each.routes).filter(({ name }) => name !== 'no API' && name !== 'refused')
      .length;
  };
  const admitted = states.filter(({ isCrowding }) => !isCrowding);
  return routes(admitted) - routes([]) - admitted.length;
}

type VirtualHost = {
  readonly domains: readonly string[];
  readonly routes: readonly {
    readonly name: string;
    readonly match: object;
    readonly direct_response?: object;
  }[];
};
const virtualHosts = (tree: object): readonly VirtualHost[] =>
  // biome-ignore lint/suspicious/noExplicitAny: as Envoy reads it
  (tree as any).static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config
    .virtual_hosts;
const resolvePath = (path: string): string => path;

test('what is refused at one host takes no path of config.toml’s from another that shares its routes', () => {
  const [mine, other, both] = [
    api('own1/x', 'mine.test'),
    api('y', 'other.test'),
    api('z', 'mine.test', 'other.test'),
  ];
  const crowding = new Set([mine!, other!, both!]);
  const config = { ...whole.config, apis: [...own, ...crowding] };
  const sites = virtualHosts(bootstrap(config, { ...whole, crowding, ownApis: own.length, resolvePath }));
  const site = sites.find(({ domains }) => domains.includes('other.test'))!;
  assert.deepEqual(site.domains, ['mine.test', 'other.test'], 'one for both');
  const only = (regex: string) => [{ name: ':authority', string_match: { safe_regex: { regex } } }];
  assert.deepEqual(
    site.routes.filter(({ name }) => name === 'refused').map(({ match }) => match),
    [
      { path_separated_prefix: '/own1/x', headers: only('(?i)(mine\\.test)(:\\C*)?') },
      { path_separated_prefix: '/z' },
      { path_separated_prefix: '/y', headers: only('(?i)(other\\.test)(:\\C*)?') },
    ],
  );
});

const folder = mkdtempSync(join(tmpdir(), 'hosts-'));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'apk'));
function load(toml: string, before?: Provisioned): Provisioned {
  writeFileSync(join(folder, 'config.toml'), toml);
  const loaded = loadConfig(join(folder, 'config.toml'), {}, now, before && { before });
  if (isProblems(loaded)) throw new Error(loaded.map(problemLine).join('\n'));
  return loaded;
}
const whole = load('');

/** APIs that are open, each with a host of its own. */
const manifests = (hosts: readonly string[]): string =>
  hosts
    .map(
      (host) => `---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: { name: "${host}" }
spec: { hostnames: ["${host}"], rules: [{ matches: [{ path: { type: PathPrefix, value: /deep }, method: GET }] }] }
---
apiVersion: dp.wso2.com/v1alpha2
kind: Authentication
metadata: { name: "${host}" }
spec: { default: { disabled: true }, targetRef: { kind: API, name: "${host}" } }
---
apiVersion: dp.wso2.com/v1alpha2
kind: API
metadata: { name: "${host}" }
spec: { apiName: "${host}", apiVersion: v1, basePath: /p, apiType: REST, production: [{ routeRefs: ["${host}"] }] }
`,
    )
    .join('');
const ownApis = (count: number): string =>
  Array.from(
    { length: count },
    (_, i) =>
      `[[apis]]\nname = "own${i}"\nversion = "1"\nbasePath = "/own${i}"\nmutualSSL = "off"\nbackend = "http://127.0.0.1:9"\n`,
  ).join('');

test('a file with thousands of hosts makes no configuration of Envoy that is beyond measure, and harms no other', async () => {
  const many = Array.from({ length: 600 }, (_, i) => `h${i}.test`);
  writeFileSync(join(folder, 'apk/many.yaml'), manifests(many));
  writeFileSync(join(folder, 'apk/others.yaml'), manifests(['others.test']));
  const loaded = load(`[[definitions]]\nkind = "apk"\npath = "apk"\n${ownApis(200)}`);
  const [problem, ...more] = loaded.problems.map(problemLine);
  assert.deepEqual(more, []);
  assert.match(problem!, /many\.yaml:\d+: hosts: "h249\.test" v1 and 350 more of this file: .* 50000 times/);
  const at = (host: string, path: string) => outcome({ host, path }, loaded.snapshot);
  assert.equal(await at('others.test', '/p/deep'), 'allowed', 'as if it were alone');
  assert.equal(await at('h0.test', '/p/deep'), 'allowed', 'there was room for it');
  assert.equal(await at('h599.test', '/p/deep'), 'api_misconfigured');
  assert.equal(await at('h599.test', '/own7'), 'allowed', 'which is no less config.toml’s there');
  const sites = virtualHosts(bootstrap(loaded.config, { ...loaded, resolvePath }));
  assert.ok(sites.reduce((sum, { routes }) => sum + routes.length, 0) < mostRepeatedRoutes + 2_000);
  const site = sites.find(({ domains }) => domains.includes('h599.test'))!;
  assert.equal(site.domains.length, 351, 'one for all of them');
  const [first, ...others] = site.routes;
  assert.deepEqual([others.length, first!.name, first!.direct_response], [201, 'own100 1', undefined]);
  const refused = site.routes.find(({ name }) => name === 'refused');
  assert.deepEqual(refused?.direct_response, { status: 503 }, 'and it falls through to nobody');
});

test('an entry of many files takes no room from another’s, neither at a start nor at a reload', async () => {
  const toml = `${['many', 'one'].map((path) => `[[definitions]]\nkind = "apk"\npath = "${path}"\n`).join('')}${ownApis(200)}`;
  for (const path of ['many', 'one']) mkdirSync(join(folder, path));
  for (let i = 0; i < 260; i++) writeFileSync(join(folder, `many/${i}.yaml`), manifests([`h${i}.test`]));
  writeFileSync(join(folder, 'one/a.yaml'), manifests(['a.test', 'b.test', 'c.test']));
  const [atA, atC, atNew] = ['a', 'c', 'new'].map(
    (name) => (loaded: Provisioned) => outcome({ host: `${name}.test`, path: '/p/deep' }, loaded.snapshot),
  );
  const isOfMany = ({ problems }: Provisioned): boolean =>
    problems.length > 0 && problems.every(({ file }) => file.includes('/many/'));
  const first = load(toml);
  assert.deepEqual([await atA!(first), await atC!(first), isOfMany(first)], ['allowed', 'allowed', true]);
  assert.equal(first.crowding.size, 13);
  writeFileSync(join(folder, 'one/new.yaml'), manifests(['new.test']));
  const later = load(toml, first);
  assert.deepEqual([await atA!(later), await atNew!(later), isOfMany(later)], ['allowed', 'allowed', true]);
  assert.equal(later.crowding.size, 14, 'the last of those who have most makes room');
  assert.deepEqual(load(toml, later).problems, later.problems, 'and it stays so');
});

test('a file that names too many hosts stays as it was, and so does who was there before', async () => {
  const toml = `[[definitions]]\nkind = "apk"\npath = "apk"\n${ownApis(200)}`;
  const write = (hosts: string, more: readonly string[] = []): void =>
    writeFileSync(
      join(folder, 'apk/many.yaml'),
      manifests(more) + manifests(['first.test']).replace('["first.test"], rules', `[${hosts}], rules`),
    );
  const many = Array.from({ length: 600 }, (_, i) => `h${i}.test`);
  write('"first.test"');
  writeFileSync(join(folder, 'apk/others.yaml'), manifests(['others.test']));
  const good = load(toml);
  assert.deepEqual(good.problems, []);
  const mine = (loaded: Provisioned) => outcome({ host: 'first.test', path: '/p/deep' }, loaded.snapshot);
  write('"first.test", "more.test"', many);
  const crowded = load(toml, good);
  assert.match(crowded.problems.map(problemLine).join('\n'), /^[^\n]*many\.yaml:\d+: hosts: .*$/);
  assert.equal(await mine(crowded), 'allowed');
  assert.equal(await outcome({ host: 'others.test', path: '/p/deep' }, crowded.snapshot), 'allowed');
  const later = load(toml, crowded);
  assert.deepEqual(later.problems, crowded.problems, 'however often it is read');
  assert.equal(await mine(later), 'allowed');
  write('"first.test"');
  const mended = load(toml, later);
  assert.deepEqual([mended.problems, mended.crowding.size], [[], 0]);
});
