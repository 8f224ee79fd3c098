import type { Problem } from '../config/problem.ts';
import type { Env } from '../config/read-config.ts';
import type { Config } from '../config/schema/config.ts';
import { disk, type Files } from '../documents/files.ts';
import type { TableRows } from '../feeds/api-manager-table.ts';
import { JwksFeeds } from '../feeds/jwks.ts';
import { entriesOf, readEntry } from './definitions.ts';
import { type OwnConfig, type OwnResult, readOwnConfig, resolver } from './own-config.ts';
import { type ProvisionCircumstances, type Provisioned, provision } from './provision.ts';
import { atOnce } from './slices.ts';

export type LoadOptions = Partial<
  Pick<ProvisionCircumstances, 'jwksFeeds' | 'before' | 'revocationKnowledge'>
> & {
  /** Rows of the databases that config.toml names. */
  readonly tables?: TableRows;
  readonly files?: Files;
};

/**
 * Reads config.toml and the files it names, and provisions it, for whoever does so once: all of it is good, or everything
 * that is wrong is told at once.
 *
 * @param file path of config.toml
 * @param now milliseconds since the epoch: only for warnings about dates
 */
export function loadConfig(
  file: string,
  env: Env,
  now: number,
  options: LoadOptions = {},
): Provisioned | readonly Problem[] {
  const own = readOwnConfig(file, env, options.files ?? disk);
  if ('problems' in own) return own.problems;
  const result = provisionOnce(own.ok, now, options);
  return 'problems' in result ? result.problems : result.ok;
}

/** With the foreign files read here and now, and nothing done beside. */
export function provisionOnce(
  own: OwnConfig,
  now: number,
  { jwksFeeds = new JwksFeeds(), tables, files, ...circumstances }: LoadOptions = {},
): OwnResult<Provisioned> {
  const definitions = entriesOf(own.config, resolver(own.file)).map((entry) =>
    readEntry(entry, tables, files),
  );
  return atOnce(provision(own, definitions, { now, jwksFeeds, ...circumstances }));
}

/** Those of `[[clients]]`, and those that an API or operation has for itself. */
export function countClients({ clients, apis }: Config): number {
  let count = clients.length;
  for (const api of apis) {
    count += api.clients.length;
    for (const operation of api.operations) count += operation.clients?.length ?? 0;
  }
  return count;
}

export const isProblems = <T>(result: T | readonly Problem[]): result is readonly Problem[] =>
  Array.isArray(result);
