import { bind } from '../apis/binding.ts';
import type { SenderVerifier } from '../client-certificate/source.ts';
import { nearest, type Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { type Certificate, CertificateError } from '../pki/certificate/certificate.ts';
import { CertificateCache } from '../pki/certificate/certificate-cache.ts';
import { equalBytes } from '../pki/der/der-values.ts';
import { createEffort } from '../pki/path/effort.ts';
import { mayBeBelow } from '../pki/path/path-validation.ts';
import { SearchLimit } from '../pki/path/search-limit.ts';
import { createTrustStore } from '../pki/path/trust-store.ts';
import type { RevocationState } from '../pki/revocation/revocation-state.ts';
import { readCas } from './cas.ts';
import { readClients } from './clients.ts';
import { apiOf, byKind } from './directory.ts';
import type { Findings, ReadingCircumstances } from './findings.ts';
import { strengthOf } from './leniency.ts';
import type { Sliced } from './slices.ts';
import { buildTrust, type ClientEntry, fingerprintsOf, type Trust } from './trust.ts';

export type Senders = {
  /** undefined: no sender is known by its certificate. */
  readonly trust: Trust | undefined;
  readonly entries: readonly ClientEntry[];
  /** senderCaPath. */
  readonly cas: readonly Certificate[];
};

/**
 * Load balancers that are known by their own certificates, and the CAs that those must lead up to.
 *
 * @param intermediates that are known whatever a load balancer presents
 */
export function* readSenders(
  config: Config,
  clients: readonly ClientEntry[],
  intermediates: readonly Certificate[],
  reading: ReadingCircumstances,
): Sliced<Senders> {
  const { senders, senderCaPath } = config.enforcer.security.mutualSSL;
  const at = ['enforcer', 'security', 'mutualSSL'];
  const { findings } = reading;
  checkAliases(config, findings);
  if (senders.length === 0) return { trust: undefined, entries: [], cas: [] };
  const cas = readCas([...at, 'senderCaPath'], senderCaPath, reading);
  const entries = yield* readClients(
    { entries: senders, at: [...at, 'senders'], scope: '' },
    { ...reading, cas: { trusted: cas, intermediates: [], strength: strengthOf(config) } },
  );
  const senderOf = new Map(
    entries.flatMap((entry) => fingerprintsOf(entry).map((sha256) => [sha256, entry] as const)),
  );
  for (const client of clients) {
    const sender = fingerprintsOf(client)
      .map((sha256) => senderOf.get(sha256))
      .find((entry) => entry !== undefined);
    if (sender === undefined) continue;
    const message = `a sender could pose as that client and the client as a sender; give each its own`;
    // An API's own client is that API's affair: it may stand in a foreign file.
    if (client.scope === '')
      findings.error(
        [...at, 'senders', sender.index],
        `alias "${sender.alias}" has the certificate of the client "${client.alias}": ${message}`,
      );
    else
      findings.error(
        ['apis', apiOf(client.scope), 'clients'],
        `client "${client.alias}" has the certificate of the sender "${sender.alias}": ${message}`,
      );
  }
  const trust = yield* buildTrust(entries, cas, intermediates, strengthOf(config));
  return { trust, entries, cas: cas ?? [] };
}

/**
 * How a load balancer is known by its own certificate: verified as a client's is, revocation and all, on trust anchors of
 * its own, so that no client can pass for a sender and no sender for a client.
 */
export function senderVerifier(
  { trust, entries }: Senders,
  revocation: RevocationState | undefined,
): SenderVerifier | undefined {
  if (trust === undefined) return undefined;
  const bound = byKind(trust.clients);
  const certificates = new CertificateCache();
  const searchLimit = new SearchLimit();
  const exact = entries.flatMap((entry) => (entry.kind === 'certificate' ? [entry.certificate] : []));
  const cas = entries.flatMap((entry) => (entry.kind === 'ca' ? (entry.cas ?? []) : []));
  const below = createTrustStore({
    anchors: cas.map((certificate) => ({ kind: 'ca', certificate })),
    intermediates: trust.between,
  });
  // What is signed, not the whole: an ECDSA signature can be written anew without a key (see `twinFingerprints`).
  const isMeant = (leaf: Certificate): boolean => exact.some(({ tbs }) => equalBytes(tbs, leaf.tbs));
  return (leafDer, intermediateDers, now) => {
    const leaf = certificates.read(leafDer);
    if (leaf instanceof CertificateError) return { isSender: false, isBarred: false, why: leaf.code };
    const intermediates = certificates.offered(intermediateDers);
    const request = { leaf, intermediates, now, effort: createEffort(searchLimit) };
    const result = bind({ ...request, revocation }, bound, trust.everyone);
    return result.isBound
      ? { isSender: true, alias: result.client.alias }
      : {
          isSender: false,
          isBarred: isMeant(leaf) || mayBeBelow({ ...request, trustStore: below }),
          why: `${result.code} (${result.detail})`,
        };
  };
}

/** `alias:NAME` must name one of the senders. */
function checkAliases(config: Config, findings: Findings): void {
  const { senders, sources, trustedSenders = [] } = config.enforcer.security.mutualSSL;
  const at = ['enforcer', 'security', 'mutualSSL'];
  const names = senders.map(({ alias }) => alias);
  const check = (path: Path, entries: readonly string[] = []): void =>
    entries.forEach((entry, i) => {
      const name = entry.startsWith('alias:') ? entry.slice('alias:'.length) : undefined;
      if (name === undefined || names.includes(name)) return;
      const near = nearest(name, names);
      findings.error(
        [...path, i],
        `found "${entry}", which no entry of senders defines; ${near === undefined ? 'define it' : `did you mean "alias:${near}"?`}`,
      );
    });
  check([...at, 'trustedSenders'], trustedSenders);
  sources.forEach((source, i) => {
    check([...at, 'sources', i, 'trustedSenders'], source.trustedSenders);
  });
  config.apis.forEach((api, i) => {
    const own = (path: Path, list: typeof api.sources): void =>
      list?.forEach((source, j) => {
        check([...path, 'sources', j, 'trustedSenders'], source.trustedSenders);
      });
    own(['apis', i], api.sources);
    api.operations.forEach((operation, j) => {
      own(['apis', i, 'operations', j], operation.sources);
    });
  });
}
