import { slipOf } from './near.ts';
import { keyText, type Path, type Problem, shown } from './problem.ts';

/** What was read of a file, and where its values stand: TOML, YAML and XML alike. */
export type Document = {
  /** Plain data. */
  readonly value: unknown;
  /** 1-based line of what stands at a path, or of the nearest above it that is written. */
  readonly lineOf: (path: Path) => number;
  /** A plain value as it is written: 1.10 is the number 1.1, and yet another version. */
  readonly textOf?: (path: Path) => string | undefined;
};

/** What was found on the way: `problems` close something, `warnings` are worth a line in the log. */
export type Findings = { readonly problems: Problem[]; readonly warnings: Problem[] };

export const noFindings = (): Findings => ({ problems: [], warnings: [] });

/**
 * Where in a document we stand, and where goes what is wrong there. Whoever asks for a value gets it or undefined, and in that
 * case what was found and what to write has been told: a reader goes on, so that the file's author hears of all at once.
 */
export class Cursor {
  readonly file: string;
  readonly path: Path;
  /** undefined: it is not written. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #findings: Findings;

  private constructor(file: string, document: Document, findings: Findings, path: Path, value: unknown) {
    this.file = file;
    this.#document = document;
    this.#findings = findings;
    this.path = path;
    // `key:` with nothing behind it is how YAML users leave a thing out.
    this.value = value ?? undefined;
  }

  static of(file: string, document: Document, findings: Findings): Cursor {
    return new Cursor(file, document, findings, [], document.value);
  }

  /** What stands below, whether it is there or not. Never what an object inherits. */
  get(...keys: readonly (string | number)[]): Cursor {
    let { value } = this;
    for (const key of keys)
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, key)
          ? (value as Record<string | number, unknown>)[key]
          : undefined;
    return new Cursor(this.file, this.#document, this.#findings, [...this.path, ...keys], value);
  }

  /** The same cursor, with what is wrong there and below going elsewhere, or to where another's goes. */
  into(findings: Findings | Cursor): Cursor {
    const target = findings instanceof Cursor ? findings.#findings : findings;
    return new Cursor(this.file, this.#document, target, this.path, this.value);
  }

  get line(): number {
    return this.#document.lineOf(this.path);
  }

  problem(message: string): Problem {
    return { file: this.file, line: this.line, key: keyText(this.path), message };
  }
  error(message: string): undefined {
    this.#findings.problems.push(this.problem(message));
  }
  warn(message: string): undefined {
    this.#findings.warnings.push(this.problem(message));
  }

  /** Whether there is something: neither nothing nor an empty text, which is how programs leave a thing out. */
  get isWritten(): boolean {
    return this.value !== undefined && this.value !== '';
  }
  get isTable(): boolean {
    return typeof this.value === 'object' && !Array.isArray(this.value);
  }
  get isList(): boolean {
    return Array.isArray(this.value);
  }

  /** What is there, for a message: its type where it may be a secret. */
  get found(): string {
    const { value } = this;
    if (typeof value === 'string') return value === '' ? 'an empty text' : 'a text';
    const isEmpty = typeof value === 'object' && Object.keys(value as object).length === 0;
    if (this.isList) return isEmpty ? '[]' : 'a list';
    return this.isTable ? (isEmpty ? '{}' : 'a table') : shown(value);
  }

  text(example: string): string | undefined {
    if (!this.isWritten) return undefined;
    if (typeof this.value === 'string') return this.value;
    return this.error(`found ${this.found}; write a text, for example ${example}`);
  }

  /** A text that must be there. */
  neededText(example: string): string | undefined {
    if (this.isWritten) return this.text(example);
    return this.error(`is ${this.value === '' ? 'empty' : 'missing'}; write it, for example ${example}`);
  }

  /** A version, which people write without quotes: as it is written, not as the number that it is. */
  version(example: string): string | undefined {
    if (typeof this.value !== 'number') return this.neededText(example);
    return this.#document.textOf?.(this.path) ?? String(this.value);
  }

  flag(): boolean | undefined {
    if (this.value === undefined || typeof this.value === 'boolean') return this.value;
    return this.error(`found ${shown(this.value)}; write true or false`);
  }

  /** One of some words, whatever the case. */
  word<Word extends string>(words: readonly Word[]): Word | undefined {
    if (!this.isWritten) return undefined;
    const written = typeof this.value === 'string' ? this.value.toLowerCase() : undefined;
    const found = words.find((word) => word.toLowerCase() === written);
    return found ?? this.error(`found ${shown(this.value)}; write ${words.join(' or ')}`);
  }

  neededWord<Word extends string>(words: readonly Word[]): Word | undefined {
    return this.isWritten ? this.word(words) : this.error(`is missing; write ${words.join(' or ')}`);
  }

  /** The elements of a list; none where it is not written. */
  list(): readonly Cursor[] {
    if (this.value === undefined) return [];
    if (Array.isArray(this.value)) return this.value.map((_, i) => this.get(i));
    this.error(`found ${this.found}; write a list`);
    return [];
  }

  /** What may be written once or as a list: each of it. */
  each(): readonly Cursor[] {
    return this.isList ? this.list() : this.value === undefined ? [] : [this];
  }

  /** All that stands under `key`, however deep below. */
  *everywhere(key: string): Generator<Cursor> {
    for (const at of this.isList ? this.list() : []) yield* at.everywhere(key);
    for (const [name, at] of this.isTable ? this.entries() : []) {
      if (name === key) yield* at.each();
      yield* at.everywhere(key);
    }
  }

  /** The texts of a list. */
  texts(example: string): readonly string[] {
    return this.list()
      .map((element) => element.neededText(example))
      .filter((text) => text !== undefined);
  }

  keys(): readonly string[] {
    return this.isTable ? Object.keys(this.value as object) : [];
  }

  /** What stands under each key of a table; none where it is not written. */
  entries(): readonly (readonly [key: string, at: Cursor])[] {
    if (this.isTable) return this.keys().map((key) => [key, this.get(key)]);
    if (this.value !== undefined) this.error(`found ${this.found}; write a table`);
    return [];
  }

  /** A table with no other keys: one that nobody knows may be a misspelt one that would have closed something. */
  known(keys: readonly string[]): void {
    if (this.value === undefined) return;
    if (!this.isTable) this.error(`found ${this.found}; write a table with ${keys.join(', ')}`);
    else
      for (const [key, at] of this.entries())
        if (!keys.includes(key)) at.error(`is not known here; there are: ${keys.join(', ')}`);
  }

  /** A table that may have keys that are nothing to us, but none that is a slip of a known one. */
  noSlips(known: readonly string[]): void {
    if (!this.isTable) return;
    for (const [key, at] of this.entries()) {
      const meant = known.includes(key) ? undefined : slipOf(key, known);
      if (meant !== undefined) at.error(`is not known here; did you mean "${meant}"?`);
    }
  }

  /** No key of these with nothing behind it: what should close something may have been cut off. */
  notCutOff(...keys: readonly string[]): void {
    if (!this.isTable) return;
    const table = this.value as Readonly<Record<string, unknown>>;
    for (const key of keys)
      if (Object.hasOwn(table, key) && table[key] === null)
        this.get(key).error('is empty; write what belongs there, or leave the key out');
  }
}
