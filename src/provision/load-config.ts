import { dirname, resolve } from 'node:path';
import { trimSlash } from '../apis/api-index.ts';
import type { CertificateSources, SenderVerifier } from '../client-certificate/source.ts';
import { isChoreoConnectFile } from '../config/choreo-connect-keys.ts';
import { eachOnce, type Problem } from '../config/problem.ts';
import { type ConfigText, readConfig } from '../config/read-config.ts';
import type { Config } from '../config/schema/config.ts';
import { FileProblem, readText } from '../documents/files.ts';
import type { TableAddress, TableRows } from '../feeds/api-manager-table.ts';
import { type JwksFeed, JwksFeeds } from '../feeds/jwks.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { CertificateCache } from '../pki/certificate/certificate-cache.ts';
import { SearchLimit } from '../pki/path/search-limit.ts';
import type { Snapshot } from '../snapshot.ts';
import { checkAnswers, checkToldHeaders, readAnswers } from './answers.ts';
import { buildApis } from './apis.ts';
import { readBackendJwt } from './backend-jwt.ts';
import { type Cas, readCas, readClients, warnAboutSize } from './clients.ts';
import { checkDatabases } from './databases.ts';
import {
  type Definitions,
  type Entry,
  entriesOf,
  type ForeignService,
  readEntry,
  tablesOf,
} from './definitions.ts';
import { entriesText, type ReadAhead } from './definitions-worker.ts';
import { createFindings, type Findings, type ForeignFindings } from './findings.ts';
import { issuersOfEntry } from './issuers.ts';
import {
  firstStates,
  goodOf,
  isUnread,
  knownServices,
  type LastGood,
  merge,
  nothingYet,
  type State,
  setBack,
} from './last-good.ts';
import { strengthOf, warnAboutLeniency } from './leniency.ts';
import { certificateIn } from './pem-files.ts';
import { settlePlaces } from './places.ts';
import { checkRouter } from './router.ts';
import { groupByScope, scopeOf } from './security.ts';
import { buildSenderVerifier } from './senders.ts';
import { readService, type ServiceSettings } from './service.ts';
import { buildSourceList, buildSources } from './sources.ts';
import type { Issuers } from './token-policies.ts';
import { readTokenServices } from './token-services.ts';
import { buildTrust, type ClientEntry } from './trust.ts';

export type LoadedConfig = {
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly service: ServiceSettings;
  readonly warnings: readonly Problem[];
  /** What is wrong with foreign files: their APIs are in their last good state, or admit nobody; all else is in force. */
  readonly problems: readonly Problem[];
  readonly good: LastGood;
  /** Certificates by the text they were read from: what has not changed is not read again. */
  readonly certificates: CertificateTexts;
  /** Issuers' keys that the snapshot needs kept fresh. */
  readonly feeds: readonly JwksFeed[];
  /** Tables and keys that are not ours. */
  readonly ignored: readonly string[];
  /** Where things stand in config.toml. */
  readonly text: Pick<ConfigText, 'lineOf' | 'isWritten'>;
};

export type LoadOptions = {
  /** Of those who keep them going; nothing is fetched here. */
  readonly jwksFeeds?: JwksFeeds;
  /** What was loaded before: foreign APIs fall back on it. */
  readonly before?: Pick<LoadedConfig, 'good' | 'certificates'>;
  /** Foreign files that were read already; not used if config.toml names others by now. */
  readonly readAhead?: ReadAhead | undefined;
  /** Rows of the databases that config.toml names. */
  readonly tables?: TableRows;
};

/** The databases that config.toml names, as far as it can be read: what is wrong with it, `loadConfig` says. */
export function databasesOf(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): readonly TableAddress[] {
  try {
    const read = readConfig(readText(file), file, env);
    return 'config' in read ? tablesOf(read.config) : [];
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return [];
  }
}

/**
 * Reads config.toml and the files it names: all of it is good, or everything that is wrong is told at once.
 *
 * @param file path of config.toml
 * @param env where `$env{NAME}` is looked up
 * @param now milliseconds since the epoch: only for warnings about dates
 */
