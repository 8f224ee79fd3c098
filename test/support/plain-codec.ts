import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import { type Attributes, asciiLowerCase } from '../../src/attributes.ts';

/** The reader and writer that everybody uses, and that ours are held against. */
type Codec = {
  readonly requestSerialize: (value: object) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Decoded;
  readonly responseSerialize: (value: object) => Buffer;
};
const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [fileURLToPath(new URL('../../proto/', import.meta.url))],
  keepCase: true,
  longs: Number,
  defaults: false,
});
export const { Check: codec } = definition['envoy.service.auth.v3.Authorization'] as unknown as {
  Check: Codec;
};

export type Decoded = {
  readonly attributes?: {
    readonly source?: {
      readonly address?: { readonly socket_address?: { readonly address?: string } };
      readonly certificate?: string;
    };
    readonly request?: {
      readonly http?: Readonly<
        Partial<Record<'method' | 'path' | 'host' | 'scheme' | 'protocol', string>>
      > & {
        readonly headers?: Readonly<Record<string, string>>;
        readonly header_map?: {
          readonly headers?: readonly { key?: string; value?: string; raw_value?: Uint8Array }[];
        };
      };
    };
    readonly context_extensions?: Readonly<Record<string, string>>;
  };
};

/** As attributes say it, of what proto-loader decoded. */
export function attributesOf({ attributes }: Decoded): Attributes {
  const http = attributes?.request?.http;
  const raw = http?.header_map?.headers;
  const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
  return {
    source: {
      address: attributes?.source?.address?.socket_address?.address || undefined,
      certificate: attributes?.source?.certificate ?? '',
    },
    http: {
      method: http?.method ?? '',
      path: http?.path ?? '',
      host: http?.host ?? '',
      scheme: http?.scheme ?? '',
      protocol: http?.protocol ?? '',
      headers:
        raw === undefined
          ? Object.entries(http?.headers ?? {}).map(([name, value]) => [asciiLowerCase(name), latin1(value)])
          : raw.map(({ key = '', value = '', raw_value: bytes }) => [
              asciiLowerCase(key),
              bytes?.length ? Buffer.from(bytes).toString('latin1') : latin1(value),
            ]),
      headersAreRaw: raw !== undefined,
    },
    contextExtensions: new Map(Object.entries(attributes?.context_extensions ?? {})),
  };
}

/** Field numbers of messages that stand in a CheckRequest, by path; leaves are texts. */
type Shape = { readonly [field: number]: Shape | 'text' | 'number' };
const entry: Shape = { 1: 'text', 2: 'text' };
const shape: Shape = {
  1: {
    1: { 1: { 1: { 2: 'text', 3: 'number' } }, 5: 'text' },
    4: {
      2: {
        2: 'text',
        3: entry,
        4: 'text',
        5: 'text',
        6: 'text',
        10: 'text',
        13: { 1: { 1: 'text', 2: 'text', 3: 'text' } },
      },
    },
    10: entry,
  },
};
const isRepeated = new Set<Shape | string>([
  entry,
  (shape[1] as { 4: { 2: { 13: { 1: Shape } } } })[4][2][13][1],
]);

/**
 * Whether proto-loader reads it otherwise than protobuf has it (protobuf.dev, "Encoding"): a known field in another wire
 * type is an unknown one, a message that comes twice is merged, texts are UTF-8 (ours takes header values as bytes).
 */
export function isOdd(bytes: Buffer, of: Shape = shape): boolean {
  const seen = new Set<number>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    const known = of[number];
    if (type === 3 || type === 4) return true;
    if (known !== undefined && type !== (known === 'number' ? 0 : 2)) return true;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else {
      const length = varint();
      const content = bytes.subarray(at, at + length);
      at += length;
      if (known === 'text' && !content.equals(Buffer.from(content.toString('utf8')))) return true;
      if (typeof known !== 'object') continue;
      if (seen.has(number) && !isRepeated.has(known)) return true;
      seen.add(number);
      if (isOdd(content, known)) return true;
    }
  }
  return false;
}
