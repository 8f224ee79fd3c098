import { dirname, resolve } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { readConfig } from '../config/read-config.ts';
import { FileProblem, readText } from '../documents/files.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import { type Definitions, entriesOf, readEntry } from './definitions.ts';

type Work = {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tables: TableRows;
};

/** Foreign files as they were read beside the thread that decides, and of which `[[definitions]]`. */
export type ReadAhead = { readonly entries: string; readonly definitions: readonly Definitions[] };

/**
 * Reads the foreign files that config.toml names, in a thread of its own: ten thousand of them take seconds, in which no
 * Check would be answered.
 *
 * @returns undefined where there are none, or config.toml itself can't be read, which `loadConfig` then says
 * @throws Error: the thread failed
 */
export function readDefinitionsAhead(
  file: string,
  env: Work['env'],
  tables: TableRows = new Map(),
): Promise<ReadAhead | undefined> {
  const data: Work = { file, env: { ...env }, tables };
  return new Promise((done, failed) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    worker.once('message', done);
    worker.once('error', failed);
    worker.once('exit', (code) => failed(new Error(`the thread that reads definitions ended with ${code}`)));
  });
}

export const entriesText = (entries: unknown): string => JSON.stringify(entries);

function work({ file, env, tables }: Work): ReadAhead | undefined {
  try {
    const read = readConfig(readText(file), file, env);
    if (!('config' in read) || read.config.definitions.length === 0) return undefined;
    const entries = entriesOf(read.config, (path) => resolve(dirname(file), path));
    return { entries: entriesText(entries), definitions: entries.map((entry) => readEntry(entry, tables)) };
  } catch (error) {
    if (error instanceof FileProblem) return undefined;
    throw error;
  }
}

if (!isMainThread && parentPort !== null) parentPort.postMessage(work(workerData as Work));
