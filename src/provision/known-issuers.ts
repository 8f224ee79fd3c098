import type { Certificate } from '../pki/certificate/certificate.ts';
import { verifySignature } from '../pki/certificate/signature.ts';
import { hex } from '../pki/der/der-values.ts';
import { defaultPolicy } from '../pki/path/path-options.ts';
import { isSameCa } from '../pki/path/trust-store.ts';
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
  const known = new Map<string, readonly Certificate[]>();
  const once = (key: string, find: () => readonly Certificate[]): readonly Certificate[] => {
    const found = known.get(key) ?? find();
    known.set(key, found);
    return found;
  };
  const firstOf = (
    cas: readonly Certificate[] | undefined,
    certificate: Certificate,
  ): readonly Certificate[] => {
    const found = cas?.find((ca) => isIssuer(ca, certificate));
    return found === undefined ? [] : [found];
  };
  const ofOwn = (certificate: Certificate): readonly Certificate[] =>
    once(certificate.sha256, () =>
      certificate.isSelfIssued ? [] : firstOf(own.get(certificate.issuer.key), certificate),
    );
  const ofPin: KnownIssuers['ofPin'] = (certificate, api) => {
    const [first] = ofOwn(certificate);
    if (first !== undefined || api === undefined || certificate.isSelfIssued) return first;
    const find = () => firstOf(othersFor(certificate, new Set([api])), certificate);
    return once(`${certificate.sha256} ${api}`, find)[0];
  };
  // Of a foreign file's all that fit: nobody knows for which API it is asked, and one that was reckoned, or certified anew, must not hide another.
  const ofCa = (ca: Certificate): readonly Certificate[] => {
    const found = ofOwn(ca);
    if (found.length > 0 || isOwn(ca) || ca.isSelfIssued) return found;
    return once(`${ca.sha256} CA`, () => {
      const fit = othersFor(ca, foreign.get(ca.sha256) ?? new Set()).filter((one) => isIssuer(one, ca));
      // However often they were certified: by whom, tells what is above.
      return (others.get(ca.issuer.key) ?? []).filter((one) => fit.some((other) => isSameCa(one, other)));
    });
  };
  return {
    ofPin,
    *above(ca) {
      const above = new Set(ofCa(ca));
      for (const next of above) {
        yield next;
        for (const one of ofCa(next)) above.add(one);
      }
    },
  };
}

const isIssuer = (ca: Certificate, certificate: Certificate): boolean =>
  verifySignature(certificate, ca.subjectPublicKey);

/** Of each key the first. */
function onceEach(cas: readonly Certificate[]): Certificate[] {
  const keys = new Map<string, Certificate>();
  for (const ca of cas) {
    const key = hex(ca.subjectPublicKey.spki);
    if (!keys.has(key)) keys.set(key, ca);
  }
  return [...keys.values()];
}
