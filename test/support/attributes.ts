import type { Attributes, Header } from '../../src/attributes.ts';

export type RequestParts = {
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly scheme?: string;
  readonly headers?: readonly Header[];
  readonly headersAreRaw?: boolean;
  /** Address of the direct TCP peer. */
  readonly source?: string | undefined;
  /** Percent-encoded PEM. */
  readonly certificate?: string | undefined;
  readonly contextExtensions?: Readonly<Record<string, string>>;
};

/** The attributes of a request, as Envoy would send them, with what a test cares about. */
export const request = (parts: RequestParts = {}): Attributes => ({
  source: { address: 'source' in parts ? parts.source : '127.0.0.1', certificate: parts.certificate ?? '' },
  http: {
    method: parts.method ?? 'GET',
    host: parts.host ?? 'localhost',
    path: parts.path ?? '/',
    scheme: parts.scheme ?? 'https',
    protocol: 'HTTP/1.1',
    headers: parts.headers ?? [],
    headersAreRaw: parts.headersAreRaw ?? true,
  },
  contextExtensions: new Map(Object.entries(parts.contextExtensions ?? {})),
});

/** As plain data, to be compared. */
export const plain = (attributes: Attributes) => ({
  ...attributes,
  http: { ...attributes.http, headers: [...attributes.http.headers] },
  contextExtensions: new Map(attributes.contextExtensions),
});
