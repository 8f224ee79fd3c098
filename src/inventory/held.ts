import type { Api } from '../apis/api.ts';
import type { Operation } from '../apis/operations.ts';
import { clientsOf, isInForce, type Security } from '../apis/security.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import type { Snapshot } from '../snapshot.ts';
import type { OtherCertificates } from './other-certificates.ts';

/** A certificate that the configuration knows, or keys in place of one, and what it opens. */
export type Held = {
  readonly kind: 'client' | 'client CA' | 'trusted CA' | 'known CA' | 'sender' | 'issuer';
  /** Alias, or the issuer's name. */
  readonly name: string;
  /** Of a client. */
  readonly tier?: string | undefined;
  /** undefined: it is known by fingerprint, or by keys that have no dates. */
  readonly certificate: Certificate | undefined;
  /** SHA-256, lower-case hex. */
  readonly sha256: string | undefined;
  /** false: its entry is disabled, or its time is not now. */
  readonly isInForce: boolean;
  /** APIs with their operations, headers, or what else. Empty: nothing uses it. */
  readonly opens: readonly string[];
};

/** What needs care first: what has ended, what ends next; then what has no dates. */
export function inventory(snapshot: Snapshot, others: OtherCertificates, now: number): readonly Held[] {
  const all = [...clientsHeld(snapshot, now), ...othersHeld(snapshot, others)];
  const end = ({ certificate }: Held): number => certificate?.notAfter ?? Infinity;
  return all.toSorted((a, b) => (end(a) === end(b) ? a.name.localeCompare(b.name) : end(a) - end(b)));
}

function clientsHeld({ apis, everyone }: Snapshot, now: number): readonly Held[] {
  const opens = opensBy(apis.apis, (security) => clientsOf(security.clients).map(({ owner }) => owner));
  return (everyone.clients ?? []).flatMap(({ alias, owner, tier, term, asks }): Held[] => {
    const common = { name: alias, tier, isInForce: isInForce(term, now), opens: opens.get(owner) ?? [] };
    const held = (kind: Held['kind'], certificate: Certificate): Held => ({
      kind,
      certificate,
      sha256: certificate.sha256,
      ...common,
    });
    if (asks?.kind === 'certificate') return [held('client', asks.certificate)];
    if (asks?.kind === 'ca') return (asks.cas ?? []).map((ca) => held('client CA', ca));
    return (asks?.fingerprints ?? []).map(
      (sha256): Held => ({ kind: 'client', certificate: undefined, sha256, ...common }),
    );
  });
}

function othersHeld(
  { apis }: Snapshot,
  { trusted, known, senders, issuers }: OtherCertificates,
): readonly Held[] {
  const tokens = opensBy(apis.apis, ({ tokens }) => [...(tokens?.issuers.keys() ?? [])]);
  const ca =
    (kind: Held['kind'], opens: readonly string[]) =>
    (certificate: Certificate): Held => ({
      kind,
      name: '',
      certificate,
      sha256: certificate.sha256,
      isInForce: true,
      opens,
    });
  return [
    ...trusted.map(ca('trusted CA', ['every path must end at one of these'])),
    ...known.map(ca('known CA', ['paths go through it'])),
    ...senders.map(
      ({ alias, certificate, sha256, headers }): Held => ({
        kind: 'sender',
        name: alias,
        certificate,
        sha256,
        isInForce: true,
        opens: headers.map((header) => `header ${header}`),
      }),
    ),
    ...issuers.map(
      ({ name, issuer, certificate }): Held => ({
        kind: 'issuer',
        name,
        certificate,
        sha256: certificate?.sha256,
        isInForce: true,
        opens: tokens.get(issuer) ?? [],
      }),
    ),
  ];
}

/** By what is asked for, in words: `Orders 1`, or `Orders 1: GET /list`. */
function opensBy(
  apis: readonly Api[],
  keysOf: (security: Security) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const opens = new Map<string, string[]>();
  for (const api of apis) {
    const name = `${api.name} ${api.version}`;
    const operations = api.operations ?? [];
    const asked: readonly (Api | Operation)[] =
      operations.length > 0 && !api.servesUnlisted ? operations : [api, ...operations];
    const by = new Map<string, Set<Api | Operation>>();
    for (const one of asked)
      for (const key of keysOf(one.security)) by.set(key, (by.get(key) ?? new Set()).add(one));
    for (const [key, some] of by) {
      const isAll = some.size === asked.length || some.has(api);
      const texts = [...some].flatMap((one) => ('segments' in one ? [operationText(one)] : []));
      opens.set(key, [...(opens.get(key) ?? []), isAll ? name : `${name}: ${texts.join(', ')}`]);
    }
  }
  return opens;
}

const operationText = ({ path, methods }: Operation): string =>
  `${methods === undefined ? '' : `${[...methods].join('|')} `}${path}`;
