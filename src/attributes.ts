/**
 * What we keep of Envoy's AttributeContext (envoy.service.auth.v3): plain data, made by
 * `ext-authz/check-request.ts` only. Everything here comes from the network and is still unverified.
 */

/** One header line. Name in lower case (of ASCII: no other letters are meant); value's bytes as latin1, so that none is lost. */
export type Header = readonly [name: string, value: string];

/**
 * Header lines in the order sent: a list, or what finds them where they stand in a message, so that no text is made of
 * those that nobody asks for.
 */
export type Headers = readonly Header[] | HeadersInPlace;
export type HeadersInPlace = Iterable<Header> & {
  /** @param name ASCII, in lower case, as all that we look for are */
  readonly has: (name: string) => boolean;
  readonly valuesOf: (name: string) => readonly string[];
  /** As `unusualNames` says. */
  readonly unusualNames: readonly string[];
};

/** What the route says, by key. */
export type Extensions = Iterable<readonly [key: string, value: string]> &
  Pick<ReadonlyMap<string, string>, 'get' | 'has'>;

export type Attributes = {
  readonly source: {
    /** IP address of the direct TCP peer, whatever X-Forwarded-For says; undefined for a pipe. */
    readonly address: string | undefined;
    /** The TLS peer's certificate as percent-encoded PEM, leaf only; '' without one. */
    readonly certificate: string;
  };
  readonly http: {
    readonly method: string;
    /** Undecoded, with the query. */
    readonly path: string;
    /** The authority as sent: case, port and trailing dot are not touched. */
    readonly host: string;
    readonly scheme: string;
    readonly protocol: string;
    readonly headers: Headers;
    /**
     * true: Envoy sent `header_map` (`encode_raw_headers`), repeats stand apart.
     * false: Envoy sent `headers`, repeats are joined by ',' and look like lists.
     */
    readonly headersAreRaw: boolean;
  };
  /** Of the route that Envoy chose: set by the router's configuration, never by the client. */
  readonly contextExtensions: Extensions;
};

/** All values of the header called `name` (lower case), in the order sent. */
export const headerValues = ({ http }: Attributes, name: string): readonly string[] =>
  valuesIn(http.headers, name);

export function valuesIn(headers: Headers, name: string): readonly string[] {
  if ('valuesOf' in headers) return headers.valuesOf(name);
  const values: string[] = [];
  for (const header of headers) if (header[0] === name) values.push(header[1]);
  return values;
}

export const hasHeader = ({ http: { headers } }: Attributes, name: string): boolean => isIn(headers, name);

export const isIn = (headers: Headers, name: string): boolean =>
  'has' in headers ? headers.has(name) : headers.some(([other]) => other === name);

/** Names that hold more than letters, digits and `-`, as hardly any does, behind a pseudo-header's `:` (RFC 9113 8.3). */
export const unusualNames = (headers: Headers): readonly string[] =>
  'unusualNames' in headers
    ? headers.unusualNames
    : headers.map(([name]) => name).filter((name) => !/^:?[a-z0-9-]*$/.test(name));

export const asciiLowerCase = (name: string): string =>
  name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** The plain listener's routes say so; the scheme tells it where somebody else wrote Envoy's configuration. */
export const isPlaintext = ({ contextExtensions, http }: Attributes): boolean =>
  contextExtensions.get('listener') === 'plain' || http.scheme !== 'https';

/**
 * Envoy's x-request-id, by which its log, ours and the client's answer are joined; undefined where what stands there is
 * no id that is worth repeating, for behind some Envoys the client chooses it.
 */
export const requestId = ({ http }: Attributes): string | undefined => requestIdIn(http.headers);

export function requestIdIn(headers: Headers): string | undefined {
  const [id] = valuesIn(headers, 'x-request-id');
  return id !== undefined && /^[\w.:+/=-]{1,128}$/.test(id) ? id : undefined;
}
