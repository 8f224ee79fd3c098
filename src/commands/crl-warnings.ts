import type { Path } from '../config/problem.ts';
import type { FeedState } from '../feeds/feed.ts';
import type { RevocationSettings } from '../feeds/revocation-feeds.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { distinct, isSameCa } from '../pki/path/trust-store.ts';
import type { CrlSet } from '../pki/revocation/crl-set.ts';
import { isWithin, windowOf } from '../pki/revocation/freshness.ts';
import { resolver } from '../provision/own-config.ts';
import type { Provisioned } from '../provision/provision.ts';
import type { FileWarning } from './file-warnings.ts';
import { isOutOfDate, stateLine } from './revocation.ts';

/** What is wrong with the CRL files of a configuration, and whose clients that keeps out. */
export function crlWarnings(
  file: string,
  { config, revocation: settings, snapshot, trust }: Provisioned,
  { states, crls }: { readonly states: readonly FeedState[]; readonly crls: CrlSet },
): readonly FileWarning[] {
  if (settings === undefined) return [];
  const placeOf = (from: string): Path =>
    written(config).find(({ name }) => resolver(file)(name) === from)?.path ?? table;
  const unlisted = topOf(settings.signers, trust.anchors).flatMap((ca) =>
    unlistedBelow(ca, { settings, crls, snapshot }),
  );
  const wrong = states.filter(
    (state) => state.lastError !== undefined || isOutOfDate(state) || state.faults.length > 0,
  );
  const told = new Set<Certificate>();
  const warnings = wrong.map((state) => {
    const about = unlisted.filter(({ crlPaths }) => crlPaths.includes(state.from));
    for (const { ca } of about) told.add(ca);
    return { path: placeOf(state.from), message: [stateLine(state), ...about.map(consequence)].join('; ') };
  });
  const others = unlisted.filter(({ ca, isAlone }) => isAlone && !told.has(ca));
  return [
    ...warnings,
    ...others.map((one) => ({
      path: placeOf(one.crlPaths[0]!),
      message: `no list of ${formatName(one.ca.subject)} that counts is in any of its crlFiles; ${consequence(one)}; add one, or write mode = "off" for this CA in [[enforcer.security.revocation.cas]]`,
    })),
  ];
}

const table: Path = ['enforcer', 'security', 'revocation'];

/** Each name in a `crlFiles`, with its place. */
function written({ enforcer, clients, apis }: Provisioned['config']) {
  const { revocation } = enforcer.security;
  const ofClients = (at: Path, list: typeof clients) =>
    list.map((client, i) => ({ at: [...at, i, 'revocation'], crlFiles: client.revocation?.crlFiles }));
  const lists = [
    { at: table, crlFiles: revocation.crlFiles },
    ...revocation.cas.map(({ crlFiles }, i) => ({ at: [...table, 'cas', i], crlFiles })),
    ...ofClients(['clients'], clients),
    ...apis.flatMap((api, i) => [
      ...ofClients(['apis', i, 'clients'], api.clients),
      ...api.operations.flatMap(({ clients: own = [] }, j) =>
        ofClients(['apis', i, 'operations', j, 'clients'], own),
      ),
    ]),
  ];
  return lists.flatMap(({ at, crlFiles = [] }) =>
    crlFiles.map((name, i) => ({ name, path: [...at, 'crlFiles', i] })),
  );
}

/** Trusted CAs, and those that only clients by their `file` are judged by. */
function topOf(signers: readonly Certificate[], anchors: readonly Certificate[]): readonly Certificate[] {
  const isBelow = (ca: Certificate): boolean =>
    !ca.isSelfIssued && signers.some(({ subject }) => subject.key === ca.issuer.key);
  return distinct([...anchors, ...signers.filter((ca) => !isBelow(ca))]);
}

type Unlisted = {
  readonly ca: Certificate;
  readonly crlPaths: readonly string[];
  /** Files are all that tells of it. */
  readonly isAlone: boolean;
  readonly isRefused: boolean;
};

/** This CA and those known below it, as far as files tell what they revoke and no list of theirs counts. */
function unlistedBelow(
  anchor: Certificate,
  {
    settings,
    crls,
    snapshot,
  }: Pick<Provisioned, 'snapshot'> & { readonly settings: RevocationSettings; readonly crls: CrlSet },
): readonly Unlisted[] {
  const below = distinct(settings.signers).filter(
    (ca) => ca.issuer.key === anchor.subject.key && !isSameCa(ca, anchor),
  );
  return [anchor, ...below].flatMap((ca) => {
    const sources = settings.sourcesOf(ca, anchor);
    const policy = snapshot.revocation?.policyOf(ca, anchor);
    if (sources === undefined || policy === undefined) return [];
    const { kinds, crlPaths, crlUrls, ocspResponder, followCertificateUrls, freshness } = sources;
    if (!kinds.includes('crl') || crlPaths.length === 0) return [];
    // Of clients alone, and it issued CAs.
    if (policy.check === 'leaf' && ca === anchor && below.length > 0) return [];
    const counts = [...crls.values()]
      .flat()
      .filter((crl) => crl.extensions.deltaCRLIndicator === undefined)
      .filter((crl) => isWithin(windowOf(crl, freshness), Date.now()));
    // Whom an indirect one is about, its entries and the certificates tell.
    const isListed = counts.some(
      ({ issuer, extensions }) =>
        issuer.key === ca.subject.key || extensions.issuingDistributionPoint?.indirectCRL === true,
    );
    if (isListed) return [];
    const isAlone =
      crlUrls.length === 0 &&
      !followCertificateUrls &&
      !(kinds.includes('ocsp') && ocspResponder !== undefined);
    return [{ ca, crlPaths, isAlone, isRefused: policy.unknown === 'refuse' }];
  });
}

function consequence({ ca, isAlone, isRefused }: Unlisted): string {
  const name = formatName(ca.subject);
  if (!isRefused) return `nothing that ${name} issued is known to be revoked, and it is admitted (soft-fail)`;
  const unless = isAlone ? '' : ', unless another of its sources tells';
  return `everything that ${name} issued is refused (revocation_unknown, by hard-fail)${unless}`;
}
