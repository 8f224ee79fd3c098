import { trimSlash } from '../apis/api-index.ts';
import type { CertificateSources } from '../client-certificate/source.ts';
import { isChoreoConnectFile } from '../config/choreo-connect-keys.ts';
import type { Path, Problem } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { JwksFeed, JwksFeeds } from '../feeds/jwks.ts';
import type { RevocationSettings } from '../feeds/revocation-feeds.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { CertificateCache } from '../pki/certificate/certificate-cache.ts';
import { SearchLimit } from '../pki/path/search-limit.ts';
import type { RevocationKnowledge } from '../pki/revocation/revocation-state.ts';
import type { Snapshot } from '../snapshot.ts';
import { checkAnswers, checkToldHeaders, readAnswers } from './answers.ts';
import { buildApis } from './apis.ts';
import { readBackendJwt } from './backend-jwt.ts';
import { readCas } from './cas.ts';
import { warnAboutSize } from './certificate-warnings.ts';
import { readClients, readOwnClients } from './clients.ts';
import { checkDatabases } from './databases.ts';
import type { Entry, ForeignService } from './definitions.ts';
import { apiOf, groupByScope } from './directory.ts';
import { type Expiry, expiriesOf } from './expiries.ts';
import type { Findings } from './findings.ts';
import { issuersOfEntry } from './issuers.ts';
import { foreignCas } from './known-issuers.ts';
import type { State } from './last-good.ts';
import { strengthOf, warnAboutLeniency } from './leniency.ts';
import type { OwnConfig } from './own-config.ts';
import { checkBackends } from './own-ports.ts';
import { certificateIn } from './pem-files.ts';
import { readRevocation, revocationState } from './revocation.ts';
import { checkRouter } from './router.ts';
import { readSenders, senderVerifier } from './senders.ts';
import { readService, type ServiceSettings } from './service.ts';
import { checkShadow } from './shadow.ts';
import type { Sliced } from './slices.ts';
import {
  buildSourceList,
  buildSources,
  checkForeignHeaders,
  type SourceGround,
  sharedHeaders,
} from './sources.ts';
import { readTiers, type Tier } from './tiers.ts';
import type { Issuers } from './token-policies.ts';
import { readTokenServices } from './token-services.ts';
import { buildTrust, type ForeignOf, type Trust } from './trust.ts';

/** What comes of one configuration. */
export type Built = {
  readonly snapshot: Snapshot;
  readonly service: ServiceSettings;
  /** What is wrong with the issuers that foreign files name. */
  readonly problems: readonly Problem[];
  /** Certificates by the text they were read from: what has not changed is not read again. */
  readonly certificates: CertificateTexts;
  /** Issuers' keys that the snapshot needs kept fresh. */
  readonly feeds: readonly JwksFeed[];
  /** Certificates that end one day. */
  readonly expiries: readonly Expiry[];
  /** What is to be fetched about revocation; undefined: it is not looked at. */
  readonly revocation: RevocationSettings | undefined;
  readonly trust: Trust;
  /** What Envoy counts. */
  readonly tiers: readonly Tier[];
};

/** Where each foreign API stands: by its entry, for config.toml may lie elsewhere where Envoy’s configuration is made. */
export type ForeignFiles = ReadonlyMap<Config['apis'][number], string>;

export type Circumstances = {
  /** Milliseconds since the epoch: only for warnings about dates. */
  readonly now: number;
  /** Of those who keep them going; nothing is fetched here. */
  readonly jwksFeeds: JwksFeeds;
  /** Likewise: what is known of revocation. Nothing, unless given. */
  readonly revocationKnowledge?: RevocationKnowledge;
  /** What was in force before. */
  readonly before?: Pick<Built, 'certificates'> | undefined;
};

/**
 * Everything that a configuration means. What is wrong goes to `findings`.
 *
 * @param states of the foreign APIs, which are the last of `config.apis`
 * @param foreignServices issuers that foreign files name, by their entry
 */
