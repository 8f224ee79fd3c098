import { prefixLength, writePrefix } from '../grpc/message.ts';
import { bytesField, varintField } from './wire.ts';

/** Longer texts are written by Node, which takes a while to begin. */
const short = 128;
const small = 8192;

/**
 * Writes one protobuf message after another, each from its end to its beginning: what is nested stands behind its length,
 * and that is known once it is written. So every byte is written once, where it stays. Who writes names what comes last
 * first.
 */
export class WireWriter {
  #bytes = Buffer.allocUnsafeSlow(small);
  /** What is written begins here. */
  #at = 0;

  /** Another message. What was left of one that was not finished is forgotten. */
  begin(): void {
    if (this.#bytes.length > 8 * small) this.#bytes = Buffer.allocUnsafeSlow(small);
    this.#at = this.#bytes.length;
  }

  /** Bytes so far: `nest` is told where its content ends. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** A field of a text, in UTF-8. */
  text(field: number, value: string): void {
    const end = this.length;
    if (value.length > short || !this.#ascii(value)) {
      const length = Buffer.byteLength(value);
      this.#room(length);
      this.#at -= length;
      this.#bytes.write(value, this.#at, length, 'utf8');
    }
    this.nest(field, end);
  }

  /** A field of a number that is none of a fraction or below 0. */
  number(field: number, value: number): void {
    this.#varint(value);
    this.#varint(varintField(field));
  }

  /** What was written since `end` is this field. */
  nest(field: number, end: number): void {
    this.#varint(this.length - end);
    this.#varint(bytesField(field));
  }

  /** Fields that were written before (`taken`). */
  raw(fields: Uint8Array): void {
    this.#room(fields.length);
    this.#at -= fields.length;
    this.#bytes.set(fields, this.#at);
  }

  /** All of it, for `raw`. */
  taken(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.#at));
  }

  /** All of it as a message of gRPC, its prefix before it. */
  framed(): Buffer {
    const { length } = this;
    const framed = Buffer.allocUnsafe(prefixLength + length);
    writePrefix(framed, length);
    this.#bytes.copy(framed, prefixLength, this.#at);
    return framed;
  }

  /** @returns false: it has other characters, and nothing was written */
  #ascii(value: string): boolean {
    this.#room(value.length);
    const bytes = this.#bytes;
    const at = this.#at - value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + i] = code;
    }
    this.#at = at;
    return true;
  }

  #varint(value: number): void {
    this.#room(5);
    let at = this.#at - 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) at--;
    this.#at = at;
    for (let rest = value; ; rest >>>= 7) {
      if (rest < 128) {
        this.#bytes[at] = rest;
        return;
      }
      this.#bytes[at++] = (rest & 127) | 128;
    }
  }

  /** Makes room for so many bytes before what is there. */
  #room(length: number): void {
    if (length <= this.#at) return;
    const old = this.#bytes;
    const written = old.length - this.#at;
    this.#bytes = Buffer.allocUnsafeSlow(2 * (written + length));
    this.#at = this.#bytes.length - written;
    old.copy(this.#bytes, this.#at, old.length - written);
  }
}
