import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { constants, devNull, getPriority, setPriority } from 'node:os';
import { dirname, extname } from 'node:path';
import type { Problem } from '../config/problem.ts';
import type { Env } from '../config/read-config.ts';
import type { Config } from '../config/schema/config.ts';
import type { Stamps } from '../documents/stamps.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import { atMost } from '../feeds/deadline.ts';
import type { Definitions, Entry } from './definitions.ts';
import { fromData, type OwnConfig, type OwnConfigData, type OwnReading } from './own-config.ts';
import { inParts, Parts } from './parts.ts';
import type { Answer, Ask, EntryFacts, Question, Same, Source } from './reader.ts';
import type { Remembered } from './remembered-files.ts';
import { inSlices, type Sliced } from './slices.ts';
import { version as versionOnDisk } from './version.ts';

/** What an entry's files say, and what is to be known of that reading. */
export type EntryReading = {
  readonly definitions: Definitions;
  /** Every path that was read, and the folders of those that were listed. */
  readonly read: Stamps;
  /** Not all could be read, for want of something that may be there in a moment. */
  readonly mayPass: boolean;
  /** Of `definitions`; undefined: nobody knows what the files say. */
  readonly digest: string | undefined;
  /** From where, so that the same is not read into the same once more; undefined: nobody knows. */
  readonly source: Source | undefined;
  /** The files as they were, for an entry with a database: a change there reads no other file anew. */
  readonly remembered: Remembered | undefined;
};

/** Why a reading came to nothing. */
export class ReadingError extends Error {
  override readonly name = 'ReadingError';
}

export type ReadingLimits = {
  /** Milliseconds for one answer. */
  readonly patience: number;
  readonly heapMegabytes: number;
  /** Of the program that asks. */
  readonly version: string;
};
/** Ten thousand APIs take some ten seconds and 400 MB. */
const usual: ReadingLimits = { patience: 60_000, heapMegabytes: 2_048, version: versionOnDisk() };

const reader = new URL(`reader${extname(import.meta.url)}`, import.meta.url);

/**
 * Reads files beside the process that decides: large ones, and those that others write, take as long as they take, and all
 * the memory that they take is the system's again at the end, which that of a thread is not. Whoever asks gets an answer,
 * or a ReadingError, within the limits.
 */
export class ReadingProcess {
  readonly #limits: ReadingLimits;
  #child: ChildProcess | undefined;
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
      | Extract<OwnReading, { readonly problems: readonly Problem[] }>
      | Same;
    if ('same' in answer) return { ok: { ...known!, read: answer.read, mayPass: answer.mayPass } };
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
    const ask = {
      what: 'entry',
      entry,
      tables,
      known: known?.source,
      contents: remembered?.contents,
      lists: remembered?.lists,
    } as const;
    const answer = (await this.#ask(ask)) as (Definitions & Remembered & EntryFacts) | Same;
    if ('same' in answer) return { ...known!, read: answer.read, mayPass: answer.mayPass };
    const { read, mayPass, digest, paths, listed, inputs, contents, lists, ...definitions } = answer;
    return {
      definitions: { ...definitions, apis: await inSlices(shareTexts(definitions.apis)) },
      read,
      mayPass,
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
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || !isRunning(child)) return;
    child.kill('SIGKILL');
    // One that hangs in a file system may outlive that; nobody else waits for it.
    await atMost(1_000, endOf(child));
    child.unref();
    child.channel?.unref();
  }

  #start(): ChildProcess {
    const child = forked(this.#limits);
    this.#child = child;
    // Whoever asks hears of it.
    child.on('error', () => {});
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    return child;
  }

