import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  Scalar,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { FileProblem } from './files.ts';
import type { Path } from './problem.ts';

/** One document of a YAML (or JSON) file, plain data. */
type YamlDocument = {
  readonly value: unknown;
  /** 1-based line of the key or element at a path, or of the nearest above it that is written. */
  readonly lineOf: (path: Path) => number;
  /** A plain value as it is written: 1.10 is the number 1.1, and yet another version. */
  readonly textOf: (path: Path) => string | undefined;
};

/** Five times the largest OpenAPI file of WSO2's own; a file that is read in a second at most. */
const maxLength = 2 * 1024 * 1024;

/** Of what is written, and of what aliases and merge keys make of it: an alias bomb grows by each level. */
const maxNodes = 200_000;

/** Aliases in what an alias means, each time that it is meant: what people write has few, an alias bomb nothing else. */
const maxNested = 64;

/** More than any file has that people wrote; what follows goes down one call a level. */
const maxDepth = 200;

/**
 * All documents of a file. JSON is YAML. Merge keys (`<<`) are resolved as SnakeYAML does, which WSO2's products use: a
 * mapping's own keys count over merged ones, the first merged over the next. A key that stands twice is a fault.
 *
 * @throws FileProblem: not YAML, a key twice, an alias bomb, nested too deep, more of it than is read
 */
export function readYaml(text: string): readonly YamlDocument[] {
  if (text.length > maxLength) throw new FileProblem(`has more than ${maxLength} characters, ${notRead}`);
  const lines = new LineCounter();
  const documents: YamlDocument[] = [];
  // Only the core schema: no dates, no binary, no `!!js`. Repeated keys are found below, in linear time.
  const composer = new Composer({ lineCounter: lines, schema: 'core', uniqueKeys: false });
  const amount = { nodes: 0, aliases: 0, nested: 0 };
  for (const document of composer.compose(tokens(text, lines))) documents.push(read(document, lines, amount));
  return documents;
}

const notRead = 'which are not read; take out what does not belong there, or split the file';

/** Names of anchors, tags and keys may be as long as the file. */
const short = (message: string): string => (message.length > 200 ? `${message.slice(0, 197)}...` : message);

/** As the parser hands them out, up to the first that is wrong: the rest of a file that breaks costs nothing. */
function* tokens(text: string, lines: LineCounter) {
  const fail = (message: string): never => {
    throw new FileProblem(short(message), lines.linePos(parser.offset).line);
  };
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  let [values, marks, lexemes] = [0, 0, 0];
  for (const lexeme of new Lexer().lex(text)) {
    if (beginnings.has(lexeme[0]!)) values++;
    else if (lexeme === ',' || lexeme === ':' || lexeme === '?') marks++;
    if (Math.max(values, marks, ++lexemes / 5) > maxNodes)
      fail(`has more than ${maxNodes} keys and values, ${notRead}`);
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') fail(`is no YAML: ${token.message}`);
      yield token;
    }
    if (parser.stack.length > maxDepth) fail(`is nested more than ${maxDepth} deep`);
  }
  for (const token of parser.end()) {
    if (token.type === 'error') fail(`is no YAML: ${token.message}`);
    yield token;
  }
}

/** Of a key, a value, an element, or what may stand before it; a plain text is announced by U+001F. */
const beginnings: ReadonlySet<string> = new Set('\u001f"\'|>*[{-!&');

/** A value with what it takes to say where it stands. */
type Node = {
  readonly value: unknown;
  readonly offset: number;
  readonly source?: string | undefined;
  readonly below?: ReadonlyMap<string, Node> | readonly Node[];
};

/** How much something comes to with all aliases in it written out. */
type Amount = { readonly nodes: number; readonly aliases: number };

type Reading = {
  readonly anchors: Map<string, { readonly node: Node; readonly amount: Amount }>;
  /** Over all documents of a file. */
  readonly read: { nodes: number; aliases: number; nested: number };
  readonly fail: (message: string, at: unknown) => never;
};

