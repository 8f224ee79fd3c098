import { extname } from 'node:path';
import { FileProblem } from '../../documents/files.ts';
import { readYaml, YamlProblem } from '../../documents/yaml.ts';
import { below, documentPlace, isTable, type Place, problemAt, shown } from '../place.ts';
import {
  adviceFor,
  type DefinedApi,
  type Definition,
  type DefinitionEntry,
  type DefinitionProblem,
  filesOf,
} from '../written.ts';
import { readBijiraApi } from './api.ts';

/**
 * WSO2 Bijira: YAML lists of API proxies with the policies that are attached to them and their resources. Bijira exports
 * no such thing, so the list is ours (docs/migrating/bijira.md); the policies and their parameters have Bijira's names.
 */
export function readBijira(entry: DefinitionEntry): Definition {
  const problems: DefinitionProblem[] = [];
  const warnings: DefinitionProblem[] = [];
  const apis: DefinedApi[] = [];
  for (const file of list(entry, problems)) {
    if (!(file === entry.path || /^\.(ya?ml|json)$/.test(extname(file)))) continue;
    let text = '';
    try {
      text = filesOf(entry).text(file);
      const places = readYaml(text).flatMap((document) => proxies(documentPlace(file, document), problems));
      apis.push(...places.map((place) => readBijiraApi(place, entry, warnings)));
    } catch (error) {
      if (!(error instanceof FileProblem || error instanceof YamlProblem)) throw error;
      const line = error instanceof YamlProblem ? error.line : 1;
      const problem = { file, line, key: '', message: error.message };
      problems.push(problem);
      apis.push(...placesIn(text, problem));
    }
  }
  if (entry.trustedSenders === undefined && apis.some(({ written }) => written.sources !== undefined))
    warnings.push({
      file: entry.path,
      line: 1,
      key: '',
      message: `Bijira reads the client’s certificate from the header x-client-cert-x509, but nobody is trusted to send it: only certificates of TLS clients count. Where a load balancer ends TLS, ${adviceFor(entry).trustedSenders}, its addresses`,
    });
  return { apis, tokenServices: [], problems, warnings };
}

function list(entry: DefinitionEntry, problems: DefinitionProblem[]): readonly string[] {
  try {
    return filesOf(entry).list(entry.path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    problems.push({ file: entry.path, line: 1, key: '', message: error.message });
    return [];
  }
}

/** A list of API proxies, or one alone. */
function proxies(place: Place, problems: DefinitionProblem[]): readonly Place[] {
  if (Array.isArray(place.value)) return place.value.map((_, i) => below(place, i));
  if (isTable(place.value)) return [place];
  if (place.value !== undefined && place.value !== null)
    problems.push(
      problemAt(
        place,
        `found ${shown(place.value)}; write a list of APIs, each with name, version, basePath, policies`,
      ),
    );
  return [];
}

/** A file that breaks off keeps the places that can be found in it, so that nothing falls through to a shorter path. */
const placesIn = (text: string, problem: DefinitionProblem): readonly DefinedApi[] =>
  [...text.matchAll(/^[ \t-]*"?basePath"?[ \t]*:[ \t]*["']?(\/[^"'\s#,]*)/gm)]
    .slice(0, 1000)
    .map((match) => ({
      origin: { file: problem.file, line: text.slice(0, match.index).split('\n').length },
      problems: [problem],
      notes: [],
      written: {
        name: 'unknown',
        version: '0',
        basePath: match[1]!,
        mutualSSL: 'mandatory',
        applicationSecurity: 'mandatory',
        errorFormat: 'bijira',
      },
    }));
