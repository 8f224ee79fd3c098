import type { Certificate } from '../pki/certificate/certificate.ts';
import { verifySignature } from '../pki/certificate/signature.ts';
import { hex } from '../pki/der/der-values.ts';
import { defaultPolicy } from '../pki/path/path-options.ts';
import { apiOf } from './directory.ts';
import type { Sliced } from './slices.ts';
import { type ClientEntry, fingerprintsOf } from './trust.ts';

/** The CA that issued a certificate, where whoever has the certificate knows one. */
export type IssuerOf = (certificate: Certificate) => Certificate | undefined;

/** By SHA-256 the clients and CAs that foreign files alone name, with the APIs that do. */
export type ForeignOnly = ReadonlyMap<string, ReadonlySet<number>>;

export function* foreignOnly(
  entries: readonly ClientEntry[],
  isForeign: (entry: ClientEntry) => boolean,
): Sliced<ForeignOnly> {
  const own = new Set<string>();
  const foreign = new Map<string, Set<number>>();
  for (const entry of entries) {
    yield;
    const named = entry.kind === 'ca' ? (entry.cas ?? []).map(({ sha256 }) => sha256) : fingerprintsOf(entry);
    for (const sha256 of named) {
      if (!isForeign(entry)) own.add(sha256);
      else if (!own.has(sha256))
        foreign.set(sha256, (foreign.get(sha256) ?? new Set()).add(apiOf(entry.scope)));
    }
  }
  for (const sha256 of own) foreign.delete(sha256);
  return foreign;
}

/**
 * By name and signature; looked for once for each certificate, however often it comes anew. Of what config.toml has,
 * config.toml's CAs alone: what a foreign file names, be it the CA itself, must not have revocation looked at where
 * config.toml knows of no source. Of what foreign files alone have those first, then the CAs of the same API, then any, by
 * turns, as many as there is time for.
 *
 * @param signers by turns
 */
export function issuerAmong(
  signers: readonly Certificate[],
  turnOf: (signer: Certificate) => number,
  foreign: ForeignOnly,
): IssuerOf {
  const isOwn = (ca: Certificate): boolean => turnOf(ca) === 0;
  const ofOwn = signers.filter(isOwn);
  const own = Map.groupBy(ofOwn, ({ subject }) => subject.key);
  for (const [name, cas] of own) own.set(name, onceEach(cas));
  const others = Map.groupBy(
    signers.filter((ca) => !isOwn(ca)),
    ({ subject }) => subject.key,
  );
  const sha256sOfOwn = new Set(ofOwn.map(({ sha256 }) => sha256));
  const othersFor = ({ sha256, issuer }: Certificate): readonly Certificate[] => {
    const apis = foreign.get(sha256);
    if (apis === undefined || sha256sOfOwn.has(sha256)) return [];
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
  const find = (certificate: Certificate): Certificate | undefined => {
    if (certificate.isSelfIssued) return undefined;
    const isIssuer = (ca: Certificate): boolean => verifySignature(certificate, ca.subjectPublicKey);
    return own.get(certificate.issuer.key)?.find(isIssuer) ?? othersFor(certificate).find(isIssuer);
  };
  const known = new Map<string, Certificate | undefined>();
  return (certificate) => {
    const { sha256 } = certificate;
    if (!known.has(sha256)) known.set(sha256, find(certificate));
    return known.get(sha256);
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

/** Known CAs above this one, the nearest first. */
export function* issuersAbove(ca: Certificate, issuerOf: IssuerOf): Generator<Certificate> {
  const above = new Set<Certificate>();
  for (let next = issuerOf(ca); next !== undefined && !above.has(next); next = issuerOf(next)) {
    above.add(next);
    yield next;
  }
}
