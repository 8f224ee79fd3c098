import { type Attributes, headerValues } from '../attributes.ts';
import { knownCertificateHeaders } from './formats/table.ts';
import { asReceived, RECEIVED_XFCC, XFCC } from './formats/xfcc.ts';
import type { CertificateSources } from './source.ts';

/**
 * Why there is "no certificate": what was looked at, and what came besides and was not. For the log of a refusal; names
 * headers, never a value.
 *
 * @param own the header that the sender is trusted for; undefined: none
 */
export function describeAbsence(attributes: Attributes, sources: CertificateSources, own?: string): string {
  const looked = own === undefined ? lookedText(sources) : ownText(attributes, own);
  return [looked, ...ignoredText(attributes, sources, own)].join('; ');
}

const lookedText = ({ peer, headers }: CertificateSources): string =>
  [
    ...(peer === undefined ? [] : [peerText(peer.leafFromXfcc)]),
    ...headers.map(({ header }) => noHeader(header)),
  ].join(', ') || 'no source of certificates';

function ownText(attributes: Attributes, own: string): string {
  const [value] = headerValues(attributes, asReceived(own));
  if (value === undefined) return noHeader(own);
  // It is one of the two ways to say so: nothing, or the format's own word.
  const how = value === '' ? 'is empty' : `is ${value}`;
  return `header ${headerText(own)} of the trusted sender ${how}: its client presented none`;
}

const noHeader = (header: string): string => `no header ${headerText(header)} of a trusted sender`;

const peerText = (leafFromXfcc: boolean | undefined): string =>
  leafFromXfcc
    ? `the TLS client presented none, or its Envoy writes no ${XFCC} (SANITIZE_SET)`
    : 'the TLS client presented none, or Envoy sends none (include_peer_certificate)';

const headerText = (header: string): string =>
  header === XFCC ? `${RECEIVED_XFCC} (where our Envoy keeps a received ${XFCC})` : header;

function ignoredText(
  attributes: Attributes,
  { peer, headers }: CertificateSources,
  own: string | undefined,
): readonly string[] {
  const read = new Set(headers.flatMap(({ header, chainHeader }) => [asReceived(header), chainHeader]));
  if (peer !== undefined) read.add(RECEIVED_XFCC);
  const present = (name: string): boolean => headerValues(attributes, name).some((value) => value !== '');
  const others = knownCertificateHeaders.filter((name) => name !== XFCC && !read.has(name) && present(name));
  const texts = headers
    .filter(({ header }) => header !== own && present(asReceived(header)))
    .map(({ header }) => `${header} came from a sender that is not trusted for it`);
  if (attributes.source.certificate !== '')
    texts.push(
      `a certificate came by TLS and is not looked at, since ${peer === undefined ? 'enableClientValidation = false (or no source is "peer")' : 'its sender is trusted for that header'}`,
    );
  if (own === undefined && present(XFCC) && peer !== undefined && !peer.leafFromXfcc)
    texts.push(
      `${XFCC} came without a certificate in the Check: set include_peer_certificate in Envoy's ext_authz, or else peer = "xfcc"`,
    );
  if (others.length > 0)
    texts.push(
      `${others.join(', ')} came and ${others.length === 1 ? 'is' : 'are'} not looked at, since no source names ${others.length === 1 ? 'it' : 'them'}`,
    );
  return texts;
}
