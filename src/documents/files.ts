import { isUtf8 } from 'node:buffer';
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, isAbsolute, join, matchesGlob, relative, resolve, sep } from 'node:path';
import type { Findings } from './cursor.ts';
import { stampOf } from './stamps.ts';

/** Why a file can't be used: a message that follows "found …" and says what to do. Never quotes the content. */
export class FileProblem extends Error {
  override readonly name: string = 'FileProblem';
  /** 1-based; 1 where it is about the file as a whole. */
  readonly line: number;
  /** Nothing is wrong with the file, as far as is known: another moment may read it. */
  readonly mayPass: boolean;
  constructor(message: string, line = 1, mayPass = false) {
    super(message);
    this.line = line;
    this.mayPass = mayPass;
  }
}

/** What `read` makes of a file, or undefined: why it can't be used is told. */
export function attempt<T>(
  file: string,
  { problems }: Pick<Findings, 'problems'>,
  read: () => T,
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    problems.push({ file, line: error.line, key: '', message: error.message });
    return undefined;
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
  /** Of files that may be others later: what tells. */
  readonly changing?: {
    readonly stamp: (path: string) => string;
    /** Where another file would change what `list` says. */
    readonly foldersOf: (path: string) => readonly string[];
  };
};

/** @throws FileProblem: not a regular file, too large, not UTF-8, or the system's reason */
export const readText = (path: string): string => decodeText(readBytes(path));

/**
 * A text, as YAML, TOML and JSON ask for it and XML has it unless it says otherwise: what is anything else would become
 * another text, and a name another name.
 *
 * @throws FileProblem: not UTF-8, with the line
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  // Without a mark, of two bytes for a first ASCII character one is 0.
  if (isUtf16 || (bytes.length > 1 && (first === 0) !== (second === 0)))
    throw new FileProblem('is UTF-16; save it as UTF-8');
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let line = 1;
  for (let from = 0; ; line++) {
    const end = bytes.indexOf(0x0a, from);
    if (end === -1 || !isUtf8(bytes.subarray(from, end))) break;
    from = end + 1;
  }
  throw new FileProblem('is not UTF-8 (Latin-1 or Windows-1252, it seems); save it as UTF-8', line);
}

/** The disk, without links that lead out of `roots`: who may write there may not read all that we can. */
export const diskWithin = (...roots: readonly string[]): Files => {
  // Once: one that is replaced meanwhile is another folder, and what is in it leads out of this one.
  const folders = roots.map(folderOf).map((folder) => ({ folder, real: realOf(folder) }));
  const bytes = (path: string): Buffer => {
    checkLinks(path, realOf(path), folders);
    // A moment later the path may lead elsewhere.
    return readBytes(path, maxBytes, (opened) => checkLinks(path, placeOf(opened) ?? realOf(path), folders));
  };
  return { ...disk, bytes, text: (path) => decodeText(bytes(path)) };
};

type Root = { readonly folder: string; readonly real: string | undefined };

function checkLinks(path: string, real: string | undefined, roots: readonly Root[]): void {
  for (const { folder, real: realFolder = realOf(folder) } of roots) {
    if (!isBelow(resolve(path), folder)) continue;
    if (real !== undefined && realFolder !== undefined && !isBelow(real, realFolder))
      throw new FileProblem(`is a link that leads out of ${folder}; put the file itself there`);
  }
}

