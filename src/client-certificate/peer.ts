import { type Attributes, headerValues, isPlaintext } from '../attributes.ts';
import { readPercentPem } from './formats/percent.ts';
import { type Limits, peerLimits } from './formats/reading.ts';
import type { ReadingCaches } from './formats/reading-cache.ts';
import { readXfcc, readXfccChain, XFCC } from './formats/xfcc.ts';
import {
  none,
  type Presented,
  type PresentedChain,
  type PresentedError,
  presentedError,
} from './presented.ts';

export type PeerSource = {
  /** Take intermediates from XFCC's Chain. Only where Envoy overwrites that header. */
  readonly presentedChain: boolean;
  /**
   * Take the certificate itself from XFCC, where a gateway's Envoy can't be told to send `source.certificate`. Whoever
   * can send XFCC past that Envoy is then anybody.
   */
  readonly leafFromXfcc?: boolean;
  readonly limits?: Limits;
  /** Of this source alone. */
  readonly caches?: ReadingCaches | undefined;
};

/**
 * The TLS client itself. The leaf comes from `source.certificate`, which Envoy fills and nobody else can; XFCC gives
 * the intermediates only, and only if it begins with that leaf. Unless it is told to give the leaf as well.
 */
export function readPeer(attributes: Attributes, source: PeerSource): Presented {
  const { certificate } = attributes.source;
  if (source.leafFromXfcc) {
    const own = certificate === '' ? none : readCertificate(certificate, source);
    return own.kind === 'error' ? own : agreed(own, readOwnXfcc(attributes, source));
  }
  if (certificate === '') return none;
  const xfcc = source.presentedChain ? joined(headerValues(attributes, XFCC)) : '';
  const read = () => readWithChain(certificate, xfcc, source);
  return source.caches ? source.caches.both.get(certificate, read, xfcc) : read();
}

/** @param xfcc '': nothing is read of it */
function readWithChain(
  certificate: string,
  xfcc: string,
  source: PeerSource,
): PresentedChain | PresentedError {
  const own = readCertificate(certificate, source);
  if (own.kind === 'error' || xfcc === '') return own;
  const limits = source.limits ?? peerLimits;
  if (xfcc.length > xfccLength(limits)) return tooLong(xfcc);
  const leaf = { der: own.leaf, text: certificate };
  const chain = readXfccChain(xfcc, leaf, limits, source.caches?.chain);
  return chain?.kind === 'error' ? chain : { ...own, intermediates: chain?.ders.slice(1) ?? [] };
}

const joined = (values: readonly string[]): string => (values.length === 1 ? values[0]! : values.join(','));

/** `source.certificate`: percent-encoded PEM of the leaf. */
function readCertificate(certificate: string, source: PeerSource): PresentedChain | PresentedError {
  const limits = source.limits ?? peerLimits;
  if (certificate.length > limits.certificateLength)
    return presentedError(
      'peer_certificate_too_long',
      `it has ${certificate.length} characters, percent-encoded; at most ${limits.certificateLength} are read`,
    );
  const reader = (text: string) => readPercentPem(text, limits);
  const read = source.caches ? source.caches.leaf.get(certificate, reader) : reader(certificate);
  if (read.kind === 'error' || read.ders.length !== 1)
    return presentedError(
      'peer_certificate_unreadable',
      read.kind === 'error' ? `${read.code}: ${read.detail}` : 'more than one certificate',
    );
  return { kind: 'chain', source: 'peer', leaf: read.ders[0]!, intermediates: [] };
}

/** XFCC of the Envoy that asks: one element (SANITIZE_SET), whatever a client sent is gone. */
function readOwnXfcc(attributes: Attributes, source: PeerSource): Presented {
  const limits = source.limits ?? peerLimits;
  const value = joined(headerValues(attributes, XFCC));
  if (value === '') return none;
  // That Envoy writes it for TLS clients only.
  if (isPlaintext(attributes)) return presentedError('header_over_plaintext', `${XFCC} on plain HTTP`);
  if (value.length > xfccLength(limits)) return tooLong(value);
  const reader = (text: string) => readXfcc(text, limits);
  const read = source.caches ? source.caches.chain.get(value, reader) : reader(value);
  if (read.kind === 'error') return read;
  const [leaf, ...intermediates] = read.ders;
  return { kind: 'chain', source: 'peer', leaf: leaf!, intermediates };
}

/** Where both come, they must be of one connection. */
function agreed(own: Presented, sent: Presented): Presented {
  if (sent.kind === 'none') return own;
  if (own.kind !== 'chain' || sent.kind !== 'chain') return sent;
  return Buffer.compare(own.leaf, sent.leaf) === 0
    ? sent
    : presentedError('peer_certificate_differs', `${XFCC} holds another than source.certificate`);
}

/** Cert, and Chain, which begins with the same again. */
const xfccLength = (limits: Limits): number => limits.certificateLength + limits.chainLength;

const tooLong = (value: string): PresentedError =>
  presentedError('chain_too_long', `${XFCC} has ${value.length} characters`);
