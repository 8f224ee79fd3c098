import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectBeside, keepHeapSmall } from '../../../src/service/heap.ts';

const megabytes = 1024 * 1024;
/** Some 100 MB, old by the time that it is there. */
const much = (): unknown[] => Array.from({ length: 400_000 }, (_, i) => ({ i, list: [i, `${i}`, {}] }));

test('what was let go of is the system’s again, without waiting for the heap to grow', async () => {
  let kept: unknown[] | undefined = much();
  keepHeapSmall();
  const { heapUsed, rss } = process.memoryUsage();
  assert.equal(kept.length, 400_000);
  kept = undefined;
  collectBeside();
  const isFree = (): boolean => {
    const now = process.memoryUsage();
    return now.heapUsed < heapUsed - 30 * megabytes && now.rss < rss - 30 * megabytes;
  };
  for (const end = Date.now() + 20_000; !isFree(); ) {
    assert.ok(Date.now() < end, 'it is kept');
    await new Promise((resume) => setTimeout(resume, 5));
  }
});
