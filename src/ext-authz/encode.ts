import { prefixLength, writePrefix } from '../grpc/message.ts';
import type { CheckResponse, HeaderValueOption, Struct } from './check-response.ts';
import { bytesField, varintField } from './wire.ts';

/**
 * A CheckResponse as it goes over the wire, gRPC's prefix before it. Messages nest, each behind its length, so they are
 * put together as texts of one character a byte, which cost nothing to join, and become bytes once, at the end.
 */
export function encodeCheckResponse(response: CheckResponse): Buffer {
  const { denied_response: denied, ok_response: ok } = response;
  return framed(
    statusOf(response) +
      (denied === undefined ? '' : field(2, deniedHead(denied) + text(3, denied.body))) +
      (ok === undefined
        ? ''
        : field(
            3,
            headers(ok.headers) + ok.headers_to_remove.reduce((all, name) => all + text(5, name), ''),
          )) +
      metadataOf(response.dynamic_metadata),
  );
}

/** A denial but for its metadata, and the headers that only one request has: those stand behind the others. */
export type PreparedDenial = (own: readonly HeaderValueOption[], metadata: Struct) => Buffer;

/** @throws TypeError: it is no denial */
export function prepareDenial(response: CheckResponse): PreparedDenial {
  const { denied_response: denied } = response;
  if (denied === undefined) throw new TypeError('no denied_response');
  const before = statusOf(response);
  const head = deniedHead(denied);
  const body = text(3, denied.body);
  return (own, metadata) => framed(before + field(2, head + headers(own) + body) + metadataOf(metadata));
}

function framed(message: string): Buffer {
  const bytes = Buffer.allocUnsafe(prefixLength + message.length);
  writePrefix(bytes, message.length);
  bytes.write(message, prefixLength, 'latin1');
  return bytes;
}

const statusOf = ({ status }: CheckResponse): string =>
  field(1, number(1, status.code) + (status.message === undefined ? '' : text(2, status.message)));

const deniedHead = ({ status, headers: options }: NonNullable<CheckResponse['denied_response']>): string =>
  field(1, number(1, status.code)) + headers(options);

/** HeaderValueOption { header = 1 { key = 1, value = 2 } }. */
const headers = (options: readonly HeaderValueOption[]): string => {
  let all = '';
  for (const { header } of options) all += field(2, field(1, text(1, header.key) + text(2, header.value)));
  return all;
};

/** Entries of google.protobuf.Struct: key = 1, value = 2 { string_value = 3 }. */
const metadataOf = ({ fields }: Struct): string => {
  let all = '';
  for (const name in fields) all += field(1, text(1, name) + field(2, text(3, fields[name]!.stringValue)));
  return field(4, all);
};

const field = (at: number, content: string): string =>
  varint(bytesField(at)) + varint(content.length) + content;

const number = (at: number, value: number): string => varint(varintField(at)) + varint(value);

const text = (at: number, value: string): string => field(at, utf8(value));

// biome-ignore lint/suspicious/noControlCharactersInRegex: what is one byte in UTF-8
const isAscii = /^[\x00-\x7f]*$/;
const utf8 = (value: string): string =>
  isAscii.test(value) ? value : Buffer.from(value, 'utf8').toString('latin1');

const varint = (value: number): string =>
  value < 128 ? String.fromCharCode(value) : String.fromCharCode((value & 127) | 128) + varint(value >>> 7);