  async #ask(ask: Ask): Promise<unknown> {
    if (this.#isEnded) throw new ReadingError('was ended');
    const { patience, heapMegabytes, version } = this.#limits;
    const child = this.#child ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // Whoever asks may have been told otherwise by then.
    promise.catch(() => {});
    const fail = (reason: string): void => reject(new ReadingError(reason));
    const parts = new Parts();
    const send = (question: Question): Promise<void> =>
      new Promise((sent) => child.send(question, (error) => (error ? onUnsent(error) : sent())));
    const onMessage = (answer: Answer): void => {
      if ('part' in answer) parts.add(answer.part);
      else if ('failure' in answer) fail(answer.failure);
      else resolve(parts.whole);
    };
    const onError = (error: Error): void => fail(`failed: ${error.message}`);
    // One that has just ended takes nothing more, and tells by its end why.
    const onUnsent = (error: Error): void => void atMost(1_000, endOf(child)).then(() => onError(error));
    // V8 knows no other end for a heap that is full.
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
      fail(signal === 'SIGABRT' ? `needed more than ${heapMegabytes} MB` : `was ended (${signal ?? code})`);
    child.on('message', onMessage).once('error', onError).once('exit', onExit);
    const timer = setTimeout(() => fail(`took more than ${patience / 1000} s`), patience);
    try {
      // One that could not be started, for want of descriptors or memory, says so in a moment.
      if (child.connected) {
        // In parts, each once the one before is gone: as a whole it would keep this process busy.
        for (const part of inParts(ask)) await Promise.race([send({ part }), promise]);
        void send({ isWhole: true, version });
      }
      return await promise;
    } catch (error) {
      // Whatever it is at, the next one begins anew.
      await this.#drop();
      throw error;
    } finally {
      clearTimeout(timer);
      child.off('message', onMessage).off('error', onError).off('exit', onExit);
    }
  }
}

/** @throws ReadingError: the system has not what it takes, as far as Node does not tell it by an event */
function forked({ heapMegabytes }: ReadingLimits): ChildProcess {
  const compiled = getCompileCacheDir();
  try {
    checkRoom();
    const child = fork(reader, {
      // The environment, with what is secret in it, is none of its business; what Node has compiled already is.
      env: compiled === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compiled) }, // in which each Node has a folder
      execArgv: ['--disable-sigusr1', `--max-old-space-size=${heapMegabytes}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    stepBack(child);
    return child;
  } catch (error) {
    throw new ReadingError(`failed: ${(error as Error).message}`);
  }
}

/**
 * Where there are not cores for both, who decides comes first: three quarters of one, and a reading that takes four times
 * as long still ends in time.
 */
const niceness = 5;

function stepBack({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined)
      setPriority(pid, Math.min(getPriority() + niceness, constants.priority.PRIORITY_LOW));
  } catch {
    // The system lets nobody, or it has ended already: it reads all the same.
  }
}

/** Where there are fewer descriptors, Node keeps open for good those that it got. */
const descriptors = 8;

/** @throws Error: the process, or the system, has not so many left */
function checkRoom(): void {
  const opened: number[] = [];
  try {
    while (opened.length < descriptors) opened.push(openSync(devNull, 'r'));
  } finally {
    for (const file of opened) closeSync(file);
  }
}

const endOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => child.once('exit', () => resolve()));

/** It has been started, which may fail, and has not ended. */
const isRunning = ({ pid, exitCode, signalCode }: ChildProcess): boolean =>
  pid !== undefined && exitCode === null && signalCode === null;

/** A certificate that many APIs have is kept once. */
function* shareTexts(apis: Definitions['apis']): Sliced<Definitions['apis']> {
  const known = new Map<string, string>();
  const share = <T extends { pem?: string | undefined }>(client: T): T => {
    const { pem } = client;
    if (pem === undefined) return client;
    const first = known.get(pem) ?? pem;
    known.set(first, first);
    return { ...client, pem: first };
  };
  const shared: Definitions['apis'][number][] = [];
  for (const foreign of apis) {
    yield;
    const { api } = foreign;
    shared.push({
      ...foreign,
      api: {
        ...api,
        clients: api.clients.map(share),
        operations: api.operations.map((operation) =>
          operation.clients === undefined
            ? operation
            : { ...operation, clients: operation.clients.map(share) },
        ),
      },
    });
  }
  return shared;
}