export function* build(
  own: OwnConfig,
  states: readonly State[],
  foreignServices: ReadonlyMap<string, readonly ForeignService[]>,
  {
    now,
    jwksFeeds,
    revocationKnowledge = nothingKnown,
    before,
    findings,
    entries,
    foreignFiles,
    unread,
  }: Circumstances & {
    readonly findings: Findings;
    readonly entries: readonly Entry[];
    readonly foreignFiles: ForeignFiles;
    /** Paths of `[[definitions]]` of which nobody knows what there is. */
    readonly unread: readonly string[];
  },
): Sliced<Built> {
  const { config, isWritten, ignored } = own;
  const foreignFrom = config.apis.length - states.length;
  const tls = config.router.downstream.tls;
  const at = (key: string) => ['router', 'downstream', 'tls', key];
  const reading = { findings, now };
  const trusted = readCas(at('trustedCertPath'), tls.trustedCertPath, reading);
  const intermediates = readCas(at('intermediatesPath'), tls.intermediatesPath, reading) ?? [];
  const certificates = new Map<string, Certificate>();
  const readOne = rememberingCertificates(before?.certificates ?? new Map(), certificates);
  const strength = strengthOf(config);
  const { certificates: lenient } = config.enforcer.security;
  warnAboutLeniency(lenient, '', ['enforcer', 'security', 'certificates'], findings);
  const clientReading = { ...reading, cas: { trusted, intermediates, strength, readOne } };
  yield;
  const listed = yield* readClients({ entries: config.clients, at: ['clients'], scope: '' }, clientReading);
  yield* warnAboutSize(listed, config, findings);
  const clients = [...listed, ...(yield* readOwnClients(config, clientReading))];
  yield;
  const foreignOf: ForeignOf = ({ scope }) => {
    const entry = scope === '' ? undefined : states[apiOf(scope) - foreignFrom]?.entry;
    return entry === undefined ? undefined : { entry, api: apiOf(scope) };
  };
  const trust = yield* buildTrust(clients, trusted, intermediates, strength, foreignOf);
  yield;
  const senders = yield* readSenders(config, clients, intermediates, reading);
  const judged = [...clients, ...senders.entries];
  const pins = judged.flatMap((entry) =>
    entry.kind === 'certificate' ? [{ certificate: entry.certificate, pinnedBy: foreignOf(entry)?.api }] : [],
  );
  yield;
  const withCas = judged.filter((entry) => entry.kind === 'ca');
  const foreign = yield* foreignCas(judged, foreignOf);
  yield;
  const revocation = yield* readRevocation(
    config.enforcer.security.revocation,
    {
      ...trust,
      senderAnchors: senders.trust?.anchors ?? [],
      intermediates: [...intermediates, ...withCas.flatMap(({ cas }) => cas ?? [])],
      ownCas: withCas.flatMap((entry) => (foreignOf(entry) === undefined ? (entry.cas ?? []) : [])),
      foreign,
      pins,
      cas: withCas.flatMap((entry) =>
        entry.revocation === undefined
          ? []
          : (entry.cas ?? []).map((certificate) => ({ ...entry.revocation!, certificate })),
      ),
    },
    findings,
  );
  const state = revocation && revocationState(revocation, revocationKnowledge);
  yield;
  const sourceGround = {
    settings: config.enforcer.security.mutualSSL,
    verifySender: senderVerifier(senders, state),
    findings,
  };
  const sources = buildSources(isWritten, sourceGround);
  const sourcesOf = ownSources(config, foreignFrom, sourceGround);
  checkDatabases(config, findings);
  const { claimDialect } = config.enforcer.jwtGenerator;
  const surroundings = { isChoreoConnect: isChoreoConnectFile(ignored), jwksFeeds, claimDialect, findings };
  const services = readTokenServices(
    config.enforcer.security.tokenService,
    ['enforcer', 'security', 'tokenService'],
    surroundings,
  );
  const byEntry = new Map(
    entries.map(({ id }, i) => [
      id,
      issuersOfEntry(config.definitions[i]!, ['definitions', i], foreignServices.get(id) ?? [], {
        ...surroundings,
        own: services.issuers,
      }),
    ]),
  );
  const directory = yield* groupByScope(trust);
  const ownIssuers: Issuers = { known: services.issuers, takesAll: false };
  const apis = yield* buildApis({
    config,
    directory,
    issuersOf: (api) => byEntry.get(states[api - foreignFrom]?.entry ?? '')?.issuers ?? ownIssuers,
    sources,
    sourcesOf: sourcesOf.at,
    faults: new Map([
      ...states.map(({ fault }, i) => [foreignFrom + i, fault] as const),
      ...catchAlls(config.apis.slice(0, foreignFrom), unread),
    ]),
    fileOf: (api) => foreignFiles.get(config.apis[api]!),
    foreignFrom,
    findings,
    now,
  });
  const issuers = [...services.expiries, ...[...byEntry.values()].flatMap(({ expiries }) => expiries)];
  yield;
  const service = readService(config, isWritten, findings);
  checkRouter(config, findings);
  checkBackends(config, service, findings);
  checkShadow(config, own.file, findings);
  const answers = readAnswers(config, isWritten, headersOf([sources, ...sourcesOf.all()]));
  checkAnswers(config, isWritten, readAnswers(config, isWritten, headersOf([sources])), findings);
  const backendJwt = readBackendJwt(config, isWritten, findings);
  return {
    service,
    trust,
    revocation: revocation?.settings,
    expiries: yield* expiriesOf({
      clients,
      trusted: trusted ?? [],
      intermediates,
      senders,
      issuers,
      service,
    }),
    tiers: yield* readTiers(config, foreignFrom, findings),
    feeds: [...services.feeds, ...[...byEntry.values()].flatMap(({ feeds }) => feeds)],
    problems: [...byEntry.values()].flatMap(({ problems }) => problems),
    certificates,
    snapshot: {
      rejectUntrustedHeader: config.enforcer.security.mutualSSL.rejectUntrustedHeader,
      apis,
      everyone: trust.everyone,
      certificates: new CertificateCache(),
      revocation: state,
      searchLimit: new SearchLimit(),
      answers,
      backendJwt,
    },
  };
}

