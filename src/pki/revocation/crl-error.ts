type CrlErrorCode =
  | 'crl_malformed'
  | 'crl_too_large'
  | 'crl_version_unsupported'
  | 'crl_algorithms_differ'
  | 'crl_issuer_empty'
  | 'crl_extension_malformed'
  | 'crl_extension_duplicate'
  | 'crl_critical_extension_unknown';

/** Bytes that are no CRL by RFC 5280 section 5, or one that must not be used. */
export class CrlError extends Error {
  override readonly name = 'CrlError';
  readonly code: CrlErrorCode;
  /** For the log. */
  readonly detail: string;

  constructor(code: CrlErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
  }
}
