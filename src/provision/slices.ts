/** Work that can be put down at each `yield`, and taken up again. */
export type Sliced<T> = Generator<void, T>;

/** Where nobody waits for anything else. */
export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Milliseconds: a Check that comes meanwhile waits no longer. */
const slice = 5;

/** In slices, between which Checks are answered: building ten thousand APIs takes seconds. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  for (;;) {
    const end = performance.now() + slice;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < end);
    await new Promise((resume) => setImmediate(resume));
  }
}
