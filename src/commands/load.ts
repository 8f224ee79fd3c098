import { problemLine } from '../config/problem.ts';
import { disk } from '../documents/files.ts';
import { ClientCertificateTables } from '../feeds/api-manager-table.ts';
import { tablesOf } from '../provision/definitions.ts';
import { createFindings } from '../provision/findings.ts';
import { type LoadedConfig, provisionOnce } from '../provision/load-config.ts';
import { readOwnConfig } from '../provision/own-config.ts';
import { checkRouterFiles } from '../provision/router-files.ts';
import { type Exit, refuse } from './command.ts';

/**
 * What "serve" would read, and what Envoy would, unless the file says nothing of Envoy. Warnings are told.
 *
 * @returns the exit code where it is not good
 */
export async function load(file: string, { alwaysEnvoy = false } = {}): Promise<LoadedConfig | Exit> {
  const own = readOwnConfig(file, process.env, disk);
  if ('problems' in own) return refuse(own.problems);
  const tables = new ClientCertificateTables((event) => {
    if (event.kind === 'failed') process.stderr.write(`error: ${event.from}: ${event.reason}\n`);
  });
  const rows = await tables.use(tablesOf(own.ok.config));
  await tables.close();
  const result = provisionOnce(own.ok, Date.now(), { tables: rows });
  if ('problems' in result) return refuse(result.problems);
  const loaded = result.ok;
  for (const problem of loaded.problems) process.stderr.write(`error: ${problemLine(problem)}\n`);
  const forEnvoy = createFindings(file, loaded.text.lineOf);
  if (alwaysEnvoy || loaded.text.isWritten(['router'])) checkRouterFiles(loaded.config, forEnvoy, Date.now());
  const warnings = [...loaded.warnings, ...forEnvoy.warnings];
  for (const warning of warnings) process.stderr.write(`warning: ${problemLine(warning)}\n`);
  return forEnvoy.errors.length > 0 ? refuse(forEnvoy.errors) : { ...loaded, warnings };
}