export function loadConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  now: number,
  { jwksFeeds = new JwksFeeds(), before, readAhead, tables }: LoadOptions = {},
): LoadedConfig | readonly Problem[] {
  let text: string;
  try {
    text = readText(file);
  } catch (problem) {
    if (!(problem instanceof FileProblem)) throw problem;
    return [{ file, line: 1, key: '', message: problem.message }];
  }
  const read = readConfig(text, file, env);
  if (isProblems(read)) return read;
  const entries = entriesOf(read.config, (path) => resolve(dirname(file), path));
  const isAhead = readAhead !== undefined && readAhead.entries === entriesText(entries);
  const definitions = isAhead ? readAhead.definitions : entries.map((entry) => readEntry(entry, tables));
  const { good = nothingYet, certificates = new Map() } = before ?? {};
  return settle(read, definitions, { file, now, jwksFeeds, good, certificates, entries });
}

type Circumstances = {
  readonly file: string;
  readonly now: number;
  readonly jwksFeeds: JwksFeeds;
  readonly good: LastGood;
  readonly certificates: CertificateTexts;
  readonly entries: readonly Entry[];
};

/**
 * Builds it, and builds it again without what turns out to be wrong with an API of a foreign file: that one is set back
 * to its last good state, or keeps its place and admits nobody. Each turn takes at least one out, so that it ends.
 */
function settle(
  read: ConfigText,
  definitions: readonly Definitions[],
  circumstances: Circumstances,
): LoadedConfig | readonly Problem[] {
  const { good: before, file } = circumstances;
  const services = new Map(definitions.map((each) => [each.id, knownServices(each, before)]));
  const first = settlePlaces(
    definitions.flatMap((each) => firstStates(each, before)),
    before,
  );
  const { states } = first;
  const problems: Problem[] = [
    ...definitions.flatMap((each) => each.problems),
    ...definitions.flatMap(({ apis }) => apis.flatMap((foreign) => foreign.problems)),
    ...first.problems,
  ];
  const own = read.config.apis.length;
  const unread = definitions.filter((each) => isUnread(each, before)).map(({ path }) => path);
  for (;;) {
    const config = merge(read.config, states);
    const foreign: ForeignFindings = { originOf: (index) => states[index - own]?.origin, errors: new Map() };
    const findings = createFindings(file, read.lineOf, foreign);
    const built = build({ ...read, config }, states, services, findings, { ...circumstances, unread });
    // A place that another API has is no news for one that admits nobody.
    const wrong = [...foreign.errors].filter(([index]) => states[index - own]?.state !== 'faulty');
    if (wrong.length === 0) {
      if (findings.errors.length > 0) return findings.errors.toSorted((a, b) => a.line - b.line);
      problems.push(...built.problems);
      const warnings = [
        ...read.warnings,
        ...findings.warnings,
        ...definitions.flatMap((each) => each.warnings),
      ];
      const good = goodOf(states, services, definitions, before);
      return {
        ...built,
        warnings: eachOnce(warnings),
        config,
        problems: eachOnce(problems),
        good,
        ignored: read.ignored,
        text: read,
      };
    }
    for (const [index, errors] of wrong) {
      problems.push(...errors);
      const state = states[index - own]!;
      // What was good before and is not now can't be built beside the rest any more.
      states[index - own] = setBack(state, state.state === 'good' ? before : nothingYet, errors);
    }
  }
}

type Built = Pick<LoadedConfig, 'service' | 'feeds' | 'snapshot' | 'certificates' | 'problems'>;

/**
 * Everything that a configuration means. What is wrong goes to `findings`.
 *
 * @param states of the foreign APIs, which are the last of `config.apis`
 * @param services issuers that foreign files name, by their entry
 */
