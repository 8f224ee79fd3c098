import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '../../../src/documents/files.ts';
import { fromMemory, remembering } from '../../../src/provision/remembered-files.ts';

const files: Files = {
  bytes: (path) => Buffer.alloc(path === '/large' ? 9 : 3),
  text: () => '',
  list: () => [],
};

test('all files together have a bound: what is beyond is told, and kept from memory, and the others are read', () => {
  const reading = remembering(files, 10);
  for (const path of ['/a', '/b', '/a', '/a', '/a']) assert.equal(reading.bytes(path).length, 3, path);
  for (const each of [reading, reading, fromMemory(reading.remembered)])
    assert.throws(
      () => each.bytes('/large'),
      /is not read: with those before it, the files of this path have more than 10 bytes/,
    );
  assert.equal(reading.bytes('/c').length, 3);
  assert.throws(() => reading.bytes('/d'), /more than 10 bytes/);
});

test('what came as plain bytes from another process is one buffer, whoever asks for it', () => {
  const { bytes } = fromMemory({ contents: new Map([['/a', Uint8Array.of(1, 2)]]), lists: new Map() });
  assert.equal(bytes('/a'), bytes('/a'));
  assert.deepEqual([...bytes('/a')], [1, 2]);
});
