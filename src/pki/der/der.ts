/** Bytes that are not the DER they should be. Readers give it a code of their own; it never leaves this room. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** Identifier octets of the types that certificates and CRLs are made of (X.690 8.1.2). */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** [n] IMPLICIT of a primitive type. */
export const contextPrimitive = (n: number): number => 0x80 | n;
/** [n] EXPLICIT, or [n] IMPLICIT of a constructed type. */
export const contextConstructed = (n: number): number => 0xa0 | n;

/** One tag, length and content; offsets into `bytes`. */
export type Element = {
  /** All that was given to read; a Buffer, for what reads texts out of the middle of it. */
  readonly bytes: Buffer;
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
};

export const contentOf = ({ bytes, content, end }: Element): Uint8Array => view(bytes, content, end);
export const encodingOf = ({ bytes, start, end }: Element): Uint8Array => view(bytes, start, end);

/** Without a look at what class `bytes` may be of, as `subarray` has it. */
const view = ({ buffer, byteOffset }: Buffer, start: number, end: number): Uint8Array =>
  new Uint8Array(buffer, byteOffset + start, end - start);

/** The same bytes, seen as a Buffer. */
export const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether both are the same, tag and length included. */
export function isSame(a: Element, b: Element): boolean {
  const length = a.end - a.start;
  if (b.end - b.start !== length) return false;
  for (let at = 0; at < length; at++) if (a.bytes[a.start + at] !== b.bytes[b.start + at]) return false;
  return true;
}

/**
 * The element at `at`, which must end by `end`. Single-octet tags, definite lengths in their shortest form
 * (X.690 10.1): two encodings of one value would be two certificates that look the same.
 */
function readElement(bytes: Buffer, at: number, end: number): Element {
  if (at + 2 > end) throw new DerError('an element is cut off');
  const tag = bytes[at]!;
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of several octets');
  const first = bytes[at + 1]!;
  let content = at + 2;
  let length = first;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    // 0: indefinite, which is BER only. Four octets are 16 MiB and more: long CRLs have it. Five are beyond every limit.
    if (octets === 0 || octets > 4) throw new DerError('a length that DER or our limits do not allow');
    if (content + octets > end) throw new DerError('an element is cut off');
    length = 0;
    const highest = bytes[content];
    for (let i = 0; i < octets; i++) length = length * 256 + bytes[content++]!;
    if (length < 0x80 || highest === 0) throw new DerError('a length is not the shortest');
  }
  if (length > end - content) throw new DerError('an element is longer than what it stands in');
  return { bytes, tag, start: at, content, end: content + length };
}

/** The element that begins at `at`. @throws DerError */
export const elementAt = (bytes: Uint8Array, at: number, end = bytes.length): Element =>
  readElement(bufferOf(bytes), at, end);

/** The one element that these bytes are, nothing before or after it. */
export const readWhole = (bytes: Uint8Array, tag: number, what: string): Element =>
  wholeOf(bufferOf(bytes), 0, bytes.length, tag, what);

/** The one element that is the content of a string. */
export const readInner = ({ bytes, content, end }: Element, tag: number, what: string): Element =>
  wholeOf(bytes, content, end, tag, what);

function wholeOf(bytes: Buffer, start: number, end: number, tag: number, what: string): Element {
  const element = readElement(bytes, start, end);
  if (element.tag !== tag) throw new DerError(`${what}: tag ${element.tag}, not ${tag}`);
  if (element.end !== end) throw new DerError(`${what}: bytes after its end`);
  return element;
}

/** Reads the fields of a constructed element one after another; `finish` holds that none is left. */
export class Fields {
  readonly #parent: Element;
  #at: number;

  constructor(parent: Element) {
    if ((parent.tag & 0x20) === 0) throw new DerError('a primitive element where fields belong');
    this.#parent = parent;
    this.#at = parent.content;
  }

  get done(): boolean {
    return this.#at === this.#parent.end;
  }

  any(what: string): Element {
    if (this.done) throw new DerError(`${what} is missing`);
    const element = readElement(this.#parent.bytes, this.#at, this.#parent.end);
    this.#at = element.end;
    return element;
  }

  next(tag: number, what: string): Element {
    const element = this.any(what);
    if (element.tag !== tag) throw new DerError(`${what}: tag ${element.tag}, not ${tag}`);
    return element;
  }

  optional(tag: number): Element | undefined {
    return !this.done && this.#parent.bytes[this.#at] === tag ? this.any('') : undefined;
  }

  finish(what: string): void {
    if (!this.done) throw new DerError(`${what}: more fields than it has`);
  }
}

/** What an EXPLICIT tag holds. */
export function explicit(wrapper: Element, tag: number, what = 'explicit field'): Element {
  const fields = new Fields(wrapper);
  const inner = fields.next(tag, what);
  fields.finish(what);
  return inner;
}

/** The elements of a SEQUENCE OF or SET OF. */
export function elementsOf(parent: Element): Element[] {
  const fields = new Fields(parent);
  const elements: Element[] = [];
  while (!fields.done) elements.push(fields.any(''));
  return elements;
}

/** The same, SIZE (1..MAX). */
export function someElementsOf(parent: Element, what: string): Element[] {
  const elements = elementsOf(parent);
  if (elements.length === 0) throw new DerError(`${what}: empty`);
  return elements;
}
