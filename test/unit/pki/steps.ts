import { Session } from 'node:inspector';

/** Import this file before the code to be counted: V8 counts blocks only in functions compiled afterwards. */
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/**
 * How often blocks of our own code in `src/pki` are run by `work`, as V8 counts them for coverage: a measure of work
 * that no noise of the machine changes.
 */
export function stepsOf(work: () => void): number {
  takeCounts();
  work();
  return takeCounts();
}

/** Since it was last asked. */
function takeCounts(): number {
  let steps = 0;
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error;
    for (const { url, functions } of result) {
      if (!url.includes('/src/pki/')) continue;
      for (const { ranges } of functions) for (const { count } of ranges) steps += count;
    }
  });
  return steps;
}
