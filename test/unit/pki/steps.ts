import { Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';

/** Import this file before the code to be counted: V8 counts blocks only in functions compiled afterwards. */
// What a compiler has put into its caller is counted no more.
for (const flag of ['--no-turbofan', '--no-maglev']) setFlagsFromString(flag);
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/**
 * How often blocks of our own code in `src/pki` (or another room) are run by `work`, as V8 counts them for coverage: a
 * measure of work that no noise of the machine changes.
 */
export function stepsOf(work: () => void, room = '/src/pki/'): number {
  takeCounts(room);
  work();
  return takeCounts(room);
}

/** Since it was last asked. */
function takeCounts(room: string): number {
  let steps = 0;
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error;
    for (const { url, functions } of result) {
      if (!url.includes(room)) continue;
      for (const { ranges } of functions) for (const { count } of ranges) steps += count;
    }
  });
  return steps;
}
