import { problemLine } from '../config/problem.ts';
import { inert, quotedEscapes } from '../observability/paper.ts';
import { publishedTiers } from './published-tiers.ts';
import type { DefinedApi, Definition } from './written.ts';

type Value = string | number | boolean | readonly Value[] | Table | undefined;
type Table = { readonly [key: string]: Value };

/**
 * A foreign definition as our own config.toml, with a comment wherever a meaning had to be chosen. What is
 * wrong with an API stands there as a comment, too, and the API is left out.
 */
export function writeToml({ apis, tokenServices }: Definition): string {
  const sections = [
    ...tokenServices.map(({ written }) => writeTable('[enforcer.security.tokenService]', written as Table)),
    ...tiersUsed(apis).map(writeTier),
    ...apis.map(writeApi),
  ];
  return `${sections.join('\n')}`;
}

function tiersUsed(apis: readonly DefinedApi[]): readonly string[] {
  const good = apis.flatMap(({ problems, written }) => (problems.length === 0 ? [written] : []));
  const clients = good.flatMap(({ clients = [], operations = [] }) => [
    ...clients,
    ...operations.flatMap(({ clients = [] }) => clients),
  ]);
  return [...new Set(clients.flatMap(({ tier }) => tier ?? []))].sort();
}

/** WSO2's numbers count by themselves for foreign files only, which this is none of. */
const writeTier = (name: string): string =>
  publishedTiers.has(name)
    ? comment('as WSO2 gives it') + writeTable('[tiers]', { name, ...publishedTiers.get(name) })
    : comment(
        `${JSON.stringify(name)} has no limit: it is none of WSO2's own tiers. Write [[tiers]] with the file of its policy, or with name and requests`,
      );

function writeApi({ origin, problems, notes, written }: DefinedApi): string {
  const from = comment(`from ${origin.file}:${origin.line}`);
  if (problems.length > 0)
    return `${from}${comment(`"${written.name}" ${written.version} is left out:`)}${problems.map((problem) => comment(problemLine(problem))).join('')}`;
  const byKey = Map.groupBy(notes, ({ key }) => key);
  const said = (key: string): string => (byKey.get(key) ?? []).map(({ text }) => comment(text)).join('');
  // A note on what is not written, or stands deeper, stands at the API itself.
  const keys = new Set(Object.keys(written));
  const others = [...byKey.keys()].filter((key) => !keys.has(key)).map(said);
  return `${from}${others.join('')}${writeTable('[apis]', written as unknown as Table, said)}`;
}

/** Plain keys first: whatever came behind a table of its own would belong to that one. */
function writeTable(heading: string, table: Table, said: (key: string) => string = () => ''): string {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined);
  const isList = (value: Value): value is readonly Table[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => typeof item === 'object' && !Array.isArray(item));
  const path = heading.slice(1, -1);
  const lines = entries
    .filter(([, value]) => !isList(value))
    .map(([key, value]) => `${said(key)}${bare(key)} = ${writeValue(value)}\n`);
  const lists = entries.flatMap(([key, value]) =>
    isList(value)
      ? value.map((item, i) => `${i === 0 ? said(key) : ''}${writeTable(`[${path}.${bare(key)}]`, item)}`)
      : [],
  );
  return `[${heading}]\n${lines.join('')}${lists.length === 0 ? '' : '\n'}${lists.join('\n')}`;
}

const bare = (key: string): string =>
  /^[A-Za-z0-9_-]+$/.test(key) ? key : quotedEscapes(JSON.stringify(key));

function writeValue(value: Value): string {
  if (typeof value === 'string') return writeText(value);
  if (Array.isArray(value)) return `[${value.map(writeValue).join(', ')}]`;
  if (typeof value === 'object')
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${bare(key)} = ${writeValue(inner)}`)
      .join(', ')} }`;
  return String(value);
}

/** PEM as it is read by people; all else on one line, with TOML's escapes, which JSON's are. */
const writeText = (text: string): string =>
  /^[\x20-\x26\x28-\x7e\n]+$/.test(text) && text.includes('\n')
    ? `'''\n${text.endsWith('\n') ? text : `${text}\n`}'''`
    : quotedEscapes(JSON.stringify(text));

/** Whatever stands in a foreign file, a comment ends where it should. */
const comment = (text: string): string =>
  text
    .split(/[\r\n]+/)
    .map((line) => `# ${inert(line)}\n`)
    .join('');
