import { type Family, gauge, type Sample } from '../observability/exposition.ts';
import { type Certificate, CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import type { Expiry } from '../provision/expiries.ts';
import type { InForce } from './configuration.ts';

/** When what is configured ends, for alerts that come in time. */
export const expiryFamilies = (
  { expiries, feeds }: Pick<InForce, 'expiries' | 'feeds'>,
  envoys: readonly Expiry[],
): readonly Family[] => [
  gauge(
    'mtls_enforcer_certificate_expiry_timestamp_seconds',
    "When certificates end that the configuration names, since the epoch: of clients and their CAs by alias, of trusted CAs, of keys in issuers' JWKS, of the enforcer and of Envoy.",
    function* (): Generator<Sample | undefined> {
      for (const { kind, alias, certificate } of [...expiries, ...envoys])
        yield sampleOf(kind, alias, certificate);
      const keys = feeds.flatMap((feed) => certificatesOf(feed.jwks() ?? []));
      const each = new Map(keys.map((certificate) => [certificate.sha256, certificate]));
      for (const certificate of each.values()) yield sampleOf('jwks-key', '', certificate);
    },
  ),
];

const sampleOf = (kind: string, alias: string, { sha256, notAfter }: Certificate): Sample => ({
  labels: { kind, alias, sha256 },
  value: notAfter / 1000,
});

const read = new WeakMap<readonly unknown[], readonly Certificate[]>();

/** A JWK has no end of its own; the certificate in it has (`x5c`, RFC 7517 section 4.7). */
function certificatesOf(jwks: readonly unknown[]): readonly Certificate[] {
  let certificates = read.get(jwks);
  if (certificates === undefined) {
    certificates = jwks.flatMap(certificateOf);
    read.set(jwks, certificates);
  }
  return certificates;
}

function certificateOf(jwk: unknown): readonly Certificate[] {
  const { x5c } = (jwk ?? {}) as { readonly x5c?: readonly unknown[] };
  const first = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof first !== 'string') return [];
  try {
    return [readCertificate(Buffer.from(first, 'base64'))];
  } catch (error) {
    if (error instanceof CertificateError) return [];
    throw error;
  }
}
