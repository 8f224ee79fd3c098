import { crc32, inflateRawSync } from 'node:zlib';
import { FileProblem } from './files.ts';

/** One file of an archive. */
type ZipEntry = {
  readonly name: string;
  /** What it unpacks to, and no more. */
  readonly size: number;
  /** @throws FileProblem: it does not come to what the archive says of it */
  readonly read: () => Uint8Array;
};

const [endMark, entryMark, localMark] = [0x06054b50, 0x02014b50, 0x04034b50];

/**
 * By the directory at its end (APPNOTE.TXT 4.3.12). Sizes in there are written by whoever made the archive: nothing is
 * unpacked beyond them, and what is packed is counted once, so that thousands of entries can't share one's bytes.
 *
 * @throws FileProblem: no archive, or one of a kind that is not read
 */
export function readZip(bytes: Buffer): readonly ZipEntry[] {
  return bounded(() => {
    const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    if (end === -1 || bytes.readUInt32LE(end) !== endMark) throw broken('its end is missing');
    const entries: ZipEntry[] = [];
    let at = bytes.readUInt32LE(end + 16);
    let together = 0;
    for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
      if (bytes.readUInt32LE(at) !== entryMark) throw broken('its directory breaks off');
      const [flags, method] = [bytes.readUInt16LE(at + 8), bytes.readUInt16LE(at + 10)];
      const [crc, packed, size] = [16, 20, 24].map((offset) => bytes.readUInt32LE(at + offset)) as [
        number,
        number,
        number,
      ];
      const [nameLength, ...others] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
      const nameEnd = at + 46 + nameLength!;
      const name = bytes.toString(flags & 0x800 ? 'utf8' : 'latin1', at + 46, nameEnd);
      together += packed;
      if (together > bytes.length) throw broken('its entries overlap');
      const from = bytes.readUInt32LE(at + 42);
      const read = () => unpack({ bytes, from, packed, size, crc, method, isEncrypted: (flags & 1) === 1 });
      entries.push({ name, size, read });
      at = nameEnd + others[0]! + others[1]!;
    }
    return entries;
  });
}

type Packed = {
  readonly bytes: Buffer;
  readonly from: number;
  readonly packed: number;
  readonly size: number;
  readonly crc: number;
  readonly method: number;
  readonly isEncrypted: boolean;
};

const unpack = ({ bytes, from, packed, size, crc, method, isEncrypted }: Packed): Uint8Array =>
  bounded(() => {
    if (isEncrypted) throw broken('it is encrypted');
    if (method !== 0 && method !== 8) throw broken(`it is packed by method ${method}`);
    if (bytes.readUInt32LE(from) !== localMark) throw broken('an entry is not where it should be');
    const start = from + 30 + bytes.readUInt16LE(from + 26) + bytes.readUInt16LE(from + 28);
    const data = bytes.subarray(start, start + packed);
    const found = method === 0 ? data : inflate(data, size);
    if (found.length !== size || crc32(found) !== crc)
      throw broken('an entry is not what its directory says');
    return found;
  });

function inflate(data: Buffer, size: number): Buffer {
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(size, 1) });
  } catch {
    throw broken('an entry is not what its directory says');
  }
}

/** What points beyond the end of the file. */
function bounded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw broken('it breaks off');
    throw error;
  }
}

const broken = (why: string): FileProblem =>
  new FileProblem(`is no archive that can be unpacked (${why}); export it anew`);
