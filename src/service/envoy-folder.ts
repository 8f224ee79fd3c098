import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { areSame, type Stamps, stampsNow } from '../documents/stamps.ts';
import {
  bootstrapFile,
  clustersFile,
  type EnvoyFiles,
  withClustersOfBefore,
} from '../envoy-config/dynamic.ts';

type EnvoyFolderTimes = {
  /** Until Envoy has new clusters ready, with which routes may name them. Milliseconds, as all here. */
  readonly warming: number;
  /** Until no request goes by routes of before. */
  readonly fading: number;
  /** Before what could not be written is tried again, and before it is looked whether what was written is still there. */
  readonly retry: number;
};
const usual: EnvoyFolderTimes = { warming: 2_000, fading: 10_000, retry: 10_000 };

/**
 * Keeps the files that Envoy watches as the configuration says. All of a set are made ready beside those of before, and
 * only then renamed over them: what keeps one from being written leaves a whole set. Clusters come before the routes that
 * name them, and go after them, so that no request meets a route without its backend.
 */
export class EnvoyFolder {
  readonly #tell: (news: EnvoyFolderNews) => void;
  readonly #times: EnvoyFolderTimes;
  /** While it is not written. */
  #wanted: Wanted | undefined;
  /** The newest that could be made: thousands of APIs are large, and made again where they are to be put back. */
  #make: Make | undefined;
  /** Those of what is in force can't be made. */
  #isUnmade = false;
  #working: Promise<void> | undefined;
  /** Why they are not as the configuration says; each told once. */
  #trouble: 'unmade' | 'unwritten' | undefined;
  /** What Envoy was started with, as far as is known. */
  #bootstrap: string | undefined;
  /** Since when no routes name a cluster that is there still. */
  readonly #idleSince = new Map<string, number>();
  /** As they were left. */
  #written: Stamps = new Map();
  #lookAfter: number;
  #look: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(tell: (news: EnvoyFolderNews) => void, times: EnvoyFolderTimes = usual) {
    this.#tell = tell;
    this.#times = times;
    this.#lookAfter = times.retry;
  }

  /** At a start, for an Envoy that is started then as well: all at once. */
  async writeAll({ folder, files }: Wanted): Promise<void> {
    await mkdir(folder, { recursive: true });
    const { set: both } = await this.#withOldClusters(folder, files);
    for (const set of [both, files]) for (const name of await ready(folder, set)) await put(folder, name);
    this.#bootstrap = files.get(bootstrapFile);
  }

  /**
   * The latest counts; one that is being written is ended where Envoy has a whole one. What can't be made is told as what
   * can't be written: it is in force in the enforcer all the same, and Envoy's are all of the one before.
   *
   * @param make undefined: none are wanted
   */
  update(make: Make): void {
    this.#isUnmade = !this.#take(make);
    this.#write();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#look);
    this.#wake();
    await this.#working;
  }

  /** @returns whether they could be made */
  #take(make: Make): boolean {
    try {
      const wanted = make();
      this.#make = wanted && make;
      this.#wanted = wanted;
      // Of files that are wanted no more; those that are again have theirs told.
      if (wanted === undefined) this.#trouble = undefined;
      return true;
    } catch (error) {
      this.#fail('unmade', error as Error);
      return false;
    }
  }

  #write(): void {
    this.#wake();
    if (this.#wanted === undefined || this.#isClosed) this.#lookLater();
    else
      this.#working ??= this.#work().finally(() => {
        this.#working = undefined;
        this.#write();
      });
  }

  async #work(): Promise<void> {
    while (this.#wanted !== undefined && !this.#isClosed) {
      const wanted = this.#wanted;
      try {
        // Before it is read: what another changes after that is seen at the next look.
        this.#written = await stampsNow(pathsOf(wanted));
        if ((await this.#steps(wanted)) === 'put' || this.#wanted !== wanted) continue;
        this.#wanted = undefined;
        this.#mended();
      } catch (error) {
        if (this.#wanted === undefined) return;
        this.#fail('unwritten', error as Error);
        await this.#pause(this.#times.retry, this.#isOver(wanted));
      }
    }
  }

  #fail(trouble: 'unmade' | 'unwritten', { message: reason }: Error): void {
    if (trouble !== this.#trouble) this.#tell({ kind: trouble, reason });
    this.#trouble = trouble;
  }

  #mended(): void {
    if (this.#trouble !== undefined && !this.#isUnmade) this.#tell({ kind: 'mended' });
    this.#trouble = this.#isUnmade ? 'unmade' : undefined;
  }

  /** @returns whether they were all there */
  async #steps(wanted: Wanted): Promise<'there' | 'put'> {
    const { folder, files } = wanted;
    const isMade = (await mkdir(folder, { recursive: true })) !== undefined;
    const { set, kept } = await this.#withOldClusters(folder, files);
    const names = await ready(folder, set);
    try {
      for (const name of names) {
        await put(folder, name);
        if (name === bootstrapFile) this.#bootstrapIs(files.get(name), isMade);
        // To its end: where changes come one after the other, none would ever reach Envoy else.
        if (name === clustersFile && !(await this.#pause(this.#times.warming, () => this.#isClosed)))
          return 'put';
      }
    } finally {
      await discard(folder, names);
    }
    for (const name of kept) this.#idleSince.set(name, this.#idleSince.get(name) ?? performance.now());
    const own = new Map([[clustersFile, files.get(clustersFile)!]]);
    const [name] = await ready(folder, own);
    if (name === undefined) return names.length > 0 ? 'put' : 'there';
    const isWanted = await this.#pause(this.#times.fading, this.#isOver(wanted));
    await (isWanted ? put(folder, name) : discard(folder, [name]));
    return 'put';
  }

  /** However often it changes: those that faded meanwhile go, or they would be ever more. */
  async #withOldClusters(folder: string, files: EnvoyFiles) {
    const clusters = files.get(clustersFile)!;
    const before = (await read(join(folder, clustersFile))) ?? clusters;
    const isOver = (name: string): boolean =>
      performance.now() - (this.#idleSince.get(name) ?? Infinity) > this.#times.fading;
    const { text, kept } = withClustersOfBefore(clusters, before, isOver);
    const there = new Set(kept);
    for (const name of this.#idleSince.keys()) if (!there.has(name)) this.#idleSince.delete(name);
    return { set: new Map([...files, [clustersFile, text]]), kept };
  }

  #bootstrapIs(text: string | undefined, isFolder: boolean): void {
    if (isFolder || (this.#bootstrap ?? text) !== text) this.#tell({ kind: 'needs-envoy', isFolder });
    this.#bootstrap = text;
  }

  /**
   * What another has changed or taken away is put back: Envoy would start with it. Each time less soon, for two that
   * write here would never end.
   */
  #lookLater(): void {
    clearTimeout(this.#look);
    if (this.#isClosed || this.#make === undefined) return;
    this.#look = setTimeout(() => void this.#lookNow(), this.#lookAfter).unref();
  }

  async #lookNow(): Promise<void> {
    const written = this.#written;
    const isAsWritten = areSame(await stampsNow(written.keys()), written);
    // It looks again once that is done.
    if (this.#working !== undefined || this.#written !== written || this.#make === undefined) return;
    this.#lookAfter = isAsWritten ? this.#times.retry : 2 * this.#lookAfter;
    if (isAsWritten) return this.#lookLater();
    this.#tell({ kind: 'changed' });
    this.#take(this.#make);
    this.#write();
  }

  #isOver(wanted: Wanted): () => boolean {
    return () => this.#isClosed || this.#wanted !== wanted;
  }

  /** @returns whether to go on */
  async #pause(milliseconds: number, isOver: () => boolean): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      timer.unref();
      this.#wake = () => {
        if (!isOver()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#wake();
    });
    return !isOver();
  }
}

export type EnvoyFolderNews =
  /** Envoy goes on with those of before. */
  | { readonly kind: 'unmade' | 'unwritten'; readonly reason: string }
  | { readonly kind: 'mended' }
  /** By another, and they are put back. */
  | { readonly kind: 'changed' }
  /** Its bootstrap is another one; or the folder is, which it does not watch. */
  | { readonly kind: 'needs-envoy'; readonly isFolder: boolean };

type Wanted = {
  /** Absolute. */
  readonly folder: string;
  readonly files: EnvoyFiles;
};
type Make = () => Wanted | undefined;

const pathsOf = ({ folder, files }: Wanted): readonly string[] =>
  [...files.keys()].map((name) => join(folder, name));

const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

/**
 * Makes ready what does not stand there already, for each rename is an event for Envoy; all of it, or nothing.
 *
 * @returns the names of those
 */
async function ready(folder: string, files: EnvoyFiles): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for (const [name, text] of files) {
      if ((await read(join(folder, name))) === text) continue;
      names.push(name);
      const path = join(folder, readyName(name));
      // What another has put there, a link even, is not written to.
      await rm(path, { force: true });
      await writeFile(path, text, { flush: true, flag: 'wx' });
    }
    return names;
  } catch (error) {
    await discard(folder, names);
    throw error;
  }
}

const put = (folder: string, name: string): Promise<void> =>
  rename(join(folder, readyName(name)), join(folder, name));

/** On a full disk they would be in the way of others. */
async function discard(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(folder, readyName(name)), { force: true }).catch(() => {});
}

const readyName = (name: string): string => `${name}.new`;
