import { type ClientRule, fitsRule } from '../apis/client-rule.ts';
import type { Client, Everyone, Term } from '../apis/security.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { twinFingerprints } from '../pki/certificate/ecdsa-twin.ts';
import type { Leniency, PathPolicy } from '../pki/path/path-options.ts';
import { PathValidator } from '../pki/path/path-validator.ts';
import { type Anchor, createTrustStore, type KnownCas, knownCas } from '../pki/path/trust-store.ts';
import { type CertificatesOfCa, type LenientCa, policyOf } from './leniency.ts';
import { createOwners, type ForeignCa, type Owners } from './owners.ts';
import type { Sliced } from './slices.ts';

/** What one CA has of its own of revocation, as it is written. */
export type WrittenRevocation = {
  readonly written: NonNullable<Config['clients'][number]['revocation']>;
  readonly at: Path;
};

/** One entry of `[[clients]]`, its files read. */
export type ClientEntry = {
  /** '': one of `[[clients]]`. Else whose own it is. */
  readonly scope: string;
  readonly alias: string;
  readonly tier: string | undefined;
  readonly term: Term | undefined;
  /** Index in the list it was written in. */
  readonly index: number;
} & (
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  | { readonly kind: 'fingerprints'; readonly fingerprints: readonly string[] }
  | {
      readonly kind: 'ca';
      /** The CAs that must be in the path; undefined: any that is trusted. */
      readonly cas: readonly Certificate[] | undefined;
      /** The CA is a `caFile`, and so an anchor of its own where there is no `trustedCertPath`. */
      readonly isAnchor: boolean;
      readonly rule: ClientRule | undefined;
      /** What is taken for this CA's sake, beyond what is taken of all. */
      readonly certificates?: CertificatesOfCa | undefined;
      /** What this CA has of its own, and where that is written. */
      readonly revocation?: WrittenRevocation | undefined;
      /** What the rule's keys say in config.toml, for messages. */
      readonly words?: Readonly<Record<string, string>>;
    }
);

/** The API of a foreign file that an entry of clients is of, and its entry of `[[definitions]]`; undefined: config.toml's own. */
export type ForeignOf = (entry: ClientEntry) => { readonly entry: string; readonly api: number } | undefined;

/** What a client is known by, for looking it up. */
export type TrustedClient = Client & { readonly entry: ClientEntry };
export type Trust = {
  readonly clients: readonly TrustedClient[];
  readonly everyone: Everyone;
  /** Trusted CAs. */
  readonly anchors: readonly Certificate[];
  /** CAs that help to lead up to these, whatever a client sends along. */
  readonly between: KnownCas;
  readonly policy: Partial<PathPolicy>;
  readonly owners: Owners;
};

/**
 * Who trusts what. With `trustedCertPath` every path must end at one of its certificates, through a `caFile` too; only
 * a self-signed `file` is exempt, since nobody issued it. Without, each `file` and `caFile` is the anchor of its own.
 */
