import type { Api } from '../apis/api.ts';
import { findApi } from '../apis/api-index.ts';
import type { Operation, Segment } from '../apis/operations.ts';
import type { Attributes, Header } from '../attributes.ts';
import { writePercentPem } from '../client-certificate/formats/percent.ts';
import { asReceived } from '../client-certificate/formats/xfcc.ts';
import { type HeaderSource, headerIsPresent } from '../client-certificate/header.ts';
import { writeCertificate } from '../client-certificate/outbound.ts';
import { type CertificateSources, fittingSources } from '../client-certificate/source.ts';
import type { Snapshot } from '../snapshot.ts';

/** A request as somebody tells of it, without the Envoy that it would come by. */
export type ToldRequest = {
  readonly method: string;
  /** Undecoded, with the query. */
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly headers: readonly Header[];
  /** undefined: nobody said; an address that may present the certificate is taken. */
  readonly from: string | undefined;
  /** DER of the client's certificate and of what it sends along. */
  readonly certificate:
    | { readonly leaf: Uint8Array; readonly intermediates: readonly Uint8Array[] }
    | undefined;
  readonly token: string | undefined;
};

/** Of RFC 5737: nobody's. */
const anybody = '192.0.2.1';

/** What our Envoy would send of it: the certificate where the API looks for it, written as it looks for it. */
export function attributesOf(told: ToldRequest, snapshot: Snapshot, now: number): Attributes {
  const { method, path, host, scheme, certificate, token } = told;
  const tokenHeader: readonly Header[] =
    token === undefined ? [] : [[snapshot.answers.tokenHeader.name, `Bearer ${token}`]];
  const bare: Attributes = {
    source: { address: told.from ?? anybody, certificate: '' },
    http: {
      method,
      path,
      host,
      scheme,
      protocol: 'HTTP/1.1',
      headers: [...told.headers.map(([name, value]): Header => [asReceived(name), value]), ...tokenHeader],
      headersAreRaw: true,
    },
    contextExtensions: new Map(scheme === 'https' ? [] : [['listener', 'plain']]),
  };
  const sources = findApi(bare, snapshot.apis)?.security.sources;
  if (certificate === undefined) return bare;
  const { leaf, intermediates } = certificate;
  const source = sources && headerFor(bare, sources, now);
  if (source !== undefined)
    return sentInHeader(bare, source, {
      certificate,
      address: told.from ?? senderOf(source, bare, sources!, now),
    });
  return {
    ...bare,
    source: { ...bare.source, certificate: writePercentPem([leaf]) },
    http: {
      ...bare.http,
      // Where our Envoy writes what came along (SANITIZE_SET).
      headers: [...bare.http.headers, ...writeCertificate('xfcc', leaf, intermediates)],
    },
  };
}

/** The header in which it would come; undefined: over TLS. */
function headerFor(
  attributes: Attributes,
  sources: CertificateSources,
  now: number,
): HeaderSource | undefined {
  const [fitting] = fittingSources(attributes, sources, now);
  const source = fitting ?? (sources.peer === undefined ? sources.headers[0] : undefined);
  // Whoever writes the header himself means the certificate to be the TLS client's.
  return source === undefined || headerIsPresent(attributes, source) ? undefined : source;
}

const senderOf = (
  source: HeaderSource,
  attributes: Attributes,
  sources: CertificateSources,
  now: number,
): string | undefined =>
  fittingSources(attributes, sources, now).length > 0
    ? attributes.source.address
    : (source.senders.networks[0]?.address ?? attributes.source.address);

function sentInHeader(
  attributes: Attributes,
  { format, header, chainHeader }: HeaderSource,
  {
    certificate: { leaf, intermediates },
    address,
  }: { readonly certificate: NonNullable<ToldRequest['certificate']>; readonly address: string | undefined },
): Attributes {
  const written = writeCertificate(format, leaf, intermediates, { header: asReceived(header), chainHeader });
  return {
    ...attributes,
    source: { ...attributes.source, address },
    http: { ...attributes.http, headers: [...attributes.http.headers, ...written] },
  };
}

/** Where an API is asked: its first operation, or just below its base path. */
export function placeOf(api: Api): Pick<ToldRequest, 'method' | 'path' | 'host'> {
  const [host = '*'] = api.hosts;
  const [operation] = api.operations ?? [];
  return {
    host: host === '*' ? 'localhost' : host.replace('*', 'any'),
    method: operation === undefined ? 'GET' : methodOf(operation),
    path: `${api.basePath}/${operation?.segments.map(exampleOf).join('/') ?? ''}`,
  };
}

const methodOf = ({ methods }: Operation): string => [...(methods ?? ['GET'])][0]!;

const exampleOf = (segment: Segment): string =>
  typeof segment === 'string' ? encodeURIComponent(segment) : `${segment.before}x${segment.after}`;
