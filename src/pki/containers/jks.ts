import { createHash, timingSafeEqual } from 'node:crypto';
import { type KeyStoreEntry, KeyStoreError } from './key-store-entry.ts';

/** Enough for any trust store. */
const maxEntries = 10_000;
const digestLength = 20;

/**
 * Sun's JKS, version 1 and 2: entries one after the other, numbers big-endian, and at the end a SHA-1 of the password,
 * a fixed text and everything before.
 *
 * @throws KeyStoreError
 */
export function readJks(bytes: Uint8Array, password: string): readonly KeyStoreEntry[] {
  const body = Buffer.from(bytes.subarray(0, Math.max(0, bytes.length - digestLength)));
  const digest = createHash('sha1')
    // UTF-16, big-endian.
    .update(Buffer.from(password, 'utf16le').swap16())
    .update('Mighty Aphrodite')
    .update(body)
    .digest();
  const written = Buffer.from(bytes.subarray(body.length));
  if (written.length !== digestLength || !timingSafeEqual(digest, written))
    throw new KeyStoreError('wrong_password', 'can not be opened with this password, or was changed since');
  const reader = new Reader(body);
  reader.skip(4);
  const version = reader.number();
  if (version !== 1 && version !== 2)
    throw new KeyStoreError('not_a_key_store', `is a JKS of version ${version}; 1 and 2 are known`);
  const count = reader.number();
  if (count > maxEntries)
    throw new KeyStoreError('too_costly', `has ${count} entries; more than ${maxEntries} are not read`);
  return Array.from({ length: count }, () => readEntry(reader, version)).filter(
    (entry) => entry !== undefined,
  );
}

function readEntry(reader: Reader, version: number): KeyStoreEntry | undefined {
  const tag = reader.number();
  const alias = reader.bytes(reader.short()).toString('utf8');
  reader.skip(8); // the date
  if (tag === 2) return { alias, kind: 'trusted', der: readCertificate(reader, version) };
  if (tag !== 1) throw broken();
  reader.skip(reader.number()); // the encrypted private key
  const length = reader.number();
  if (length > 100) throw broken();
  const chain = Array.from({ length }, () => readCertificate(reader, version));
  return chain[0] && { alias, kind: 'private-key', der: chain[0] };
}

function readCertificate(reader: Reader, version: number): Uint8Array {
  if (version === 2) reader.skip(reader.short()); // its type, X.509
  return reader.bytes(reader.number());
}

const broken = (): KeyStoreError =>
  new KeyStoreError('not_a_key_store', 'is a JKS key store that breaks off, or is no JKS');

/** Nothing is read beyond the end. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bytes(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw broken();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(length: number): void {
    this.bytes(length);
  }

  number(): number {
    return this.bytes(4).readUInt32BE();
  }

  short(): number {
    return this.bytes(2).readUInt16BE();
  }
}
