import { type Status, status } from './status.ts';

/** Length-Prefixed-Message: a byte that says whether it is compressed, the length in four, the message. */
export const prefixLength = 5;

/** A message as it goes over the wire: uncompressed. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixLength + message.length);
  writePrefix(framed, message.length);
  framed.set(message, prefixLength);
  return framed;
}

/** For whoever writes the message itself behind the prefix, so that nothing is copied. */
export function writePrefix(framed: Buffer, length: number): void {
  framed[0] = 0;
  framed.writeUInt32BE(length, 1);
}

/**
 * The one message of a call, out of any number of DATA frames. What comes in one piece, as nearly everything does, is
 * not copied; what comes in many is put together in a buffer that grows with what was sent, not with what was announced.
 */
export class MessageReader {
  readonly #limit: number;
  readonly #encoding: string | undefined;
  #pending: Buffer | undefined;
  #held = 0;

  /**
   * @param limit bytes that a message may have
   * @param encoding the call's `grpc-encoding`
   */
  constructor(limit: number, encoding: string | undefined) {
    this.#limit = limit;
    this.#encoding = encoding;
  }

  /** The message once it is whole, a status where it can't be taken, undefined while more is to come. */
  add(chunk: Buffer): Buffer | Status | undefined {
    if (this.#pending === undefined && chunk.length >= prefixLength) {
      const wrong = this.#refusal(chunk);
      if (wrong !== undefined) return wrong;
      const end = prefixLength + chunk.readUInt32BE(1);
      if (chunk.length === end) return chunk.subarray(prefixLength);
    }
    return this.#append(chunk);
  }

  /** Whether anything of a message came. */
  get hasBegun(): boolean {
    return this.#held > 0;
  }

  #append(chunk: Buffer): Buffer | Status | undefined {
    const had = this.#pending ?? Buffer.allocUnsafe(Math.max(64, chunk.length));
    const length = this.#held + chunk.length;
    if (length > prefixLength + this.#limit && this.#held >= prefixLength)
      return status('internal', 'more than one message');
    let pending = had;
    if (length > had.length) {
      pending = Buffer.allocUnsafe(Math.max(length, 2 * had.length));
      had.copy(pending, 0, 0, this.#held);
    }
    chunk.copy(pending, this.#held);
    this.#pending = pending;
    this.#held = length;
    if (length < prefixLength) return undefined;
    const wrong = this.#refusal(pending);
    if (wrong !== undefined) return wrong;
    const end = prefixLength + pending.readUInt32BE(1);
    if (length > end) return status('internal', 'more than one message');
    return length === end ? pending.subarray(prefixLength, end) : undefined;
  }

  /** As early as the prefix tells, so that nothing is kept of what can't be taken. */
  #refusal(framed: Buffer): Status | undefined {
    const length = framed.readUInt32BE(1);
    if (framed[0] === 1 && this.#encoding !== undefined && this.#encoding !== 'identity')
      return status('unimplemented', `messages compressed by ${this.#encoding} are not taken`);
    if (framed[0] !== 0) return status('internal', 'a message that says it is compressed, by nothing');
    if (length > this.#limit)
      return status('resourceExhausted', `a message of ${length} bytes; ${this.#limit} are taken`);
    return undefined;
  }
}
