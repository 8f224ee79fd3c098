import { type Attributes, headerValues } from '../attributes.ts';
import { readPercentPem } from './formats/percent-pem.ts';
import { defaultLimits, type Limits } from './formats/reading.ts';
import type { ReadingCaches } from './formats/reading-cache.ts';
import { readXfccChain, XFCC } from './formats/xfcc.ts';
import { none, type Presented, presentedError } from './presented.ts';

export type PeerSource = {
  /** Take intermediates from XFCC's Chain. Only where Envoy overwrites that header. */
  readonly presentedChain: boolean;
  readonly limits?: Limits;
  /** Of this source alone. */
  readonly caches?: ReadingCaches | undefined;
};

/**
 * The TLS client itself. The leaf comes from `source.certificate`, which Envoy fills and nobody else can; XFCC gives
 * the intermediates only, and only if it begins with that leaf.
 */
export function readPeer(attributes: Attributes, source: PeerSource): Presented {
  const limits = source.limits ?? defaultLimits;
  const { certificate } = attributes.source;
  if (certificate === '') return none;
  if (certificate.length > limits.certificateLength) {
    return presentedError('header_too_long', `the peer's certificate has ${certificate.length} characters`);
  }
  const reader = (text: string) => readPercentPem(text, limits);
  const read = source.caches ? source.caches.leaf.get(certificate, reader) : reader(certificate);
  if (read.kind === 'error' || read.ders.length !== 1) {
    return presentedError(
      'peer_certificate_unreadable',
      read.kind === 'error' ? `${read.code}: ${read.detail}` : 'more than one certificate',
    );
  }
  const leaf = read.ders[0]!;
  const values = source.presentedChain ? headerValues(attributes, XFCC) : [];
  if (values.length === 0) return { kind: 'chain', source: 'peer', leaf, intermediates: [] };
  const value = values.join(',');
  if (value.length > limits.certificateLength + limits.chainLength) {
    return presentedError('chain_too_long', `XFCC has ${value.length} characters`);
  }
  const chain = readXfccChain(value, { der: leaf, text: certificate }, limits, source.caches?.chain);
  if (chain?.kind === 'error') return chain;
  return { kind: 'chain', source: 'peer', leaf, intermediates: chain?.ders.slice(1) ?? [] };
}
