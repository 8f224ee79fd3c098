import { type Certificate, CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { readCertificateFile } from '../pki/containers/certificate-file.ts';
import type { ServiceSettings } from './service.ts';
import type { ClientEntry } from './trust.ts';

/** A certificate that a configuration depends on, and that ends one day. */
export type Expiry = {
  readonly kind:
    | 'client'
    | 'client-ca'
    | 'trusted-ca'
    | 'intermediate'
    /** The service's own, of its port. */
    | 'enforcer'
    /** Envoy's: towards clients, and towards us. */
    | 'router'
    | 'router-client';
  /** Whose it is; '': everybody's. */
  readonly alias: string;
  readonly certificate: Certificate;
};

/** Each certificate once, whoever names it: for those who renew them in time. */
export function expiriesOf({
  clients,
  trusted,
  intermediates,
  service,
}: {
  readonly clients: readonly ClientEntry[];
  readonly trusted: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly service: ServiceSettings;
}): readonly Expiry[] {
  const own = service.tcp?.tls && leafOf(service.tcp.tls.certificatePem);
  const all: readonly Expiry[] = [
    ...clients.flatMap((entry): Expiry[] => {
      const { alias } = entry;
      // Whom nobody lets in any more has nothing to renew.
      if (entry.term?.disabled === true || entry.kind === 'fingerprints') return [];
      if (entry.kind === 'certificate') return [{ kind: 'client', alias, certificate: entry.certificate }];
      return (entry.cas ?? []).map((certificate) => ({ kind: 'client-ca', alias, certificate }));
    }),
    ...trusted.map((certificate): Expiry => ({ kind: 'trusted-ca', alias: '', certificate })),
    ...intermediates.map((certificate): Expiry => ({ kind: 'intermediate', alias: '', certificate })),
    ...(own === undefined ? [] : [{ kind: 'enforcer', alias: '', certificate: own } as const]),
  ];
  return [
    ...new Map(
      all.map((one) => [JSON.stringify([one.kind, one.alias, one.certificate.sha256]), one]),
    ).values(),
  ];
}

/** The one that a server or client presents is the first of its file. undefined: TLS may read what we can't. */
export function leafOf(content: string | Uint8Array): Certificate | undefined {
  const found = readCertificateFile(content);
  const [first] = found.ok ? found.certificates : [];
  if (first === undefined) return undefined;
  try {
    return readCertificate(first.der);
  } catch (error) {
    if (error instanceof CertificateError) return undefined;
    throw error;
  }
}
