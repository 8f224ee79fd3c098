import type { PresentedError } from '../presented.ts';

/** What a reader makes of one header value: DER certificates in the order sent, at least one, or why not. */
export type Reading = Certificates | PresentedError;
export type Certificates = { readonly kind: 'certificates'; readonly ders: readonly Uint8Array[] };

export type Reader = (value: string, limits: Limits) => Reading;

/** Held against the text before anything is decoded, so that a long value costs no more than its length. */
export type Limits = {
  /** Characters that one certificate may take, as sent. */
  readonly certificateLength: number;
  /** Characters that the chain may take besides, as sent. */
  readonly chainLength: number;
  /** Certificates, the leaf included. */
  readonly certificates: number;
  /** XFCC: elements that the header has, exactly, one a hop. 1 behind SANITIZE_SET. */
  readonly elements: number;
};

/** Envoy takes 60 KiB of headers from a client; a load balancer may be allowed more, and Envoy's own XFCC is not counted. */
export const defaultLimits: Limits = {
  certificateLength: 32_768,
  chainLength: 131_072,
  certificates: 10,
  elements: 1,
};

/** Of the TLS client: BoringSSL takes 100 KB of certificates in a handshake, and percent-encoding makes half as much again of PEM. */
export const peerLimits: Limits = { ...defaultLimits, certificateLength: 163_840, chainLength: 163_840 };

export const certificates = (ders: readonly Uint8Array[]): Certificates => ({ kind: 'certificates', ders });
