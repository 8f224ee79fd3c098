import { FileProblem, readText } from '../files.ts';
import { CertificateCache } from '../pki/certificate-cache.ts';
import type { Snapshot } from '../snapshot.ts';
import { checkAnswers, readAnswers } from './answers.ts';
import { buildApis } from './apis.ts';
import { readCas, readClients } from './clients.ts';
import { createFindings } from './findings.ts';
import type { Problem } from './problem.ts';
import { readConfig } from './read-config.ts';
import { checkRouter } from './router.ts';
import type { Config } from './schema.ts';
import { buildSenderVerifier } from './senders.ts';
import { readService, type ServiceSettings } from './service.ts';
import { buildSources } from './sources.ts';
import { buildTrust } from './trust.ts';

export type LoadedConfig = {
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly service: ServiceSettings;
  readonly warnings: readonly Problem[];
  /** Tables and keys that are not ours. */
  readonly ignored: readonly string[];
};

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
  const clients = readClients(['clients'], config.clients, { trusted, intermediates }, findings, now);
  const trust = buildTrust(clients, trusted, intermediates);
  const apis = buildApis(config, trust, findings, now);
  const sources = buildSources(
    config,
    isWritten,
    findings,
    buildSenderVerifier(config, clients, findings, now),
  );
  const service = readService(config, findings);
  checkRouter(config, findings);
  const answers = readAnswers(
    config,
    isWritten,
    sources.headers.flatMap(({ header, chainHeader }) => (chainHeader ? [header, chainHeader] : [header])),
  );
  checkAnswers(config, answers, findings);
  if (findings.errors.length > 0) return [...findings.errors].sort((a, b) => a.line - b.line);
  return {
    config,
    service,
    ignored,
    warnings: findings.warnings,
    snapshot: {
      sources,
      rejectUntrustedHeader: config.enforcer.security.mutualSSL.rejectUntrustedHeader,
      apis,
      everyone: trust.everyone,
      certificates: new CertificateCache(),
      answers,
    },
  };
}

export const isProblems = <T>(result: T | readonly Problem[]): result is readonly Problem[] =>
  Array.isArray(result);
