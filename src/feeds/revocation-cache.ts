import { createHash, hash } from 'node:crypto';
import {
  constants,
  type FileHandle,
  lutimes,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import { FairRoom } from './fair-room.ts';
import { byItself, type Owner } from './owner.ts';

/** What is kept of a source: bytes that have to be checked as if they came from it, and what was noted with them. */
export type Kept = {
  readonly notes: Readonly<Record<string, string>>;
  readonly parts: readonly Uint8Array[];
};

/** @param owners who brought it; undefined: the configuration names its source */
type ToKeep = Kept & { readonly owners?: readonly Owner[] | undefined };

export type CacheTrouble = { readonly kind: 'not-kept' | 'thrown-away'; readonly reason: string };

type Head = {
  readonly source: string;
  readonly notes: Kept['notes'];
  readonly lengths: readonly number[];
  readonly sha256: string;
  /** `ofConfiguration`, or its owners, each as `shortOf`; undefined in copies of earlier versions. */
  readonly of?: string | readonly string[] | undefined;
};

const ofConfiguration = 'configuration';

type Limits = { readonly bytes: number; readonly files: number; readonly ahead?: number };

type Noted = { readonly mtimeMs: number; readonly of: Head['of']; readonly owners: readonly Owner[] };

/** Of what is read ahead. */
type Share = { bytes: number; readonly copies: { readonly file: string; readonly size: number }[] };

type File = { readonly file: string; readonly size: number; readonly mtimeMs: number };

/** All copies together. */
const maxBytes = 1024 * 1024 * 1024;
const maxFiles = 20_000;
/** Milliseconds, after which nobody asks a source any more, though the configuration named it. */
const configuredFor = 90 * 24 * 3_600_000;
/** That are noted of one copy. */
const maxOwners = 64;
/** Of the line that a copy begins with. */
const maxHead = 64 * 1024;
/** Bytes that are hashed in one turn of the thread that decides. */
const atOnce = 1024 * 1024;
/** So many writes. */
const prunedEvery = 64;

/** What is read ahead, of each copy first and at most, all that is held, and how much of that is read for it: OCSP answers have some 2 KB. */
const ahead = { small: 8 * 1024, each: 64 * 1024, bytes: 32 * 1024 * 1024, times: 8, kept: 600_000 };

/**
 * Last good copies in a folder, for restarts while their sources are down. Nothing depends on it: a disk that is full or
 * may not be written is told, and nothing else.
 */
export class RevocationCache {
  readonly #folder: string;
  readonly #limits: Limits;
  #reading: Promise<unknown> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();
  #isFailing = false;
  #written = 0;
  /** By file. */
  readonly #ahead = new Map<string, Buffer>();
  #readingAhead: Promise<void> | undefined;
  /** By file, where copies had to go. */
  readonly #heads = new Map<string, Noted>();

  constructor(folder: string, limits: Limits = { bytes: maxBytes, files: maxFiles }) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /**
   * One after the other, so that a disk which hangs holds one thread of Node's and not all.
   *
   * @returns undefined: none, or none that is whole, which then is thrown away
   */
  read(key: string, tell: (trouble: CacheTrouble) => void): Promise<Kept | undefined> {
    const turn = this.#reading.then(() => this.#read(key, tell));
    this.#reading = turn;
    return turn;
  }

  async #read(key: string, tell: (trouble: CacheTrouble) => void): Promise<Kept | undefined> {
    try {
      return await this.#opened(this.#fileOf(key), (handle, size) => readKept(handle, size, key));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      await this.throwAway(key, (error as Error).message, tell);
      return undefined;
    }
  }

  /**
   * Reads the small ones, so that at the first request about a certificate what is kept of it is at hand: where there is
   * more than room for, no less of one share than of another. Once: what comes later is known to who had it written.
   */
  loadAhead(): Promise<void> {
    this.#readingAhead ??= this.#loadAhead();
    return this.#readingAhead;
  }

  async #loadAhead(): Promise<void> {
    const room = Buffer.alloc(ahead.each);
    const { ahead: mostBytes = ahead.bytes } = this.#limits;
    const shares = new Map<string, Share>();
    let [read, bytes] = [0, 0];
    const hold = (file: string, copy: Buffer): void => {
      const names = ownersIn(headAt(copy)?.head).map(({ share }) => share);
      for (const name of names) if (!shares.has(name)) shares.set(name, { bytes: 0, copies: [] });
      const poorest = names.map((name) => shares.get(name)!).reduce((a, b) => (b.bytes < a.bytes ? b : a));
      poorest.copies.push({ file, size: copy.length });
      poorest.bytes += copy.length;
      bytes += copy.length;
      this.#ahead.set(file, copy);
      while (bytes > mostBytes) {
        const richest = [...shares.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a));
        const gone = richest.copies.pop()!;
        richest.bytes -= gone.size;
        bytes -= gone.size;
        this.#ahead.delete(gone.file);
      }
    };
    const names = await readdir(this.#folder).catch(() => []);
    let files = names.filter((name) => isWhole.test(name)).map((name) => join(this.#folder, name));
    for (const most of [ahead.small, ahead.each]) {
      const larger: string[] = [];
      for (const file of files) {
        const load = async (): Promise<void> => {
          // What can't be read is told where it is asked for.
          const copy = await smallIn(file, room.subarray(0, most)).catch(() => Buffer.of());
          read += copy?.length ?? most;
          if (copy === undefined) larger.push(file);
          else if (copy.length > 0) hold(file, copy);
        };
        // In turn with writes, so that what is older never stands for what was written since.
        this.#writing = this.#writing.then(load);
        await this.#writing;
        if (read > ahead.times * mostBytes) break;
      }
      files = larger;
    }
    // Whose owners have not come by then come late enough for the disk.
    setTimeout(() => this.#ahead.clear(), ahead.kept).unref();
  }

  /** Once. @returns undefined: it was not read ahead, or is not whole, which `read` tells */
  readAhead(key: string): Kept | undefined {
    const file = this.#fileOf(key);
    const bytes = this.#ahead.get(file);
    if (bytes === undefined) return undefined;
    this.#ahead.delete(file);
    try {
      return parse(bytes, key);
    } catch {
      return undefined;
    }
  }

  async throwAway(key: string, reason: string, tell: (trouble: CacheTrouble) => void): Promise<void> {
    const file = this.#fileOf(key);
    tell({ kind: 'thrown-away', reason: `${file} ${reason}` });
    await rm(file, { force: true }).catch(() => {});
  }

  /** What was noted with each copy; none where there is no such folder. */
  async list(): Promise<readonly Kept['notes'][]> {
    const names = await readdir(this.#folder).catch(() => []);
    const read = async (name: string): Promise<readonly Kept['notes'][]> => {
      const begun = await this.#opened(join(this.#folder, name), beginning).catch(() => undefined);
      return begun === undefined ? [] : [begun.head.notes];
    };
    const all: Kept['notes'][] = [];
    for (const name of names.filter((one) => one.endsWith('.revocation'))) all.push(...(await read(name)));
    return all.toSorted(({ from: a = '' }, { from: b = '' }) => a.localeCompare(b));
  }

  /** Of a file, and nothing else that may lie there under its name: a pipe has no end, and a link leads elsewhere. */
  async #opened<T>(file: string, read: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
    const handle = await open(file, asFile);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error('is no file');
      if (stats.size > this.#limits.bytes) throw new Error('is larger than all copies together may be');
      return await read(handle, stats.size);
    } finally {
      await handle.close();
    }
  }

  /** Whole or not at all: written beside, on the disk, and then renamed. One after the other. */
  write(key: string, kept: ToKeep, tell: (trouble: CacheTrouble) => void): Promise<void> {
    return this.#inTurn(() => this.#keep(key, kept), tell);
  }

  /**
   * It is as it was: no more the longest untouched, and written where it had to go meanwhile, or is known as somebody
   * else's.
   */
  touch(key: string, kept: ToKeep, tell: (trouble: CacheTrouble) => void): Promise<void> {
    const touch = async (): Promise<void> => {
      const file = this.#fileOf(key);
      const { head } = await this.#opened(file, beginning);
      if (head.source !== hash('sha256', key) || `${head.of}` !== `${noteOf(kept)}`) throw changed();
      const now = new Date();
      await lutimes(file, now, now);
    };
    return this.#inTurn(() => touch().catch(() => this.#keep(key, kept)), tell);
  }

  async #keep(key: string, kept: ToKeep): Promise<void> {
    const file = this.#fileOf(key);
    await this.#write(file, key, kept);
    this.#ahead.delete(file);
    if (this.#written++ % prunedEvery === 0) await this.#prune();
  }

  #inTurn(task: () => Promise<void>, tell: (trouble: CacheTrouble) => void): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      try {
        await task();
        this.#isFailing = false;
      } catch (error) {
        // Once: the next ones will fail, too.
        if (!this.#isFailing) tell({ kind: 'not-kept', reason: (error as Error).message });
        this.#isFailing = true;
      }
    });
    return this.#writing;
  }

  /** When all that was to be written is. */
  close(): Promise<void> {
    return this.#writing;
  }

  async #write(file: string, key: string, kept: ToKeep): Promise<void> {
    const { notes, parts } = kept;
    const head: Head = {
      source: hash('sha256', key),
      notes,
      lengths: parts.map(({ length }) => length),
      sha256: await digestOf(parts),
      of: noteOf(kept),
    };
    // The last part alone: Node's `recursive` goes round for ever where the system says ENOENT, as in /proc.
    await mkdir(this.#folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const beside = `${file}.${process.pid}.new`;
    try {
      // Never through a link that somebody laid there.
      await rm(beside, { force: true });
      const handle = await open(beside, 'wx', 0o600);
      try {
        for (const part of [Buffer.from(`${JSON.stringify(head)}\n`), ...parts]) await handle.writeFile(part);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(beside, file);
    } catch (error) {
      await unlink(beside).catch(() => {});
      throw error;
    }
    const folder = await open(this.#folder, 'r');
    await folder.sync().finally(() => folder.close());
  }

  /** The longest untouched of whoever has most go first, and what the configuration names last of all. */
  async #prune(): Promise<void> {
    const files = await this.#files();
    const { bytes, files: count } = this.#limits;
    if (files.length <= count && bytesOf(files) <= bytes) return;
    const [configured, followed] = [new FairRoom<File>(), new FairRoom<File>()];
    for (const [at, one] of files.toSorted((a, b) => a.mtimeMs - b.mtimeMs).entries()) {
      if (at % 1_000 === 999) await new Promise(setImmediate);
      const { of, owners } = await this.#notedOf(one);
      const isConfigured = of === ofConfiguration && one.mtimeMs > Date.now() - configuredFor;
      const room = isConfigured ? configured : followed;
      room.weigh(one.file, one.size);
      room.set(owners, one.file, one);
    }
    const gone = [...configured.makeRoom(count), ...configured.makeRoom(bytes, 'size')];
    gone.push(
      ...followed.makeRoom(count - configured.size),
      ...followed.makeRoom(bytes - bytesOf(configured.values()), 'size'),
    );
    for (const { file } of gone) {
      this.#heads.delete(file);
      await rm(file, { force: true });
    }
    const there = new Set(files.map(({ file }) => file));
    for (const file of this.#heads.keys()) if (!there.has(file)) this.#heads.delete(file);
  }

  /** Also what was not written to its end. */
  async #files(): Promise<readonly File[]> {
    const files: File[] = [];
    for (const name of await readdir(this.#folder)) {
      if (!ours.test(name)) continue;
      const file = join(this.#folder, name);
      const { size = 0, mtimeMs = 0 } = (await stat(file).catch(() => undefined)) ?? {};
      files.push({ file, size, mtimeMs });
    }
    return files;
  }

  async #notedOf({ file, mtimeMs }: File): Promise<Noted> {
    const known = this.#heads.get(file);
    if (known?.mtimeMs === mtimeMs) return known;
    const head = await this.#opened(file, beginning).then(
      (begun) => begun.head,
      () => undefined,
    );
    const noted = { mtimeMs, of: head?.of, owners: ownersIn(head) };
    this.#heads.set(file, noted);
    return noted;
  }

  #fileOf(key: string): string {
    return join(this.#folder, `${hash('sha256', key)}.revocation`);
  }
}

