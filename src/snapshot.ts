import type { ErrorFormat } from './apis/api.ts';
import type { ApiIndex } from './apis/api-index.ts';
import type { Everyone } from './apis/security.ts';
import type { CertificateCache } from './pki/certificate/certificate-cache.ts';
import type { SearchLimit } from './pki/path/search-limit.ts';
import type { RevocationState } from './pki/revocation/revocation-state.ts';
import type { BackendSettings } from './upstream/backend-headers.ts';
import type { BackendJwtSigner } from './upstream/backend-jwt.ts';

/**
 * Everything that a Check depends on besides the request and the time: made whole by `config/`, never changed,
 * replaced in one step on reload. A Check holds one snapshot from start to end. What it caches goes with it.
 */
export type Snapshot = {
  /** An untrusted sender's certificate header is refused where a certificate is optional, too. */
  readonly rejectUntrustedHeader: boolean;
  readonly apis: ApiIndex;
  readonly everyone: Everyone;
  readonly certificates: CertificateCache;
  /** A live handle: what it knows changes while the snapshot stays. undefined: revocation is not looked at. */
  readonly revocation: RevocationState | undefined;
  readonly searchLimit: SearchLimit;
  readonly answers: AnswerSettings;
  /** Signs what the backend is told; undefined: switched off. */
  readonly backendJwt: BackendJwtSigner | undefined;
};

/** How answers to Envoy are written. Header names are lower case; undefined: switched off. */
export type AnswerSettings = BackendSettings & {
  /** Response header that carries the reason code of a denial. */
  readonly reasonHeader: string | undefined;
  /** Whose error bodies denials have that no API is known for. */
  readonly errorFormat: ErrorFormat;
};
