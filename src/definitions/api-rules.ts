import { describeIssue } from '../config/read-config.ts';
import { api as apiSchema } from '../config/schema/api.ts';
import type { Config } from '../config/schema/config.ts';
import type { DefinedApi, DefinitionProblem, WrittenApi } from './written.ts';

export type ParsedApi = {
  /** undefined where there are problems by the rules themselves. */
  readonly api: Config['apis'][number] | undefined;
  readonly problems: readonly DefinitionProblem[];
};

/**
 * An API of foreign files by the rules of `[[apis]]`: what `import` prints is what config.toml takes.
 *
 * @param more what the entry of `[[definitions]]` says for all its APIs
 */
export function parseApi(
  { origin, problems: found, written: own }: DefinedApi,
  more: Partial<WrittenApi> = {},
): ParsedApi {
  const written = { ...own, ...more };
  const parsed = apiSchema.safeParse(written);
  const problems = [...found];
  // Where its reader has found fault already, what follows from that is no news.
  for (const issue of problems.length === 0 ? (parsed.error?.issues ?? []) : [])
    describeIssue(issue, written, (path, message) => {
      problems.push({ ...origin, key: path.map(String).join('.'), message });
    });
  return { api: parsed.data, problems };
}
