import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that what is made keeps once the garbage is gone, of heap and of buffers. */
export async function heldBy(make: () => unknown): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = async (): Promise<number> => {
    // What was looked at in one turn of the event loop lives to its end; buffers go one collection later.
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((next) => setImmediate(next));
      collect();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = await used();
  const made = await make();
  const after = await used();
  // Named last, so that it is there until then.
  return made === undefined ? Number.NaN : after - before;
}
