/**
 * What we keep of Envoy's AttributeContext (envoy.service.auth.v3): plain data, made by
 * `ext-authz/check-request.ts` only. Everything here comes from the network and is still unverified.
 */

/** One header line. Name in lower case; value's bytes as latin1, so that none is lost. */
export type Header = readonly [name: string, value: string];

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
    readonly headers: readonly Header[];
    /**
     * true: Envoy sent `header_map` (`encode_raw_headers`), repeats stand apart.
     * false: Envoy sent `headers`, repeats are joined by ',' and look like lists.
     */
    readonly headersAreRaw: boolean;
  };
  /** Of the route that Envoy chose: set by the router's configuration, never by the client. */
  readonly contextExtensions: ReadonlyMap<string, string>;
};

/** All values of the header called `name` (lower case), in the order sent. */
export function headerValues(attributes: Attributes, name: string): readonly string[] {
  const values: string[] = [];
  for (const header of attributes.http.headers) if (header[0] === name) values.push(header[1]);
  return values;
}

/** The plain listener's routes say so; the scheme tells it where somebody else wrote Envoy's configuration. */
export const isPlaintext = ({ contextExtensions, http }: Attributes): boolean =>
  contextExtensions.get('listener') === 'plain' || http.scheme !== 'https';

/**
 * Envoy's x-request-id, by which its log, ours and the client's answer are joined; undefined where what stands there is
 * no id that is worth repeating, for behind some Envoys the client chooses it.
 */
export const requestId = ({ http }: Attributes): string | undefined => requestIdIn(http.headers);

export function requestIdIn(headers: readonly Header[]): string | undefined {
  const id = headers.find(([name]) => name === 'x-request-id')?.[1];
  return id !== undefined && /^[\w.:+/=-]{1,128}$/.test(id) ? id : undefined;
}
