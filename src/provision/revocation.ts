import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { byItself } from '../feeds/owner.ts';
import type { RevocationSettings } from '../feeds/revocation-feeds.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { hex } from '../pki/der/der-values.ts';
import { leniencyFor } from '../pki/path/leniency.ts';
import { defaultPolicy, type PathPolicy } from '../pki/path/path-options.ts';
import { hasSource, type RevocationSources } from '../pki/revocation/revocation-sources.ts';
import type {
  RevocationKnowledge,
  RevocationPolicy,
  RevocationState,
} from '../pki/revocation/revocation-state.ts';
import type { Findings } from './findings.ts';
import { type ForeignCas, type KnownIssuers, knownIssuers, type Pin } from './known-issuers.ts';
import type { Owners } from './owners.ts';
import { certificateIn } from './pem-files.ts';
import type { Sliced } from './slices.ts';
import type { WrittenRevocation } from './trust.ts';

type Written = Config['enforcer']['security']['revocation'];
type OwnWritten = WrittenRevocation['written'];
type Mode = NonNullable<Written['mode']>;

/** What becomes of revocation below one CA. */
type Rules = { readonly sources: RevocationSources; readonly policy: RevocationPolicy };

type Revocation = {
  readonly settings: RevocationSettings;
  readonly policyOf: RevocationState['policyOf'];
  readonly issuerOf: KnownIssuers['ofPin'];
  readonly signerAnchorsOf: (issuer: Certificate) => readonly Certificate[];
};

type Known = {
  /** Trusted CAs. */
  readonly anchors: readonly Certificate[];
  /** Those that load balancers' own certificates lead up to. */
  readonly senderAnchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  /** CAs that clients and senders of config.toml name. */
  readonly ownCas: readonly Certificate[];
  readonly foreign: ForeignCas;
  /** Those of clients and senders that are at hand. */
  readonly pins: readonly Pin[];
  readonly owners: Owners;
  readonly policy: Partial<PathPolicy>;
  /** What stands beside the `caFile` of clients. */
  readonly cas: readonly (WrittenRevocation & { readonly certificate: Certificate })[];
};

const at = (...path: Path): Path => ['enforcer', 'security', 'revocation', ...path];

/** `[enforcer.security.revocation]`; undefined: revocation is not looked at. */
export function* readRevocation(
  written: Written,
  known: Known,
  findings: Findings,
): Sliced<Revocation | undefined> {
  const hasOwn = [...written.cas, ...known.cas.map((ca) => ca.written)].some(namesSource);
  const isSourced = namesSource(written) || written.followCertificateUrls;
  if (written.mode === 'off' && (isSourced || hasOwn)) {
    findings.error(
      at('mode'),
      'found "off" beside sources, which nobody would look at; write "soft-fail" or "hard-fail", or leave the sources out',
    );
    return undefined;
  }
  // A source of one CA's own says nothing of the others.
  const mode = written.mode ?? (isSourced ? 'hard-fail' : 'off');
  const cas = [...written.cas.flatMap((ca, i) => readCa(ca, i, findings)), ...known.cas].flatMap((ca) =>
    readOwn(ca, mode, findings),
  );
  checkOnce(cas, findings);
  if (mode === 'off' && cas.every((ca) => ca.mode === 'off')) return undefined;
  warnAboutUse(written, findings);
  const responders = readResponders(written.ocspResponderCertificate, at(), findings);
  const general = rulesOf(
    written,
    { mode, crlUrls: [], crlFiles: [], ocspResponder: undefined, responders },
    findings,
  );
  const byCa = new Map(cas.map((ca) => [caKey(ca.certificate), rulesOf(written, ca, findings)]));
  const ofOwn = [...known.senderAnchors, ...known.ownCas, ...cas.map(({ certificate }) => certificate)];
  const isOwn = new Set(ofOwn.map(({ sha256 }) => sha256));
  const turnOf = (ca: Certificate): number => (isOwn.has(ca.sha256) ? 0 : known.owners.turnOf(ca));
  // By turns: a key that fits a signature can be reckoned from it, so that a foreign file's must not come first.
  const signers = [...known.anchors, ...known.intermediates, ...ofOwn].toSorted(
    (a, b) => turnOf(a) - turnOf(b),
  );
  const issuers = knownIssuers(signers, turnOf, known.foreign);
  const hasOwnRules = (ca: Certificate): boolean => byCa.has(caKey(ca));
  const trusted = new Set(known.anchors.filter((ca) => turnOf(ca) === 0).map(caKey));
  const rulesFor = (...path: readonly Certificate[]): Rules | undefined => {
    const nearest = path.findIndex(hasOwnRules);
    if (nearest !== -1) {
      const own = byCa.get(caKey(path[nearest]!));
      // Another CA may have certified the key of one that is trusted by itself, and takes nothing away from it.
      const isAbove = path.slice(0, nearest).some((ca) => trusted.has(caKey(ca)));
      return isAbove && strictness(own) < strictness(general) ? general : own;
    }
    // Nor does what is above the end of a path, or above the issuer of a client's file.
    if (general !== undefined) return general;
    const above = [...issuers.above(path.at(-1)!)].find(hasOwnRules);
    return above && byCa.get(caKey(above));
  };
  // What is above foreign files' CAs costs signatures; once found it is known.
  if (general === undefined)
    for (const ca of known.anchors) {
      yield;
      for (const _ of issuers.above(ca)) yield;
    }
  warnAboutCas(known, rulesFor, findings);
  return {
    policyOf: (...above) => rulesFor(...above)?.policy,
    issuerOf: issuers.ofPin,
    // As far as config.toml knows them itself: above a key that was reckoned from a signature is whoever reckoned it.
    signerAnchorsOf: (issuer) => (turnOf(issuer) > 0 ? [] : [issuer, ...issuers.above(issuer)]),
    settings: {
      sources: [general, ...byCa.values()].flatMap((rules) => rules?.sources ?? []),
      sourcesOf: (...above) => rulesFor(...above)?.sources,
      cacheDir: written.cacheDir === undefined ? undefined : findings.resolve(written.cacheDir),
      signers,
      turnOf,
      ownersOf: (anchor) =>
        isOwn.has(anchor.sha256) ? [byItself(anchor.sha256)] : known.owners.ownersOf(anchor),
      weakAlgorithmsOf: (ca) => leniencyFor(ca, { ...defaultPolicy, ...known.policy }).weakAlgorithms,
      ahead: written.sources.includes('ocsp') ? aheadOf(known.pins, issuers) : [],
      timeout: written.timeout * 1000,
      refresh: written.refresh * 1000,
      clockSkew: written.clockSkew * 1000,
    },
  };
}