function read(document: Document.Parsed, lines: LineCounter, amount: Reading['read']): YamlDocument {
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const [error] = document.errors as readonly YAMLError[];
  if (error !== undefined) throw new FileProblem(`is no YAML: ${short(error.message)}`, lineAt(error.pos[0]));
  const fail: Reading['fail'] = (message, at) => {
    throw new FileProblem(short(message), lineAt(offsetOf(at)));
  };
  const root = readNode(document.contents, { anchors: new Map(), read: amount, fail });
  const find = (path: Path): { readonly node: Node; readonly isWhole: boolean } => {
    let node = root;
    for (const key of path) {
      const { below } = node;
      const next = Array.isArray(below)
        ? (below as readonly Node[])[Number(key)]
        : (below as ReadonlyMap<string, Node> | undefined)?.get(String(key));
      if (next === undefined) return { node, isWhole: false };
      node = next;
    }
    return { node, isWhole: true };
  };
  return {
    value: root.value,
    lineOf: (path) => lineAt(find(path).node.offset),
    textOf: (path) => {
      const { node, isWhole } = find(path);
      return isWhole ? node.source : undefined;
    },
  };
}

const offsetOf = (node: unknown): number => (node as { range?: readonly number[] } | null)?.range?.[0] ?? 0;

function readNode(node: unknown, reading: Reading): Node {
  const before = { ...reading.read };
  const found = isAlias(node) ? readAlias(node, reading) : readContent(node, reading);
  const { read, fail } = reading;
  read.nodes++;
  if (read.nodes > maxNodes) fail(`comes to more than ${maxNodes} keys and values, ${notRead}`, node);
  const anchor = isAlias(node) ? undefined : (node as { anchor?: string } | null)?.anchor;
  // Set behind its content: an alias inside of what it means finds nothing.
  if (anchor !== undefined) {
    const amount = { nodes: read.nodes - before.nodes, aliases: read.aliases - before.aliases };
    reading.anchors.set(anchor, { node: found, amount });
  }
  return found;
}

/** It shares what it means, which is kept once, and counted as often as it is meant. */
function readAlias(alias: Alias, { anchors, read, fail }: Reading): Node {
  const meant = anchors.get(alias.source);
  if (meant === undefined)
    return fail(`has the alias *${alias.source} without an anchor &${alias.source} before it`, alias);
  read.nodes += meant.amount.nodes;
  read.aliases += meant.amount.aliases + 1;
  read.nested += meant.amount.aliases;
  if (read.nested > maxNested)
    fail('has too many aliases of aliases (resource exhaustion); write the values out in their place', alias);
  return meant.node;
}

function readContent(node: unknown, reading: Reading): Node {
  const offset = offsetOf(node);
  if (isMap(node)) return readTable(node, reading);
  if (isSeq(node)) {
    // `!!omap` and `!!pairs`
    if (node.items.some(isPair)) reading.fail('has a list of a kind that is not read; write a mapping', node);
    const below = node.items.map((item) => readNode(item, reading));
    return { value: below.map(({ value }) => value), offset, below };
  }
  return isScalar(node) ? { value: node.value, offset, source: node.source } : { value: null, offset };
}

function readTable(map: YAMLMap, reading: Reading): Node {
  const own = new Map<string, Node>();
  const merged = new Map<string, Node>();
  for (const { key, value } of map.items) {
    const name = nameOf(key, reading);
    const node = readNode(value, reading);
    if (isMergeKey(key)) {
      for (const [name, below] of mergedBy(node, key, reading))
        if (!merged.has(name)) merged.set(name, below);
      continue;
    }
    // What it was to merge may close something.
    if (name.trim() === '<<')
      reading.fail('has << in quotes, or with blanks, which merges nothing; write it without', key);
    if (own.has(name))
      reading.fail(
        `Map keys must be unique: ${JSON.stringify(name)} stands here a second time; write it once`,
        key,
      );
    own.set(name, node);
  }
  const below = merged.size === 0 ? own : new Map([...merged, ...own]);
  // Without a prototype, so that no key can reach one.
  const table: Record<string, unknown> = Object.create(null);
  for (const [name, { value }] of below) table[name] = value;
  return { value: table, offset: offsetOf(map), below };
}

const isMergeKey = (key: unknown): boolean =>
  isScalar(key) &&
  (key.tag === 'tag:yaml.org,2002:merge' || (key.source === '<<' && key.type === Scalar.PLAIN));

/** One mapping, or a list of them. */
function* mergedBy(node: Node, key: unknown, { fail }: Reading): Generator<readonly [string, Node]> {
  for (const source of Array.isArray(node.below) ? (node.below as readonly Node[]) : [node]) {
    if (!(source.below instanceof Map)) fail('has something else than a mapping behind <<', key);
    yield* source.below as ReadonlyMap<string, Node>;
  }
}

function nameOf(key: unknown, reading: Reading): string {
  const node = readNode(key, reading);
  if (node.below !== undefined) reading.fail('has a list or a mapping for a key; write a text', key);
  return node.source ?? String(node.value ?? '');
}
