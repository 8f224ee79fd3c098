import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Node 24's, by which all of this was measured. Another may not know a flag, and would say so into the middle of a log: it keeps its own ways. */
const isMeasured = process.versions.v8.startsWith('13.6.');

/**
 * For a process that has loaded what it needs and from now on answers. V8 would let the leavings of some ten thousand
 * calls lie about (200 MB), and then take all of them away at once while Checks wait. So a full collection comes once the
 * heap has grown by some 14 MB, and the space of new objects, which loading has made large, is made small and grows to
 * `young` and no more. Measured: docs/performance.md. Set here, however the process was started; earlier, a large
 * configuration would take a quarter longer to load.
 */
export function keepHeapSmall(): void {
  if (!isMeasured) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  collectBeside();
  let before = performance.eventLoopUtilization();
  const again = (): void => {
    const now = performance.eventLoopUtilization();
    if (performance.eventLoopUtilization(now, before).utilization > busy) growYoung();
    before = now;
  };
  setInterval(again, 1000).unref();
}

/**
 * Bytes of new objects before V8 looks which of them are still in use; it needs twice that. So much that nearly all calls
 * end before: what is left of a call that has not ended is copied twice, and lies about until the next full collection.
 */
const young = 4 * 1024 * 1024;

/** Share of a second. V8 makes their space small with each collection beside, and again while little is asked. */
const busy = 0.1;

function sizeOfYoung(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!;
  return space.space_used_size + space.space_available_size;
}

/** V8 lets it grow by a factor, once as much was in use as it holds. Here and now, since it would go on to 32 MB. */
function growYoung(): void {
  const size = sizeOfYoung();
  const factor = Math.floor(young / size);
  if (factor < 2 || asked > 0) return;
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  const inUse: unknown[] = [];
  for (let held = 0; held < 4 * size && sizeOfYoung() === size; held += 8000)
    inUse.push(new Array(1000).fill(0));
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** Leavings that may lie about in a small heap, in bytes. */
const leavings = 14 * 1024 * 1024;

/**
 * Counts from the next full collection on. A large heap grows by half: to look through it takes longer. While much is
 * made, by twice its size.
 */
function limitGrowth(): void {
  const [room, least] = isMaking ? [news, 200] : [leavings, 50];
  const percent = Math.max(least, Math.round((100 * room) / getHeapStatistics().used_heap_size));
  setFlagsFromString(`--heap-growing-percent=${percent}`);
  setFlagsFromString(`--${isMaking ? '' : 'no-'}gc-experiment-less-compaction`);
}

/** What ten thousand APIs need until they are in force, with what is left on the way, in bytes. */
const news = 320 * 1024 * 1024;

/**
 * How many threads beside this one take part in a collection. By itself V8 takes four; on a core that they share with this
 * one it has a fifth of the time until they are done (measured), and Checks wait for 50 to 100 ms. What a reload
 * lets go of is looked through by four: by one it takes so much longer that more lies about (10 % of RSS).
 */
const oneThread = '--optimize-gc-for-battery';
const manyThreads = '--no-optimize-gc-for-battery';

/** Much is being made. */
let isMaking = false;

/**
 * For a process that is about to make much, most of which stays, while its callers wait: a full collection would find
 * little. There is one at most until `collectBeside`, and it moves nothing together. Not for a start, for what is left of
 * that would stand in a third more pages.
 */
export function makeRoom(): void {
  if (!isMeasured) return;
  isMaking = true;
  setFlagsFromString(manyThreads);
  limitGrowth();
}

type Collection = { readonly detail: { readonly kind: number } };

/**
 * For a process that has just let go of much, as of what loading left behind or of a configuration that is no longer in
 * force, and whose callers wait for nothing: a full collection begins now, in small steps and mostly on other threads, and
 * what it frees is the system's again, the space of new objects as well. V8 by itself would wait until the heap has grown
 * by half of all that was in it at once, and then keep the pages.
 */
export function collectBeside(): void {
  if (!isMeasured) return;
  isMaking = false;
  asked++;
  if (asked > 1) return;
  limitGrowth();
  setFlagsFromString('--memory-saver-mode');
  // Of what is left up to the next full collection: as good as none.
  setFlagsFromString('--incremental-marking-soft-trigger=1');
  const observer = new PerformanceObserver((collections) => {
    const kinds = collections.getEntries().map((entry) => (entry as unknown as Collection).detail.kind);
    const isDone = kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR);
    if (!isDone) return;
    // One that had begun before leaves what was let go of since.
    asked = Math.min(asked - 1, 1);
    if (asked > 0) return;
    observer.disconnect();
    setFlagsFromString('--no-memory-saver-mode');
    setFlagsFromString('--incremental-marking-soft-trigger=0');
    if (!isMaking) setFlagsFromString(oneThread);
    limitGrowth();
  });
  observer.observe({ entryTypes: ['gc'] });
}

/** Collections that are still to come. */
let asked = 0;