export function* buildTrust(
  entries: readonly ClientEntry[],
  trusted: readonly Certificate[] | undefined,
  intermediates: readonly Certificate[],
  strength: Leniency,
  foreignOf: ForeignOf = () => undefined,
): Sliced<Trust> {
  const policy = policyOf(strength, entries.flatMap(lenientCasOf));
  const isPinned = (entry: ClientEntry): boolean =>
    entry.kind === 'certificate'
      ? trusted === undefined || entry.certificate.isSelfSigned()
      : entry.kind === 'fingerprints' && trusted === undefined;
  const fingerprints = new Set<string>();
  for (const entry of entries) {
    yield;
    if (isPinned(entry)) for (const sha256 of fingerprintsOf(entry)) fingerprints.add(sha256);
  }
  const cas = entries.flatMap((entry) => (entry.kind === 'ca' && entry.isAnchor ? (entry.cas ?? []) : []));
  const roots = (trusted ?? cas).map((certificate): Anchor => ({ kind: 'ca', certificate }));

  const ofForeign = entries.flatMap((client): readonly ForeignCa[] => {
    const entry = foreignOf(client)?.entry;
    if (client.kind !== 'ca' || entry === undefined) return [];
    return (client.cas ?? []).map((ca) => ({ ca, entry, scope: client.scope }));
  });
  const ofOwn = entries.flatMap((client) =>
    client.kind === 'ca' && foreignOf(client) === undefined ? (client.cas ?? []) : [],
  );
  const owners = createOwners([...(trusted ?? []), ...intermediates, ...ofOwn], ofForeign);
  const { turnOf } = owners;
  yield;

  // What one entry knows of the way, all do: whether one is in force must not depend on what a client sends along.
  const between = knownCas([...intermediates, ...cas]);
  // One for all pins of config.toml, and one for each foreign API's: which alias a pinned certificate is, its fingerprint
  // tells, but who issued it each looks for among others.
  const pinned = new Map<number | undefined, PathValidator>();
  const pinnedIn = (entry: ClientEntry): PathValidator => {
    const pinnedBy = foreignOf(entry)?.api;
    const validator =
      pinned.get(pinnedBy) ??
      new PathValidator(
        createTrustStore({ anchors: [], fingerprints, pinnedBy, intermediates: between, turnOf }),
        policy,
      );
    pinned.set(pinnedBy, validator);
    return validator;
  };
  const rooted = new PathValidator(
    createTrustStore({ anchors: roots, intermediates: between, turnOf }),
    policy,
  );
  // Many aliases may have one CA, told apart by rules: they share its validator.
  const known = new Map<string, PathValidator>();
  const byCas = (cas: readonly Certificate[]): PathValidator => {
    const key = cas.map(({ sha256 }) => sha256).join();
    const own = cas.map((certificate): Anchor => ({ kind: 'ca', certificate }));
    // Of its clients its own word counts.
    const turnOf = (ca: Certificate): number =>
      cas.some(({ sha256 }) => sha256 === ca.sha256) ? 0 : owners.turnOf(ca);
    const validator =
      known.get(key) ??
      new PathValidator(
        trusted === undefined
          ? createTrustStore({ anchors: own, intermediates: between, turnOf })
          : createTrustStore({ anchors: roots, intermediates: between, through: cas, turnOf }),
        policy,
        { remembersRefusals: false },
      );
    known.set(key, validator);
    return validator;
  };
  const validatorOf = (entry: ClientEntry): PathValidator => {
    if (isPinned(entry)) return pinnedIn(entry);
    if (entry.kind !== 'ca' || entry.cas === undefined) return rooted;
    return byCas(entry.cas);
  };
  const clients: TrustedClient[] = [];
  const exactByOwner = new Map<string, TrustedClient[]>();
  for (const entry of entries) {
    yield;
    const client = { ...knownBy(entry), validator: validatorOf(entry), asks: entry, entry };
    clients.push(client);
    if (client.kind !== 'exact') continue;
    const known = exactByOwner.get(client.owner);
    if (known === undefined) exactByOwner.set(client.owner, [client]);
    else known.push(client);
  }
  const validator = new PathValidator(
    createTrustStore({
      anchors: roots,
      fingerprints,
      intermediates: between,
      turnOf,
    }),
    policy,
  );
  const restricted = clients.filter(({ term, entry }) => term !== undefined && entry.scope === '');
  return {
    clients,
    anchors: roots.map(({ certificate }) => certificate),
    between,
    policy,
    owners,
    everyone: { validator, restricted, clients, exactByOwner },
  };
}

const lenientCasOf = (entry: ClientEntry): readonly LenientCa[] =>
  entry.kind !== 'ca' || entry.certificates === undefined
    ? []
    : (entry.cas ?? []).map((ca) => ({ ca, certificates: entry.certificates! }));

/** An alias, told apart from those that other APIs call the same. */
export const ownerKey = (scope: string, alias: string): string => `${scope} ${alias.toLowerCase()}`;

function knownBy(
  entry: ClientEntry,
): Pick<Client, 'alias' | 'owner' | 'isOwn' | 'tier' | 'kind' | 'fits' | 'means' | 'term'> {
  const { alias, tier, term } = entry;
  const owned = { owner: ownerKey(entry.scope, alias), isOwn: entry.scope !== '' };
  if (entry.kind === 'ca') {
    const { rule } = entry;
    const fits = (leaf: Certificate): boolean => rule === undefined || fitsRule(rule, leaf);
    const kind = rule === undefined ? 'issuedBy' : 'rule';
    return { alias, ...owned, tier, term, kind, fits, means: fits };
  }
  const judged = entry.kind === 'certificate' ? byCertificate(entry.certificate) : byHash(entry.fingerprints);
  return { alias, ...owned, tier, term, kind: 'exact', ...judged };
}

type Judged = Pick<Client, 'fits' | 'means'>;

function byHash(sha256s: readonly string[]): Judged {
  const hashes = new Set(sha256s);
  const fits = ({ sha256 }: Certificate): boolean => hashes.has(sha256);
  const means = (leaf: Certificate): boolean =>
    fits(leaf) || twinFingerprints(leaf).some((sha256) => hashes.has(sha256));
  return { fits, means };
}

/** Made once a certificate: thousands of aliases may have the same. */
const judgedBy = new WeakMap<Certificate, Judged>();

function byCertificate(certificate: Certificate): Judged {
  const judged = judgedBy.get(certificate) ?? byHash([certificate.sha256]);
  judgedBy.set(certificate, judged);
  return judged;
}

/** SHA-256 of the certificates that an exact entry means. */
export const fingerprintsOf = (entry: ClientEntry): readonly string[] =>
  entry.kind === 'certificate'
    ? [entry.certificate.sha256]
    : entry.kind === 'fingerprints'
      ? entry.fingerprints
      : [];
