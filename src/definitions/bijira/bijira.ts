import { extname } from 'node:path';
import { Cursor, type Findings, noFindings } from '../../documents/cursor.ts';
import { attempt, isUnlisted } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { readYaml } from '../../documents/yaml.ts';
import { adviceFor, type DefinedApi, type Definition, type DefinitionEntry, filesOf } from '../written.ts';
import { readBijiraApi } from './api.ts';

/**
 * WSO2 Bijira: YAML lists of API proxies with the policies that are attached to them and their resources. Bijira exports
 * no such thing, so the list is ours (docs/migrating/bijira.md); the policies and their parameters have Bijira's names.
 */
export function readBijira(entry: DefinitionEntry): Definition {
  const found = noFindings();
  const { list, text } = filesOf(entry);
  const files = attempt(entry.path, found, () => list(entry.path)) ?? [];
  const apis = files
    .filter((file) => file === entry.path || isUnlisted(file) || /^\.(ya?ml|json)$/.test(extname(file)))
    .flatMap((file) => {
      const content = attempt(file, found, () => text(file));
      return content === undefined ? [] : readFile(file, content, entry, found);
    });
  if (entry.trustedSenders === undefined && apis.some(({ written }) => written.sources !== undefined))
    found.warnings.push({
      file: entry.path,
      line: 1,
      key: '',
      message: `Bijira reads the client’s certificate from the header x-client-cert-x509, ${adviceFor(entry).trustedSenders}`,
    });
  return { apis, tokenServices: [], ...found };
}

function readFile(
  file: string,
  text: string,
  entry: DefinitionEntry,
  found: Findings,
): readonly DefinedApi[] {
  const broken = noFindings();
  const documents = attempt(file, broken, () => readYaml(text));
  found.problems.push(...broken.problems);
  if (documents === undefined) return placesIn(text, broken.problems[0]!);
  return documents
    .flatMap((document) => proxies(Cursor.of(file, document, found)))
    .map((at) => readBijiraApi(at, entry, found));
}

/** A list of API proxies, or one alone. */
function proxies(at: Cursor): readonly Cursor[] {
  if (at.isList) return at.list();
  if (at.isTable) return [at];
  if (at.value !== undefined)
    at.error(`found ${at.found}; write a list of APIs, each with name, version, basePath, policies`);
  return [];
}

/** A file that breaks off keeps the places that can be found in it, so that nothing falls through to a shorter path. */
function placesIn(text: string, problem: Problem): readonly DefinedApi[] {
  const found: DefinedApi[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const basePath = /^[ \t-]*"?basePath"?[ \t]*:[ \t]*["']?(\/[^"'\s#,]*)/.exec(line)?.[1];
    if (basePath === undefined || found.length === maxPlaces) continue;
    found.push({
      origin: { file: problem.file, line: i + 1 },
      problems: [problem],
      notes: [],
      written: {
        name: 'unknown',
        version: '0',
        basePath,
        mutualSSL: 'mandatory',
        applicationSecurity: 'mandatory',
        errorFormat: 'bijira',
      },
    });
  }
  return found;
}

const maxPlaces = 1_000;
