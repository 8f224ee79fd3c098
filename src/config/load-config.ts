import { CertificateCache } from '../pki/certificate-cache.ts';
import type { Snapshot } from '../snapshot.ts';
import { buildApis } from './apis.ts';
import { readCas, readClients } from './clients.ts';
import { createFindings } from './findings.ts';
import { FileProblem, readText } from './pem-files.ts';
import type { Problem } from './problem.ts';
import { readConfig } from './read-config.ts';
import type { Config } from './schema.ts';
import { checkRouter } from './router.ts';
import { readService, type ServiceSettings } from './service.ts';
import { buildSources, writeAnswers } from './sources.ts';
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
  const { config, lineOf, ignored } = read;
  const findings = createFindings(file, lineOf);

  const tls = config.router.downstream.tls;
  const at = (key: string) => ['router', 'downstream', 'tls', key];
  const trusted = readCas(at('trustedCertPath'), tls.trustedCertPath, findings, now);
  const intermediates = readCas(at('intermediatesPath'), tls.intermediatesPath, findings, now) ?? [];
  const trust = buildTrust(readClients(config, findings, now), trusted, intermediates);
  const apis = buildApis(config, trust, findings);
  const sources = buildSources(config, findings);
  const service = readService(config, findings);
  checkRouter(config, findings);
  if (findings.errors.length > 0) return [...findings.errors].sort((a, b) => a.line - b.line);
  return {
    config,
    service,
    ignored,
    warnings: findings.warnings,
    snapshot: {
      sources,
      apis,
      everyone: trust.everyone,
      certificates: new CertificateCache(),
      answers: writeAnswers(config),
    },
  };
}

export const isProblems = <T>(result: T | readonly Problem[]): result is readonly Problem[] =>
  Array.isArray(result);