function build(
  { config, isWritten, ignored }: ConfigText,
  states: readonly State[],
  foreignServices: ReadonlyMap<string, readonly ForeignService[]>,
  findings: Findings,
  {
    now,
    jwksFeeds,
    certificates: known,
    entries,
    unread,
  }: Circumstances & { readonly unread: readonly string[] },
): Built {
  const foreignFrom = config.apis.length - states.length;
  const tls = config.router.downstream.tls;
  const at = (key: string) => ['router', 'downstream', 'tls', key];
  const trusted = readCas(at('trustedCertPath'), tls.trustedCertPath, findings, now);
  const intermediates = readCas(at('intermediatesPath'), tls.intermediatesPath, findings, now) ?? [];
  const certificates = new Map<string, Certificate>();
  const strength = strengthOf(config);
  const { certificates: lenient } = config.enforcer.security;
  warnAboutLeniency(lenient, '', ['enforcer', 'security', 'certificates'], findings);
  const cas = { trusted, intermediates, strength, readText: rememberingText(known, certificates) };
  const clients = readClients(['clients'], '', config.clients, cas, findings, now);
  warnAboutSize(clients, config, findings);
  const own = readOwnClients(config, cas, findings, now);
  const all = [...clients, ...own];
  const trust = buildTrust(all, trusted, intermediates, strength);
  const verifySender = buildSenderVerifier(config, all, findings, now);
  const sources = buildSources(config, isWritten, findings, verifySender);
  const sourcesOf = ownSources(config, findings, verifySender);
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
  const ownIssuers: Issuers = { known: services.issuers, takesAll: false };
  const apis = buildApis({
    config,
    directory: groupByScope(trust),
    issuersOf: (api) => byEntry.get(states[api - foreignFrom]?.entry ?? '')?.issuers ?? ownIssuers,
    sources,
    sourcesOf: sourcesOf.at,
    faults: new Map([
      ...states.map(({ fault }, i) => [foreignFrom + i, fault] as const),
      ...catchAlls(config.apis.slice(0, foreignFrom), unread),
    ]),
    foreignFrom,
    findings,
    now,
  });
  const service = readService(config, findings);
  checkRouter(config, findings);
  const answers = readAnswers(config, isWritten, headersOf([sources, ...sourcesOf.all()]));
  checkAnswers(config, readAnswers(config, isWritten, headersOf([sources])), findings);
  const backendJwt = readBackendJwt(config, isWritten, findings);
  return {
    service,
    feeds: [...services.feeds, ...[...byEntry.values()].flatMap(({ feeds }) => feeds)],
    problems: [...byEntry.values()].flatMap(({ problems }) => problems),
    certificates,
    snapshot: {
      rejectUntrustedHeader: config.enforcer.security.mutualSSL.rejectUntrustedHeader,
      apis,
      everyone: trust.everyone,
      certificates: new CertificateCache(),
      revocation: undefined,
      searchLimit: new SearchLimit(),
      answers,
      backendJwt,
    },
  };
}

type CertificateTexts = ReadonlyMap<string, Certificate>;

/** @throws FileProblem, as `certificateIn` does */
const rememberingText =
  (before: CertificateTexts, now: Map<string, Certificate>) =>
  (pem: string): Certificate => {
    const certificate = now.get(pem) ?? before.get(pem) ?? certificateIn(pem);
    now.set(pem, certificate);
    return certificate;
  };

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

/** Clients that only one API, or one of its operations, knows. */
const readOwnClients = (config: Config, cas: Cas, findings: Findings, now: number): readonly ClientEntry[] =>
  config.apis.flatMap((api, i) => [
    ...readClients(['apis', i, 'clients'], scopeOf(i), api.clients, cas, findings, now),
    ...api.operations.flatMap(({ clients = [] }, j) =>
      readClients(['apis', i, 'operations', j, 'clients'], scopeOf(i, j), clients, cas, findings, now),
    ),
  ]);

/** The sources that APIs have of their own. Many have the same: they share one, with its caches. */
function ownSources(config: Config, findings: Findings, verifySender: SenderVerifier | undefined) {
  const known = new Map<string, CertificateSources>();
  const { mutualSSL } = config.enforcer.security;
  return {
    at: (written: Config['apis'][number]['sources'], path: readonly PropertyKey[]): CertificateSources => {
      const key = JSON.stringify(written);
      const shared = known.get(key);
      if (shared !== undefined) return shared;
      const errors = findings.count();
      const sources = buildSourceList(written ?? [], path, mutualSSL, findings, verifySender);
      checkToldHeaders(config, headersOf([sources]), path, findings);
      // What is wrong is wrong with each API that says so.
      if (findings.count() === errors) known.set(key, sources);
      return sources;
    },
    all: () => [...known.values()],
  };
}

/** Those of `[[clients]]`, and those that an API or operation has for itself. */
export const countClients = ({ clients, apis }: Config): number =>
  apis
    .flatMap((api) => [api, ...api.operations])
    .reduce((count, { clients: own = [] }) => count + own.length, clients.length);

export const isProblems = <T>(result: T | readonly Problem[]): result is readonly Problem[] =>
  Array.isArray(result);
