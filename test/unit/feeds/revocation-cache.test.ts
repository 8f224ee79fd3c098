import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Owner } from '../../../src/feeds/owner.ts';
import { RevocationCache } from '../../../src/feeds/revocation-cache.ts';
import { ownerIn } from './revocation-world.ts';

const fail = (trouble: unknown): void => assert.fail(JSON.stringify(trouble));

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'revocation-cache-'));
  after(() => rmSync(dir, { recursive: true }));
  return dir;
}

const keptOf = (size: number, owners?: readonly Owner[]) => ({
  notes: {},
  parts: [new Uint8Array(size)],
  owners,
});

describe('where there is no more room for copies', () => {
  const rows = [
    ['no more of them', { bytes: 1_000_000, files: 6 }],
    ['no more bytes', { bytes: 10_000, files: 1_000 }],
  ] as const;
  for (const [what, limits] of rows)
    it(`for ${what}, whoever has most gives way, and what the configuration names to nobody`, async () => {
      const dir = folder();
      const cache = new RevocationCache(dir, limits);
      await cache.write('configured', keptOf(1_000), fail);
      await cache.write('another', keptOf(1_000, [ownerIn('b')]), fail);
      // Looked after at each 64th.
      for (let i = 0; i < 63; i++) await cache.write(`${i}`, keptOf(1_000, [ownerIn('a')]), fail);
      const left = readdirSync(dir).length;
      assert.ok(left > 2 && left <= 8, `${left}`);
      for (const key of ['configured', 'another', '62'])
        assert.equal((await cache.read(key, fail))?.parts.length, 1, key);
    });

  it('what several brought stays while one of them has less than others', async () => {
    const cache = new RevocationCache(folder(), { bytes: 1_000_000, files: 6 });
    await cache.write('common', keptOf(1, [ownerIn('a/x'), ownerIn('b')]), fail);
    for (let i = 0; i < 64; i++) await cache.write(`${i}`, keptOf(1, [ownerIn('a/x')]), fail);
    assert.equal((await cache.read('common', fail))?.parts.length, 1);
  });
});

it('copies that say nothing of who brought them count, and have their room', async () => {
  const dir = folder();
  const cache = new RevocationCache(dir, { bytes: 1_000_000, files: 6 });
  await cache.write('old', keptOf(1), fail);
  const file = join(dir, readdirSync(dir)[0]!);
  const written = readFileSync(file, 'latin1');
  writeFileSync(file, written.replace(',"of":"configuration"', ''), 'latin1');
  assert.notEqual(readFileSync(file, 'latin1'), written);
  for (let i = 0; i < 64; i++) await cache.write(`${i}`, keptOf(1, [ownerIn('a')]), fail);
  assert.equal((await cache.read('old', fail))?.parts.length, 1);
});

it('of what is read ahead all shares have as much, and nobody waits for larger copies', async () => {
  const dir = folder();
  const cache = new RevocationCache(dir);
  const write = (key: string, size: number, share: string): Promise<void> =>
    cache.write(key, keptOf(size, [ownerIn(share)]), fail);
  for (let i = 0; i < 25; i++) await write(`a${i}`, 60_000, i % 2 === 0 ? 'a/x' : `a/${i}`);
  for (const key of ['b0', 'b1', 'b2']) await write(key, 60_000, 'b');
  await write('small', 2_000, 'a/x');
  const again = new RevocationCache(dir, { bytes: 1_000_000_000, files: 1_000, ahead: 400_000 });
  await again.loadAhead();
  const held = ['small', 'b0', 'b1', 'b2', ...Array.from({ length: 25 }, (_, i) => `a${i}`)].filter(
    (key) => again.readAhead(key) !== undefined,
  );
  assert.deepEqual(held.slice(0, 4), ['small', 'b0', 'b1', 'b2']);
  assert.equal(held.length, 4 + 3);
});
