import { slipOf } from '../documents/near.ts';
import type { YamlDocument } from '../documents/yaml.ts';
import type { DefinitionProblem } from './written.ts';

/** A value in a YAML file, and where it stands: whoever finds fault with it can say where. */
export type Place = {
  readonly file: string;
  readonly document: YamlDocument;
  readonly path: readonly (string | number)[];
  /** undefined: it is not written. */
  readonly value: unknown;
};

export const documentPlace = (file: string, document: YamlDocument): Place => ({
  file,
  document,
  path: [],
  value: document.value,
});

/** What stands below, whether it is there or not. Never what an object inherits. */
export function below(place: Place, ...keys: readonly (string | number)[]): Place {
  let { value } = place;
  for (const key of keys) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined;
  }
  // `key:` with nothing behind it is how YAML users leave a thing out.
  return { ...place, path: [...place.path, ...keys], value: value ?? undefined };
}

export const lineOf = ({ document, path }: Place): number => document.lineOf(path);

export const problemAt = (place: Place, message: string): DefinitionProblem => ({
  file: place.file,
  line: lineOf(place),
  key: keyText(place.path),
  message,
});

const keyText = (path: readonly (string | number)[]): string =>
  path
    .map((part) =>
      typeof part === 'number'
        ? `[${part}]`
        : /^[\w-]+$/.test(part)
          ? `.${part}`
          : `.${JSON.stringify(part)}`,
    )
    .join('')
    .replace(/^\./, '');

/** A value as a message may show it: short, on one line, and no key material. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value) ?? String(value);
  if (json.includes('PRIVATE KEY')) return 'a private key';
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/** Its type where it may be a secret. */
export const typeShown = (value: unknown): string => (typeof value === 'string' ? 'a text' : shown(value));

export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is wrong is gathered here, so that the reader of a file hears all of it at once. */
export type Problems = DefinitionProblem[];

/** A text, or undefined: an empty one is how programs leave a thing out. */
export function textAt(place: Place, problems: Problems, example: string): string | undefined {
  if (!isWritten(place)) return undefined;
  if (typeof place.value === 'string') return place.value;
  problems.push(problemAt(place, `found ${shown(place.value)}; write a text, for example ${example}`));
  return undefined;
}

/** Whether there is something: neither nothing nor an empty text. */
export const isWritten = ({ value }: Place): boolean => value !== undefined && value !== '';

/** A text that must be there. */
export function neededText(place: Place, problems: Problems, example: string): string | undefined {
  if (!isWritten(place))
    problems.push(
      problemAt(place, `is ${place.value === '' ? 'empty' : 'missing'}; write it, for example ${example}`),
    );
  return textAt(place, problems, example);
}

/** A version, which people write without quotes: as it is written, not as the number that it is. */
export function versionAt(place: Place, problems: Problems, example: string): string | undefined {
  const isNumber = typeof place.value === 'number';
  return neededText(
    isNumber ? { ...place, value: place.document.textOf(place.path) ?? String(place.value) } : place,
    problems,
    example,
  );
}

export function flagAt(place: Place, problems: Problems): boolean | undefined {
  if (place.value === undefined || typeof place.value === 'boolean') return place.value;
  problems.push(problemAt(place, `found ${shown(place.value)}; write true or false`));
  return undefined;
}

/** One of some words, whatever the case. */
export function wordAt<Word extends string>(
  place: Place,
  words: readonly Word[],
  problems: Problems,
): Word | undefined {
  if (!isWritten(place)) return undefined;
  const written = typeof place.value === 'string' ? place.value.toLowerCase() : undefined;
  const found = words.find((word) => word.toLowerCase() === written);
  if (found === undefined)
    problems.push(problemAt(place, `found ${shown(place.value)}; write ${words.join(' or ')}`));
  return found;
}

/** A key with nothing behind it: what should close something may have been cut off. */
export function notEmptyAt(place: Place, key: string, problems: Problems): void {
  if (isTable(place.value) && Object.hasOwn(place.value, key) && place.value[key] === null)
    problems.push(problemAt(below(place, key), 'is empty; write what belongs there, or leave the key out'));
}

/** The elements of a list; none where it is not written. */
export function elementsAt(place: Place, problems: Problems): readonly Place[] {
  if (place.value === undefined) return [];
  if (Array.isArray(place.value)) return place.value.map((_, i) => below(place, i));
  problems.push(problemAt(place, `found ${typeShown(place.value)}; write a list`));
  return [];
}

/** A list of texts. */
export const textsAt = (place: Place, problems: Problems, example: string): readonly string[] =>
  elementsAt(place, problems)
    .map((element) => neededText(element, problems, example))
    .filter((text) => text !== undefined);

/** A key that nobody knows may be a misspelt one that would have closed something. */
export function knownKeysAt(place: Place, known: readonly string[], problems: Problems): void {
  if (place.value === undefined) return;
  if (!isTable(place.value)) {
    problems.push(
      problemAt(place, `found ${typeShown(place.value)}; write a table with ${known.join(', ')}`),
    );
    return;
  }
  for (const key of Object.keys(place.value)) {
    if (!known.includes(key))
      problems.push(problemAt(below(place, key), `is not known here; there are: ${known.join(', ')}`));
  }
}

/** In a table that may have keys that are nothing to us: one that is a slip of a known one. */
export function slipsAt(place: Place, known: readonly string[], problems: Problems): void {
  if (!isTable(place.value)) return;
  for (const key of Object.keys(place.value)) {
    const meant = known.includes(key) ? undefined : slipOf(key, known);
    if (meant !== undefined)
      problems.push(problemAt(below(place, key), `is not known here; did you mean "${meant}"?`));
  }
}
