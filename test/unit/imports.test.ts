import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';

const src = resolve(import.meta.dirname, '../../src');

/** From the ground up: a file imports from its own room or from a lower floor. See docs/architecture.md. */
const floors: readonly (readonly string[])[] = [
  ['pki', 'documents', 'attributes', 'grpc', 'soon'],
  ['client-certificate', 'oauth2'],
  ['apis'],
  ['decision'],
  ['weighing', 'upstream'],
  ['snapshot', 'observability'],
  ['enforcer'],
  ['config'],
  ['definitions'],
  ['feeds'],
  ['provision'],
  ['ext-authz', 'envoy-config'],
  ['service'],
  ['commands'],
  ['main'],
  ['start'],
];

/** Who may import a package. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@grpc/grpc-js': ['ext-authz'],
  '@grpc/proto-loader': ['ext-authz'],
  '@grpc/reflection': ['ext-authz'],
  toml: ['documents'],
  'toml/lib/parser': ['documents'],
  winston: ['observability'],
  zod: ['config'],
  yaml: ['envoy-config', 'documents', 'definitions'],
  jose: ['oauth2', 'upstream'],
  'node-forge': ['pki'],
  saxes: ['documents'],
  pg: ['feeds'],
};

const files = globSync('**/*.ts', { cwd: src }).map((name) => resolve(src, name));
const room = (file: string): string => relative(src, file).split('/')[0]!.replace(/\.ts$/, '');
const floor = (name: string): number => floors.findIndex((names) => names.includes(name));
const imports = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from |import |import\(|require\(|\)\()\s*'([^']+)'/g)].map(
    (match) => match[1]!,
  );

test('every room has its floor', () => {
  for (const file of files)
    assert.notEqual(floor(room(file)), -1, `${relative(src, file)} stands on no floor`);
});

test('a file imports from its own room or from a lower floor', () => {
  for (const file of files) {
    for (const name of imports(file).filter((name) => name.startsWith('.'))) {
      const [from, to] = [room(file), room(resolve(dirname(file), name))];
      assert.ok(from === to || floor(to) < floor(from), `${relative(src, file)} imports ${name}`);
    }
  }
});

test('no file imports itself, by whatever way round, be it for a type', () => {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const circle = way.indexOf(file);
    if (circle !== -1)
      assert.fail([...way.slice(circle), file].map((name) => relative(src, name)).join(' -> '));
    if (done.has(file)) return;
    for (const name of imports(file).filter((name) => name.startsWith('.')))
      visit(resolve(dirname(file), name), [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test('a package is imported by its own room only', () => {
  for (const file of files) {
    for (const name of imports(file).filter((name) => !name.startsWith('.') && !name.startsWith('node:'))) {
      assert.ok(packages[name]?.includes(room(file)), `${relative(src, file)} imports ${name}`);
    }
  }
});

/** What of Node each room may use: what is not listed is none of its business. `net` stands for its pure parts alone. */
const modules: Readonly<Record<string, readonly string[]>> = {
  pki: ['crypto'],
  documents: ['buffer', 'fs', 'fs/promises', 'module', 'path', 'zlib'],
  grpc: ['http2', 'net*'],
  'client-certificate': ['crypto', 'net'],
  oauth2: ['crypto'],
  apis: ['crypto', 'net', 'url'],
  upstream: ['crypto', 'util'],
  observability: ['stream'],
  config: ['net'],
  definitions: ['path'],
  feeds: ['crypto', 'dns', 'fs', 'fs/promises', 'http', 'https', 'net*', 'path', 'worker_threads'],
  provision: ['crypto', 'fs', 'fs/promises', 'net', 'path', 'tls', 'worker_threads'],
  'envoy-config': ['net'],
  'ext-authz': ['fs/promises', 'net*', 'path', 'url'],
  service: ['child_process'],
  commands: ['child_process', 'fs', 'os', 'path', 'util'],
  main: ['util'],
};
const pureOfNet = /^(type )?(isIP|isIPv4|isIPv6|BlockList|SocketAddress)$/;

test('a room uses of Node what its work is, so that what decides can neither read nor wait', () => {
  for (const file of files) {
    const allowed = modules[room(file)] ?? [];
    const text = readFileSync(file, 'utf8');
    for (const [, names, module] of text.matchAll(/import (?:type )?(.+?) from 'node:([^']+)'/gs)) {
      const isPure = [...names!.matchAll(/[\w ]+/g)].every(
        ([name]) => pureOfNet.test(name.trim()) || name.trim() === '',
      );
      const isAllowed = allowed.includes(module!) || allowed.includes(`${module}*`);
      assert.ok(isAllowed, `${relative(src, file)} imports node:${module}`);
      if (module === 'net' && !allowed.includes('net*'))
        assert.ok(isPure, `${relative(src, file)} imports ${names} of node:net`);
    }
  }
});

/** Rooms that live in time; all others are told it. */
const withClocks = ['grpc', 'feeds', 'provision', 'ext-authz', 'service', 'commands', 'main'];

test('what decides, and what it decides by, has no clock of its own', () => {
  for (const file of files.filter((file) => !withClocks.includes(room(file)))) {
    const clock = /Date\.now|performance\.now|new Date\(\)|\bset(Timeout|Interval|Immediate)\(|hrtime/.exec(
      readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
    );
    assert.equal(clock?.[0], undefined, `${relative(src, file)} has a clock`);
  }
});

test('what is published imports nothing that is not installed with it', () => {
  const { dependencies } = JSON.parse(readFileSync(resolve(src, '../package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>;
  };
  for (const file of files) {
    for (const name of imports(file).filter((name) => !name.startsWith('.') && !name.startsWith('node:'))) {
      const of = name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : name.split('/')[0]!;
      assert.ok(Object.hasOwn(dependencies, of), `${relative(src, file)} imports ${name}, no dependency`);
    }
  }
  const imported = new Set(
    files.flatMap(imports).map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    ),
  );
  for (const name of Object.keys(dependencies))
    assert.ok(imported.has(name), `${name} is imported by nobody`);
});
