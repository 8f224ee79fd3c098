import { type Certificate, CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { readCertificateFile } from '../pki/containers/certificate-file.ts';
import type { Senders } from './senders.ts';
import type { ServiceSettings } from './service.ts';
import type { Sliced } from './slices.ts';
import type { ClientEntry } from './trust.ts';

/** A certificate that a configuration depends on, and that ends one day. */
export type Expiry = {
  readonly kind:
    | 'client'
    | 'client-ca'
    | 'trusted-ca'
    | 'intermediate'
    /** Of a load balancer, and what leads up to it. */
    | 'sender'
    | 'sender-ca'
    /** Of who issues tokens: its certificate, and those beside its keys. */
    | 'issuer'
    | 'jwks-key'
    /** The service's own, of its port. */
    | 'enforcer'
    /** Envoy's: towards clients, and towards us. */
    | 'router'
    | 'router-client';
  /** Whose it is, an issuer by its name; '': everybody's. */
  readonly alias: string;
  readonly certificate: Certificate;
};

/** Each certificate once, whoever names it: for those who renew them in time. */
export function* expiriesOf({
  clients,
  trusted,
  intermediates,
  senders,
  issuers,
  service,
}: {
  readonly clients: readonly ClientEntry[];
  readonly trusted: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly senders: Pick<Senders, 'entries' | 'cas'>;
  readonly issuers: readonly Expiry[];
  readonly service: ServiceSettings;
}): Sliced<readonly Expiry[]> {
  const found = new Map<string, Expiry>();
  const add = (all: readonly Expiry[]): void => {
    for (const one of all) found.set(`${one.kind} ${one.certificate.sha256} ${one.alias}`, one);
  };
  const everybodys = (kind: Expiry['kind'], certificates: readonly Certificate[]): readonly Expiry[] =>
    certificates.map((certificate) => ({ kind, alias: '', certificate }));
  for (const entry of clients) {
    yield;
    add(ofEntry(entry, 'client', 'client-ca'));
  }
  add(everybodys('trusted-ca', trusted));
  add(everybodys('intermediate', intermediates));
  for (const entry of senders.entries) add(ofEntry(entry, 'sender', 'sender-ca'));
  add(everybodys('sender-ca', senders.cas));
  add(issuers);
  const own = service.tcp?.tls && leafOf(service.tcp.tls.certificatePem);
  if (own !== undefined) add(everybodys('enforcer', [own]));
  return [...found.values()];
}

function ofEntry(entry: ClientEntry, own: Expiry['kind'], ca: Expiry['kind']): readonly Expiry[] {
  const { alias } = entry;
  // Whom nobody lets in any more has nothing to renew.
  if (entry.term?.disabled === true || entry.kind === 'fingerprints') return [];
  if (entry.kind === 'certificate') return [{ kind: own, alias, certificate: entry.certificate }];
  return (entry.cas ?? []).map((certificate) => ({ kind: ca, alias, certificate }));
}

/** A JWK has no end of its own; the certificate in it has (`x5c`, RFC 7517 section 4.7). */
export const certificatesOfJwks = (jwks: readonly unknown[]): readonly Certificate[] =>
  jwks.flatMap((jwk) => {
    const { x5c } = (jwk ?? {}) as { readonly x5c?: readonly unknown[] };
    const first = Array.isArray(x5c) ? x5c[0] : undefined;
    const certificate = typeof first === 'string' ? readable(Buffer.from(first, 'base64')) : undefined;
    return certificate === undefined ? [] : [certificate];
  });

/** The one that a server or client presents is the first of its file. undefined: TLS may read what we can't. */
export function leafOf(content: string | Uint8Array): Certificate | undefined {
  const found = readCertificateFile(content);
  const [first] = found.ok ? found.certificates : [];
  return first && readable(first.der);
}

function readable(der: Uint8Array): Certificate | undefined {
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof CertificateError) return undefined;
    throw error;
  }
}
