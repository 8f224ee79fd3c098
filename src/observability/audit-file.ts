import { constants, type FileHandle, lstat, open, rename, stat } from 'node:fs/promises';
import { type AuditCounts, type AuditSink, type OnAuditTrouble, onceEach } from './audit-sink.ts';
import { maxQueuedBytes } from './log.ts';

type AuditFileSettings = {
  readonly path: string;
  /** Bytes from which on a new one is begun. */
  readonly maxBytes: number;
  /** How many full ones are kept: `path.1` is the newest. */
  readonly kept: number;
  /** Between two writes: to write costs four times what a line does, so that many are one write. */
  readonly pause: () => Promise<unknown>;
};

/** To open a pipe that nobody reads would wait for ever, in a thread that keeps the process from ending. */
const appending = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/**
 * A file that lines are added to, and that is begun anew when it is full, or when somebody else (logrotate) has moved it
 * away. All that comes while one write is going on, and a moment after, makes the next one.
 */
export class AuditFile implements AuditSink {
  readonly counts: AuditCounts = { written: 0, dropped: 0 };
  readonly #settings: AuditFileSettings;
  readonly #tell: OnAuditTrouble;
  #queue: string[] = [];
  #queued = 0;
  #file: { readonly handle: FileHandle; readonly ino: number } | undefined;
  #writing: Promise<void> | undefined;
  /** The last write failed in the middle of a line. */
  #hasHalfLine = false;

  constructor(settings: AuditFileSettings, tell: OnAuditTrouble) {
    this.#settings = settings;
    this.#tell = onceEach(tell);
    this.#writing = this.#begin();
  }

  write(line: string): void {
    if (this.#queued + line.length > maxQueuedBytes) {
      this.counts.dropped++;
      this.#tell('dropped', `${this.#settings.path} is not written fast enough`);
      return;
    }
    this.#queue.push(line);
    this.#queued += line.length;
    this.#writing ??= this.#work();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  /** What keeps it from being written is told now, and not with the first line, which may be a long time off. */
  async #begin(): Promise<void> {
    try {
      this.#file = await this.#open();
    } catch (error) {
      this.#tell('dropped', (error as Error).message);
    }
    await this.#work();
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const lines = this.#queue;
      this.#queue = [];
      this.#queued = 0;
      try {
        await this.#append(Buffer.from(`${this.#hasHalfLine ? '\n' : ''}${lines.join('')}`));
        this.counts.written += lines.length;
        this.#tell('dropped', undefined);
      } catch (error) {
        this.counts.dropped += lines.length;
        this.#tell('dropped', (error as Error).message);
        await this.#file?.handle.close().catch(() => {});
        this.#file = undefined;
      }
      await this.#settings.pause();
    }
    this.#writing = undefined;
  }

  async #append(bytes: Buffer): Promise<void> {
    const { path, maxBytes } = this.#settings;
    const there = await stat(path).catch(() => undefined);
    if (this.#file !== undefined && there?.ino !== this.#file.ino) {
      await this.#file.handle.close();
      this.#file = undefined;
    }
    const size = there?.size ?? 0;
    if (size > 0 && size + bytes.length > maxBytes && (await isFile(path))) await this.#rotate();
    this.#file ??= await this.#open();
    for (let at = 0; at < bytes.length; ) {
      at += (await this.#file.handle.write(bytes, at, bytes.length - at)).bytesWritten;
      this.#hasHalfLine = at < bytes.length;
    }
  }

  async #open() {
    // Whoever may read the log of this service: its owner and its group.
    const handle = await open(this.#settings.path, appending, 0o640);
    const { ino } = await handle.stat();
    return { handle, ino };
  }

  /** Where that can't be, what is full grows on: better than to lose what is recorded. */
  async #rotate(): Promise<void> {
    const { path, kept } = this.#settings;
    try {
      await makeRoom(path, kept);
    } catch (error) {
      this.#tell('unrotated', (error as Error).message);
      return;
    }
    this.#tell('unrotated', undefined);
    await this.#file?.handle.close();
    this.#file = undefined;
  }
}

/**
 * Each goes one number on, as far as the first that is free, or in the place of the oldest: where a number can't be had,
 * trying again and again must not push those behind it out.
 *
 * @throws Error: something is in the way
 */
async function makeRoom(path: string, kept: number): Promise<void> {
  const numbered = (i: number): string => (i === 0 ? path : `${path}.${i}`);
  let free = 1;
  for (; free <= kept; free++) {
    const there = await lstat(numbered(free)).catch(() => undefined);
    if (there?.isDirectory())
      throw new Error(`${numbered(free)} is a folder, where a full file would go; move it away`);
    if (there === undefined) break;
  }
  for (let i = Math.min(free, kept); i >= 1; i--) await renameIfThere(numbered(i - 1), numbered(i));
}

/** A link (`/dev/stdout` into a file, say) is somebody else's, and renaming it would leave what is full in use. */
const isFile = async (path: string): Promise<boolean> => (await lstat(path)).isFile();

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
