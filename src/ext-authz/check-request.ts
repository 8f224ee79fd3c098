import type { Attributes, Header } from '../attributes.ts';

/** A CheckRequest as proto-loader decodes it: any field may be absent. */
export type CheckRequest = {
  readonly attributes?: {
    readonly source?: {
      readonly address?: { readonly socket_address?: { readonly address?: string } | null } | null;
      readonly certificate?: string;
    } | null;
    readonly request?: {
      readonly http?: {
        readonly method?: string;
        readonly headers?: Readonly<Record<string, string>>;
        readonly path?: string;
        readonly host?: string;
        readonly scheme?: string;
        readonly protocol?: string;
        readonly header_map?: {
          readonly headers?: readonly {
            readonly key?: string;
            readonly value?: string;
            readonly raw_value?: Uint8Array;
          }[];
        } | null;
      } | null;
    } | null;
    readonly context_extensions?: Readonly<Record<string, string>>;
  } | null;
};

/** The only reader of the proto. What Envoy left out is empty, and an empty request finds no API. */
export function readCheckRequest({ attributes }: CheckRequest): Attributes {
  const http = attributes?.request?.http;
  const raw = http?.header_map?.headers;
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
      headers: raw === undefined ? joinedHeaders(http?.headers ?? {}) : raw.map(rawHeader),
      headersAreRaw: raw !== undefined,
    },
    contextExtensions: new Map(Object.entries(attributes?.context_extensions ?? {})),
  };
}

const rawHeader = ({
  key = '',
  value = '',
  raw_value: raw,
}: {
  key?: string;
  value?: string;
  raw_value?: Uint8Array;
}): Header => [
  key.toLowerCase(),
  raw !== undefined && raw.length > 0
    ? Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1')
    : latin1(value),
];

const joinedHeaders = (headers: Readonly<Record<string, string>>): Header[] =>
  Object.entries(headers).map(([name, value]) => [name.toLowerCase(), latin1(value)]);

/** A text's UTF-8 bytes as latin1, as raw headers are. */
const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
