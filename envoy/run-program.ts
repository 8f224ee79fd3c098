import { execFile } from 'node:child_process';

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end. One that can't be started is code -1, with the reason as stderr. */
export const run = (
  [command, ...args]: readonly [string, ...string[]],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string },
): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(
      command,
      args,
      { ...options, encoding: 'utf8', maxBuffer: 16_000_000 },
      (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else resolve({ code: -1, stdout, stderr: stderr || error.message });
      },
    );
  });
