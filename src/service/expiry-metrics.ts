import { type Family, gauge, type Sample } from '../observability/exposition.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { certificatesOfJwks, type Expiry } from '../provision/expiries.ts';
import type { InForce } from './configuration.ts';

/** When what is configured ends, for alerts that come in time. */
export const expiryFamilies = (
  { expiries, feeds }: Pick<InForce, 'expiries' | 'feeds'>,
  envoys: readonly Expiry[],
): readonly Family[] => [
  gauge(
    'mtls_enforcer_certificate_expiry_timestamp_seconds',
    'When certificates end that the configuration names, since the epoch: of clients and their CAs by alias, of trusted CAs, of senders, of issuers and the keys in their JWKS, of the enforcer and of Envoy.',
    function* (): Generator<Sample | undefined> {
      const keys = new Set<string>();
      for (const { kind, alias, certificate } of [...expiries, ...envoys]) {
        if (kind === 'jwks-key') keys.add(certificate.sha256);
        yield sampleOf(kind, alias, certificate);
      }
      for (const certificate of feeds.flatMap((feed) => certificatesOf(feed.jwks() ?? []))) {
        if (keys.has(certificate.sha256)) continue;
        keys.add(certificate.sha256);
        yield sampleOf('jwks-key', '', certificate);
      }
    },
  ),
];

const sampleOf = (kind: string, alias: string, { sha256, notAfter }: Certificate): Sample => ({
  labels: { kind, alias, sha256 },
  value: notAfter / 1000,
});

const read = new WeakMap<readonly unknown[], readonly Certificate[]>();

function certificatesOf(jwks: readonly unknown[]): readonly Certificate[] {
  let certificates = read.get(jwks);
  if (certificates === undefined) {
    certificates = certificatesOfJwks(jwks);
    read.set(jwks, certificates);
  }
  return certificates;
}
