import type { CheckResponse, HeaderValueOption, Struct } from './check-response.ts';
import { WireWriter } from './wire-writer.ts';

/** For all answers, one after another. */
const out = new WireWriter();

/** A CheckResponse as it goes over the wire, gRPC's prefix before it. What comes last is written first (`WireWriter`). */
export function encodeCheckResponse(response: CheckResponse): Buffer {
  const { status, denied_response: denied, ok_response: ok, dynamic_metadata: metadata } = response;
  out.begin();
  writeMetadata(metadata);
  if (ok !== undefined) {
    const end = out.length;
    for (let at = ok.headers_to_remove.length - 1; at >= 0; at--) out.text(5, ok.headers_to_remove[at]!);
    writeHeaders(ok.headers);
    out.nest(3, end);
  }
  if (denied !== undefined) {
    const end = out.length;
    out.text(3, denied.body);
    writeDeniedHead(denied);
    out.nest(2, end);
  }
  writeStatus(status);
  return out.framed();
}

/** A denial but for its metadata, and the headers that only one request has: those stand behind the others. */
export type PreparedDenial = (own: readonly HeaderValueOption[], metadata: Struct) => Buffer;

/** @throws TypeError: it is no denial */
export function prepareDenial({ status, denied_response: denied }: CheckResponse): PreparedDenial {
  if (denied === undefined) throw new TypeError('no denied_response');
  const before = prepared(() => writeStatus(status));
  const head = prepared(() => writeDeniedHead(denied));
  const body = prepared(() => out.text(3, denied.body));
  return (own, metadata) => {
    out.begin();
    writeMetadata(metadata);
    const end = out.length;
    out.raw(body);
    writeHeaders(own);
    out.raw(head);
    out.nest(2, end);
    out.raw(before);
    return out.framed();
  };
}

function prepared(write: () => void): Uint8Array {
  out.begin();
  write();
  return out.taken();
}

function writeStatus({ code, message }: CheckResponse['status']): void {
  const end = out.length;
  if (message !== undefined) out.text(2, message);
  out.number(1, code);
  out.nest(1, end);
}

function writeDeniedHead({ status, headers }: NonNullable<CheckResponse['denied_response']>): void {
  writeHeaders(headers);
  const end = out.length;
  out.number(1, status.code);
  out.nest(1, end);
}

/** HeaderValueOption { header = 1 { key = 1, value = 2 } }. */
function writeHeaders(options: readonly HeaderValueOption[]): void {
  for (let at = options.length - 1; at >= 0; at--) {
    const { key, value } = options[at]!.header;
    const end = out.length;
    out.text(2, value);
    out.text(1, key);
    out.nest(1, end);
    out.nest(2, end);
  }
}

/** Entries of google.protobuf.Struct: key = 1, value = 2 { string_value = 3 }. */
function writeMetadata({ fields }: Struct): void {
  const all = out.length;
  const names = Object.keys(fields);
  for (let at = names.length - 1; at >= 0; at--) {
    const name = names[at]!;
    const end = out.length;
    out.text(3, fields[name]!.stringValue);
    out.nest(2, end);
    out.text(1, name);
    out.nest(1, end);
  }
  out.nest(4, all);
}