const bytesOf = (files: readonly File[]): number => files.reduce((sum, { size }) => sum + size, 0);

const noteOf = ({ owners }: ToKeep): Head['of'] =>
  owners === undefined ? ofConfiguration : owners.slice(0, maxOwners).map(shortOf).toSorted();

/** Names of APIs have any length. */
const shortOf = ({ share, name }: Owner): string =>
  [share, name].map((text) => hash('sha256', text).slice(0, 16)).join('/');

/** What says nothing of who brought it is of one who has all that doesn't. */
function ownersIn(head: Head | undefined): readonly Owner[] {
  const { of, notes } = head ?? {};
  return typeof of === 'object' && of.length > 0 ? of.map(ownerOf) : [byItself(`${of} ${notes?.feed}`)];
}

const ownerOf = (text: string): Owner => {
  const [share = '', name = ''] = text.split('/');
  return { share, name };
};

const asFile = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** In as few turns as can be, for there may be ten thousand. undefined: it has more than there is room for. */
async function smallIn(file: string, room: Buffer): Promise<Buffer | undefined> {
  const handle = await open(file, asFile);
  try {
    const { bytesRead } = await handle.read(room, 0, room.length, 0);
    return bytesRead < room.length ? Buffer.from(room.subarray(0, bytesRead)) : undefined;
  } finally {
    await handle.close();
  }
}

