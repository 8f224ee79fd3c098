import { readDefinition } from '../../src/definitions/readers.ts';
import type { Definition, DefinitionEntry } from '../../src/definitions/written.ts';
import { FileProblem } from '../../src/documents/files.ts';

/** What is made of the files of one folder, in memory: by name, without the folder's. */
export function readTexts(
  kind: DefinitionEntry['kind'],
  texts: Readonly<Record<string, string>>,
): Definition {
  const text = (path: string): string => {
    const found = texts[path.slice('/d/'.length)];
    if (found === undefined) throw new FileProblem('does not exist');
    return found;
  };
  return readDefinition({
    kind,
    path: '/d',
    // So that it tells in which header a certificate comes.
    trustedSenders: ['10.0.0.1'],
    backend: 'https://b.example',
    home: undefined,
    files: {
      text,
      bytes: (path) => Buffer.from(text(path)),
      list: () =>
        Object.keys(texts)
          .sort()
          .map((name) => `/d/${name}`),
    },
  });
}
