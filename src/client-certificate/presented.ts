/**
 * What a source says of the request's client certificate: DER, still unverified. Nothing here was parsed beyond its
 * own length; whoever uses it validates it first.
 */
export type Presented = PresentedChain | PresentedNone | PresentedError;

export type PresentedChain = {
  readonly kind: 'chain';
  /** peer: the TLS client proved that it has the key. header: the sender says that somebody did. */
  readonly source: 'peer' | 'header';
  /** DER of the client's own certificate, exactly. */
  readonly leaf: Uint8Array;
  /** DER, in the order sent; never trusted by themselves, the leaf is not among them. */
  readonly intermediates: readonly Uint8Array[];
};

/** No certificate: the source that fits the sender is final, so that no other may be asked. */
type PresentedNone = {
  readonly kind: 'none';
  /** Where the sender is trusted for a header: that one, which is not there or says that there is none. */
  readonly header?: string;
};

export type PresentedError = {
  readonly kind: 'error';
  readonly code: PresentedErrorCode;
  /** For the log: names headers and places, never quotes a value. */
  readonly detail: string;
};

/** One code a cause; the sentence is fixed, for the client, and says what to put right. */
export const presentedErrors = {
  header_sender_untrusted: {
    sentence: 'This sender may not pass on client certificates in a header.',
  },
  sender_ambiguous: {
    sentence: 'The sender fits more than one certificate source; the configuration must leave it one.',
  },
  header_over_plaintext: {
    sentence: 'A certificate header counts only on a TLS connection, and this one is plain HTTP.',
  },
  raw_headers_required: {
    sentence: 'This certificate format needs encode_raw_headers in the ext_authz filter of Envoy.',
  },
  header_repeated: {
    sentence: 'The certificate header was sent more than once; send it once.',
  },
  header_is_list: {
    sentence: 'The certificate header holds a list; its format allows one certificate.',
  },
  header_too_long: {
    sentence: 'The certificate header is too long.',
  },
  header_coding_invalid: {
    sentence: 'The certificate header is not in the configured format.',
  },
  plus_signs_lost: {
    sentence: 'Plus signs of the certificate arrived as spaces; decode percent escapes only.',
  },
  certificate_not_der: {
    sentence: 'What was sent decodes to something else than a DER certificate.',
  },
  certificate_truncated: {
    sentence: 'The certificate ends before its own length does; it was cut on the way.',
  },
  certificate_trailing_bytes: {
    sentence: 'There are bytes after the end of the certificate.',
  },
  certificate_hash_mismatch: {
    sentence: 'The hash sent with the certificate is missing or is not that of the certificate.',
  },
  too_many_certificates: {
    sentence: 'The chain holds more certificates than are allowed.',
  },
  chain_repeated: {
    sentence: 'The certificate chain header was sent more than once; send it once.',
  },
  chain_too_long: {
    sentence: 'The certificate chain is too long.',
  },
  chain_coding_invalid: {
    sentence: 'The certificate chain is not in the configured format.',
  },
  chain_without_leaf: {
    sentence: 'A certificate chain was sent without the certificate that it belongs to.',
  },
  chain_leaf_mismatch: {
    sentence: 'The certificate chain does not begin with the certificate that it was sent for.',
  },
  xfcc_element_count: {
    sentence: 'X-Forwarded-Client-Cert does not have exactly the configured number of elements.',
  },
  xfcc_key_repeated: {
    sentence: 'X-Forwarded-Client-Cert names Hash, Cert, Chain or Subject twice in one element.',
  },
  xfcc_without_cert: {
    sentence: 'X-Forwarded-Client-Cert holds neither Cert nor Chain; set both at the sending Envoy.',
  },
  peer_certificate_too_long: {
    sentence: 'The certificate of the TLS connection is too long.',
  },
  peer_certificate_differs: {
    sentence: 'X-Forwarded-Client-Cert holds another certificate than the TLS connection has.',
  },
  peer_certificate_unreadable: {
    sentence: 'The certificate of the TLS connection reached the enforcer in an unreadable form.',
  },
} as const satisfies Readonly<Record<string, { readonly sentence: string }>>;

export type PresentedErrorCode = keyof typeof presentedErrors;

export const none: PresentedNone = { kind: 'none' };

export const presentedError = (code: PresentedErrorCode, detail: string): PresentedError => ({
  kind: 'error',
  code,
  detail,
});
