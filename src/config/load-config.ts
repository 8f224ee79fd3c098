import type { CertificateSources, SenderVerifier } from '../client-certificate/source.ts';
import { FileProblem, readText } from '../files.ts';
import { type JwksFeed, JwksFeeds } from '../oauth2/jwks-feed.ts';
import { CertificateCache } from '../pki/certificate-cache.ts';
import type { Snapshot } from '../snapshot.ts';
import { checkAnswers, readAnswers } from './answers.ts';
import { buildApis } from './apis.ts';
import { readBackendJwt } from './backend-jwt.ts';
import { isChoreoConnectFile } from './choreo-connect-keys.ts';
import { type Cas, readCas, readClients } from './clients.ts';
import { createFindings, type Findings } from './findings.ts';
import type { Problem } from './problem.ts';
import { readConfig } from './read-config.ts';
import { checkRouter } from './router.ts';
import type { Config } from './schema.ts';
import { groupByScope, scopeOf } from './security.ts';
import { buildSenderVerifier } from './senders.ts';
import { readService, type ServiceSettings } from './service.ts';
import { buildSourceList, buildSources } from './sources.ts';
import { readTokenServices } from './token-services.ts';
import { buildTrust, type ClientEntry } from './trust.ts';

export type LoadedConfig = {
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly service: ServiceSettings;
  readonly warnings: readonly Problem[];
  /** Issuers' keys that the snapshot needs kept fresh. */
  readonly feeds: readonly JwksFeed[];
  /** Tables and keys that are not ours. */
  readonly ignored: readonly string[];
};

/**
 * Reads config.toml and the files it names: all of it is good, or everything that is wrong is told at once.
 *
 * @param file path of config.toml
 * @param env where `$env{NAME}` is looked up
 * @param now milliseconds since the epoch: only for warnings about dates
 * @param jwksFeeds of those who keep them going; nothing is fetched here
 */
export function loadConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  now: number,
  jwksFeeds: JwksFeeds = new JwksFeeds(),
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
  const { config, lineOf, isWritten, ignored } = read;
  const findings = createFindings(file, lineOf);

  const tls = config.router.downstream.tls;
  const at = (key: string) => ['router', 'downstream', 'tls', key];
  const trusted = readCas(at('trustedCertPath'), tls.trustedCertPath, findings, now);
  const intermediates = readCas(at('intermediatesPath'), tls.intermediatesPath, findings, now) ?? [];
  const cas = { trusted, intermediates };
  const clients = readClients(['clients'], '', config.clients, cas, findings, now);
  const own = readOwnClients(config, cas, findings, now);
  const trust = buildTrust([...clients, ...own], trusted, intermediates);
  const verifySender = buildSenderVerifier(config, [...clients, ...own], findings, now);
  const sources = buildSources(config, isWritten, findings, verifySender);
  const sourcesOf = ownSources(config, findings, verifySender);
  const services = readTokenServices(config, isChoreoConnectFile(ignored), jwksFeeds, findings);
  const apis = buildApis({
    config,
    directory: groupByScope(trust),
    services,
    sources,
    sourcesOf: sourcesOf.at,
    findings,
    now,
  });
  const service = readService(config, findings);
  checkRouter(config, findings);
  const answers = readAnswers(
    config,
    isWritten,
    [sources, ...sourcesOf.all()].flatMap(({ headers }) =>
      headers.flatMap(({ header, chainHeader }) => (chainHeader ? [header, chainHeader] : [header])),
    ),
  );
  checkAnswers(config, answers, findings);
  const backendJwt = readBackendJwt(config, isWritten, findings);
  if (findings.errors.length > 0) return [...findings.errors].sort((a, b) => a.line - b.line);
  return {
    config,
    service,
    ignored,
    warnings: findings.warnings,
    feeds: services.feeds,
    snapshot: {
      rejectUntrustedHeader: config.enforcer.security.mutualSSL.rejectUntrustedHeader,
      apis,
      everyone: trust.everyone,
      certificates: new CertificateCache(),
      answers,
      backendJwt,
    },
  };
}

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
      const sources =
        known.get(key) ?? buildSourceList(written ?? [], path, mutualSSL, findings, verifySender);
      known.set(key, sources);
      return sources;
    },
    all: () => [...known.values()],
  };
}

export const isProblems = <T>(result: T | readonly Problem[]): result is readonly Problem[] =>
  Array.isArray(result);
