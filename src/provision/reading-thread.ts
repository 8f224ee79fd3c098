import { createHash } from 'node:crypto';
import { serialize } from 'node:v8';
import { isMainThread, MessageChannel, type MessagePort, parentPort, Worker } from 'node:worker_threads';
import type { Problem } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { filesOf } from '../definitions/written.ts';
import { noFindings } from '../documents/cursor.ts';
import { attempt, disk } from '../documents/files.ts';
import type { Stamps } from '../documents/stamps.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import { atMost } from '../feeds/deadline.ts';
import { type Definitions, type Entry, readEntry } from './definitions.ts';
import { fromData, type OwnConfig, type OwnConfigData, type OwnReading, readOwnData } from './own-config.ts';
import { receiveParts, sendInParts } from './parts.ts';
import { fromMemory, mostTogether, type Remembered, remembering } from './remembered-files.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What an entry's files say, and what is to be known of that reading. */
export type EntryReading = {
  readonly definitions: Definitions;
  /** Every path that was read, and the folders of those that were listed. */
  readonly read: Stamps;
  /** Of `definitions`; undefined: nobody knows what the files say. */
  readonly digest: string | undefined;
  /** From where, so that the same is not read into the same once more; undefined: nobody knows. */
  readonly source: Source | undefined;
  /** The files as they were, for an entry with a database: a change there reads no other file anew. */
  readonly remembered: Remembered | undefined;
};

/** All that a reading depends on: whoever finds the same at the same paths would read the same. */
type Source = {
  readonly paths: readonly string[];
  readonly lists: readonly string[];
  /** Of the entry, its rows, and what is at these paths. */
  readonly digest: string;
};

type Ask =
  | { readonly what: 'own'; readonly file: string; readonly env: Env; readonly known: string | undefined }
  | {
      readonly what: 'entry';
      readonly entry: Entry;
      readonly tables: TableRows;
      readonly remembered: Remembered | undefined;
      readonly known: Source | undefined;
    };

/** Why a reading came to nothing. */
export class ReadingError extends Error {
  override readonly name = 'ReadingError';
}

export type ReadingLimits = {
  /** Milliseconds for one answer. */
  readonly patience: number;
  readonly heapMegabytes: number;
};
/** Ten thousand APIs take some ten seconds and 400 MB. */
const usual: ReadingLimits = { patience: 60_000, heapMegabytes: 2_048 };

/**
 * Reads files beside the thread that decides: large ones, and those that others write, take as long as they take. Whoever
 * asks gets an answer, or a ReadingError, within the limits.
 */
export class ReadingThread {
  readonly #limits: ReadingLimits;
  #worker: Worker | undefined;
  #isEnded = false;

  constructor(limits: ReadingLimits = usual) {
    this.#limits = limits;
  }

  /**
   * config.toml, and the files that it names.
   *
   * @param known comes back where nothing else is found
   * @throws ReadingError
   */
  async own(file: string, env: Env, known?: OwnConfig): Promise<OwnReading> {
    const answer = (await this.#ask({ what: 'own', file, env: { ...env }, known: known?.digest })) as
      | (Omit<OwnConfigData, 'config'> & {
          readonly config: Config;
          apis: Config['apis'];
          clients: Config['clients'];
        })
      | { readonly problems: readonly Problem[]; readonly read: Stamps }
      | { readonly same: true; readonly read: Stamps };
    if ('same' in answer) return { ok: { ...known!, read: answer.read } };
    if ('problems' in answer) return answer;
    const { apis, clients, config, ...data } = answer;
    return { ok: fromData(file, { ...data, config: { ...config, apis, clients } }) };
  }

  /**
   * @param remembered the files as they were; undefined: as they are
   * @param known comes back where the files say the same
   * @throws ReadingError
   */
  async entry(
    entry: Entry,
    tables: TableRows,
    { remembered, known }: { remembered?: Remembered | undefined; known?: EntryReading | undefined } = {},
  ): Promise<EntryReading> {
    const ask = { what: 'entry', entry, tables, remembered, known: known?.source } as const;
    const answer = (await this.#ask(ask)) as
      | (Definitions & Remembered & EntryFacts)
      | { readonly same: true; readonly read: Stamps };
    if ('same' in answer) return { ...known!, read: answer.read };
    const { read, digest, paths, listed, inputs, contents, lists, ...definitions } = answer;
    return {
      definitions,
      read,
      digest,
      source: { paths, lists: listed, digest: inputs },
      remembered: entry.database === undefined ? undefined : { contents, lists },
    };
  }

  /** For good: whoever still waits, or asks, gets a ReadingError. */
  async close(): Promise<void> {
    this.#isEnded = true;
    await this.#drop();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  async #drop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    // One that hangs in a file system ends with it; nobody else waits for that.
    if (worker !== undefined) await atMost(1_000, worker.terminate());
  }

  #start(): Worker {
    const worker = new Worker(new URL(import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.heapMegabytes },
    });
    this.#worker = worker;
    // Whoever asks hears of it.
    worker.on('error', () => {});
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }

  async #ask(ask: Ask): Promise<unknown> {
    if (this.#isEnded) throw new ReadingError('was ended');
    const { patience, heapMegabytes } = this.#limits;
    const worker = this.#worker ?? this.#start();
    const { port1, port2 } = new MessageChannel();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const fail = (reason: string): void => reject(new ReadingError(reason));
    const onError = (error: Error): void =>
      fail(
        (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? `needed more than ${heapMegabytes} MB`
          : `failed in the enforcer itself: ${error.stack ?? error.message}`,
      );
    const onExit = (): void => fail('was ended');
    worker.once('message', resolve).once('error', onError).once('exit', onExit);
    const timer = setTimeout(() => fail(`took more than ${patience / 1000} s`), patience);
    try {
      worker.postMessage({ ask, port: port2 }, [port2]);
      await promise;
      return await receiveParts(port1);
    } catch (error) {
      // Whatever it is at, the next one begins anew.
      await this.#drop();
      throw error;
    } finally {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', onError).off('exit', onExit);
      port1.close();
    }
  }
}

function answer(ask: Ask): Readonly<Record<string, unknown>> {
  if (ask.what === 'own') {
    const read = readOwnData(ask.file, ask.env, disk);
    if ('problems' in read) return read;
    if (read.ok.digest === ask.known) return { same: true, read: read.ok.read };
    const { config, ...data } = read.ok;
    return {
      ...data,
      apis: config.apis,
      clients: config.clients,
      config: { ...config, apis: [], clients: [] },
    };
  }
  const { entry, tables } = ask;
  const from =
    ask.remembered === undefined
      ? remembering(filesOf(entry), mostTogether)
      : remembering(fromMemory(ask.remembered));
  if (ask.known !== undefined && isSame(ask, ask.known, from)) return { same: true, read: from.stamps };
  // What was read for that is not read once more; and what the reader does not ask for does not count.
  const files = remembering(from);
  const definitions = readEntry(entry, tables, files);
  const { remembered, stamps: read } = files;
  const facts: EntryFacts = {
    read,
    digest: createHash('sha256').update(serialize(definitions)).digest('base64'),
    paths: [...remembered.contents.keys()],
    listed: [...remembered.lists.keys()],
    inputs: digestOfInputs(ask, remembered),
  };
  return { ...definitions, ...facts, ...(entry.database === undefined ? {} : remembered) };
}

type EntryFacts = {
  readonly read: Stamps;
  readonly digest: string;
  readonly paths: readonly string[];
  readonly listed: readonly string[];
  readonly inputs: string;
};

function isSame(
  ask: Extract<Ask, { readonly what: 'entry' }>,
  { lists, paths, digest }: Source,
  files: ReturnType<typeof remembering>,
): boolean {
  for (const path of lists) attempt(path, noFindings(), () => files.list(path));
  for (const path of paths) attempt(path, noFindings(), () => files.bytes(path));
  return digestOfInputs(ask, files.remembered) === digest;
}

function digestOfInputs(
  { entry, tables }: Extract<Ask, { readonly what: 'entry' }>,
  { contents, lists }: Remembered,
): string {
  const rows = entry.database === undefined ? undefined : tables.get(entry.database);
  const hash = createHash('sha256').update(serialize([entry, rows, lists, [...contents.keys()]]));
  for (const content of contents.values()) {
    const isRead = content instanceof Uint8Array;
    hash.update(isRead ? `${content.byteLength}:` : `no: ${content.problem.length}:`);
    hash.update(isRead ? content : content.problem);
  }
  return hash.digest('base64');
}

if (!isMainThread && parentPort !== null) {
  const main = parentPort;
  main.on('message', ({ ask, port }: { readonly ask: Ask; readonly port: MessagePort }) => {
    sendInParts(answer(ask), port);
    main.postMessage('answered');
  });
}
