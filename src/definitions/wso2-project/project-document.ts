import { Cursor, type Findings } from '../../documents/cursor.ts';
import { attempt, FileProblem } from '../../documents/files.ts';
import { readYaml } from '../../documents/yaml.ts';
import type { Project } from './project-files.ts';

/** A table or list, YAML or JSON, of a project. undefined: not there, or not readable, which is told. */
export function documentOf(project: Project, name: string, found: Findings): Cursor | undefined {
  const file = project.shown(name);
  return attempt(file, found, () => {
    const text = project.read(name);
    if (text === undefined) return undefined;
    const [document] = readYaml(text);
    if (typeof document?.value === 'object' && document.value !== null)
      return Cursor.of(file, document, found);
    throw new FileProblem('is no table; write keys and values, as the product exports them');
  });
}

/** The first of a project's files that is called so. */
export const namedLike = ({ names }: Project, pattern: RegExp): string | undefined =>
  names.find((name) => pattern.test(name));

/** Of several keys the first that is written, else the first. */
export const firstOf = (...cursors: readonly Cursor[]): Cursor =>
  cursors.find(({ value }) => value !== undefined) ?? cursors[0]!;
