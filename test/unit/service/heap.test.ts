import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { getHeapSpaceStatistics } from 'node:v8';
import { collectBeside, keepHeapSmall, makeRoom } from '../../../src/service/heap.ts';

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

test('while much is made that stays there is one full collection at most, and another one at its end', async () => {
  let collections = 0;
  const observer = new PerformanceObserver((seen) => {
    for (const { detail } of seen.getEntries() as unknown as { readonly detail: { readonly kind: number } }[])
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
  });
  observer.observe({ entryTypes: ['gc'] });
  const afterCollection = async (): Promise<void> => {
    const before = collections;
    collectBeside();
    for (const end = Date.now() + 20_000; collections === before; ) {
      assert.ok(Date.now() < end, 'nothing is collected');
      await new Promise((resume) => setTimeout(resume, 5));
    }
  };
  const kept = [much()];
  await afterCollection();
  makeRoom();
  collections = 0;
  for (let i = 0; i < 40; i++) {
    kept.push(Array.from({ length: 60_000 }, (_, i) => ({ i, more: i })));
    await new Promise((resume) => setTimeout(resume, 2));
  }
  assert.ok(collections <= 1, `${collections} full collections`);
  await afterCollection();
  observer.disconnect();
});

test('who is asked much has 4 MB for new objects, however many are kept, and no more', async () => {
  const sizeOfYoung = (): number => {
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!;
    return (space.space_used_size + space.space_available_size) / megabytes;
  };
  keepHeapSmall();
  const kept: object[] = [];
  const work = async (): Promise<void> => {
    for (let i = 0; i < 20_000; i++) kept[kept.length % 300_000] = { i };
    await new Promise((resume) => setImmediate(resume));
  };
  for (const end = Date.now() + 20_000; sizeOfYoung() < 3.9 || sizeOfYoung() > 4; await work())
    assert.ok(Date.now() < end, `${sizeOfYoung()} MB`);
  for (let i = 0; i < 50; i++) await work();
  assert.ok(sizeOfYoung() <= 4, `${sizeOfYoung()} MB`);
});

test('one thread collects while Checks are answered, and as many as V8 likes what a reload lets go of', async () => {
  const markingThreads = async (call: string): Promise<number> => {
    const script = `
      import { PerformanceObserver } from 'node:perf_hooks';
      const heap = await import('${new URL('../../../src/service/heap.ts', import.meta.url)}');
      let collections = 0;
      new PerformanceObserver((seen) => {
        for (const { detail } of seen.getEntries())
          // The first is keepHeapSmall's own.
          if (detail.kind === 4 && ++collections === 2) {
            console.log('---');
            ${call}
          } else if (collections === 3) process.exit();
      }).observe({ entryTypes: ['gc'] });
      const kept = Array.from({ length: 400_000 }, (_, i) => ({ i, list: [i, String(i), {}] }));
      heap.keepHeapSmall();
      setInterval(() => kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i }))));`;
    const args = ['--trace-concurrent-marking', '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 100 * megabytes });
    const threads = /(?<=task )\d+(?= concurrently marked)/g;
    return new Set(stdout.slice(stdout.lastIndexOf('---')).match(threads)).size;
  };
  assert.equal(await markingThreads(''), 1);
  assert.ok((await markingThreads('heap.makeRoom(), heap.collectBeside();')) > 1);
});

test('a V8 that nobody has measured is left alone', async () => {
  const flagsSet = async (v8: string): Promise<number> => {
    const script = `
      import v8 from 'node:v8';
      import { syncBuiltinESMExports } from 'node:module';
      let flags = 0;
      v8.setFlagsFromString = () => void flags++;
      syncBuiltinESMExports();
      Object.defineProperty(process, 'versions', { value: { ...process.versions, v8: '${v8}' } });
      const heap = await import('${new URL('../../../src/service/heap.ts', import.meta.url)}');
      heap.makeRoom();
      heap.keepHeapSmall();
      heap.collectBeside();
      console.log(flags);
      process.exit();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    return Number(stdout);
  };
  assert.ok((await flagsSet('13.6.233.17-node.1')) > 3);
  assert.equal(await flagsSet('14.1.146.11-node.1'), 0);
});
