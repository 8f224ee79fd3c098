import {
  type Attributes,
  asciiLowerCase,
  type Extensions,
  type Header,
  type HeadersInPlace,
} from '../attributes.ts';
import { knownCertificateHeaders } from '../client-certificate/formats/table.ts';
import { KnownTexts } from './known-texts.ts';
import { bytesField, WireError, WireReader } from './wire.ts';

/** What is found, as it is found: of a field that comes twice the last one counts, and messages are merged. */
type Draft = {
  address: string;
  certificate: string;
  method: string;
  path: string;
  host: string;
  scheme: string;
  protocol: string;
  contextExtensions: Entries;
};

/** What nearly every message repeats; apart, so that a flood of certificates leaves the names alone. */
const shortTexts = new KnownTexts('utf8');
const certificates = new KnownTexts('utf8');
const certificateHeaders = new KnownTexts('latin1');
/** Of no other headers are values kept: they may be secrets. */
const certificateNames = new Set(knownCertificateHeaders);

/**
 * Header lines where they stand in the message: of most of them no text is ever made. Who keeps the attributes keeps all
 * that came with the message in one piece, 64 KiB at most unless it is longer itself.
 */
class HeaderLines implements HeadersInPlace {
  readonly #message: Buffer;
  /** As `LinePlaces` has them. */
  readonly #places: readonly number[];
  /** As protobuf's maps are: of two lines of one key the last counts, in the place of the first. */
  readonly #isMap: boolean;

  constructor(message: Buffer, places: readonly number[], isMap: boolean) {
    this.#message = message;
    this.#places = places;
    this.#isMap = isMap;
  }

  has(wanted: string): boolean {
    return this.#find(wanted, 0) !== -1;
  }

