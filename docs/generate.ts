import { readFileSync, writeFileSync } from 'node:fs';
import { problemLine } from '../src/config/problem.ts';
import { readConfig } from '../src/config/read-config.ts';
import { configShape } from '../src/config/schema.ts';
import { denials } from '../src/decision.ts';
import { writeEnvoyConfig } from '../src/envoy-config/bootstrap.ts';

/**
 * Everything in this repository that is made from something else. `npm run generate` writes it;
 * a test makes it again and compares.
 *
 * @returns path from the repository's root -> content
 */
export function generated(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/configuration.md', configurationPage()],
    ['docs/denial-codes.md', denialPage()],
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
      if (table)
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

function denialPage(): string {
  const rows = Object.entries(denials).map(
    ([code, { status, number, level, sentence }]) =>
      `| \`${code}\` | ${status} | ${number} | ${level} | ${cell(sentence)} |`,
  );
  return `${readFileSync(new URL('denial-codes.head.md', import.meta.url), 'utf8')}\n${['| code | status | number | logged as | sentence |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')}\n`;
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
  for (const [path, text] of generated()) {
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
