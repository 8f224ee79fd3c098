import type { KnownTexts } from './known-texts.ts';

/** What is no protobuf message. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Wire types (protobuf.dev, "Encoding"): of fields that we read, only these two occur. */
export const varintField = (number: number): number => number << 3;
export const bytesField = (number: number): number => (number << 3) | 2;

/** Deeper than any message that is meant; protobuf's own readers stop here, too. */
const maxDepth = 100;

/**
 * Walks over a protobuf message in its own bytes. A field that nobody asks for, or that comes in another wire type than
 * it has, is an unknown one and skipped, as protobuf has it.
 *
 * @throws WireError: cut off, a length that leads out of what it stands in, a tag that there is not
 */
export class WireReader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Field number and wire type in one number: compare with `bytesField(…)`. */
  tag(end: number): number {
    const tag = this.varint(end);
    if (tag >>> 3 === 0) throw new WireError('a field of number 0');
    return tag;
  }

  /** End of the field that begins here: a text, bytes or a message. */
  end(end: number): number {
    const length = this.varint(end);
    const last = this.at + length;
    if (last > end) throw new WireError('a length that leads out');
    return last;
  }

  /** 32 bits without sign, in five bytes at most, as protobuf's C++ has tags and lengths. */
  varint(end: number): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (this.at >= end) throw new WireError('cut off');
      const byte = this.bytes[this.at++]!;
      if (shift === 28 && byte > 0x0f) throw new WireError('a number of more than 32 bits');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  /** UTF-8. */
  text(end: number): string {
    const start = this.#open(end);
    return this.bytes.toString('utf8', start, this.at);
  }

  /** One that comes in many messages. */
  knownText(end: number, known: KnownTexts): string {
    const start = this.#open(end);
    return known.read(this.bytes, start, this.at);
  }

  /** The bytes as they are, one character each. */
  latin1(end: number): string {
    const start = this.#open(end);
    return this.bytes.toString('latin1', start, this.at);
  }

  /**
   * Passes over a text.
   *
   * @returns where it stands, for whoever reads it from there; 0: it is empty
   */
  pass(end: number): number {
    const begin = this.at;
    const start = this.#open(end);
    return start === this.at ? 0 : begin;
  }

  /** Passes over what the tag, which was read already, stands before. */
  skip(tag: number, end: number, depth = 0): void {
    switch (tag & 7) {
      case 0:
        this.#skipVarint(end);
        return;
      case 1:
        this.#advance(8, end);
        return;
      case 2:
        this.at = this.end(end);
        return;
      case 3:
        this.#skipGroup(tag >>> 3, end, depth);
        return;
      case 5:
        this.#advance(4, end);
        return;
      default:
        throw new WireError('a wire type that there is not, or the end of no group');
    }
  }

  #open(end: number): number {
    const last = this.end(end);
    const start = this.at;
    this.at = last;
    return start;
  }

  #advance(length: number, end: number): void {
    if (this.at + length > end) throw new WireError('cut off');
    this.at += length;
  }

  #skipVarint(end: number): void {
    for (let i = 0; i < 10; i++) {
      if (this.at >= end) throw new WireError('cut off');
      if (this.bytes[this.at++]! < 0x80) return;
    }
    throw new WireError('a number without end');
  }

  #skipGroup(number: number, end: number, depth: number): void {
    if (depth >= maxDepth) throw new WireError('nested too deep');
    while (true) {
      const tag = this.tag(end);
      if ((tag & 7) !== 4) this.skip(tag, end, depth + 1);
      else if (tag >>> 3 === number) return;
      else throw new WireError('the end of another group');
    }
  }
}
