import { parseTemplate, repeatedOperations } from '../apis/operations.ts';
import { describeIssue } from '../config/read-config.ts';
import { api as apiSchema } from '../config/schema/api.ts';
import type { Config } from '../config/schema/config.ts';
import { tokenService } from '../config/schema/token-service.ts';
import { FileProblem, type Files } from '../documents/files.ts';
import type { Problem } from '../documents/problem.ts';
import type { DefinedApi, Definition, WrittenApi, WrittenTokenService } from './written.ts';

type ParsedApi = {
  /** undefined where there are problems by the rules themselves. */
  readonly api: Config['apis'][number] | undefined;
  readonly problems: readonly Problem[];
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

/**
 * What `import` prints: each API and issuer by all the rules that config.toml is read by, so that it takes what was
 * printed. There, what config.toml has besides would take part in this, which nobody knows here.
 */
export function underRules(definition: Definition, files: Files): Definition {
  const problems = [...definition.problems];
  const places = new Map<string, Api>();
  const names = new Set<string>();
  const tokenServices = definition.tokenServices.filter(({ origin, written }) => {
    const wrong = serviceProblem(written, names, files);
    if (wrong === undefined) return true;
    problems.push({ ...origin, key: '', message: `"${written.name}" is left out: ${wrong}` });
    return false;
  });
  const withIssuers = issuersOf(tokenServices);
  const apis = definition.apis.map((defined) => {
    const { api, problems: found } = parseApi(defined);
    const own =
      api === undefined ? found : [...found, ...taken(defined, api, places), ...repeated(defined, api)];
    return { ...defined, written: withIssuers(defined.written), problems: own };
  });
  const needing = apis.filter(({ problems: own, written }) => own.length === 0 && asksForTokens(written));
  const [first] = tokenServices.length === 0 ? needing : [];
  const warnings = first === undefined ? [] : [nobodyIssues(first, needing)];
  return { apis, tokenServices, problems, warnings: [...definition.warnings, ...warnings] };
}

const asksForTokens = ({ applicationSecurity, operations = [] }: WrittenApi): boolean =>
  [{ applicationSecurity }, ...operations].some((one) => (one.applicationSecurity ?? 'off') !== 'off');

/** Of several issuers config.toml wants to know whose tokens an API means. These files mean all of theirs. */
function issuersOf(services: Definition['tokenServices']): (written: WrittenApi) => WrittenApi {
  const issuers = services.map(({ written }) => written.name);
  return (written) =>
    issuers.length > 1 && written.issuers === undefined && asksForTokens(written)
      ? { ...written, issuers }
      : written;
}

const nobodyIssues = ({ origin }: DefinedApi, needing: readonly DefinedApi[]): Problem => ({
  ...origin,
  key: '',
  message: `${needing.map(({ written }) => JSON.stringify(written.name)).join(', ')}: access tokens are asked for, and these files do not say who issues them; write [[enforcer.security.tokenService]] beside what is printed here`,
});

type Api = NonNullable<ParsedApi['api']>;

function taken({ origin }: DefinedApi, api: Api, places: Map<string, Api>): readonly Problem[] {
  return api.hosts.flatMap((host) => {
    const place = `${host.toLowerCase()}${api.basePath.replace(/\/$/, '')}`;
    const other = places.get(place);
    places.set(place, other ?? api);
    return other === undefined
      ? []
      : [
          {
            ...origin,
            key: 'basePath',
            message: `"${api.name}" ${api.version} claims ${place}, which "${other.name}" ${other.version} has already; give one of them another`,
          },
        ];
  });
}

const repeated = ({ origin }: DefinedApi, { operations }: Api): readonly Problem[] =>
  repeatedOperations(
    operations.map(({ path, methods }) => ({ ...parseTemplate(path), methods: methods && new Set(methods) })),
  ).map(({ index, before }) => ({
    ...origin,
    key: `operations[${index}].path`,
    message: `found "${operations[index]!.path}", which an operation before ("${before.path}") has already for the same methods; write one of them`,
  }));

function serviceProblem(written: WrittenTokenService, names: Set<string>, files: Files): string | undefined {
  const [issue] = tokenService.safeParse(written).error?.issues ?? [];
  if (issue !== undefined) return `${issue.path.join('.')}: ${issue.message}`;
  for (const key of ['name', 'issuer'] as const) {
    const name = `${key} ${JSON.stringify(written[key])}`;
    if (names.has(name)) return `has the ${name}, as one before it`;
    names.add(name);
  }
  if (written.certificateFilePath === undefined) return undefined;
  try {
    files.bytes(written.certificateFilePath);
    return undefined;
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return `found ${written.certificateFilePath}, which ${error.message}`;
  }
}
