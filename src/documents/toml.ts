import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { FileProblem } from './files.ts';
import type { Path } from './problem.ts';

/**
 * Reads TOML and knows the line of each key. The package `toml` tells lines for syntax errors only; its parser's
 * nodes carry offsets. Its two halves are internal and untyped, so the package is pinned to one exact version and
 * `test/unit/documents/toml.test.ts` holds its shape.
 */
export type TomlFile = {
  /** Plain data; tables have no prototype, so that no key can reach one. */
  readonly value: Readonly<Record<string, unknown>>;
  /** 1-based line of the key at `path`, else of the nearest table around it that is written out; else 1. */
  readonly lineOf: (path: Path) => number;
  /** Whether the file itself has the key, so that a default can be told from the same value written out. */
  readonly isWritten: (path: Path) => boolean;
  /** What both look up, as data. */
  readonly lines: TomlLines;
};

/**
 * A tree of keys, each with its line, in a handful of arrays: of 300,000 keys it is one value that goes from process to
 * process at once. Key 0 is the file itself.
 */
export type TomlLines = {
  /** Each once. */
  readonly names: readonly string[];
  /** What a key is called below its parent: an even number is twice a place in `names`, an odd one twice an index and 1. */
  readonly labels: Uint32Array;
  readonly parents: Uint32Array;
  readonly lines: Uint32Array;
  /** Finds a key by its parent and label: it stands at their hash, or behind others up to the first 0. */
  readonly slots: Uint32Array;
  /** Drawn for each file, so that nobody can write one whose keys all have one hash. */
  readonly seeds: readonly [parent: number, label: number];
};

/** @param writtenAt where that stands in the file which is asked for by this path */
export function linesIn(
  lines: TomlLines,
  writtenAt = (path: Path): Path => path,
): Pick<TomlFile, 'lines' | 'lineOf' | 'isWritten'> {
  const numbers = new Map(lines.names.map((name, i) => [name, i]));
  const find = (path: Path): { readonly key: number; readonly isWhole: boolean } => {
    let key = 0;
    for (const step of path) {
      const number = typeof step === 'number' ? step : numbers.get(String(step));
      const below = number === undefined ? 0 : lines.slots[slotOf(lines, key, labelOf(step, number))]!;
      if (below === 0) return { key, isWhole: false };
      key = below;
    }
    return { key, isWhole: true };
  };
  return {
    lines,
    lineOf: (path) => lines.lines[find(writtenAt(path)).key]!,
    isWritten: (path) => find(writtenAt(path)).isWhole,
  };
}

const labelOf = (step: PropertyKey, number: number): number =>
  2 * number + (typeof step === 'number' ? 1 : 0);

type Growing = { readonly labels: ArrayLike<number>; readonly parents: ArrayLike<number> };

/** Where a key stands, or would. */
function slotOf(
  { labels, parents, slots, seeds }: Pick<TomlLines, 'slots' | 'seeds'> & Growing,
  parent: number,
  label: number,
): number {
  const mask = slots.length - 1;
  let slot = (Math.imul(parent, seeds[0]) + Math.imul(label, seeds[1])) >>> 7;
  for (; ; slot++) {
    const key = slots[slot & mask]!;
    if (key === 0 || (parents[key] === parent && labels[key] === label)) return slot & mask;
  }
}

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

function keyLines(text: string, nodes: readonly Node[]): TomlLines {
  const lineAt = lineCounter(text);
  const tree = new KeyTree(nodes.length);
  /** Of lists of tables, and of each the last. */
  const lasts = new Map<number, { readonly key: number; readonly index: number }>();
  let table = 0;

  const inLast = (key: number): number => lasts.get(key)?.key ?? key;
  const assign = (parent: number, node: Node): void => {
    const line = lineAt(node.offset);
    const names = typeof node.key === 'string' ? [node.key] : (node.key ?? []);
    let key = parent;
    for (const name of names) key = tree.below(key, name, line);
    descend(key, node.value as Node | undefined);
  };
  const descend = (key: number, node: Node | undefined): void => {
    if (node?.type === 'InlineTable') {
      for (const entry of node.value as readonly Node[]) if (entry.key !== undefined) assign(key, entry);
    } else if (node?.type === 'Array') {
      (node.value as readonly Node[]).forEach((element, index) => {
        descend(tree.below(key, index, lineAt(element.offset)), element);
      });
    }
  };

  for (const node of nodes) {
    if (node.type === 'Assign') {
      assign(table, node);
      continue;
    }
    const line = lineAt(node.offset);
    const names = node.value as readonly string[];
    table = 0;
    for (const [i, name] of names.entries()) {
      table = tree.below(table, name, line);
      if (node.type === 'ArrayPath' && i === names.length - 1) {
        const index = (lasts.get(table)?.index ?? -1) + 1;
        lasts.set(table, { key: tree.below(table, index, line), index });
      }
      table = inLast(table);
    }
  }
  return tree.data;
}

class KeyTree {
  readonly #names = new Map<string, number>();
  readonly #lines = [1];
  readonly #keys = { labels: [0], parents: [0], slots: new Uint32Array(), seeds: [odd(), odd()] as const };

  /** @param expected keys, about */
  constructor(expected: number) {
    this.#keys.slots = new Uint32Array(2 ** Math.ceil(Math.log2(4 * expected + 4)));
  }

  /** @param line where it stands, unless it is known from before */
  below(parent: number, step: string | number, line: number): number {
    const { labels, parents, slots } = this.#keys;
    const label = labelOf(step, typeof step === 'number' ? step : this.#numberOf(step));
    const slot = slotOf(this.#keys, parent, label);
    if (slots[slot] !== 0) return slots[slot]!;
    const key = this.#lines.push(line) - 1;
    labels.push(label);
    parents.push(parent);
    slots[slot] = key;
    if (2 * key > slots.length) this.#grow();
    return key;
  }

  get data(): TomlLines {
    const { labels, parents, slots, seeds } = this.#keys;
    const [names, lines] = [[...this.#names.keys()], Uint32Array.from(this.#lines)];
    return {
      names,
      labels: Uint32Array.from(labels),
      parents: Uint32Array.from(parents),
      lines,
      slots,
      seeds,
    };
  }

  #numberOf(name: string): number {
    const known = this.#names.get(name) ?? this.#names.size;
    this.#names.set(name, known);
    return known;
  }

  #grow(): void {
    const { labels, parents, slots } = this.#keys;
    this.#keys.slots = new Uint32Array(2 * slots.length);
    for (let key = 1; key < parents.length; key++)
      this.#keys.slots[slotOf(this.#keys, parents[key]!, labels[key]!)] = key;
  }
}

const odd = (): number => 2 * randomInt(2 ** 30) + 1;

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const isIn = (line: number, offset: number): boolean =>
    starts[line]! <= offset && (line + 1 === starts.length || starts[line + 1]! > offset);
  let last = 0;
  return (offset) => {
    // Most are asked for in their order.
    if (isIn(last, offset)) return last + 1;
    if (last + 1 < starts.length && isIn(last + 1, offset)) return ++last + 1;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    last = low;
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
