import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bootstrapFile,
  clustersFile,
  type EnvoyFiles,
  withClustersOfBefore,
} from '../envoy-config/dynamic.ts';

export type EnvoyFolderTimes = {
  /** Until Envoy has new clusters ready, with which routes may name them. Milliseconds, as all here. */
  readonly warming: number;
  /** Until no request goes by routes of before. */
  readonly fading: number;
  /** Before what could not be written is tried again. */
  readonly retry: number;
};
const usual: EnvoyFolderTimes = { warming: 2_000, fading: 10_000, retry: 10_000 };

/**
 * Keeps the files that Envoy watches as the configuration says, each written whole and renamed over the old one. Clusters
 * come before the routes that name them, and go after them, so that no request meets a route without its backend.
 */
export class EnvoyFolder {
  readonly #tell: (news: EnvoyFolderNews) => void;
  readonly #times: EnvoyFolderTimes;
  #wanted: Wanted | undefined;
  #working: Promise<void> | undefined;
  /** Why they are not as the configuration says; each told once. */
  #trouble: 'unmade' | 'unwritten' | undefined;
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(tell: (news: EnvoyFolderNews) => void, times: EnvoyFolderTimes = usual) {
    this.#tell = tell;
    this.#times = times;
  }

  /** At a start, for an Envoy that is started then as well: all at once. */
  async writeAll({ folder, files }: Wanted): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of files) await write(join(folder, name), text);
  }

  /**
   * The latest counts; one that is being written is ended at its next step. What can't be made is told as what can't be
   * written: it is in force in the enforcer all the same.
   *
   * @param make undefined: none are wanted
   */
  update(make: () => Wanted | undefined): void {
    try {
      const wanted = make();
      if (wanted === undefined) return;
      this.#wanted = wanted;
    } catch (error) {
      this.#wanted = undefined;
      this.#fail('unmade', error as Error);
    }
    this.#wake();
    if (this.#wanted !== undefined)
      this.#working ??= this.#work().finally(() => {
        this.#working = undefined;
      });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#wanted !== undefined && !this.#isClosed) {
      const wanted = this.#wanted;
      try {
        await this.#steps(wanted);
        if (this.#wanted !== wanted) continue;
        this.#wanted = undefined;
        if (this.#trouble !== undefined) this.#tell({ kind: 'mended' });
        this.#trouble = undefined;
      } catch (error) {
        this.#fail('unwritten', error as Error);
        await this.#pause(this.#times.retry, wanted);
      }
    }
  }

  #fail(trouble: 'unmade' | 'unwritten', { message: reason }: Error): void {
    if (trouble !== this.#trouble) this.#tell({ kind: 'failed', reason });
    this.#trouble = trouble;
  }

  async #steps(wanted: Wanted): Promise<void> {
    const { folder, files } = wanted;
    await mkdir(folder, { recursive: true });
    const clusters = files.get(clustersFile)!;
    const before = await read(join(folder, clustersFile));
    const both = withClustersOfBefore(clusters, before ?? clusters);
    for (const [name, text] of files) {
      const isNew = await write(join(folder, name), name === clustersFile ? both : text);
      if (isNew && name === bootstrapFile) this.#tell({ kind: 'needs-envoy' });
      if (name === clustersFile && before !== undefined && before !== both)
        if (!(await this.#pause(this.#times.warming, wanted))) return;
    }
    if (both !== clusters && (await this.#pause(this.#times.fading, wanted)))
      await write(join(folder, clustersFile), clusters);
  }

  /** @returns whether these are still wanted */
  async #pause(milliseconds: number, wanted: Wanted): Promise<boolean> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#isClosed || this.#wanted !== wanted) this.#wake();
    });
    return !this.#isClosed && this.#wanted === wanted;
  }
}

export type EnvoyFolderNews =
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'mended' }
  /** Its bootstrap is another one. */
  | { readonly kind: 'needs-envoy' };

type Wanted = {
  /** Absolute. */
  readonly folder: string;
  readonly files: EnvoyFiles;
};

const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

/** Nothing where it says so already: each rename is an event for Envoy. */
async function write(path: string, text: string): Promise<boolean> {
  if ((await read(path)) === text) return false;
  const own = `${path}.new`;
  // What another has put there, a link even, is not written to.
  await rm(own, { force: true });
  await writeFile(own, text, { flush: true, flag: 'wx' });
  await rename(own, path);
  return true;
}
