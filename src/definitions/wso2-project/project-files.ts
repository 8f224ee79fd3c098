import { basename, dirname, join, relative, sep } from 'node:path';
import { decodeText, FileProblem, type Files, isUnlisted, unlisted } from '../../documents/files.ts';
import type { Problem } from '../../documents/problem.ts';
import { readZip } from '../../documents/zip.ts';

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
/** Of one archive, what of it is read: api.yaml, a definition, certificates. */
const maxUnpacked = 16 * 1024 * 1024;
/** Of all archives of a path together: 10,000 take a tenth of it. */
const maxTogether = 512 * 1024 * 1024;

/** What lies below a path. */
type FoundProjects = {
  /** Every folder with an api.yaml (or api.json). */
  readonly folders: readonly Project[];
  readonly archives: readonly string[];
  /** What else is there, such as a config.toml. */
  readonly others: readonly string[];
  readonly problems: readonly Problem[];
};

export function findProjects(path: string, disk: Files): FoundProjects {
  let files: readonly string[];
  try {
    files = disk.list(path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    const problem = { file: path, line: 1, key: '', message: error.message };
    return { folders: [], archives: [], others: [], problems: [problem] };
  }
  const roots = new Set(files.filter((file) => isApiFile(basename(file))).map(rootOfApiFile));
  const inProject = new Map<string, string[]>();
  const others: string[] = [];
  const archives: string[] = [];
  const problems = files.filter(isUnlisted).map((file): Problem => {
    const problem = { line: 1, key: '', message: unlisted };
    // What can't be seen of a project may close what the rest of it opens.
    const root = rootOf(file, roots);
    return { file: root === undefined ? file : join(root, sep), ...problem };
  });
  const halfSeen = new Set(problems.map(({ file }) => file));
  for (const file of files) {
    const root = rootOf(file, roots);
    if (isUnlisted(file) || (root !== undefined && halfSeen.has(join(root, sep)))) continue;
    const own = root === undefined ? undefined : inProject.get(root);
    if (own !== undefined) own.push(file);
    else if (root !== undefined) inProject.set(root, [file]);
    else if (file.toLowerCase().endsWith('.zip')) archives.push(file);
    else others.push(file);
  }
  const folders = [...inProject].map(([root, own]) => folder(root, own, disk));
  return { folders, archives, others, problems };
}

/** One after the other: whoever keeps none of them has one archive in memory at a time. */
export function* eachProject(
  { folders, archives }: FoundProjects,
  disk: Files,
  problems: Problem[],
): Generator<Project> {
  yield* folders;
  let together = 0;
  for (const file of archives) {
    try {
      const { project, size } = archive(file, disk, maxTogether - together);
      together += size;
      yield project;
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      problems.push({ file, line: 1, key: '', message: error.message });
    }
  }
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

/** What is read of a project, wherever in the archive it begins. */
const isRead = (name: string): boolean =>
  /(?:^|\/)(?:api\.(?:ya?ml|json)|deployment_environments\.ya?ml|Definitions\/[^/]+|Meta-information\/[^/]+|Client-certificates\/(?:[^/]+\/)?[^/]+)$/i.test(
    name,
  );

/** @throws FileProblem: no archive, more in it than a project has, names that lead out of it */
function archive(path: string, disk: Files, left: number): { project: Project; size: number } {
  const all = readZip(disk.bytes(path));
  if (all.length > maxEntries)
    throw new FileProblem(`has more than ${maxEntries} entries, which are not read`);
  const entries = new Map<string, Uint8Array>();
  let size = 0;
  for (const { name, size: unpacked, read } of all) {
    if (name.startsWith('/') || name.includes('\\') || name.split('/').includes('..'))
      throw new FileProblem(
        `has an entry ${JSON.stringify(name.slice(0, 100))}, which leads out of the archive; export it anew`,
      );
    if (!isRead(name)) continue;
    size += unpacked;
    checkSize(size, left);
    entries.set(name, read());
  }
  const api = [...entries.keys()]
    .filter((name) => isApiFile(basename(name)))
    .sort((a, b) => a.split('/').length - b.split('/').length)[0];
  if (api === undefined) throw new FileProblem('has no api.yaml in it; write the path of an exported API');
  const own = rootOfApiFile(api);
  const root = own === '.' ? '' : `${own}/`;
  const names = new Map(
    [...entries].flatMap(([name, data]) =>
      name.startsWith(root) ? [[name.slice(root.length), data] as const] : [],
    ),
  );
  const project: Project = {
    path,
    names: [...names.keys()],
    shown: (name) => `${path}!${name}`,
    wholeOf: () => path,
    read: (name) => {
      const data = names.get(name);
      return data === undefined ? undefined : decodeText(data);
    },
    readBytes: (name) => names.get(name),
  };
  return { project, size };
}

/** @throws FileProblem */
function checkSize(size: number, left: number): void {
  if (size > maxUnpacked)
    throw new FileProblem(`unpacks to more than ${maxUnpacked} bytes, which are not read`);
  if (size > left)
    throw new FileProblem(
      `is not read: with those before it, the archives of this path unpack to more than ${maxTogether} bytes; write several [[definitions]]`,
    );
}
