import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizeHost, otherReading, pathAmbiguity } from '../../../src/apis/request-path.ts';

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
  ['/a/%252e%252E/b', 'a dot segment'],
  ['/a/.%252e%253bx/b', 'a dot segment'],
  ['/a/..%252fb', 'a dot segment'],
  ['/a/%252e%255Cb', 'a dot segment'],
  ['/a%252fb%255cc/%2520..', undefined],
  ['/a%2Fb', 'an encoded slash'],
  ['/a%2fb', 'an encoded slash'],
  ['/a\\b', 'a backslash'],
  ['/a%5Cb', 'a backslash'],
  ['//a', 'an empty segment ("//")'],
  ['/a//', 'an empty segment ("//")'],
  ['/a%00b', 'a control character'],
  ['/a\0b', 'a control character'],
  ['/a%0a', 'a control character'],
  ['/a%0D', 'a control character'],
  ['/a%1F/b', 'a control character'],
  ['/a\x1f/b', 'a control character'],
  ['/a%7f', 'a control character'],
  ['/a%20b%21%20?x=%0a', undefined],
  ['/%u0061dmin', 'a "%" that begins no escape'],
  ['/x/%U002e%u002E/admin', 'a "%" that begins no escape'],
  ['/100%', 'a "%" that begins no escape'],
  ['/a%2/b', 'a "%" that begins no escape'],
  ['/100%25/%c3%A9?x=100%', undefined],
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

const readings: readonly [path: string, whole: string | undefined, cut: string | undefined, why: string][] = [
  ['/a/b?c=%41', undefined, undefined, 'a query is no path'],
  ['/%41/%C3%A9', '/A/é', '/A/é', 'decoded'],
  ['/a;v=1/b;/c%3bx', '/a/b/c', '/a/b/c', 'without parameters, each up to the end of its segment'],
  ['/;x/a/;y', '/a/', '/a/', 'without the slashes that they leave'],
  ['/%41/%2/%ff%zz%/%42', '/A/%2/\ufffd%zz%/B', '/A/%2/\ufffd%zz%/B', 'what is no escape is no reason'],
  ['/ſ/%41%ff', '/ſ/A\ufffd', '/ſ/A\ufffd', 'nor what is not ASCII'],
  ['/%2525/%25', '/%25/%', '/%25/%', 'once'],
  ['/a%23b/c%3fd', '/a#b/c?d', '/a', 'and cut where it ends only then'],
];
for (const [path, whole, cut, why] of readings)
  test(`${path} is read as ${whole}: ${why}`, () =>
    assert.deepEqual(otherReading(path), whole === undefined ? undefined : { whole, cut }));

test('a path of escapes takes no longer than a moment', () => {
  const path = '/%41'.repeat(15_000);
  const read = (times: number): void => {
    for (let i = 0; i < times; i++) otherReading(path);
  };
  read(5);
  // Of the processor's time, which the system tells by the tick.
  const began = process.threadCpuUsage();
  read(10);
  const { user, system } = process.threadCpuUsage(began);
  assert.ok(user + system < 70_000, `${(user + system) / 10_000} ms each`);
});
