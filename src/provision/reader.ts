import { createHash } from 'node:crypto';
import { serialize } from 'node:v8';
import type { Env } from '../config/read-config.ts';
import { filesOf } from '../definitions/written.ts';
import { noFindings } from '../documents/cursor.ts';
import { attempt, disk } from '../documents/files.ts';
import type { Stamps } from '../documents/stamps.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import { type Entry, readEntry } from './definitions.ts';
import { readOwnData } from './own-config.ts';
import { inParts, type Part, Parts } from './parts.ts';
import { fromMemory, mostTogether, type Remembered, remembering } from './remembered-files.ts';
import { version } from './version.ts';

/** All that a reading depends on: whoever finds the same at the same paths would read the same. */
export type Source = {
  readonly paths: readonly string[];
  readonly lists: readonly string[];
  /** Of the entry, its rows, and what is at these paths. */
  readonly digest: string;
};

export type Ask =
  | { readonly what: 'own'; readonly file: string; readonly env: Env; readonly known: string | undefined }
  | {
      readonly what: 'entry';
      readonly entry: Entry;
      readonly tables: TableRows;
      readonly known: Source | undefined;
      /** The files as they were; undefined: as they are. */
      readonly contents: Remembered['contents'] | undefined;
      readonly lists: Remembered['lists'] | undefined;
    };

/**
 * An `Ask`, one after the other. Of which version: another one reads what whoever asks does not know, and what is not
 * understood must not open.
 */
export type Question = { readonly part: Part } | { readonly isWhole: true; readonly version: string };

/** As it was known. */
export type Same = { readonly same: true; readonly read: Stamps; readonly mayPass: boolean };

export type EntryFacts = {
  readonly read: Stamps;
  readonly mayPass: boolean;
  readonly digest: string;
  readonly paths: readonly string[];
  readonly listed: readonly string[];
  readonly inputs: string;
};

type EntryAsk = Extract<Ask, { readonly what: 'entry' }>;

/** One after the other, to each question. */
export type Answer = { readonly part: Part } | { readonly isWhole: true } | { readonly failure: string };

function answer(ask: Ask): Readonly<Record<string, unknown>> {
  if (ask.what === 'own') {
    const read = readOwnData(ask.file, ask.env, disk);
    if ('problems' in read) return read;
    if (read.ok.digest === ask.known)
      return { same: true, read: read.ok.read, mayPass: read.ok.mayPass } satisfies Same;
    const { config, ...data } = read.ok;
    return {
      ...data,
      apis: config.apis,
      clients: config.clients,
      config: { ...config, apis: [], clients: [] },
    };
  }
  const { entry, tables, contents, lists } = ask;
  const from =
    contents === undefined || lists === undefined
      ? remembering(filesOf(entry), mostTogether)
      : remembering(fromMemory({ contents, lists }));
  if (ask.known !== undefined && isSame(ask, ask.known, from))
    return { same: true, read: from.stamps, mayPass: from.mayPass } satisfies Same;
  // What was read for that is not read once more; and what the reader does not ask for does not count.
  const files = remembering(from);
  const definitions = readEntry(entry, tables, files);
  const { remembered, stamps: read } = files;
  const facts: EntryFacts = {
    read,
    mayPass: from.mayPass,
    digest: createHash('sha256').update(serialize(definitions)).digest('base64'),
    paths: [...remembered.contents.keys()],
    listed: [...remembered.lists.keys()],
    inputs: digestOfInputs(ask, remembered),
  };
  return { ...definitions, ...facts, ...(entry.database === undefined ? {} : remembered) };
}

function isSame(
  ask: EntryAsk,
  { lists, paths, digest }: Source,
  files: ReturnType<typeof remembering>,
): boolean {
  for (const path of lists) attempt(path, noFindings(), () => files.list(path));
  for (const path of paths) attempt(path, noFindings(), () => files.bytes(path));
  return digestOfInputs(ask, files.remembered) === digest;
}

function digestOfInputs({ entry, tables }: EntryAsk, { contents, lists }: Remembered): string {
  const rows = entry.database === undefined ? undefined : tables.get(entry.database);
  const hash = createHash('sha256').update(serialize([entry, rows, lists, [...contents.keys()]]));
  for (const content of contents.values()) {
    const isRead = content instanceof Uint8Array;
    hash.update(isRead ? `${content.byteLength}:` : `no: ${content.problem.length}:`);
    hash.update(isRead ? content : content.problem);
  }
  return hash.digest('base64');
}

// What follows is the process that `reading-process.ts` starts: it lives until whoever asks is gone, or has had enough.

process.title = 'mtls-enforcer-reader';

// It gets none, and the package `yaml` looks for LOG_TOKENS in it at each token: a seventh of all reading of YAML, where
// each look goes through the system's own list.
process.env = {};

const send = (message: Answer): Promise<void> =>
  new Promise((sent, failed) =>
    process.send!(message, (error: Error | null) => (error ? failed(error) : sent())),
  );

const own = version();
let asked = new Parts();

process.on('message', async (question: Question) => {
  if ('part' in question) return asked.add(question.part);
  const ask = asked.whole as Ask;
  asked = new Parts();
  try {
    if (question.version !== own) {
      const failure = `is not done: the program on the disk is of version ${own}, and what runs of ${question.version}; restart it`;
      return await send({ failure });
    }
    for (const part of inParts(answer(ask))) await send({ part });
    await send({ isWhole: true });
  } catch (error) {
    await send({ failure: `failed in the enforcer itself: ${(error as Error).stack}` });
  }
});
// A terminal, or systemd, tells all processes; in its good order the service ends this one itself.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
