import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';

const src = resolve(import.meta.dirname, '../../src');

/** From the ground up: a file imports from its own room or from a lower floor. See docs/architecture.md. */
const floors: readonly (readonly string[])[] = [
  ['pki', 'documents', 'attributes', 'grpc'],
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
  fflate: ['definitions'],
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
