import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizeHost, pathAmbiguity } from '../../../src/apis/request-path.ts';

const paths: readonly [path: string, ambiguity: string | undefined][] = [
  ['/', undefined],
  ['/petstore/1.0.5/pets', undefined],
  ['/petstore/1.0.5/pets?x=/../..', undefined],
  ['/a.b/..c/...', undefined],
  ['/.well-known/x', undefined],
  ['/caf%C3%A9', undefined],
  ['/a;v=1/b', undefined],
  ['/a/../b', 'a dot segment'],
  ['/a/..', 'a dot segment'],
  ['/a/./b', 'a dot segment'],
  ['/a/.', 'a dot segment'],
  ['/a/..;/b', 'a dot segment'],
  ['/a/.;x=1/b', 'a dot segment'],
  ['/a/..;x?q', 'a dot segment'],
  ['/a/%2e%2e/b', 'a dot segment'],
  ['/a/%2E./b', 'a dot segment'],
  ['/a/.%2e%3b/b', 'a dot segment'],
  ['/a%2Fb', 'an encoded slash'],
  ['/a%2fb', 'an encoded slash'],
  ['/a\\b', 'a backslash'],
  ['/a%5Cb', 'a backslash'],
  ['//a', 'an empty segment ("//")'],
  ['/a//', 'an empty segment ("//")'],
  ['/a%00b', 'a NUL'],
  ['/a\0b', 'a NUL'],
];
for (const [path, ambiguity] of paths) {
  test(`${JSON.stringify(path)} has ${ambiguity ?? 'nothing ambiguous'}`, () =>
    assert.equal(pathAmbiguity(path), ambiguity));
}

const hosts: readonly [host: string, normal: string][] = [
  ['api.example.com', 'api.example.com'],
  ['API.Example.COM:8443', 'api.example.com'],
  ['api.example.com.', 'api.example.com'],
  ['api.example.com.:443', 'api.example.com'],
  ['127.0.0.1:9095', '127.0.0.1'],
  ['[::1]:9095', '[::1]'],
  ['[::1]', '[::1]'],
  ['', ''],
];
for (const [host, normal] of hosts) {
  test(`host ${JSON.stringify(host)} is ${JSON.stringify(normal)}`, () =>
    assert.equal(normalizeHost(host), normal));
}
