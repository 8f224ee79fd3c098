import '../../pki/steps.ts';

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOperation, mostSpecificFirst, parseTemplate } from '../../../../src/apis/operations.ts';
import { deeperPaths, type Rule } from '../../../../src/definitions/apk/deeper-paths.ts';
import { stepsOf } from '../../pki/steps.ts';

const open = { secured: false };
const scope = (...scopes: string[]) => ({ scopes, scopesMatch: 'any' as const });
const rule = (
  path: string,
  security: Rule['security'],
  { method, reading = 'wide' }: Partial<Pick<Rule, 'method' | 'reading'>> = {},
): Rule => ({ path, method, security, reading });

/** What counts for a path, by the very search that requests are judged by. */
function securityAt(rules: readonly Rule[], path: string): Rule['security'] | string {
  const all = [...rules, ...deeperPaths(rules)!];
  const operations = mostSpecificFirst(
    all.map((rule) => ({
      ...parseTemplate(rule.path),
      methods: rule.method === undefined ? undefined : new Set([rule.method]),
      security: rule as never,
    })),
  );
  const found = findOperation(operations, 'GET', path);
  return typeof found === 'string' ? found : (found.security as unknown as Rule).security;
}

const rows: readonly [
  sentence: string,
  rules: readonly Rule[],
  expected: Readonly<Record<string, Rule['security'] | string>>,
][] = [
  [
    'a name amid a path beside an open rest',
    [rule('/files/{p2}/delete', {}), rule('/files/*', open)],
    {
      '/files/a/delete': {},
      '/files/a/b/delete': {},
      '/files/a/b/c/d/e/f/g/h/i/j/k/delete': {},
      [`/files/${'a/'.repeat(40)}delete`]: {},
      '/files/a/b/read': open,
      '/files/a': open,
    },
  ],
  [
    'text behind the name',
    [rule('/files/{name}.key', {}), rule('/*', open)],
    { '/files/a.key': {}, '/files/a/b.key': {}, '/files/a/b.txt': open },
  ],
  [
    'a name at the end',
    [rule('/orders/{id}', scope('a')), rule('/*', open)],
    { '/orders/1': scope('a'), '/orders/1/lines/2': scope('a'), '/orders': open },
  ],
  [
    'two names',
    [rule('/a/{x}/b/{y}/c', {}), rule('/a/*', open)],
    { '/a/1/b/2/c': {}, '/a/1/2/b/3/c': {}, '/a/1/b/2/3/c': {}, '/a/1/2/b/3/4/c': {}, '/a/1/b/2/d': open },
  ],
  [
    'two names that follow each other at the end',
    [rule('/a/{x}/{y}', {}), rule('/a/*', open)],
    { '/a/1/2/3/4': {}, '/a/1': open },
  ],
  [
    'another scope is less, too; a longer path that is listed keeps its own',
    [
      rule('/a/{x}/c', scope('c')),
      rule('/a/*', scope('r')),
      rule('/a/{x}/{y}/c', scope('own')),
      rule('/a/{x}/d', scope('c', 'r')),
    ],
    {
      '/a/1/c': scope('c'),
      '/a/1/2/c': scope('own'),
      '/a/1/2/3/c': scope('own'),
      '/a/1/2/d': scope('c', 'r'),
      [`/a/${'1/'.repeat(40)}d`]: { scopes: ['c', 'own', 'r'], scopesMatch: 'all' },
    },
  ],
  [
    'optional is less than mandatory',
    [
      rule('/a/{x}/c', { applicationSecurity: 'mandatory' }),
      rule('/a/*', { applicationSecurity: 'optional' }),
    ],
    { '/a/1/2/c': { applicationSecurity: 'mandatory' }, '/a/1/2': { applicationSecurity: 'optional' } },
  ],
  [
    'one that is undercut undercuts the next',
    [rule('/*', scope('a')), rule('/f/{x}', scope('b', 'c')), rule('/f/{x}/d', scope('a', 'b'))],
    { '/f/1/2': scope('b', 'c'), '/f/1/2/d': scope('a', 'b') },
  ],
  [
    'a star without a slash before it takes the rest of the segment',
    [rule('/admin/*', {}, { reading: 'wide-and-without-slash' }), rule('/*', open)],
    { '/admin': {}, '/admin2': {}, '/admin2/x': {}, '/adm': open },
  ],
  [
    'a star behind a slash does not',
    [rule('/admin/*', {}), rule('/*', open)],
    { '/admin/x': {}, '/admin2': open },
  ],
  [
    'what asks for as much may have it',
    [rule('/files/{p2}/delete', open), rule('/files/*', {})],
    { '/files/a/delete': open, '/files/a/b/delete': {} },
  ],
  [
    'nothing is listed where nothing broader is: it is refused',
    [rule('/files/{p2}/delete', {}), rule('/other/*', open)],
    { '/files/a/b/delete': 'operation_not_found' },
  ],
  [
    'nor for another method',
    [rule('/files/{p2}/delete', {}, { method: 'DELETE' }), rule('/files/*', open, { method: 'GET' })],
    { '/files/a/b/delete': open },
  ],
  [
    '[^/]+ stays in its segment',
    [rule('/files/{p2}/delete', {}, { reading: 'as-written' }), rule('/files/*', open)],
    { '/files/a/delete': {}, '/files/a/b/delete': open },
  ],
];
for (const [sentence, rules, expected] of rows) {
  test(sentence, () => {
    for (const [path, security] of Object.entries(expected))
      assert.deepEqual(securityAt(rules, path), security, path);
  });
}

const many = (n: number, make: (i: number) => Rule): Rule[] => Array.from({ length: n }, (_, i) => make(i));

test('bounds: more than 2,000 that differ are not compared, and few paths are made for each of many', () => {
  const same = many(5_000, (i) => rule(`/a${i}/{x}/b`, {}));
  assert.deepEqual(deeperPaths(same), []);
  assert.equal(deeperPaths([...same, rule('/*', open)]), undefined);
  const most = deeperPaths([...same.slice(0, 1_999), rule('/*', open)])!;
  assert.ok(most.length <= 4_000, `${most.length}`);
});

test('bounds: a path of many names makes no more of them than one with few', () => {
  const path = `/f/${'{x}/a/'.repeat(100)}d`;
  const deeper = deeperPaths([rule(path, {}), rule('/f/*', open)])!;
  assert.equal(deeper.length, 1);
  assert.deepEqual(deeper[0]!.security, {});
  assert.deepEqual(securityAt([rule(path, {}), rule('/f/*', open)], path.replaceAll('{x}', '1/2')), {});
});

test('each is compared with each, and no more: twice as many cost four times as much', () => {
  const steps = (n: number): number =>
    stepsOf(
      () => void deeperPaths(many(n, (i) => rule(`/f/{x}/${i}`, scope(`${i}`, `${i + 1}`)))),
      '/src/definitions/',
    );
  steps(10);
  const [small, large] = [steps(100), steps(200)];
  assert.ok(large <= small * 4.6 + 200, `${small} steps became ${large}`);
});
