import { Doorkeeper } from '../doorkeeper.ts';

const slots = 4096;
/** Bytes that are kept, until all are forgotten and kept anew as they come. */
const maxHeld = 4_000_000;
const maxLength = 16_384;
/** Bytes that tell texts apart, spread over them: of a certificate, half are key and signature. */
const samples = 32;

type Slot = { readonly bytes: Uint8Array; readonly text: string };

/**
 * Texts as they stand in messages, found by their bytes: names of headers, hosts, what the route says, certificates are
 * the same in nearly every one. They need not be made again, and being the same string, maps know their hash. A text that
 * comes for the second time is kept, and takes the place of another on its slot, which costs that a decoding and nothing
 * else.
 */
export class KnownTexts {
  readonly #coding: 'utf8' | 'latin1';
  #slots = new Array<Slot | undefined>(slots);
  readonly #doorkeeper = new Doorkeeper(slots);
  #held = 0;

  constructor(coding: 'utf8' | 'latin1') {
    this.#coding = coding;
  }

  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > maxLength) return bytes.toString(this.#coding, start, end);
    const step = length <= samples ? 1 : (length / samples) | 0;
    let hash = length;
    for (let at = start; at < end; at += step) hash = Math.imul(hash ^ bytes[at]!, 0x9e3779b1);
    const at = (hash ^ (hash >>> 15)) & (slots - 1);
    const known = this.#slots[at];
    if (known !== undefined && isAt(bytes, start, end, known.bytes)) return known.text;
    const text = bytes.toString(this.#coding, start, end);
    if (!this.#doorkeeper.admits(hash)) return text;
    const slot = {
      // With memory of their own: a few bytes of Node's pool keep all 64 KiB of it.
      bytes: new Uint8Array(bytes.subarray(start, end)),
      text,
    };
    this.#keep(at, slot);
    return text;
  }

  #keep(at: number, slot: Slot): void {
    this.#held += slot.bytes.length - (this.#slots[at]?.bytes.length ?? 0);
    if (this.#held > maxHeld) {
      this.#slots = new Array(slots);
      this.#held = slot.bytes.length;
    }
    this.#slots[at] = slot;
  }
}

function isAt(bytes: Buffer, start: number, end: number, wanted: Uint8Array): boolean {
  const { length } = wanted;
  if (length !== end - start) return false;
  if (length > samples) return bytes.compare(wanted, 0, length, start, end) === 0;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
