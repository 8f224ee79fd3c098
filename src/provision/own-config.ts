import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Problem } from '../config/problem.ts';
import { type ConfigText, type Env, linesOf, readConfig, readRest } from '../config/read-config.ts';
import { FileProblem, type Files } from '../documents/files.ts';
import type { Stamps } from '../documents/stamps.ts';
import { fromMemory, type Remembered, remembering } from './remembered-files.ts';

/** config.toml, read and checked once, and the content of all files that it names but those of `[[definitions]]`. */
export type OwnConfig = ConfigText & {
  readonly file: string;
  readonly files: Files;
  /** Every path that was read, the file's own first. */
  readonly read: Stamps;
  /** Not all could be read, for want of something that may be there in a moment. */
  readonly mayPass: boolean;
  /** Of all of it: whoever has the same has nothing new. */
  readonly digest: string;
};

/** The same as data, to be sent from one thread to another. */
export type OwnConfigData = Pick<
  OwnConfig,
  'config' | 'lines' | 'ignored' | 'warnings' | 'digest' | 'read' | 'mayPass'
> &
  Remembered;

export type OwnResult<T> = { readonly ok: T } | { readonly problems: readonly Problem[] };
/** Also of a faulty one it is known what was read. */
export type OwnReading<T = OwnConfig> =
  | { readonly ok: T }
  | ({ readonly problems: readonly Problem[] } & Pick<OwnConfig, 'read' | 'mayPass'>);

export function readOwnConfig(file: string, env: Env, disk: Files): OwnReading {
  const read = readOwnData(file, env, disk);
  return 'problems' in read ? read : { ok: fromData(file, read.ok) };
}

export function readOwnData(file: string, env: Env, disk: Files): OwnReading<OwnConfigData> {
  const files = remembering(disk);
  try {
    const read = readConfig(files.text(file), file, env);
    return 'config' in read ? { ok: withFiles(file, read, files) } : { problems: read, ...seen(files) };
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return { problems: [{ file, line: error.line, key: '', message: error.message }], ...seen(files) };
  }
}

const seen = ({ stamps, mayPass }: ReturnType<typeof remembering>): Pick<OwnConfig, 'read' | 'mayPass'> => ({
  read: stamps,
  mayPass,
});

/** What `readRest` has of a faulty file, with the files that it names. */
export function readOwnRest(file: string, env: Env, disk: Files): OwnConfig | undefined {
  const files = remembering(disk);
  try {
    const rest = readRest(files.text(file), file, env);
    return rest && fromData(file, withFiles(file, rest, files));
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return undefined;
  }
}

function withFiles(
  file: string,
  { config, lines, ignored, warnings }: ConfigText,
  files: ReturnType<typeof remembering>,
): OwnConfigData {
  // Envoy's own keys are none of the service's business.
  const { router, ...ours } = config;
  // Thousands of clients may have one.
  for (const path of new Set(filesNamed({ ...ours, router: router.downstream })))
    touch(files, resolve(dirname(file), path));
  const { remembered } = files;
  return { config, lines, ignored, warnings, digest: digestOf(remembered), ...seen(files), ...remembered };
}

export function fromData(file: string, data: OwnConfigData): OwnConfig {
  const { config, lines, ignored, warnings, digest, read, mayPass, contents, lists } = data;
  const files = fromMemory({ contents, lists });
  return { config, ...linesOf(lines), ignored, warnings, file, files, digest, read, mayPass };
}

/** Keys that are paths of something else, of what feeds read, or of what is written: each of its lines would be a change. */
const noFiles = new Set(['path', 'paths', 'basePath', 'definitions', 'crlFiles', 'audit']);

/** The files that a configuration names: every text whose key says so. What is no file after all costs one look. */
export function filesNamed(value: unknown, found: string[] = []): readonly string[] {
  if (typeof value !== 'object' || value === null) return found;
  if (Array.isArray(value)) {
    for (const inner of value) filesNamed(inner, found);
    return found;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner !== 'string' && typeof inner !== 'object') continue;
    if (noFiles.has(key)) continue;
    if (!/((path|file)s?|ocspResponderCertificate)$/i.test(key)) filesNamed(inner, found);
    else for (const path of [inner].flat()) if (typeof path === 'string') found.push(path);
  }
  return found;
}

/** What is wrong with a file is told where it is used. */
function touch(files: Files, path: string): void {
  try {
    files.bytes(path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
  }
}

function digestOf({ contents }: Remembered): string {
  const hash = createHash('sha256');
  for (const [path, content] of contents) {
    hash.update(JSON.stringify([path, 'problem' in content ? content.problem : content.byteLength]));
    if (!('problem' in content)) hash.update(content);
  }
  return hash.digest('base64');
}

/** A path of config.toml is relative to that file. */
export const resolver =
  (file: string) =>
  (path: string): string =>
    resolve(dirname(file), path);
