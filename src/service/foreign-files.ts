import { type Stamps, stampOf } from '../documents/stamps.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import { atMost } from '../feeds/deadline.ts';
import { type Definitions, type Entry, entriesOf, unreadable } from '../provision/definitions.ts';
import { type OwnConfig, resolver } from '../provision/own-config.ts';
import { type EntryReading, ReadingError, type ReadingProcess } from '../provision/reading-process.ts';

/** Foreign files that are being read, each entry's told as it is there. */
export type ForeignReading = {
  readonly reader: ReadingProcess;
  readonly tables: TableRows;
  readonly readings: ReadonlyMap<string, EntryReading>;
  /** Its other entries. */
  readonly unread: ReadonlySet<string>;
  readonly done: Promise<void>;
  isDone: boolean;
  /** Something of it is not in force yet. */
  hasNews: boolean;
  /** It was said that it goes on, and is to be said that it is done. */
  isAnnounced: boolean;
};

type Events = {
  /** Before the end. */
  readonly onNews: () => void;
  readonly onEnd: (reading: ForeignReading) => void;
  /** What could not be read may be there in a moment. */
  readonly onPassing: () => void;
  readonly onFault: (error: Error) => void;
};

/** What is known of the files of `[[definitions]]`, and the one reading of them, still going on, that counts. */
export class ForeignFiles {
  readonly #events: Events;
  #known: ReadonlyMap<string, EntryReading> = new Map();
  #tables: TableRows = new Map();
  #current: ForeignReading | undefined;

  constructor(events: Events) {
    this.#events = events;
  }

  get current(): ForeignReading | undefined {
    return this.#current;
  }

  /** With which they are read. */
  get tables(): TableRows {
    return this.#tables;
  }

  /** What stood there. Of what is being read just now nobody needs to be told that it is other than before. */
  get read(): Stamps {
    const known = [...this.#known].filter(([id]) => !this.#current?.unread.has(id));
    return new Map(known.flatMap(([, { read }]) => [...read]));
  }

  /** @param reading with what it has told until now, which then is no news any more */
  definitions(own: OwnConfig, reading: ForeignReading | undefined, isStart: boolean): readonly Definitions[] {
    if (reading !== undefined) reading.hasNews = false;
    return entriesIn(own).flatMap((entry) => {
      const known = reading?.readings.get(entry.id) ?? this.#known.get(entry.id);
      return known?.definitions ?? (isStart ? unreadable(entry, 'is not done yet') : []);
    });
  }

  /**
   * Reads what its entries name, one after the other and each in its own right, beside the process that decides, which is
   * ended then. One that can't be read in time, or takes too much memory, is as one of whose files nobody knows anything.
   * Nothing of it counts before the configuration that it is read for: one that is refused may have changed what an entry
   * asks for.
   *
   * @param from memory: where there is a database, with the files as they were, since a change there reads no other file anew
   * @param within milliseconds: what is read by then, as most is, makes one change with what it is read for, not two
   */
  async begin(
    own: OwnConfig,
    tables: TableRows,
    reader: ReadingProcess,
    from: 'disk' | 'memory',
    within = 250,
  ): Promise<ForeignReading> {
    const entries = entriesIn(own).filter(({ database }) => from === 'disk' || database !== undefined);
    const readings = new Map<string, EntryReading>();
    const unread = new Set(entries.map(({ id }) => id));
    const tell = (id: string, entry: EntryReading): void => {
      const known = this.#known.get(id);
      reading.hasNews ||= entry.digest === undefined || entry.digest !== known?.digest;
      // From memory nothing of the disk was seen; and of what could not be read any file may be to blame.
      const isAll = from === 'disk' && entry.digest !== undefined;
      readings.set(id, isAll ? entry : { ...entry, read: new Map([...(known?.read ?? []), ...entry.read]) });
      unread.delete(id);
      if (entry.mayPass) this.#events.onPassing();
      if (this.#current !== reading) return;
      this.takeIn(reading);
      // With the last of them the end is there, too.
      if (reading.hasNews && unread.size > 0) this.#events.onNews();
    };
    const read = async (): Promise<void> => {
      for (const entry of entries) {
        const known = this.#known.get(entry.id);
        const before = { remembered: from === 'memory' ? known?.remembered : undefined, known };
        const now = await reader.entry(entry, tables, before).catch((error) => unknown(entry, error));
        // Nobody wants to know any more.
        if (reader.isEnded) return;
        tell(entry.id, now);
      }
    };
    const ended = (): void => {
      reading.isDone = true;
      if (this.#current !== reading) return;
      this.#current = undefined;
      this.#events.onEnd(reading);
    };
    const done = read()
      .finally(() => reader.close())
      .catch(this.#events.onFault)
      .then(ended);
    const state = { isDone: false, hasNews: false, isAnnounced: false };
    const reading: ForeignReading = { reader, tables, readings, unread, done, ...state };
    await atMost(within, done);
    return reading;
  }

  /** What it says counts, and what it will; nothing any more of one before that goes on. */
  takeIn(reading: ForeignReading): void {
    const replaced = this.#current === reading ? undefined : this.#current;
    void replaced?.reader.close();
    // What it told last may be known and not in force yet.
    reading.hasNews ||= replaced?.hasNews ?? false;
    this.#known = new Map([...this.#known, ...reading.readings]);
    this.#tables = reading.tables;
    this.#current = reading.isDone ? undefined : reading;
  }

  keepOnly(own: OwnConfig): void {
    const ids = new Set(entriesIn(own).map(({ id }) => id));
    this.#known = new Map([...this.#known].filter(([id]) => ids.has(id)));
  }
}

const entriesIn = ({ config, file }: OwnConfig): readonly Entry[] => entriesOf(config, resolver(file));

/** What was known of its files from before stays. */
function unknown(entry: Entry, error: unknown): EntryReading {
  if (!(error instanceof ReadingError)) throw error;
  return {
    definitions: unreadable(entry, error.message),
    read: new Map([[entry.path, stampOf(entry.path)]]),
    mayPass: true,
    digest: undefined,
    source: undefined,
    remembered: undefined,
  };
}
