import { maxWorkers } from '../config/worker.ts';
import { FileProblem, readText } from '../documents/files.ts';
import { parseToml } from '../documents/toml.ts';

/**
 * How many processes share the work. Of a file that is wrong nothing is said: whoever serves it does. Without what checks
 * all the rest: a supervisor asks, and holds what it has loaded for as long as it lives.
 */
export function readWorkers(file: string): number {
  try {
    const text = readText(file);
    // Most say nothing of it, and then a large file is not read twice.
    return text.includes('workers') ? workersIn(parseToml(text).value) : 1;
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return 1;
  }
}

function workersIn(config: unknown): number {
  let at = config;
  for (const key of ['enforcer', 'authService', 'workers'])
    at = (at as Record<string, unknown> | undefined)?.[key];
  return Number.isInteger(at) && Number(at) >= 1 && Number(at) <= maxWorkers ? Number(at) : 1;
}
