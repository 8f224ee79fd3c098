import { stampOf } from '../documents/stamps.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import type { Definitions, Entry } from './definitions.ts';
import { type EntryReading, ReadingError, type ReadingProcess } from './reading-process.ts';
import type { Remembered } from './remembered-files.ts';

type ReadingOrder = {
  readonly tables: TableRows;
  readonly reader: ReadingProcess;
  /** The files as they were, by the entry's id; undefined: as they are. */
  readonly files?: ((id: string) => Remembered | undefined) | undefined;
  /** What was read of it before, by its id: it need not be read once more where its files are the same. */
  readonly known?: ((id: string) => EntryReading | undefined) | undefined;
  readonly tell: (entry: Entry, reading: EntryReading) => void;
};

/**
 * Reads entries one after the other, each told as it is there. One that can't be read in time, or takes too much memory,
 * is told as one of whose files nobody knows anything: what they said before stays, and the others go on. The process is
 * ended with it.
 */
export async function readEntries(
  entries: readonly Entry[],
  { tables, reader, files, known, tell }: ReadingOrder,
): Promise<void> {
  try {
    for (const entry of entries) {
      try {
        const before = { remembered: files?.(entry.id), known: known?.(entry.id) };
        tell(entry, await reader.entry(entry, tables, before));
      } catch (error) {
        if (!(error instanceof ReadingError)) throw error;
        // Nobody wants to know any more.
        if (reader.isEnded) return;
        tell(entry, {
          definitions: unreadable(entry, error.message),
          read: new Map([[entry.path, stampOf(entry.path)]]),
          mayPass: true,
          digest: undefined,
          source: undefined,
          remembered: undefined,
        });
      }
    }
  } finally {
    await reader.close();
  }
}

/** What is said of an entry whose files nobody has read. */
export const unreadable = ({ id, path }: Pick<Entry, 'id' | 'path'>, why: string): Definitions => ({
  id,
  path,
  apis: [],
  services: [],
  problems: [
    {
      file: path,
      line: 1,
      key: '',
      message: `reading it ${why}: what is known of its files from before stays in force; look for the file that does it, and take it out`,
    },
  ],
  warnings: [],
});
