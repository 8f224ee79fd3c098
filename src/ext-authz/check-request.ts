import type { Attributes, Extensions, Header, HeadersInPlace } from '../attributes.ts';
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
  /** Repeats joined by ','; only without encode_raw_headers. */
  joined: HeaderLines | undefined;
  raw: HeaderLines | undefined;
  contextExtensions: Entries;
};

/** What nearly every message repeats; apart, so that a flood of certificates leaves the names alone. */
const shortTexts = new KnownTexts('utf8');
const certificates = new KnownTexts('utf8');
const certificateHeaders = new KnownTexts('latin1');
/** Of no other headers are values kept: they may be secrets. */
const certificateNames = new Set(knownCertificateHeaders);

/**
 * Header lines where they stand in the message: of most values no text is ever made. Who keeps the attributes keeps all
 * that came with the message in one piece, 64 KiB at most unless it is longer itself.
 */
class HeaderLines implements HeadersInPlace {
  readonly names: string[] = [];
  readonly #message: Buffer;
  /** Where each stands, its length first. */
  readonly #lines: number[] = [];
  /** As protobuf's maps are: of two lines of one key the last counts, in the place of the first. */
  readonly #isMap: boolean;

  constructor(message: Buffer, isMap: boolean) {
    this.#message = message;
    this.#isMap = isMap;
  }

  /** Reads the name of the line that begins here, and passes over it. */
  add(wire: WireReader, end: number): void {
    this.#lines.push(wire.at);
    this.names.push(keyOf(wire, wire.end(end)).toLowerCase());
  }

  valuesOf(wanted: string): readonly string[] {
    const { names } = this;
    const first = names.indexOf(wanted);
    if (first === -1) return noValues;
    if (names.indexOf(wanted, first + 1) === -1) return [this.#valueOf(first)];
    const values: string[] = [];
    for (const line of this.#counting()) if (names[line] === wanted) values.push(this.#valueOf(line));
    return values;
  }

  *[Symbol.iterator](): Generator<Header> {
    for (const line of this.#counting()) yield [this.names[line]!, this.#valueOf(line)];
  }

  /** By keys as they were sent: names may be the same where these are not. */
  #counting(): Iterable<number> {
    return this.#isMap ? this.#lastOfKeys() : this.names.keys();
  }

  #lastOfKeys(): Iterable<number> {
    const lines = new Map<string, number>();
    for (let line = 0; line < this.names.length; line++) {
      const wire = this.#at(line);
      lines.set(keyOf(wire, wire.end(this.#message.length)), line);
    }
    return lines.values();
  }

  #valueOf(line: number): string {
    const wire = this.#at(line);
    const end = wire.end(this.#message.length);
    let value = 0;
    let raw = 0;
    while (wire.at < end) {
      const tag = wire.tag(end);
      if (tag === bytesField(2)) value = wire.pass(end);
      else if (tag === bytesField(3) && !this.#isMap) raw = wire.pass(end);
      else wire.skip(tag, end);
    }
    wire.at = raw || value;
    if (wire.at === 0) return '';
    return certificateNames.has(this.names[line]!)
      ? wire.knownText(end, certificateHeaders)
      : wire.latin1(end);
  }

  #at(line: number): WireReader {
    const wire = new WireReader(this.#message);
    wire.at = this.#lines[line]!;
    return wire;
  }
}
const noValues: readonly string[] = [];

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
    joined: undefined,
    raw: undefined,
    contextExtensions: new Entries(),
  };
  try {
    readRequest(new WireReader(message), message.length, draft);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return undefined;
  }
  const { address, certificate, method, path, host, scheme, protocol, joined, raw, contextExtensions } =
    draft;
  return {
    source: { address: address || undefined, certificate },
    http: {
      method,
      path,
      host,
      scheme,
      protocol,
      headers: raw ?? joined ?? noHeaders,
      headersAreRaw: raw !== undefined,
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
        draft.joined ??= new HeaderLines(wire.bytes, true);
        draft.joined.add(wire, end);
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
        readHeaderMap(wire, wire.end(end), draft);
        break;
      default:
        wire.skip(tag, end);
    }
  }
};

/** HeaderMap, of HeaderValue: `raw_value`, and `value` where there is none. */
const readHeaderMap: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) {
      draft.raw ??= new HeaderLines(wire.bytes, false);
      draft.raw.add(wire, end);
    } else wire.skip(tag, end);
  }
};

/** Field 1 of what begins here; '' where there is none. All of it is passed over. */
function keyOf(wire: WireReader, end: number): string {
  let key = '';
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) key = wire.knownText(end, shortTexts);
    else wire.skip(tag, end);
  }
  return key;
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
