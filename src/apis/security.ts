import type { CertificateSources } from '../client-certificate/source.ts';
import type { TokenPolicy } from '../oauth2/issuer.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import type { PathValidator } from '../pki/path/path-validator.ts';
import type { ClientRule } from './client-rule.ts';

/** How much a factor counts: the client's certificate, or an access token. */
export type Requirement = 'mandatory' | 'optional' | 'off';

/** Who a certificate may be: one entry of `[[clients]]`, resolved. An alias may have several (old and new together). */
export type Client = {
  readonly alias: string;
  /** The alias, told apart from those that other APIs call the same. */
  readonly owner: string;
  /** An API's own: another's of this alias may be somebody else. */
  readonly isOwn: boolean;
  readonly tier: string | undefined;
  /** exact: one certificate. rule: what a CA issued, as far as it says what it must. issuedBy: all that a CA issued. */
  readonly kind: 'exact' | 'rule' | 'issuedBy';
  /** Whether the certificate says what it must; whether it is true, `validator` finds out. */
  readonly fits: (leaf: Certificate) => boolean;
  /** The same for keeping it out: also what it can be made into without a key (`twinFingerprints`). */
  readonly means: (leaf: Certificate) => boolean;
  /** Holds the trust anchors that the alias's certificates must lead up to. */
  readonly validator: PathValidator;
  /** When the entry counts; undefined: always. */
  readonly term: Term | undefined;
  /** For the log of a refusal. */
  readonly asks?: ClientAsks;
};

/** What an entry of `[[clients]]` asks for: kept to explain a refusal by, never to decide by. */
export type ClientAsks =
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  | { readonly kind: 'fingerprints'; readonly fingerprints: readonly string[] }
  | {
      readonly kind: 'ca';
      /** One of these must be in the path; undefined: any that is trusted. */
      readonly cas: readonly Certificate[] | undefined;
      readonly rule: ClientRule | undefined;
      /** What the rule's keys say in config.toml. */
      readonly words?: Readonly<Record<string, string>>;
    };

/** Milliseconds since the epoch, both inclusive. */
export type Term = { readonly disabled: boolean; readonly notBefore: number; readonly notAfter: number };

export const isInForce = (term: Term | undefined, now: number): boolean =>
  term === undefined || (!term.disabled && now >= term.notBefore && now <= term.notAfter);

export function termText(term: Term | undefined): string {
  const day = (instant: number): string =>
    Number.isFinite(instant) ? new Date(instant).toISOString() : 'ever';
  return term === undefined ? 'always' : `from ${day(term.notBefore)} to ${day(term.notAfter)}`;
}

/** Clients by what they are known by; each kind in the order they were given in. */
export type BoundClients = {
  /** By the certificate's SHA-256 in lower-case hex. */
  readonly exact: ReadonlyMap<string, readonly Client[]>;
  readonly rules: readonly Client[];
  readonly issuedBy: readonly Client[];
  /** Of this API's own clients, those that may be out of force. */
  readonly restricted: readonly Client[];
};

/** What a request must bring, to an API or to one of its operations. */
export type Security = {
  readonly mutualSsl: Requirement;
  /** In the order of `aliases`. */
  readonly clients: BoundClients;
  /** Where its clients' certificates come from. */
  readonly sources: CertificateSources;
  /** An optional certificate that is wrong: a refusal (APK), or as good as none (Choreo Connect). */
  readonly optionalCertificate: 'reject-wrong' | 'ignore-wrong';
  readonly applicationSecurity: Requirement;
  /** undefined: the API has nothing to do with access tokens, and its Authorization header is its backend's. */
  readonly tokens: TokenPolicy | undefined;
};

/** All clients that there are, whichever API they may call. */
export type Everyone = {
  /** Over the trust anchors of all of them. */
  readonly validator: PathValidator;
  /** Those that may be out of force, but for an API's own. */
  readonly restricted: readonly Client[];
  /** Exact ones by `owner`: what may be left of an alias whose other entries are out of force. */
  readonly exactByOwner: ReadonlyMap<string, readonly Client[]>;
  /** All of them, for the log of a refusal. */
  readonly clients?: readonly Client[];
};

/** All of them, in the order in which they are tried. */
export const clientsOf = ({ exact, rules, issuedBy }: BoundClients): readonly Client[] => [
  ...[...exact.values()].flat(),
  ...rules,
  ...issuedBy,
];

/** Of pairs: lists may be long, and anybody can ask. Not in the object itself, where a changed copy would have it as well. */
const compared = new WeakMap<Security, WeakMap<Security, boolean>>();

/** Whether `a` asks for nothing, or for the same as `b`, as far as it decides. */
export function asksNoMore(a: Security, b: Security): boolean {
  if (a === b || (a.mutualSsl === 'off' && a.applicationSecurity === 'off')) return true;
  const known = compared.get(a) ?? new WeakMap<Security, boolean>();
  compared.set(a, known);
  const answer = known.get(b) ?? asksTheSame(a, b);
  known.set(b, answer);
  return answer;
}

function asksTheSame(a: Security, b: Security): boolean {
  const { mutualSsl, applicationSecurity } = a;
  return (
    mutualSsl === b.mutualSsl &&
    applicationSecurity === b.applicationSecurity &&
    a.sources === b.sources &&
    (mutualSsl !== 'optional' || a.optionalCertificate === b.optionalCertificate) &&
    (mutualSsl === 'off' || sameClients(a.clients, b.clients)) &&
    (applicationSecurity === 'off' || sameTokens(a.tokens, b.tokens))
  );
}

const sameClients = (a: BoundClients, b: BoundClients): boolean =>
  a === b ||
  (sameItems(a.rules, b.rules) &&
    sameItems(a.issuedBy, b.issuedBy) &&
    sameItems(a.restricted, b.restricted) &&
    a.exact.size === b.exact.size &&
    [...a.exact].every(([sha256, clients]) => sameItems(clients, b.exact.get(sha256) ?? [])));

const sameTokens = (a: TokenPolicy | undefined, b: TokenPolicy | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.scopesMatch === b.scopesMatch &&
    a.boundTokens === b.boundTokens &&
    sameItems([...a.issuers.values()], [...b.issuers.values()]) &&
    sameItems(a.scopes, b.scopes) &&
    sameSets(a.audiences, b.audiences) &&
    sameSets(a.consumerKeys, b.consumerKeys));

const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

const sameSets = (a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.size === b.size && [...a].every((item) => b.has(item)));