/** What is known of revocation, and what this configuration makes of it. */
export function revocationState(
  { policyOf, issuerOf, signerAnchorsOf }: Pick<RevocationState, 'policyOf' | 'issuerOf' | 'signerAnchorsOf'>,
  knowledge: RevocationKnowledge,
): RevocationState {
  return {
    get version() {
      return knowledge.version;
    },
    get crls() {
      return knowledge.crls;
    },
    answersAbout: (certificate, issuer) => knowledge.answersAbout?.(certificate, issuer) ?? [],
    isAwaited: (certificate, issuer) => knowledge.isAwaited?.(certificate, issuer) === true,
    want: (...path) => knowledge.want?.(...path),
    policyOf,
    ...(issuerOf && { issuerOf }),
    ...(signerAnchorsOf && { signerAnchorsOf }),
  };
}

type Own = Pick<OwnWritten, 'crlUrls' | 'crlFiles' | 'ocspResponder'> & {
  readonly mode: Mode;
  readonly responders: readonly Certificate[];
};

function rulesOf(all: Written, own: Own, { resolve }: Findings): Rules | undefined {
  if (own.mode === 'off') return undefined;
  const isSoft = own.mode === 'soft-fail';
  const freshness = {
    clockSkew: all.clockSkew * 1000,
    maxAge: (all.maxAge ?? Infinity) * 1000,
    staleGrace: isSoft ? all.staleGrace * 1000 : 0,
  };
  const sources: RevocationSources = {
    kinds: all.sources,
    crlUrls: [...new Set([...all.crlUrls, ...own.crlUrls])],
    crlPaths: [...new Set([...all.crlFiles, ...own.crlFiles])].map(resolve),
    ocspResponder: own.ocspResponder ?? all.ocspResponder,
    ocspResponderCertificates: own.responders,
    nonce: all.nonce,
    followCertificateUrls: all.followCertificateUrls,
    allowedHosts: all.allowedHosts,
    freshness,
  };
  const policy: RevocationPolicy = {
    check: all.check,
    sources: all.sources,
    freshness,
    unknown: isSoft ? 'accept' : 'refuse',
    pending: isSoft || all.firstSight === 'allow' ? 'accept' : 'refuse',
    hasSource: (certificate) => hasSource(certificate, sources),
  };
  return { sources, policy };
}

const strictness = (rules: Rules | undefined): number =>
  rules === undefined ? 0 : rules.policy.unknown === 'accept' ? 1 : 2;

const namesSource = ({ crlUrls, crlFiles, ocspResponder }: Written | OwnWritten): boolean =>
  crlUrls.length + crlFiles.length > 0 || ocspResponder !== undefined;

type CaWritten = Known['cas'][number];
type OwnOfCa = Own & Pick<CaWritten, 'certificate' | 'at'>;

/** Which CA an entry of `cas` is about. */
function readCa(ca: Written['cas'][number], i: number, findings: Findings): CaWritten[] {
  const { caFile, caPem, ...written } = ca;
  const here = at('cas', i);
  if ((caFile === undefined) === (caPem === undefined)) {
    findings.error(here, 'names no CA, or two; write caFile = "…" or caPem = "…", one of them');
    return [];
  }
  const certificate =
    caFile === undefined
      ? findings.text([...here, 'caPem'], caPem!, certificateIn)
      : findings.file([...here, 'caFile'], caFile, certificateIn);
  return certificate === undefined ? [] : [{ written, at: here, certificate }];
}

