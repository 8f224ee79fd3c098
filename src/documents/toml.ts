import { createRequire } from 'node:module';
import { FileProblem } from './files.ts';

/**
 * Reads TOML and knows the line of each key. The package `toml` tells lines for syntax errors only; its parser's
 * nodes carry offsets. Its two halves are internal and untyped, so the package is pinned to one exact version and
 * `test/unit/documents/toml.test.ts` holds its shape.
 */
export type TomlFile = {
  /** Plain data; tables have no prototype, so that no key can reach one. */
  readonly value: Readonly<Record<string, unknown>>;
  /** 1-based line of the key at `path`, else of the nearest table around it that is written out; else 1. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
  /** Whether the file itself has the key, so that a default can be told from the same value written out. */
  readonly isWritten: (path: readonly PropertyKey[]) => boolean;
  /** What both look up, as data. */
  readonly lines: TomlLines;
};

/** By path, as JSON text. */
export type TomlLines = ReadonlyMap<string, number>;

export const linesIn = (lines: TomlLines): Pick<TomlFile, 'lines' | 'lineOf' | 'isWritten'> => ({
  lines,
  lineOf: (path) => nearestLine(lines, path),
  isWritten: (path) => lines.has(JSON.stringify(path)),
});

export class TomlSyntaxError extends FileProblem {
  override readonly name = 'TomlSyntaxError';
  /** The name that stands twice, with dots, if that is what is wrong. */
  readonly repeated: string | undefined;
  constructor(line: number, message: string, repeated?: string) {
    super(message, line);
    this.repeated = repeated;
  }
}

type Node = {
  readonly type: string;
  readonly offset: number;
  readonly key?: string | readonly string[];
  readonly value?: unknown;
};

/** One after the other, as the package does it: to parse a large file twice, for the nodes as well, takes half a second more. */
const parser = createRequire(import.meta.url)('toml/lib/parser') as { parse(text: string): readonly Node[] };
const compiler = createRequire(import.meta.url)('toml/lib/compiler') as {
  compile(nodes: readonly Node[], text: string): Record<string, unknown>;
};

/** @throws TomlSyntaxError with the line, for anything that is not TOML. */
export function parseToml(text: string): TomlFile {
  const input = text.startsWith('\uFEFF') ? text.slice(1) : text;
  try {
    const nodes = parser.parse(input);
    const value = compiler.compile(nodes, input);
    checkLength(nodes, input);
    return { value, ...linesIn(keyLines(input, nodes)) };
  } catch (error) {
    if (error instanceof TomlSyntaxError) throw error;
    throw syntaxError(error);
  }
}

/** What others' configuration has many times over; 16 MiB took most of a minute and gigabytes. */
const maxForeign = 2 * 1024 * 1024;

/** Another product's file. @throws TomlSyntaxError: no TOML, more of it than is read */
export function parseForeignToml(text: string): TomlFile {
  if (text.length > maxForeign)
    throw new TomlSyntaxError(1, `has more than ${maxForeign} characters, which are not read`);
  return parseToml(text);
}

/** More parts than any name has: finding the lines of all its prefixes takes time that grows with their cube. */
const maxParts = 32;

/** @throws TomlSyntaxError: a name with more parts */
function checkLength(nodes: readonly Node[], text: string): void {
  for (const node of nodes) {
    const names = node.type === 'Assign' ? node.key : node.value;
    if (Array.isArray(names) && names.length > maxParts)
      throw new TomlSyntaxError(
        lineCounter(text)(node.offset),
        `a name of ${names.length} parts; write one of ${maxParts} at most`,
      );
  }
}

/** Paths as JSON text, so that no separator can be forged from inside a key. */
function keyLines(text: string, nodes: readonly Node[]): ReadonlyMap<string, number> {
  const lineAt = lineCounter(text);
  const lines = new Map<string, number>();
  const tableCounts = new Map<string, number>();
  let table: readonly PropertyKey[] = [];

  const remember = (path: readonly PropertyKey[], offset: number): void => {
    const key = JSON.stringify(path);
    if (!lines.has(key)) lines.set(key, lineAt(offset));
  };
  const inLastElements = (names: readonly string[]): PropertyKey[] => {
    const path: PropertyKey[] = [];
    for (const name of names) {
      path.push(name);
      const count = tableCounts.get(JSON.stringify(path));
      if (count !== undefined) path.push(count - 1);
    }
    return path;
  };
  const assign = (parent: readonly PropertyKey[], node: Node): void => {
    const names = typeof node.key === 'string' ? [node.key] : (node.key ?? []);
    for (let i = 1; i <= names.length; i++) remember([...parent, ...names.slice(0, i)], node.offset);
    descend([...parent, ...names], node.value as Node | undefined);
  };
  const descend = (path: readonly PropertyKey[], node: Node | undefined): void => {
    if (node?.type === 'InlineTable') {
      for (const entry of node.value as readonly Node[]) if (entry.key !== undefined) assign(path, entry);
    } else if (node?.type === 'Array') {
      (node.value as readonly Node[]).forEach((element, index) => {
        remember([...path, index], element.offset);
        descend([...path, index], element);
      });
    }
  };

  for (const node of nodes) {
    if (node.type === 'Assign') {
      assign(table, node);
      continue;
    }
    const names = node.value as readonly string[];
    if (node.type === 'ArrayPath') {
      const path = [...inLastElements(names.slice(0, -1)), names.at(-1)!];
      const count = tableCounts.get(JSON.stringify(path)) ?? 0;
      tableCounts.set(JSON.stringify(path), count + 1);
      remember(path, node.offset);
    }
    table = inLastElements(names);
    for (let i = 1; i <= names.length; i++) remember(inLastElements(names.slice(0, i)), node.offset);
  }
  return lines;
}

function nearestLine(lines: ReadonlyMap<string, number>, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(JSON.stringify(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return 1;
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

function syntaxError(error: unknown): TomlSyntaxError {
  const { line, location, message, found } = error as {
    line?: number;
    location?: { start: { line: number; column: number } };
    message?: string;
    found?: string | null;
  };
  if (location === undefined || found === undefined)
    return new TomlSyntaxError(
      line ?? 1,
      String(message ?? error),
      // The package has no other word of it; the test that pins its shape holds this one too.
      /^Cannot redefine existing key '(.+)'\.$/.exec(message ?? '')?.[1],
    );
  // The parser lists every character that it could have taken: no help at 3 a.m.
  const what = found === null ? 'the end of the file' : JSON.stringify(found);
  const { start } = location;
  return new TomlSyntaxError(
    start.line,
    `${what} is out of place at column ${start.column}; write [table], or key = value with texts in quotes`,
  );
}
