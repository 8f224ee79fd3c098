import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findApi, hostIn, indexApis } from '../../../src/apis/api-index.ts';
import { atOnce } from '../../../src/provision/slices.ts';
import { apiAt } from '../../support/apis.ts';
import { request } from '../../support/attributes.ts';

const api = (name: string, version: string, hosts: string[], basePath: string) =>
  apiAt({ name, version, hosts, basePath });

const { index } = atOnce(
  indexApis([
    api('root', '1', ['root.example.com'], ''),
    api('pets', '1', ['*'], '/pets'),
    api('pets', '2', ['*'], '/pets/2'),
    api('orders', '1', ['api.example.com'], '/orders'),
    api('wild', '1', ['*.example.com'], '/wild'),
    api('deeper', '1', ['*.eu.example.com'], '/wild'),
    api('twin', '1', ['a.test'], '/twin'),
    api('twin', '1', ['b.test'], '/twin'),
  ]),
);
const found = (route: Record<string, string>, host: string, path: string): string | undefined => {
  const api = findApi(request({ host, path, contextExtensions: route }), index);
  return api && `${api.name} ${api.version}`;
};

const byPath: readonly [host: string, path: string, api: string | undefined, why: string][] = [
  ['x.test', '/pets', 'pets 1', 'the base path itself'],
  ['x.test', '/pets/', 'pets 1', 'a slash behind it'],
  ['x.test', '/pets?x=1', 'pets 1', 'a query is no path'],
  ['x.test', '/pets/7', 'pets 1', 'below it'],
  ['x.test', '/petshop', undefined, 'whole segments only'],
  ['x.test', '/Pets', undefined, 'case matters in a path'],
  ['x.test', '/pets/2/x', 'pets 2', 'the longest base path wins'],
  ['x.test', '/pets/22', 'pets 1', 'and on whole segments'],
  ['x.test', '/', undefined, 'nothing at the root'],
  ['x.test', '*', undefined, 'no path at all'],
  ['x.test', '/none', undefined, 'no such base path'],
  ['api.example.com', '/orders', 'orders 1', 'an exact host'],
  ['API.EXAMPLE.COM.:8443', '/orders', 'orders 1', 'in upper case, with dot and port'],
  ['api.example.com', '/pets', undefined, 'a host with APIs of its own never falls on to those of *'],
  ['api.example.com', '/wild', undefined, 'nor to those of a wildcard'],
  ['b.example.com', '/wild', 'wild 1', 'a wildcard'],
  ['a.b.example.com', '/wild', 'wild 1', 'a wildcard stands for several labels'],
  ['example.com', '/wild', undefined, 'but not for none'],
  ['a.eu.example.com', '/wild', 'deeper 1', 'the longest wildcard wins'],
  ['a.eu.example.com', '/pets', undefined, 'and does not fall on'],
  ['root.example.com', '/anything', 'root 1', 'an API at the root has all paths of its host'],
  ['*', '/pets', 'pets 1', 'a literal star is no host of its own'],
  ['*.example.com', '/wild', 'wild 1', 'a literal wildcard matches as any name does'],
];
for (const [host, path, api, why] of byPath) {
  test(`${host}${path} is ${api ?? 'none'}: ${why}`, () => assert.equal(found({}, host, path), api));
}

test('a host of 30,000 labels is looked for under no more names than the longest wildcard has letters', () => {
  let asked = 0;
  class Counted extends Map<string, string> {
    override get(host: string): string | undefined {
      asked++;
      return super.get(host);
    }
  }
  const hosts = new Counted([
    ['*.example.com', 'wild'],
    ['*', 'all'],
  ]);
  assert.equal(hostIn(hosts, `${'a.'.repeat(30_000)}example.com`), 'wild');
  assert.equal(hostIn(hosts, 'a.'.repeat(30_000)), 'all');
  assert.ok(asked < 30, `${asked}`);
});

