import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * A program that a test needs and that may not be there. In CI a missing one is a failure.
 *
 * @param install the command that installs it
 * @throws Error in CI
 */
export function program(
  name: string,
  install: string,
): { readonly found: string; readonly skip: false } | { readonly found: undefined; readonly skip: string } {
  // Where `go install` puts things, and Go itself, if the shell does not know.
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    join(homedir(), 'go/bin'),
    '/usr/local/go/bin',
  ];
  const found = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (found !== undefined) return { found, skip: false };
  const skip = `there is no ${name}: ${install}`;
  if (process.env.CI) throw new Error(skip);
  return { found, skip };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