function readOwn({ written, at, certificate }: CaWritten, mode: Mode, findings: Findings): OwnOfCa[] {
  if (written.mode === 'off' && namesSource(written)) {
    findings.error(
      [...at, 'mode'],
      'found "off" beside sources of this CA, which nobody would look at; leave one of them out',
    );
    return [];
  }
  const responders = readResponders(written.ocspResponderCertificate, at, findings);
  // With sources of its own, what is off for all is not for it.
  const own = written.mode ?? (mode === 'off' ? 'hard-fail' : mode);
  return [{ ...written, mode: own, responders, certificate, at }];
}

/** Which of two would count, nobody could see. */
function checkOnce(cas: readonly OwnOfCa[], findings: Findings): void {
  const seen = new Map<string, string>();
  for (const { certificate, at, mode, crlUrls, crlFiles, ocspResponder, responders } of cas) {
    const key = caKey(certificate);
    const own = [mode, crlUrls, crlFiles, ocspResponder, responders.map(({ sha256 }) => sha256)];
    const text = JSON.stringify(own);
    if ((seen.get(key) ?? text) !== text)
      findings.error(
        at,
        `found for ${formatName(certificate.subject)}, which has other settings in an entry before; write them once, or the same in both`,
      );
    seen.set(key, text);
  }
}

function readResponders(file: string | undefined, here: Path, findings: Findings): readonly Certificate[] {
  if (file === undefined) return [];
  const found = findings.file([...here, 'ocspResponderCertificate'], file, certificateIn);
  return found === undefined ? [] : [found];
}

function warnAboutUse(written: Written, findings: Findings): void {
  const { sources, staleGrace, mode, allowedHosts, followCertificateUrls, maxAge } = written;
  const unused = (key: string, why: string): void => findings.warn(at(key), `found, and not used: ${why}`);
  if (!sources.includes('crl') && written.crlUrls.length + written.crlFiles.length > 0)
    unused('sources', 'crlUrls and crlFiles are written, and sources lacks "crl"; add it');
  if (!sources.includes('ocsp') && written.ocspResponder !== undefined)
    unused('sources', 'ocspResponder is written, and sources lacks "ocsp"; add it');
  if (staleGrace > 0 && mode !== 'soft-fail')
    unused('staleGrace', 'what is out of date counts only with mode = "soft-fail"');
  if (allowedHosts.length > 0 && !followCertificateUrls)
    unused('allowedHosts', 'URLs in certificates are not followed; write followCertificateUrls = true');
  if (maxAge !== undefined && maxAge < written.refresh)
    findings.warn(
      at('maxAge'),
      `found ${maxAge}, less than refresh (${written.refresh}): what is fetched counts no more before it is fetched again; write a smaller refresh`,
    );
}

/** A CA of which nothing can be learnt: with hard-fail, all that it issued is refused, or no sender. */
function warnAboutCas(
  { anchors, senderAnchors }: Known,
  rulesFor: (ca: Certificate) => Rules | undefined,
  findings: Findings,
): void {
  const ofClients = new Set(anchors.map(caKey));
  for (const [key, ca] of new Map([...anchors, ...senderAnchors].map((one) => [caKey(one), one]))) {
    const rules = rulesFor(ca);
    if (rules === undefined || asksElsewhere(rules) || readsFiles(rules)) continue;
    const meaning =
      rules.policy.unknown === 'refuse'
        ? ofClients.has(key)
          ? 'all that it issued is refused (revocation_source_missing)'
          : 'no load balancer whose certificate it issued is a trusted sender'
        : 'nothing that it issued is ever known to be revoked';
    findings.warn(
      at(),
      `no source tells what ${formatName(ca.subject)} revoked, so ${meaning}; write crlUrls, crlFiles or ocspResponder, or mode = "off" for this CA in [[enforcer.security.revocation.cas]]`,
    );
  }
}

const readsFiles = ({ sources: { kinds, crlPaths } }: Rules): boolean =>
  kinds.includes('crl') && crlPaths.length > 0;

const asksElsewhere = ({ sources }: Rules): boolean =>
  sources.followCertificateUrls ||
  (sources.kinds.includes('crl') && sources.crlUrls.length > 0) ||
  (sources.kinds.includes('ocsp') && sources.ocspResponder !== undefined);

/** Certificates that are at hand, each with the CA that issued it. What else is above it, its path will tell. */
const aheadOf = (pins: readonly Pin[], { ofPin }: KnownIssuers): RevocationSettings['ahead'] => ({
  *[Symbol.iterator]() {
    for (const { certificate, pinnedBy } of pins) yield { certificate, issuer: ofPin(certificate, pinnedBy) };
  },
});

/** As one CA, however often its certificate was issued anew. */
const caKey = ({ subject, subjectPublicKey }: Certificate): string =>
  `${subject.key} ${hex(subjectPublicKey.spki)}`;
