import type { Certificate } from '../pki/certificate/certificate.ts';
import type { ClientEntry } from './trust.ts';

/** A certificate that a configuration depends on, and that ends one day. */
export type Expiry = {
  readonly kind: 'client' | 'client-ca' | 'trusted-ca' | 'intermediate';
  /** Whose it is; '': everybody's. */
  readonly alias: string;
  readonly certificate: Certificate;
};

/** Each certificate once, whoever names it: for those who renew them in time. */
export function expiriesOf(
  clients: readonly ClientEntry[],
  trusted: readonly Certificate[],
  intermediates: readonly Certificate[],
): readonly Expiry[] {
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
  ];
  return [
    ...new Map(
      all.map((one) => [JSON.stringify([one.kind, one.alias, one.certificate.sha256]), one]),
    ).values(),
  ];
}
