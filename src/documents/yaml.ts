import { isNode, isScalar, LineCounter, parseAllDocuments } from 'yaml';

/** One document of a YAML (or JSON) file, plain data. */
export type YamlDocument = {
  readonly value: unknown;
  /** 1-based line of the key or element at a path, or of the nearest above it that is written. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
  /** A plain value as it is written: 1.10 is the number 1.1, and yet another version. */
  readonly textOf: (path: readonly (string | number)[]) => string | undefined;
};

export class YamlProblem extends Error {
  override readonly name = 'YamlProblem';
  /** 1-based. */
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/**
 * All documents of a file. JSON is YAML.
 *
 * @throws YamlProblem: not YAML, a key twice, an alias bomb, nested too deep
 */
export function readYaml(text: string): readonly YamlDocument[] {
  checkDepth(text);
  const lineCounter = new LineCounter();
  // Only the core schema: no dates, no binary, no `!!js`; a key that stands twice is an error.
  const documents = parse(text, lineCounter);
  if (!Array.isArray(documents)) return [];
  return documents.map((document) => {
    const [error] = document.errors;
    if (error !== undefined)
      throw new YamlProblem(firstLine(error.message), lineCounter.linePos(error.pos[0]).line);
    const lineOf = (path: readonly (string | number)[]): number => {
      for (let depth = path.length; depth >= 0; depth--) {
        const node: unknown = document.getIn(path.slice(0, depth), true);
        if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
      }
      return 1;
    };
    const textOf = (path: readonly (string | number)[]): string | undefined => {
      const node: unknown = document.getIn(path, true);
      return isScalar(node) ? node.source : undefined;
    };
    try {
      return { textOf, value: document.toJS({ maxAliasCount: 50 }), lineOf };
    } catch (error) {
      throw new YamlProblem(
        `${firstLine((error as Error).message)}; write the values out in place of aliases`,
        1,
      );
    }
  });
}

function parse(text: string, lineCounter: LineCounter): ReturnType<typeof parseAllDocuments> {
  try {
    return parseAllDocuments(text, { lineCounter, schema: 'core', uniqueKeys: true, merge: false });
  } catch (error) {
    throw new YamlProblem(`can not be read as YAML: ${firstLine((error as Error).message)}`, 1);
  }
}

/** The parser goes down one call a level: a file of brackets alone would end the process. */
function checkDepth(text: string): void {
  let depth = 0;
  for (const [i, char] of [...text.matchAll(/[[\]{}\n]/g)].map((match) => [match.index, match[0]] as const)) {
    if (char === '[' || char === '{') depth++;
    else if (char !== '\n' && depth > 0) depth--;
    if (depth > 200)
      throw new YamlProblem('brackets nested more than 200 deep', text.slice(0, i).split('\n').length);
  }
  for (const [i, line] of text.split('\n').entries()) {
    if (/^(?:[ ]|- ){1000}/.test(line)) throw new YamlProblem('nested too deep', i + 1);
  }
}

const firstLine = (message: string): string => message.split('\n', 1)[0]!.replace(/ at line \d+.*$/, '');