const isWhole = /\.revocation$/;
const ours = /^[0-9a-f]{64}\.revocation(\.\d+\.new)?$/;

/** Each part into bytes of its own, which another thread may be given. @throws as `parse` */
async function readKept(handle: FileHandle, size: number, key: string): Promise<Kept> {
  const { head, end } = await beginning(handle, size);
  check(head, size - end, key);
  const parts: Uint8Array[] = [];
  let at = end;
  for (const length of head.lengths) {
    const part = new Uint8Array(length);
    if ((await readInto(part, handle, at)) < length) throw changed();
    parts.push(part);
    at += length;
  }
  if ((await digestOf(parts)) !== head.sha256) throw changed();
  return { notes: head.notes, parts };
}

async function beginning(handle: FileHandle, size: number): Promise<Beginning> {
  const bytes = Buffer.alloc(Math.min(maxHead, size));
  return begins(bytes.subarray(0, await readInto(bytes, handle, 0)));
}

async function readInto(bytes: Uint8Array, handle: FileHandle, at: number): Promise<number> {
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, at + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

async function digestOf(parts: readonly Uint8Array[]): Promise<string> {
  const sum = createHash('sha256');
  for (const part of parts)
    for (let at = 0; at < part.length; at += atOnce) {
      sum.update(part.subarray(at, at + atOnce));
      if (at + atOnce < part.length) await new Promise(setImmediate);
    }
  return sum.digest('hex');
}

/** Of one that was read ahead, and is small. @throws Error: cut off, changed, or of something else */
function parse(bytes: Buffer, key: string): Kept {
  const { head, end } = begins(bytes);
  const body = bytes.subarray(end);
  check(head, body.length, key);
  if (hash('sha256', body) !== head.sha256) throw changed();
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const length of head.lengths) {
    parts.push(new Uint8Array(body.subarray(at, at + length)));
    at += length;
  }
  return { notes: head.notes, parts };
}

