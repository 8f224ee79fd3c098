import { readFileSync, writeFileSync } from 'node:fs';
import { problemLine } from '../src/config/problem.ts';
import { readConfig } from '../src/config/read-config.ts';
import { configShape } from '../src/config/schema/config.ts';
import { type DenialCode, denials } from '../src/decision.ts';
import { writeEnvoyConfig } from '../src/envoy-config/bootstrap.ts';
import { type Row, readTable, tokenCases } from '../test/truth-tables/table.ts';
import { exampleOf } from './denial-examples.ts';

/**
 * Everything in this repository that is made from something else. `npm run generate` writes it;
 * a test makes it again and compares.
 *
 * @returns path from the repository's root -> content
 */
export async function generated(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/configuration.md', configurationPage()],
    ['docs/denial-codes.md', await denialPage()],
    ['docs/truth-tables.md', truthTablesPage()],
    ['envoy/envoy.yaml', sampleBootstrap()],
  ]);
}

type Schema = {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
};

function configurationPage(): string {
  const root = configShape as Schema;
  const sections: string[] = [];
  const section = (path: string, schema: Schema, list: boolean): void => {
    const keys = Object.entries(schema.properties ?? {});
    const own = keys.filter(([, key]) => tableOf(key) === undefined);
    const heading = list ? `[[${path}]]` : `[${path}]`;
    if (own.length > 0) {
      const rows = own.map(
        ([name, key]) =>
          `| \`${name}\` | ${typeText(key)} | ${defaultText(key, schema.required?.includes(name) ?? false)} | ${cell(key.description ?? '')} |`,
      );
      sections.push(
        [
          `## \`${heading}\``,
          '',
          schema.description ?? '',
          '',
          '| key | type | default | meaning |',
          '| --- | --- | --- | --- |',
          ...rows,
          '',
        ].join('\n'),
      );
    }
    for (const [name, key] of keys) {
      const table = tableOf(key);
      // As everywhere: written out once.
      if (table && path.startsWith('apis') && ['clients', 'sources'].includes(name))
        sections.push(`## \`[[${path}.${name}]]\`\n\n${key.description ?? ''} Its keys are those above.\n`);
      else if (table)
        section(
          path === '' ? name : `${path}.${name}`,
          { ...table, description: key.description ?? '' },
          key.type === 'array',
        );
    }
  };
  section('', root, false);
  return `${readFileSync(new URL('configuration.head.md', import.meta.url), 'utf8')}\n${sections.join('\n')}`;
}

const tableOf = (schema: Schema): Schema | undefined =>
  schema.properties ? schema : schema.items?.properties ? schema.items : undefined;

function typeText(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' ');
  if (schema.format === 'date-time') return 'date';
  if (schema.anyOf?.some(({ type }) => type === 'object')) return 'text or table';
  if (schema.anyOf) return 'header name or `""`';
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {})}`;
  if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}`;
  return schema.type === 'boolean' ? '`true` `false`' : 'text';
}

function defaultText(schema: Schema, required: boolean): string {
  if (schema.default !== undefined) return `\`${JSON.stringify(schema.default)}\``;
  return required ? '**required**' : 'none';
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The table, and for each code what `explain` says of a request that gets it. */
async function denialPage(): Promise<string> {
  const rows = Object.entries(denials).map(
    ([code, { status, number, level, sentence }]) =>
      `| [\`${code}\`](#${code}) | ${status} | ${number} | ${level} | ${cell(sentence)} |`,
  );
  const examples: string[] = [];
  for (const code of Object.keys(denials)) examples.push(await denialExample(code as DenialCode));
  return [
    readFileSync(new URL('denial-codes.head.md', import.meta.url), 'utf8'),
    '| code | status | number | logged as | sentence |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '## Each of them explained',
    '',
    'What [`mtls-enforcer explain`](asking.md) says of a request that gets it.',
    '',
    ...examples,
  ].join('\n');
}

async function denialExample(code: DenialCode): Promise<string> {
  const example = await exampleOf(code);
  if ('without' in example) return `### \`${code}\`\n\n${example.without}\n`;
  if (example.found !== code) throw new Error(`the example of ${code} gets ${example.found}`);
  return `### \`${code}\`\n\n\`\`\`text\n${example.text}\`\`\`\n`;
}

/** One table for each combination; those that `optionalCertificate` changes nothing of are written once. */
function truthTablesPage(): string {
  const groups = Map.groupBy(
    readTable(),
    ({ mutualSSL, applicationSecurity }) =>
      `mutual TLS ${mutualSSL}, application security ${applicationSecurity}`,
  );
  const sections = [...groups].flatMap(([title, rows]) => {
    const ways = Map.groupBy(rows, ({ optionalCertificate }) => optionalCertificate);
    const tables = [...ways].map(([way, own]) => [way, truthTable(own)] as const);
    const same = new Set(tables.map(([, table]) => table)).size === 1;
    return same
      ? [`## ${title[0]!.toUpperCase()}${title.slice(1)}\n\n${tables[0]![1]}`]
      : tables.map(
          ([way, table]) => `## ${title[0]!.toUpperCase()}${title.slice(1)}, \`${way}\`\n\n${table}`,
        );
  });
  return `${readFileSync(new URL('truth-tables.head.md', import.meta.url), 'utf8')}\n${sections.join('\n\n')}\n`;
}

function truthTable(rows: readonly Row[]): string {
  const head = `| certificate | ${tokenCases.map((token) => `token: ${token}`).join(' | ')} |`;
  const lines = rows.map(
    ({ certificate, cells }) =>
      `| ${certificate} | ${tokenCases.map((token) => truthCell(cells[token])).join(' | ')} |`,
  );
  return [head, `| --- |${' --- |'.repeat(tokenCases.length)}`, ...lines].join('\n');
}

function truthCell(cell: string): string {
  const [status, , reason] = cell.split(' ');
  return reason === undefined ? `**${status}**` : `${status} \`${reason}\``;
}

function sampleBootstrap(): string {
  const read = readConfig(
    readFileSync(new URL('../config.toml', import.meta.url), 'utf8'),
    'config.toml',
    {},
  );
  if (!('config' in read)) throw new Error(read.map(problemLine).join('\n'));
  return writeEnvoyConfig(read.config, {
    resolvePath: (path) => path,
    enforcer: read.config.router.enforcer,
  });
}

if (import.meta.main) {
  for (const [path, text] of await generated()) {
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
