import { fstatSync, writeFileSync } from 'node:fs';
import { inert } from '../observability/paper.ts';

/** Standard output did not take all of it: the disk is full, or the reader went away. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/**
 * Writes all of it to standard output: half an Envoy bootstrap must not pass for a whole one.
 *
 * @throws OutputError
 */
export async function print(text: string): Promise<void> {
  try {
    // A stream makes one write(2) to a file, which takes half of it without an error where the disk is nearly full.
    if (isStream(1)) await written(text);
    else writeFileSync(1, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new OutputError(`standard output could not be written (${code}): what is there is not all of it`, {
      cause: error,
    });
  }
}

/** Each on a line of its own, whatever is in it: paths that were typed, names of strangers, what a server said. */
export const printLines = (lines: readonly string[]): Promise<void> =>
  print(lines.map((line) => `${inert(line)}\n`).join(''));

/** The same on standard error, beside what was asked for. */
export function tellLines(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${inert(line)}\n`);
}

function isStream(fd: number): boolean {
  const stats = fstatSync(fd);
  return stats.isFIFO() || stats.isSocket();
}

const written = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });

/** How long a service that ends waits for whoever reads its log. */
const lastLinesWithin = 1_000;

/** A log that nobody reads must not keep a process that is done: what waits to be written would. */
export function endWithoutReader(): void {
  setTimeout(() => process.exit(), lastLinesWithin).unref();
}
