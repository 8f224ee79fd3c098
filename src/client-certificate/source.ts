import { type Attributes, isPlaintext } from '../attributes.ts';
import { type HeaderSource, headerIsPresent, readHeader } from './header.ts';
import { type PeerSource, readPeer } from './peer.ts';
import { none, type Presented, presentedError } from './presented.ts';
import { sentFrom } from './senders.ts';

/** Where client certificates come from. Made by the configuration, which has seen that no two senders overlap. */
export type CertificateSources = {
  /** The TLS client itself: for everyone who is no sender below. undefined: such a one has no certificate. */
  readonly peer: PeerSource | undefined;
  readonly headers: readonly HeaderSource[];
  /** Believe headers on plain HTTP too, for load balancers that speak it to Envoy. */
  readonly allowHeaderOverPlaintext: boolean;
  /** Needed for senders by alias; on a trust store of its own, so that a sender is never a client. */
  readonly verifySender?: SenderVerifier;
};

/**
 * @param leaf DER of the TLS peer's certificate
 * @param intermediates DER, as presented
 * @returns the alias of the sender that it belongs to, valid now; else why it is none, for the log
 */
export type SenderVerifier = (
  leaf: Uint8Array,
  intermediates: readonly Uint8Array[],
  now: number,
) => SenderVerdict;

export type SenderVerdict =
  | { readonly isSender: true; readonly alias: string }
  | {
      readonly isSender: false;
      /** It is a sender's all the same, or may be, whatever is wrong with it or its CAs now: no client either. */
      readonly isBarred: boolean;
      readonly why: string;
    };

/**
 * One sender, one source: the one that fits the direct TCP peer is final, its "none" is none, and a sender trusted for a
 * header never has its own certificate taken for a client's.
 *
 * `header_sender_untrusted` is the answer to a stranger's header where there is no peer source. Where no certificate is
 * needed, the caller may take it for "none"; never for anything better.
 *
 * @param now milliseconds since the epoch: for senders known by their own certificate
 */
export function readPresented(attributes: Attributes, sources: CertificateSources, now: number): Presented {
  const { fitting, verdict } = judgeSender(attributes, sources, now);
  if (fitting.length > 1) return presentedError('sender_ambiguous', 'the sender fits more than one source');
  const [source] = fitting;
  if (source !== undefined) {
    return !sources.allowHeaderOverPlaintext && isPlaintext(attributes) && headerIsPresent(attributes, source)
      ? presentedError('header_over_plaintext', `${source.header} on plain HTTP`)
      : readHeader(attributes, source);
  }
  // As a client it might be judged by other rules, and all that come through it pass for it.
  if (verdict?.isSender === false && verdict.isBarred)
    return presentedError('header_sender_untrusted', `the certificate of a sender, refused: ${verdict.why}`);
  if (sources.peer !== undefined) return readPeer(attributes, sources.peer);
  const sent = sources.headers.find((header) => headerIsPresent(attributes, header));
  if (sent === undefined) return none;
  const why = verdict?.isSender === false ? `, and by its certificate it is none: ${verdict.why}` : '';
  return presentedError(
    'header_sender_untrusted',
    `${sent.header} from an address that is no trusted sender${why}`,
  );
}

/** Those that trust the sender of the request; none: it is taken for the client itself. */
export const fittingSources = (
  attributes: Attributes,
  sources: CertificateSources,
  now: number,
): readonly HeaderSource[] => judgeSender(attributes, sources, now).fitting;

/** The same, with the verdict on its own certificate, where one came and senders are known by theirs. */
export function judgeSender(
  attributes: Attributes,
  { headers, peer, verifySender }: CertificateSources,
  now: number,
): { readonly fitting: readonly HeaderSource[]; readonly verdict?: SenderVerdict } {
  const { address } = attributes.source;
  const own =
    verifySender !== undefined && headers.some(({ senders }) => senders.aliases.size > 0)
      ? readSender(attributes, peer)
      : none;
  if (own.kind !== 'chain' || verifySender === undefined)
    return { fitting: headers.filter(({ senders }) => sentFrom(senders, address)) };
  const verdict = verifySender(own.leaf, own.intermediates, now);
  const fitting = headers.filter(
    ({ senders }) => sentFrom(senders, address) || (verdict.isSender && senders.aliases.has(verdict.alias)),
  );
  return { fitting, verdict };
}

/**
 * With the intermediates that it presented, where there is no peer source either. But then nobody has said that Envoy
 * overwrites XFCC: one that speaks of somebody else does not keep the sender from being known by its certificate alone.
 */
function readSender(attributes: Attributes, peer: PeerSource | undefined): Presented {
  if (peer !== undefined) return readPeer(attributes, peer);
  const withChain = readPeer(attributes, { presentedChain: true });
  return withChain.kind === 'error' ? readPeer(attributes, { presentedChain: false }) : withChain;
}