const byRoute: readonly [route: Record<string, string>, api: string | undefined, why: string][] = [
  [{ vHost: '*', basePath: '/pets', version: '1' }, 'pets 1', 'vHost, basePath and version'],
  [
    { vHost: '*', basePath: '/pets/', version: '1', path: '/x', method: 'GET' },
    'pets 1',
    'other keys are not looked at',
  ],
  [{ vHost: 'API.example.com', basePath: '/orders', version: '1' }, 'orders 1', 'hosts compare without case'],
  [{ vHost: '*', basePath: '/pets', version: '2' }, undefined, 'another version than the one there'],
  [
    { vHost: 'x.test', basePath: '/pets', version: '1' },
    undefined,
    'vHost is the pattern, not a host that it fits',
  ],
  [{ vHost: '*', basePath: '/pets', version: '1', name: 'pets' }, 'pets 1', 'the name agrees'],
  [{ vHost: '*', basePath: '/pets', version: '1', name: 'orders' }, undefined, 'the name disagrees'],
  [{ vHost: '*', basePath: '/none', version: '1', name: 'pets' }, undefined, 'no second try by name'],
  [{ name: 'orders', version: '1' }, 'orders 1', 'name and version'],
  [{ name: 'twin', version: '1' }, undefined, 'name and version that two APIs share'],
  [
    { vHost: 'b.test', basePath: '/twin', name: 'twin', version: '1' },
    'twin 1',
    'which the place tells apart',
  ],
  [{ name: 'orders' }, undefined, 'no version'],
  [{ version: '1' }, undefined, 'a version alone'],
  [{ basePath: '/pets', version: '1', name: 'pets' }, undefined, 'half a place'],
  [{ vHost: '', basePath: '', version: '' }, undefined, 'empty ones'],
];
for (const [route, api, why] of byRoute) {
  test(`a route that says ${JSON.stringify(route)} is ${api ?? 'none'}: ${why}`, () => {
    assert.equal(found(route, 'x.test', '/pets'), api);
  });
}

test('an API that the route names is never looked up by path, whatever the path is', () => {
  assert.equal(found({ name: 'none', version: '1' }, 'x.test', '/pets'), undefined);
});

const mixed = atOnce(
  indexApis(
    [
      api('own', '1', ['*'], '/own'),
      api('eu', '1', ['*.eu.test'], '/own'),
      api('named', '1', ['named.test'], '/other'),
      api('theirs', '1', ['api.test', 'x.eu.test', 'named.test'], '/theirs'),
      api('below', '1', ['api.test'], '/own/deep/er'),
      api('taker', '1', ['api.test', '*.test'], '/own'),
      api('own', '1', ['api.test'], '/twin'),
    ],
    3,
  ),
);
const beside: readonly [host: string, path: string, api: string | undefined, why: string][] = [
  ['api.test', '/theirs', 'theirs', 'a foreign API on a host that it alone names'],
  ['api.test', '/own/x', 'own', 'config.toml’s own on all hosts is there, too, and keeps its place'],
  ['api.test', '/own/deep/er', 'below', 'below it a foreign one may be'],
  ['api.test', '/own/deep', 'own', 'on whole segments'],
  ['x.eu.test', '/own', 'eu', 'its own by the longest wildcard'],
  ['y.test', '/own', 'own', 'nor does a foreign wildcard take it'],
  ['named.test', '/theirs', 'theirs', 'a host that config.toml names as well'],
  ['named.test', '/own', undefined, 'where its own word was that nothing else is there'],
];
for (const [host, path, api, why] of beside) {
  test(`beside foreign files ${host}${path} is ${api ?? 'none'}: ${why}`, () => {
    assert.equal(findApi(request({ host, path }), mixed.index)?.name, api);
  });
}

test('a foreign API takes neither place nor name from config.toml’s own, and is told', () => {
  assert.deepEqual(
    mixed.taken.map(({ host, first, second }) => [host, first.name, second.name]),
    [
      ['api.test', 'own', 'taker'],
      ['*.test', 'own', 'taker'],
    ],
  );
  const at = (contextExtensions: Record<string, string>) =>
    findApi(request({ host: 'api.test', path: '/', contextExtensions }), mixed.index)?.basePath;
  assert.equal(at({ name: 'own', version: '1' }), '/own');
  assert.equal(at({ vHost: 'api.test', basePath: '/own', version: '1' }), '/own');
  assert.equal(at({ vHost: 'api.test', basePath: '/theirs', version: '1' }), '/theirs');
});

test('two APIs that claim one place are told, and the first keeps it', () => {
  const { taken, index } = atOnce(
    indexApis([api('a', '1', ['*', 'x.test'], '/p'), api('b', '2', ['x.test'], '/p')]),
  );
  assert.deepEqual(
    taken.map(({ host, basePath, first, second }) => [host, basePath, first.name, second.name]),
    [['x.test', '/p', 'a', 'b']],
  );
  assert.equal(findApi(request({ host: 'x.test', path: '/p' }), index)?.name, 'a');
});

test('a path of very many segments costs no more lookups than the deepest base path', () => {
  let lookups = 0;
  const byBasePath = new (class extends Map<string, ReturnType<typeof api>> {
    override get(key: string) {
      lookups++;
      return super.get(key);
    }
  })([['/a', api('a', '1', ['*'], '/a')]]);
  const counted = { ...index, byHost: new Map([['*', { byBasePath, depth: 1 }]]) };
  assert.equal(findApi(request({ host: 'h', path: '/a'.repeat(30_000) }), counted)?.name, 'a');
  assert.equal(lookups, 2);
});