/** Of a file descriptor; undefined: this system has no /proc. */
function placeOf(opened: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${opened}`);
  } catch {
    return undefined;
  }
}

/** Of a glob what stands before its first pattern. */
function folderOf(path: string): string {
  const whole = resolve(path);
  if (realOf(whole) !== undefined) return whole;
  const parts = whole.split(sep);
  const pattern = parts.findIndex((part) => /[*?[\]{}()!+@]/.test(part));
  return pattern === -1 ? whole : parts.slice(0, pattern).join(sep) || sep;
}

const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);

/** undefined: it is not there, which whoever reads it says. */
function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * @param most bytes; lists of revoked certificates are larger than other files
 * @param check of what was opened, a file descriptor: throws where it is not to be read
 * @throws FileProblem: not a regular file, too large, or the system's reason
 */
export function readBytes(path: string, most = maxBytes, check = (_: number): void => {}): Buffer {
  let file: number | undefined;
  try {
    if (isUnlisted(path)) throw new FileProblem(unlisted, 1, !isClosed(path));
    // To open a device may do something.
    checkKind(statSync(path));
    // By now a pipe may stand there, and to open it otherwise would wait for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    check(file);
    const stats = fstatSync(file);
    checkKind(stats);
    if (stats.size > most) throw new FileProblem(`has ${stats.size} bytes, more than ${most} are not read`);
    return readBounded(file, stats.size, most);
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ENOENT: 'does not exist',
      EACCES: 'is not readable by this user',
    };
    if (passing.has(code ?? '')) throw new FileProblem(`can not be read at the moment (${code})`, 1, true);
    throw new FileProblem(
      `${reasons[code ?? ''] ?? `can not be read (${code})`}; write the path of a readable file`,
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** What the system, or the disk, has too little of for the moment. */
const passing = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EIO', 'ESTALE', 'ETIMEDOUT']);

/** A folder that could not be listed, and can't now, for a reason that stays. */
function isClosed(folder: string): boolean {
  try {
    readdirSync(folder);
    return false;
  } catch (error) {
    return !passing.has((error as NodeJS.ErrnoException).code ?? '');
  }
}

function checkKind(stats: Stats): void {
  if (stats.isDirectory()) throw new FileProblem('is a folder; write the path of a readable file');
  if (!stats.isFile()) throw new FileProblem('is no regular file; write the path of one');
}

/** By what is read, not by what its size was said to be: some files have none, and no end. */
function readBounded(file: number, size: number, most: number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.allocUnsafe(Math.min(size + 1, 65_536));
    const count = readSync(file, chunk);
    if (count === 0) return Buffer.concat(chunks);
    length += count;
    if (length > most) throw new FileProblem(`has more than ${most} bytes, which are not read`);
    chunks.push(chunk.subarray(0, count));
  }
}

/** Enough for 10,000 API projects of some files each. */
const maxFiles = 200_000;

/**
 * The regular files that a path means, sorted: a file itself, all below a folder, or those that a glob fits. What is
 * there and can't be looked into is not what was deleted: a link that leads nowhere stands among them, and a folder that
 * can't be listed, with a slash at its end. Whoever reads them is told why.
 *
 * @throws FileProblem: nothing there, or more than can be meant
 */
export function filesAt(path: string): readonly string[] {
  if (kindOf(path) === 'file') return [path];
  const found = [...below(meantBy(path))];
  if (found.length === 0)
    throw new FileProblem('names no file; write the path of a file or folder, or a glob');
  const isRelative = !isAbsolute(path) && kindOf(path) !== 'folder';
  return found.map((file) => (isRelative ? relative('', file) + (isUnlisted(file) ? sep : '') : file)).sort();
}

/** What is said of it. */
export const unlisted =
  'is a folder that this user may not list; make it readable for the user that the enforcer runs as';
export const isUnlisted = (file: string): boolean => file.endsWith(sep);

/** The folders that are looked into for it. */
function foldersAt(path: string): readonly string[] {
  const { root, ...meant } = meantBy(path);
  if (kindOf(root) !== 'folder') return [root];
  const folders: string[] = [];
  try {
    // Files are of no interest here.
    Array.from(below({ root, ...meant }, folders));
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
  }
  return folders;
}

type Meant = {
  readonly root: string;
  /** Whether what is meant may lie in this folder. */
  readonly leadsOn: (folder: string) => boolean;
  readonly isMeant: (file: string) => boolean;
};

function meantBy(path: string): Meant {
  const isShown = (name: string): boolean => !basename(name).startsWith('.');
  if (kindOf(path) === 'folder') return { root: path, leadsOn: isShown, isMeant: isShown };
  const glob = resolve(path);
  const parts = glob.split(sep);
  // From here on a part may stand for several.
  const deep = parts.findIndex((part) => /\*\*|[{(]/.test(part));
  const leadsOn = (folder: string): boolean => {
    const depth = folder.split(sep).length;
    return deep !== -1 && depth > deep
      ? isShown(folder)
      : depth < parts.length && matchesGlob(folder, parts.slice(0, depth).join(sep));
  };
  return { root: folderOf(path), leadsOn, isMeant: (file) => matchesGlob(file, glob) };
}

/**
 * Links to folders are followed, for Kubernetes mounts them so; but none that leads out, or to where another way leads.
 *
 * @param folders those that were looked into are put here
 */
function* below({ root, leadsOn, isMeant }: Meant, folders: string[] = []): Generator<string> {
  const seen = new Set<string>();
  const [next, links] = [[root], [] as string[]];
  let count = 0;
  for (;;) {
    const folder = next.pop() ?? links.shift();
    if (folder === undefined) return;
    const real = realOf(folder) ?? folder;
    if (seen.has(real)) continue;
    seen.add(real);
    folders.push(folder);
    let entries: Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (folder !== root) yield `${folder}${sep}`;
      else if (!['ENOENT', 'ENOTDIR'].includes(code)) throw new FileProblem(unlisted, 1, passing.has(code));
      continue;
    }
    for (const entry of entries) {
      const name = join(folder, entry.name);
      const kind = entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : kindOf(name);
      if (kind === 'folder') {
        if (!leadsOn(name)) continue;
        const to = entry.isSymbolicLink() ? realOf(name) : name;
        if (to === name) next.push(name);
        else if (to === undefined) yield `${name}${sep}`;
        else if (isBelow(to, realOf(root) ?? root)) links.push(name);
      } else if (kind !== 'other' && isMeant(name)) {
        if (++count > maxFiles)
          throw new FileProblem(`names more than ${maxFiles} files, which are not read`);
        yield name;
      }
    }
  }
}

/** undefined: nothing is there, or it can't be told what. */
function kindOf(path: string): 'file' | 'folder' | 'other' | undefined {
  try {
    const stats = statSync(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch {
    return undefined;
  }
}

export const disk: Files = {
  bytes: (path) => readBytes(path),
  text: readText,
  list: filesAt,
  changing: { stamp: stampOf, foldersOf: foldersAt },
};
