import type { Certificate } from '../certificate/certificate.ts';
import { crlUrlsOf, ocspUrlsOf } from './certificate-urls.ts';
import type { Freshness } from './freshness.ts';
import type { SourceKind } from './revocation-state.ts';

/** Where to learn what became of the certificates below a CA. */
export type RevocationSources = {
  readonly kinds: readonly SourceKind[];
  readonly crlUrls: readonly string[];
  /** Files, folders, globs. */
  readonly crlPaths: readonly string[];
  /** In place of those that certificates name. */
  readonly ocspResponder: string | undefined;
  /** Trusted for answers, beside the issuer and whom it delegates to. */
  readonly ocspResponderCertificates: readonly Certificate[];
  readonly nonce: boolean;
  /** Whether URLs in certificates are followed; none but those of certificates whose path is valid. */
  readonly followCertificateUrls: boolean;
  /** Their hosts, which may be anywhere then; empty: any host, at a public address. */
  readonly allowedHosts: readonly string[];
  readonly freshness: Freshness;
};

/** `public`: a stranger's URL, which must not lead into our networks. */
export type Place = { readonly url: string; readonly reach: 'anywhere' | 'public' };

/** CRLs that the certificate names, as far as that is followed. */
export const crlPlacesOf = (certificate: Certificate, sources: RevocationSources): readonly Place[] =>
  sources.kinds.includes('crl') ? followed(crlUrlsOf(certificate), sources) : [];

/** Who is asked about the certificate. */
export function ocspPlacesOf(certificate: Certificate, sources: RevocationSources): readonly Place[] {
  if (!sources.kinds.includes('ocsp')) return [];
  return sources.ocspResponder === undefined
    ? followed(ocspUrlsOf(certificate), sources)
    : [{ url: sources.ocspResponder, reach: 'anywhere' }];
}

/** Whether there is anything at all to learn the certificate's status from. */
export const hasSource = (certificate: Certificate, sources: RevocationSources): boolean =>
  (sources.kinds.includes('crl') && sources.crlUrls.length + sources.crlPaths.length > 0) ||
  ocspPlacesOf(certificate, sources).length > 0 ||
  crlPlacesOf(certificate, sources).length > 0;

function followed(
  urls: readonly string[],
  { followCertificateUrls, allowedHosts }: RevocationSources,
): readonly Place[] {
  if (!followCertificateUrls) return [];
  return urls.flatMap((url): Place[] => {
    if (allowedHosts.length === 0) return [{ url, reach: 'public' }];
    const host = URL.parse(url)?.hostname.replace(/^\[|\]$/g, '');
    return host !== undefined && allowedHosts.includes(host) ? [{ url, reach: 'anywhere' }] : [];
  });
}
