import { closeSync, globSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Why a file can't be used: a message that follows "found …" and says what to do. Never quotes the content. */
export class FileProblem extends Error {
  override readonly name: string = 'FileProblem';
  /** 1-based; 1 where it is about the file as a whole. */
  readonly line: number;
  constructor(message: string, line = 1) {
    super(message);
    this.line = line;
  }
}

/** More than any bundle of CAs; a mistaken path to something endless must not stop the service. */
const maxBytes = 16 * 1024 * 1024;

/** Where files are read: the disk, or what was read of it before, or a test's memory. */
export type Files = {
  /** @throws FileProblem: not a regular file, too large, or the system's reason */
  readonly bytes: (path: string) => Buffer;
  /** The same, as text. @throws FileProblem */
  readonly text: (path: string) => string;
  /** The regular files that a path means, sorted. @throws FileProblem: nothing there, or more than can be meant */
  readonly list: (path: string) => readonly string[];
};

/** @throws FileProblem: not a regular file, too large, or the system's reason */
export const readText = (path: string): string => readBytes(path).toString('utf8');

/** @throws FileProblem: not a regular file, too large, or the system's reason */
export function readBytes(path: string): Buffer {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) throw new FileProblem('is a folder; write the path of a readable file');
    if (!stats.isFile()) throw new FileProblem('is no regular file; write the path of one');
    if (stats.size > maxBytes)
      throw new FileProblem(`has ${stats.size} bytes, more than ${maxBytes} are not read`);
    return readBounded(path);
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ENOENT: 'does not exist',
      EACCES: 'is not readable by this user',
    };
    throw new FileProblem(
      `${reasons[code ?? ''] ?? `can not be read (${code})`}; write the path of a readable file`,
    );
  }
}

/** By what is read, not by what its size was said to be: some files have none, and no end. */
function readBounded(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let length = 0; ; ) {
      const chunk = Buffer.allocUnsafe(65_536);
      const count = readSync(file, chunk);
      if (count === 0) return Buffer.concat(chunks);
      length += count;
      if (length > maxBytes) throw new FileProblem(`has more than ${maxBytes} bytes, which are not read`);
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}

/** Enough for 10,000 API projects of some files each. */
const maxFiles = 200_000;

/**
 * The regular files that a path means, sorted: a file itself, all below a folder, or those that a glob fits.
 * @throws FileProblem: nothing there, or more than can be meant
 */
export function filesAt(path: string): readonly string[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile()) return [path];
  const pattern = stats?.isDirectory() ? join(escapeGlob(path), '**') : path;
  const found = globSync(pattern, { withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (found.length === 0)
    throw new FileProblem('names no file; write the path of a file or folder, or a glob');
  if (found.length > maxFiles)
    throw new FileProblem(`names ${found.length} files, more than ${maxFiles} are not read`);
  return found.sort();
}

const escapeGlob = (path: string): string => path.replace(/[*?[\]{}()!+@\\]/g, '[$&]');

export const disk: Files = { bytes: readBytes, text: readText, list: filesAt };
