import { decodeText, FileProblem, type Files } from '../documents/files.ts';
import type { Stamps } from '../documents/stamps.ts';

/** What was read and listed, or why it could not be: plain data, which can go to another thread and be read from there. */
export type Remembered = {
  readonly contents: ReadonlyMap<string, Uint8Array | Refusal>;
  readonly lists: ReadonlyMap<string, readonly string[] | Refusal>;
};
type Refusal = { readonly problem: string; readonly mayPass: boolean };

/**
 * Bytes of all files that one path means: ten thousand projects have half of it. They stand beside the heap, whose limit
 * does not count them, and would be the whole service's end.
 */
export const mostTogether = 1024 * 1024 * 1024;

/**
 * Reads through `files`, each path once, and remembers it; and what stood there just before it was read. `mayPass`: some
 * of it could not be read for want of something that may be there in a moment.
 *
 * @param most bytes of all together; what is beyond is told as a file that can't be read
 */
export function remembering(
  files: Files,
  most = Number.POSITIVE_INFINITY,
): Files & { readonly remembered: Remembered; readonly stamps: Stamps; readonly mayPass: boolean } {
  const contents = new Map<string, Uint8Array | Refusal>();
  const lists = new Map<string, readonly string[] | Refusal>();
  const stamps = new Map<string, string>();
  const { changing } = files;
  const stamped = <T>(paths: readonly string[], read: () => T): T => {
    for (const path of paths) if (changing && !stamps.has(path)) stamps.set(path, changing.stamp(path));
    return read();
  };
  let length = 0;
  const counted = (bytes: Buffer): Buffer => {
    if (length + bytes.length > most)
      throw new FileProblem(
        `is not read: with those before it, the files of this path have more than ${most} bytes; write a path that has less, or take out what does not belong there`,
      );
    length += bytes.length;
    return bytes;
  };
  const reading = reader(
    { contents, lists },
    (path) => once(contents, path, () => stamped([path], () => counted(files.bytes(path)))),
    (path) => once(lists, path, () => stamped(changing?.foldersOf(path) ?? [], () => files.list(path))),
  );
  return {
    ...reading,
    stamps,
    get mayPass() {
      return [...contents.values(), ...lists.values()].some((found) => 'mayPass' in found && found.mayPass);
    },
    ...(changing && {
      changing: { ...changing, stamp: (path: string) => stamps.get(path) ?? changing.stamp(path) },
    }),
  };
}

/** Nothing but what was remembered. */
export function fromMemory(remembered: Remembered): Files & { readonly remembered: Remembered } {
  const missing = (path: string): Refusal => ({ problem: `was not read before: ${path}`, mayPass: false });
  return reader(
    remembered,
    (path) => remembered.contents.get(path) ?? missing(path),
    (path) => remembered.lists.get(path) ?? missing(path),
  );
}

function reader(
  remembered: Remembered,
  content: (path: string) => Uint8Array | Refusal,
  list: (path: string) => readonly string[] | Refusal,
): Files & { readonly remembered: Remembered } {
  /** The same each time: what is read of it is remembered by it. */
  const buffers = new WeakMap<Uint8Array, Buffer>();
  const bytes = (path: string): Buffer => {
    const found = orThrow(content(path));
    if (Buffer.isBuffer(found)) return found;
    // From another process they come as plain bytes.
    const buffer = buffers.get(found) ?? Buffer.from(found.buffer, found.byteOffset, found.byteLength);
    buffers.set(found, buffer);
    return buffer;
  };
  return {
    remembered,
    bytes,
    text: (path) => decodeText(bytes(path)),
    list: (path) => orThrow(list(path)),
  };
}

function once<T>(known: Map<string, T | Refusal>, path: string, read: () => T): T | Refusal {
  const before = known.get(path);
  if (before !== undefined) return before;
  const now = attempt(read);
  known.set(path, now);
  return now;
}

function attempt<T>(read: () => T): T | Refusal {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return { problem: error.message, mayPass: error.mayPass };
  }
}

function orThrow<T extends object>(found: T | Refusal): T {
  if ('problem' in found) throw new FileProblem(found.problem, 1, found.mayPass);
  return found;
}
