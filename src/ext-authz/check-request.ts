import type { Attributes, Header } from '../attributes.ts';
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
  joined: Map<string, string> | undefined;
  raw: Header[] | undefined;
  contextExtensions: Map<string, string>;
};

/** What nearly every message repeats; apart, so that a flood of certificates leaves the names alone. */
const shortTexts = new KnownTexts('utf8');
const certificates = new KnownTexts('utf8');
const certificateHeaders = new KnownTexts('latin1');
/** Of no other headers are values kept: they may be secrets. */
const certificateNames = new Set(knownCertificateHeaders);

const headerValue = (wire: WireReader, end: number, name: string): string =>
  certificateNames.has(name) ? wire.knownText(end, certificateHeaders) : wire.latin1(end);

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
    contextExtensions: new Map(),
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
      headers: raw ?? listOf(joined),
      headersAreRaw: raw !== undefined,
    },
    contextExtensions,
  };
}

function listOf(joined: ReadonlyMap<string, string> | undefined): readonly Header[] {
  const headers: Header[] = [];
  if (joined !== undefined) for (const [name, value] of joined) headers.push([name.toLowerCase(), value]);
  return headers;
}

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
        readJoinedHeader(wire, wire.end(end), draft);
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

/** HeaderMap. */
const readHeaderMap: Reader = (wire, end, draft) => {
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) readRawHeader(wire, wire.end(end), draft);
    else wire.skip(tag, end);
  }
};

/** HeaderValue: `raw_value`, and `value` where there is none. */
const readRawHeader: Reader = (wire, end, draft) => {
  let key = '';
  let value = '';
  let raw = '';
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) key = wire.knownText(end, shortTexts);
    else if (tag === bytesField(2)) value = headerValue(wire, end, key);
    else if (tag === bytesField(3)) raw = headerValue(wire, end, key);
    else wire.skip(tag, end);
  }
  draft.raw ??= [];
  draft.raw.push([key.toLowerCase(), raw === '' ? value : raw]);
};

/** Entry of `headers`. */
const readJoinedHeader: Reader = (wire, end, draft) => {
  let key = '';
  let value = '';
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) key = wire.knownText(end, shortTexts);
    else if (tag === bytesField(2)) value = headerValue(wire, end, key);
    else wire.skip(tag, end);
  }
  draft.joined ??= new Map();
  draft.joined.set(key, value);
};

/** Entry of a map of texts. */
function readEntry(wire: WireReader, end: number, map: Map<string, string>): void {
  let key = '';
  let value = '';
  while (wire.at < end) {
    const tag = wire.tag(end);
    if (tag === bytesField(1)) key = wire.knownText(end, shortTexts);
    else if (tag === bytesField(2)) value = wire.knownText(end, shortTexts);
    else wire.skip(tag, end);
  }
  map.set(key, value);
}
