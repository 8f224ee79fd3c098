import type { Certificate } from '../pki/certificate/certificate.ts';
import { verifySignature } from '../pki/certificate/signature.ts';
import { hex } from '../pki/der/der-values.ts';
import { defaultPolicy } from '../pki/path/path-options.ts';
import type { Sliced } from './slices.ts';
import type { ClientEntry, ForeignOf } from './trust.ts';

/** By SHA-256 the CAs that foreign files name, with the APIs that do. */
export type ForeignCas = ReadonlyMap<string, ReadonlySet<number>>;

/** A certificate that is trusted by itself. */
export type Pin = {
  readonly certificate: Certificate;
  /** The API of a foreign file; undefined: config.toml. */
  readonly pinnedBy: number | undefined;
};

export type KnownIssuers = {
  /** The CA that issued it, where whoever pins it knows one. */
  readonly ofPin: (certificate: Certificate, pinnedBy?: number) => Certificate | undefined;
  /** Known CAs above this one, the nearest first. */
  readonly above: (ca: Certificate) => Iterable<Certificate>;
};

export function* foreignCas(entries: readonly ClientEntry[], foreignOf: ForeignOf): Sliced<ForeignCas> {
  const foreign = new Map<string, Set<number>>();
  for (const entry of entries) {
    yield;
    const api = foreignOf(entry)?.api;
    if (entry.kind !== 'ca' || api === undefined) continue;
    for (const { sha256 } of entry.cas ?? [])
      foreign.set(sha256, (foreign.get(sha256) ?? new Set()).add(api));
  }
  return foreign;
}

/**
 * By name and signature; looked for once for each certificate and whoever has it, however often it comes anew. Of what
 * config.toml has, config.toml's CAs alone: what a foreign file names, be it the CA itself, must not have revocation looked
 * at where config.toml knows of no source. Of what an API of a foreign file has those first, then the CAs of the same API,
 * then any, by turns, as many as there is time for: whoever else has the certificate, too, takes no part in that.
 *
 * @param signers by turns
 */
export function knownIssuers(
  signers: readonly Certificate[],
  turnOf: (signer: Certificate) => number,
  foreign: ForeignCas,
): KnownIssuers {
  const isOwn = (ca: Certificate): boolean => turnOf(ca) === 0;
  const own = Map.groupBy(signers.filter(isOwn), ({ subject }) => subject.key);
  for (const [name, cas] of own) own.set(name, onceEach(cas));
  const others = Map.groupBy(
    signers.filter((ca) => !isOwn(ca)),
    ({ subject }) => subject.key,
  );
  const othersFor = ({ issuer }: Certificate, apis: ReadonlySet<number>): readonly Certificate[] => {
    const isBeside = (ca: Certificate): boolean =>
      [...(foreign.get(ca.sha256) ?? [])].some((api) => apis.has(api));
    const named = others.get(issuer.key) ?? [];
    // As much as one request may cost: nobody is answered meanwhile.
    let left = defaultPolicy.maxSignatureChecks;
    return onceEach([...named.filter(isBeside), ...named]).filter(({ subjectPublicKey }) => {
      left -= subjectPublicKey.checkCost;
      return left >= 0;
    });
  };
  const known = new Map<string, Certificate | undefined>();
  const once = (key: string, find: () => Certificate | undefined): Certificate | undefined => {
    if (!known.has(key)) known.set(key, find());
    return known.get(key);
  };
  /** @param who has it, beside config.toml: the same for the same APIs */
  const issuerOf = (
    certificate: Certificate,
    who = '',
    apis?: ReadonlySet<number>,
  ): Certificate | undefined => {
    if (certificate.isSelfIssued) return undefined;
    const { sha256, issuer } = certificate;
    const isIssuer = (ca: Certificate): boolean => verifySignature(certificate, ca.subjectPublicKey);
    const first = once(sha256, () => own.get(issuer.key)?.find(isIssuer));
    if (first !== undefined || apis === undefined) return first;
    return once(`${sha256} ${who}`, () => othersFor(certificate, apis).find(isIssuer));
  };
  const issuerOfCa = (ca: Certificate): Certificate | undefined =>
    isOwn(ca) ? issuerOf(ca) : issuerOf(ca, 'CA', foreign.get(ca.sha256));
  return {
    ofPin: (certificate, api) =>
      api === undefined ? issuerOf(certificate) : issuerOf(certificate, `${api}`, new Set([api])),
    *above(ca) {
      const above = new Set<Certificate>();
      for (let next = issuerOfCa(ca); next !== undefined && !above.has(next); next = issuerOfCa(next)) {
        above.add(next);
        yield next;
      }
    },
  };
}

/** Of each key the first. */
function onceEach(cas: readonly Certificate[]): Certificate[] {
  const keys = new Map<string, Certificate>();
  for (const ca of cas) {
    const key = hex(ca.subjectPublicKey.spki);
    if (!keys.has(key)) keys.set(key, ca);
  }
  return [...keys.values()];
}
