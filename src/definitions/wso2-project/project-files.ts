import { basename, dirname, join, relative } from 'node:path';
import { unzipSync } from 'fflate';
import { FileProblem, type Files } from '../../documents/files.ts';
import type { DefinitionProblem } from '../written.ts';

/** An API project: a folder, or an archive of one. */
export type Project = {
  /** Its folder or archive, for messages. */
  readonly path: string;
  /** By name inside the project, with `/` between. */
  readonly read: (name: string) => string | undefined;
  readonly readBytes: (name: string) => Uint8Array | undefined;
  readonly names: readonly string[];
  /** A file of it, for messages. */
  readonly shown: (name: string) => string;
  /** What breaks or is written as one: the file itself, or the archive that it is in. */
  readonly wholeOf: (name: string) => string;
};

const maxEntries = 5_000;
const maxUnpacked = 64 * 1024 * 1024;

/**
 * The projects below a path: every folder with an api.yaml (or api.json), and every archive.
 *
 * @param others what else is there, such as a config.toml
 */
export function findProjects(
  path: string,
  disk: Files,
): {
  readonly projects: readonly Project[];
  readonly others: readonly string[];
  readonly problems: readonly DefinitionProblem[];
} {
  let files: readonly string[];
  try {
    files = disk.list(path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return { projects: [], others: [], problems: [{ file: path, line: 1, key: '', message: error.message }] };
  }
  const problems: DefinitionProblem[] = [];
  const roots = new Set(files.filter((file) => isApiFile(basename(file))).map(rootOfApiFile));
  const inProject = new Map<string, string[]>();
  const others: string[] = [];
  const archives: string[] = [];
  for (const file of files) {
    const root = rootOf(file, roots);
    const own = root === undefined ? undefined : inProject.get(root);
    if (own !== undefined) own.push(file);
    else if (root !== undefined) inProject.set(root, [file]);
    else if (file.toLowerCase().endsWith('.zip')) archives.push(file);
    else others.push(file);
  }
  const unpacked = archives.flatMap((file) => {
    try {
      return [archive(file, disk)];
    } catch (error) {
      problems.push({ file, line: 1, key: '', message: (error as Error).message });
      return [];
    }
  });
  const folders = [...inProject].map(([root, own]) => folder(root, own, disk));
  return { projects: [...folders, ...unpacked], others, problems };
}

/** Older archives of API Manager have it one folder deeper. */
function rootOfApiFile(file: string): string {
  const folder = dirname(file);
  return basename(folder) === 'Meta-information' ? dirname(folder) : folder;
}

const isApiFile = (name: string): boolean => /^api\.(ya?ml|json)$/.test(name);

function rootOf(file: string, roots: ReadonlySet<string>): string | undefined {
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) if (roots.has(at)) return at;
  return undefined;
}

function folder(path: string, files: readonly string[], disk: Files): Project {
  const names = new Map(files.map((file) => [relative(path, file), file]));
  return {
    path,
    names: [...names.keys()],
    shown: (name) => join(path, name),
    wholeOf: (name) => join(path, name),
    read: (name) => {
      const file = names.get(name);
      return file === undefined ? undefined : disk.text(file);
    },
    readBytes: (name) => {
      const file = names.get(name);
      return file === undefined ? undefined : disk.bytes(file);
    },
  };
}

/** @throws Error: no archive, more in it than a project has, names that lead out of it */
function archive(path: string, disk: Files): Project {
  const bytes = disk.bytes(path);
  let count = 0;
  let size = 0;
  const entries = unzip(bytes, ({ name, originalSize }) => {
    count++;
    size += originalSize;
    if (count > maxEntries) throw new FileProblem(`has more than ${maxEntries} entries, which are not read`);
    if (size > maxUnpacked)
      throw new FileProblem(`unpacks to more than ${maxUnpacked} bytes, which are not read`);
    if (name.startsWith('/') || name.includes('\\') || name.split('/').includes('..'))
      throw new FileProblem(
        `has an entry ${JSON.stringify(name.slice(0, 100))}, which leads out of the archive; export it anew`,
      );
    return !name.endsWith('/');
  });
  // What the archive says of its own sizes may be untrue.
  const total = Object.values(entries).reduce((sum, { length }) => sum + length, 0);
  if (total > maxUnpacked)
    throw new FileProblem(`unpacks to more than ${maxUnpacked} bytes, which are not read`);
  const api = Object.keys(entries)
    .filter((name) => isApiFile(basename(name)))
    .sort((a, b) => a.split('/').length - b.split('/').length)[0];
  if (api === undefined) throw new FileProblem('has no api.yaml in it; write the path of an exported API');
  const own = rootOfApiFile(api);
  const root = own === '.' ? '' : `${own}/`;
  const names = new Map(
    Object.entries(entries).flatMap(([name, data]) =>
      name.startsWith(root) ? [[name.slice(root.length), data] as const] : [],
    ),
  );
  return {
    path,
    names: [...names.keys()],
    shown: (name) => `${path}!${name}`,
    wholeOf: () => path,
    read: (name) => {
      const data = names.get(name);
      return data === undefined ? undefined : Buffer.from(data).toString('utf8');
    },
    readBytes: (name) => names.get(name),
  };
}

function unzip(bytes: Uint8Array, filter: (entry: { name: string; originalSize: number }) => boolean) {
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    throw new FileProblem(`is no archive that can be unpacked (${(error as Error).message}); export it anew`);
  }
}
