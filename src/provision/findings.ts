import { dirname, resolve } from 'node:path';
import { keyText, type Path, type Problem, shown } from '../config/problem.ts';
import { disk, FileProblem, type Files } from '../documents/files.ts';

/** Gathers everything that is wrong, so that an operator reads all of it at once. */
export type Findings = {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly error: (path: Path, message: string) => void;
  readonly warn: (path: Path, message: string) => void;
  /** About what stands in another file. */
  readonly warnElsewhere: (problem: Problem) => void;
  /** As it would be told of what stands there. */
  readonly problemAt: (path: Path, message: string) => Problem;
  /** How many errors there are by now, those of foreign files among them. */
  readonly count: () => number;
  /** A path of config.toml is relative to that file. */
  readonly resolve: (path: string) => string;
  /** Runs `read` on what is in the file named at `path`; what goes wrong with it becomes an error there. */
  readonly file: <T>(path: Path, name: string, read: (content: Buffer) => T) => T | undefined;
  /** The same for a text that stands in the configuration itself. */
  readonly text: <T>(path: Path, text: string, read: (text: string) => T) => T | undefined;
};

/** What certificates are read with. */
export type ReadingCircumstances = {
  readonly findings: Findings;
  /** Milliseconds since the epoch: only for warnings about dates. */
  readonly now: number;
};

/** Errors of what came from elsewhere, by its index, are that one's own affair. */
export type ForeignFindings = {
  /** Where `apis[index]` was read; undefined: in config.toml. */
  readonly originOf: (index: number) => { readonly file: string; readonly line: number } | undefined;
  readonly errors: Map<number, Problem[]>;
};

export function createFindings(
  file: string,
  lineOf: (path: Path) => number,
  files: Files = disk,
  foreign: ForeignFindings = { originOf: () => undefined, errors: new Map() },
): Findings {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const locate = (path: Path, message: string): { readonly index?: number; readonly problem: Problem } => {
    const [table, index] = path;
    const origin = table === 'apis' && typeof index === 'number' ? foreign.originOf(index) : undefined;
    return origin === undefined || typeof index !== 'number'
      ? { problem: { file, line: lineOf(path), key: keyText(path), message } }
      : { index, problem: { ...origin, key: keyText(path.slice(2)), message } };
  };
  const error = (path: Path, message: string): void => {
    const { index, problem } = locate(path, message);
    if (index === undefined) errors.push(problem);
    else foreign.errors.set(index, [...(foreign.errors.get(index) ?? []), problem]);
  };
  // Thousands of aliases may name one file.
  const resolved = new Map<string, string>();
  const resolvePath = (path: string): string => {
    const known = resolved.get(path) ?? resolve(dirname(file), path);
    resolved.set(path, known);
    return known;
  };
  const reading = <T>(path: Path, name: string | undefined, read: () => T): T | undefined => {
    try {
      return read();
    } catch (problem) {
      if (!(problem instanceof FileProblem)) throw problem;
      error(path, `found ${name === undefined ? 'a text' : shown(name)}, which ${problem.message}`);
      return undefined;
    }
  };
  return {
    errors,
    warnings,
    error,
    warn: (path, message) => warnings.push(locate(path, message).problem),
    warnElsewhere: (problem) => warnings.push(problem),
    problemAt: (path, message) => locate(path, message).problem,
    count: () => [...foreign.errors.values()].reduce((sum, { length }) => sum + length, errors.length),
    resolve: resolvePath,
    file: (path, name, read) => reading(path, name, () => read(files.bytes(resolvePath(name)))),
    text: (path, text, read) => reading(path, undefined, () => read(text)),
  };
}
