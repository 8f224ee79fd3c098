import type { Client } from '../apis/api.ts';
import type { Certificate } from '../pki/certificate.ts';
import { PathValidator } from '../pki/path-validator.ts';
import { type Anchor, createTrustStore } from '../pki/trust-store.ts';

/** One entry of `[[clients]]`, its file read. */
export type ClientEntry = {
  readonly alias: string;
  readonly tier: string | undefined;
  readonly kind: 'certificate' | 'ca';
  readonly certificate: Certificate;
};

export type Trust = {
  readonly clients: readonly (Client & { readonly entry: ClientEntry })[];
  /** Over the trust anchors of all clients together. */
  readonly everyone: PathValidator;
};

/**
 * Who trusts what. With `trustedCertPath` every path must end at one of its certificates, through a `caFile` too; only
 * a self-signed `file` is exempt, since nobody issued it. Without, each `file` and `caFile` is the anchor of its own.
 */
export function buildTrust(
  entries: readonly ClientEntry[],
  trusted: readonly Certificate[] | undefined,
  intermediates: readonly Certificate[],
): Trust {
  const pinnedEntries = entries.filter(
    ({ kind, certificate }) =>
      kind === 'certificate' && (trusted === undefined || certificate.isSelfSigned()),
  );
  const cas = entries.filter(({ kind }) => kind === 'ca').map(({ certificate }) => certificate);
  const pins = pinnedEntries.map(({ certificate }): Anchor => ({ kind: 'pinned', certificate }));
  const roots = (trusted ?? cas).map((certificate): Anchor => ({ kind: 'ca', certificate }));

  // One for all pins: which alias a pinned certificate is, its fingerprint tells.
  const pinned = new PathValidator(createTrustStore({ anchors: pins }));
  const rooted = new PathValidator(createTrustStore({ anchors: roots, intermediates }));
  const everyone = new PathValidator(
    createTrustStore({ anchors: [...pins, ...roots], intermediates: [...intermediates, ...cas] }),
  );
  const isPinned = new Set(pinnedEntries);
  const validatorOf = (entry: ClientEntry): PathValidator => {
    if (isPinned.has(entry)) return pinned;
    if (entry.kind === 'certificate') return rooted;
    const { certificate } = entry;
    return new PathValidator(
      trusted === undefined
        ? createTrustStore({ anchors: [{ kind: 'ca', certificate }], intermediates })
        : createTrustStore({ anchors: roots, intermediates, through: [certificate] }),
    );
  };
  return {
    clients: entries.map((entry) => ({
      alias: entry.alias,
      tier: entry.tier,
      validator: validatorOf(entry),
      entry,
    })),
    everyone,
  };
}