type Beginning = { readonly head: Head /** Where the parts begin. */; readonly end: number };

function begins(bytes: Buffer): Beginning {
  const beginning = headAt(bytes);
  if (beginning === undefined) throw new Error('is no copy of ours');
  return beginning;
}

function headAt(bytes: Buffer): Beginning | undefined {
  const end = bytes.indexOf(0x0a);
  const head = end === -1 ? undefined : headOf(bytes.subarray(0, end).toString('utf8'));
  return head && { head, end: end + 1 };
}

function check({ source, lengths }: Head, length: number, key: string): void {
  if (source !== hash('sha256', key)) throw new Error('is the copy of another source');
  if (lengths.reduce((sum, one) => sum + one, 0) !== length) throw changed();
}

const changed = (): Error => new Error('is cut off or was changed');

function headOf(text: string): Head | undefined {
  try {
    const head = JSON.parse(text) as Partial<Head> | null;
    const isText = (value: unknown): boolean => typeof value === 'string';
    const isWhole =
      isText(head?.source) &&
      isText(head?.sha256) &&
      Array.isArray(head?.lengths) &&
      head.lengths.every((length) => Number.isSafeInteger(length) && length >= 0) &&
      typeof head.notes === 'object' &&
      head.notes !== null &&
      Object.values(head.notes).every(isText) &&
      (head.of === undefined || isText(head.of) || (Array.isArray(head.of) && head.of.every(isText)));
    return isWhole ? (head as Head) : undefined;
  } catch {
    return undefined;
  }
}