const nothingKnown: RevocationKnowledge = { version: 0, crls: new Map() };

type CertificateTexts = ReadonlyMap<string, Certificate>;

/** @throws FileProblem, as `certificateIn` does */
function rememberingCertificates(before: CertificateTexts, now: Map<string, Certificate>) {
  const byText = (text: string, content: string | Uint8Array): Certificate => {
    const certificate = now.get(text) ?? before.get(text) ?? certificateIn(content);
    now.set(text, certificate);
    return certificate;
  };
  // A file that thousands name is there once, and compared once.
  const ofFiles = new WeakMap<Uint8Array, Certificate>();
  return (content: string | Uint8Array): Certificate => {
    if (typeof content === 'string') return byText(content, content);
    const certificate = ofFiles.get(content) ?? byText(Buffer.from(content).toString('latin1'), content);
    ofFiles.set(content, certificate);
    return certificate;
  };
}

const headersOf = (all: readonly CertificateSources[]): readonly string[] =>
  all.flatMap(({ headers }) =>
    headers.flatMap(({ header, chainHeader }) => (chainHeader ? [header, chainHeader] : [header])),
  );

/**
 * What files that could never be read would claim, nobody knows: until they can be, an API that has all paths which
 * nobody else claims would answer for theirs, too.
 */
const catchAlls = (apis: Config['apis'], unread: readonly string[]): readonly (readonly [number, string])[] =>
  apis.flatMap(({ basePath }, i) =>
    unread.length > 0 && trimSlash(basePath) === ''
      ? [
          [
            i,
            `APIs below its base path may not be known yet: ${unread.join(', ')} could not be read`,
          ] as const,
        ]
      : [],
  );

/** The sources that APIs have of their own. Many have the same: they share one, with its caches. */
function ownSources(config: Config, foreignFrom: number, ground: SourceGround) {
  const known = new Map<string, CertificateSources>();
  const shared = sharedHeaders(config, foreignFrom);
  const { findings } = ground;
  return {
    at: (written: Config['apis'][number]['sources'], path: Path): CertificateSources => {
      const key = JSON.stringify(written);
      const same = known.get(key);
      if (same !== undefined) return same;
      const errors = findings.count();
      const sources = buildSourceList(written ?? [], path, ground);
      checkToldHeaders(config, headersOf([sources]), path, findings);
      if (findings.count() === errors) checkForeignHeaders(written ?? [], path, shared, findings);
      // What is wrong is wrong with each API that says so.
      if (findings.count() === errors) known.set(key, sources);
      return sources;
    },
    all: () => [...known.values()],
  };
}