  valuesOf(wanted: string): readonly string[] {
    const first = this.#find(wanted, 0);
    if (first === -1) return noValues;
    if (this.#find(wanted, first + lineSize) === -1) return [this.#valueOf(first, wanted)];
    const values: string[] = [];
    for (const line of this.#counting())
      if (this.#isOf(line, wanted)) values.push(this.#valueOf(line, wanted));
    return values;
  }

  get unusualNames(): readonly string[] {
    const names: string[] = [];
    for (let line = 0; line < this.#places.length; line += lineSize)
      if (this.#isUnusual(line)) names.push(this.#nameOf(line));
    return names;
  }

  *[Symbol.iterator](): Generator<Header> {
    for (const line of this.#counting()) {
      const name = this.#nameOf(line);
      yield [name, this.#valueOf(line, name)];
    }
  }

  #find(wanted: string, from: number): number {
    for (let line = from; line < this.#places.length; line += lineSize)
      if (this.#isOf(line, wanted)) return line;
    return -1;
  }

  #isOf(line: number, wanted: string): boolean {
    const begin = this.#places[line]!;
    if (this.#places[line + 1]! - begin !== wanted.length) return false;
    for (let at = 0; at < wanted.length; at++) {
      const byte = this.#message[begin + at]!;
      const letter = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
      if (letter !== wanted.charCodeAt(at)) return false;
    }
    return true;
  }

  #isUnusual(line: number): boolean {
    const begin = this.#places[line]!;
    const end = this.#places[line + 1]!;
    for (let at = this.#message[begin] === 0x3a ? begin + 1 : begin; at < end; at++)
      if (!isUsual[this.#message[at]!]) return true;
    return false;
  }

  #keyOf(line: number): string {
    return this.#message.toString('utf8', this.#places[line], this.#places[line + 1]);
  }

  #nameOf(line: number): string {
    return asciiLowerCase(this.#keyOf(line));
  }

  /** By keys as they were sent: names may be the same where these are not. */
  #counting(): Iterable<number> {
    const lines = new Map<string | number, number>();
    for (let line = 0; line < this.#places.length; line += lineSize)
      lines.set(this.#isMap ? this.#keyOf(line) : line, line);
    return lines.values();
  }

  #valueOf(line: number, name: string): string {
    const wire = new WireReader(this.#message);
    wire.at = this.#places[line + 2]!;
    if (wire.at === 0) return '';
    return certificateNames.has(name)
      ? wire.knownText(this.#message.length, certificateHeaders)
      : wire.latin1(this.#message.length);
  }
}
const noValues: readonly string[] = [];

/** Of the bytes of a name, but for the `:` that a pseudo-header's begins with. */
const isUsual = Array.from({ length: 256 }, (_, byte) => /[a-z0-9-]/i.test(String.fromCharCode(byte)));

/** Numbers that a line takes: where its name begins and ends, and where its value's length stands (0: it has none). */
const lineSize = 3;

/** Lines for which there is room without a new list. */
const usualLines = 500;

/** Notes where header lines stand while a message is read, in one list for all messages: it seldom has to grow. */
class LinePlaces {
  #places: number[] = [];
  #length = 0;

  clear(): void {
    this.#length = 0;
    if (this.#places.length > usualLines * lineSize) this.#places = [];
  }

  /** Passes over the line that begins here. */
  add(wire: WireReader, end: number, isMap: boolean): void {
    const last = wire.end(end);
    let keyEnd = 0;
    let keyBegin = 0;
    let value = 0;
    let raw = 0;
    while (wire.at < last) {
      const tag = wire.tag(last);
      if (tag === bytesField(1)) {
        keyEnd = wire.end(last);
        keyBegin = wire.at;
        wire.at = keyEnd;
      } else if (tag === bytesField(2)) value = wire.pass(last);
      else if (tag === bytesField(3) && !isMap) raw = wire.pass(last);
      else wire.skip(tag, last);
    }
    const at = this.#length;
    this.#places[at] = keyBegin;
    this.#places[at + 1] = keyEnd;
    this.#places[at + 2] = raw || value;
    this.#length = at + lineSize;
  }

  /** undefined: there was none. */
  linesOf(message: Buffer, isMap: boolean): HeaderLines | undefined {
    return this.#length === 0
      ? undefined
      : new HeaderLines(message, this.#places.slice(0, this.#length), isMap);
  }
}
const joinedLines = new LinePlaces();
const rawLines = new LinePlaces();

/** A few texts by key, of which the last of each counts. */
class Entries implements Extensions {
  /** Key, value, key, value. */
  readonly #texts: string[] = [];

  add(key: string, value: string): void {
    this.#texts.push(key, value);
  }

  get(key: string): string | undefined {
    for (let at = this.#texts.length - 2; at >= 0; at -= 2)
      if (this.#texts[at] === key) return this.#texts[at + 1];
    return undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *[Symbol.iterator](): Generator<readonly [string, string]> {
    const all = new Map<string, string>();
    for (let at = 0; at < this.#texts.length; at += 2) all.set(this.#texts[at]!, this.#texts[at + 1]!);
    yield* all;
  }
}

type Reader = (wire: WireReader, end: number, draft: Draft) => void;

/**
 * The only reader of the proto (proto/envoy/service/auth/v3): one pass over the wire bytes of a CheckRequest, in which
 * what we do not read is skipped. What Envoy left out is empty, and an empty request finds no API.
 *
 * @returns undefined: it is no protobuf message
 */
export function readCheckRequest(message: Buffer): Attributes | undefined {
  const draft: Draft = {
    address: '',
    certificate: '',
    method: '',
    path: '',
    host: '',
    scheme: '',
    protocol: '',
    contextExtensions: new Entries(),
  };
  joinedLines.clear();
  rawLines.clear();
  try {
    readRequest(new WireReader(message), message.length, draft);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return undefined;
  }
  const { address, certificate, method, path, host, scheme, protocol, contextExtensions } = draft;
  const apart = rawLines.linesOf(message, false);
  return {
    source: { address: address || undefined, certificate },
    http: {
      method,
      path,
      host,
      scheme,
      protocol,
      // Without encode_raw_headers, repeats are joined by ','.
      headers: apart ?? joinedLines.linesOf(message, true) ?? noHeaders,
      headersAreRaw: apart !== undefined,
    },
    contextExtensions,
  };
}

const noHeaders: readonly Header[] = [];

/** CheckRequest. */
const readRequest: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) readAttributes(wire, wire.end(end), draft);
    else wire.skip(tag, end);
  }
};

/** AttributeContext. */
const readAttributes: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) readPeer(wire, wire.end(end), draft);
    else if (tag === bytesField(4)) readAttributesRequest(wire, wire.end(end), draft);
    else if (tag === bytesField(10)) readEntry(wire, wire.end(end), draft.contextExtensions);
    else wire.skip(tag, end);
  }
};

/** AttributeContext.Peer: `principal` and `service` are not read, for a client can set both. */
const readPeer: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) readAddress(wire, wire.end(end), draft);
    else if (tag === bytesField(5)) draft.certificate = wire.knownText(end, certificates);
    else wire.skip(tag, end);
  }
};

/** Address: a `pipe` has none to go by. */
const readAddress: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) readSocketAddress(wire, wire.end(end), draft);
    else wire.skip(tag, end);
  }
};

const readSocketAddress: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(2)) draft.address = wire.knownText(end, shortTexts);
    else wire.skip(tag, end);
  }
};

/** AttributeContext.Request. */
const readAttributesRequest: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(2)) readHttp(wire, wire.end(end), draft);
    else wire.skip(tag, end);
  }
};

/** AttributeContext.HttpRequest. */
const readHttp: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    switch (tag) {
      case bytesField(2):
        draft.method = wire.knownText(end, shortTexts);
        break;
      case bytesField(3):
        joinedLines.add(wire, end, true);
        break;
      case bytesField(4):
        draft.path = wire.text(end);
        break;
      case bytesField(5):
        draft.host = wire.knownText(end, shortTexts);
        break;
      case bytesField(6):
        draft.scheme = wire.knownText(end, shortTexts);
        break;
      case bytesField(10):
        draft.protocol = wire.knownText(end, shortTexts);
        break;
      case bytesField(13):
        readHeaderMap(wire, wire.end(end));
        break;
      default:
        wire.skip(tag, end);
    }
  }
};

/** HeaderMap, of HeaderValue: `raw_value`, and `value` where there is none. */
function readHeaderMap(wire: WireReader, end: number): void {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) rawLines.add(wire, end, false);
    else wire.skip(tag, end);
  }
}

/** Entry of a map of texts. */
function readEntry(wire: WireReader, end: number, entries: Entries): void {
  let key = '';
  let value = '';
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) key = wire.knownText(end, shortTexts);
    else if (tag === bytesField(2)) value = wire.knownText(end, shortTexts);
    else wire.skip(tag, end);
  }
  entries.add(key, value);
}
