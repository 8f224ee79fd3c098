import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { areSame, type Stamps, stampsNow } from '../documents/stamps.ts';

type WatchTimes = {
  /** Between looks, where no event says anything. Milliseconds, as all here. */
  readonly every: number;
  /** For so long nothing must have changed: files are written in pieces. */
  readonly still: number;
  /** After so long of change without end it is told nevertheless. */
  readonly patience: number;
};
/** Who writes in place may pause; half a file may be good TOML, and open what the rest shuts. */
const usual: WatchTimes = { every: 2_000, still: 400, patience: 5_000 };

/** An inotify watch each; a system has a few thousand for all of a user's processes. Beyond, looking must do. */
const maxFolders = 256;

/**
 * Tells when a file is not what it was when it was read. Looking is the truth: events are missed on network file systems,
 * by watches of files that are renamed over, and by those of folders that are replaced. They only say that it is time to
 * look.
 */
export class FileWatcher {
  readonly #onChange: () => void;
  readonly #onBlind: (reason: string) => void;
  readonly #times: WatchTimes;
  /** By folder, with what says that it is still the same one. */
  readonly #folders = new Map<string, { readonly watcher: FSWatcher; readonly inode: bigint }>();
  #isBlind = false;
  #expected: Stamps = new Map();
  /** What was told of already: who could not read it is not asked again until it is something else. */
  #told: Stamps = new Map();
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  /** A look costs a little of the thread that decides: none begins within twenty times its length after it. */
  #notBefore = 0;
  #isLooking = false;
  #isClosed = false;

  /** @param onBlind once, where the system gives no events, with its reason: then changes are seen by looking alone */
  constructor(onChange: () => void, onBlind: (reason: string) => void, times: WatchTimes = usual) {
    this.#onChange = onChange;
    this.#onBlind = onBlind;
    this.#times = times;
  }

  /** From now on these, and nothing else. A change between their reading and this call is seen, too. */
  watch(read: Stamps): void {
    if (this.#isClosed) return;
    this.#expected = read;
    void this.#listen(read);
    this.#lookIn(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #lookIn(milliseconds: number): void {
    const due = Math.max(performance.now() + milliseconds, this.#notBefore);
    if (this.#isClosed || this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, due - performance.now()));
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    this.#due = Number.POSITIVE_INFINITY;
    // Whoever looks already looks again when it is done.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const expected = this.#expected;
    const began = performance.now();
    const found = await stampsNow(expected.keys());
    this.#notBefore = performance.now() + 20 * (performance.now() - began);
    const now = areSame(found, expected) ? found : await this.#whenStill(found);
    this.#isLooking = false;
    if (this.#isClosed) return;
    // Meanwhile others were read.
    if (this.#expected !== expected) return this.#lookIn(0);
    if (!areSame(now, expected) && !areSame(now, this.#told)) {
      this.#told = now;
      this.#onChange();
    }
    this.#lookIn(this.#times.every);
  }

  async #whenStill(found: Stamps): Promise<Stamps> {
    const { still, patience } = this.#times;
    const enough = performance.now() + patience;
    for (let before = found; ; ) {
      await new Promise((resolve) => setTimeout(resolve, still).unref());
      const now = await stampsNow(found.keys());
      if (areSame(now, before) || performance.now() > enough || this.#isClosed) return now;
      before = now;
    }
  }

  /** For events of the folders in which the files are, by name and by link. */
  async #listen(read: Stamps): Promise<void> {
    const folders = new Set<string>();
    for (const path of read.keys()) {
      if (folders.size >= maxFolders) break;
      folders.add(dirname(path));
      const real = await realpath(path).catch(() => path);
      folders.add(dirname(real));
    }
    if (this.#expected !== read || this.#isClosed) return;
    for (const [folder, { watcher }] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders) await this.#listenTo(folder);
  }

  async #listenTo(folder: string): Promise<void> {
    const inode = await stat(folder, { bigint: true }).then(
      ({ ino }) => ino,
      () => undefined,
    );
    const before = this.#folders.get(folder);
    if (this.#isClosed || (before !== undefined && before.inode === inode)) return;
    before?.watcher.close();
    this.#folders.delete(folder);
    if (inode === undefined) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookIn(0));
      watcher.on('error', (error) => this.#goBlind(error));
      this.#folders.set(folder, { watcher, inode });
    } catch (error) {
      this.#goBlind(error as Error);
    }
  }

  #goBlind({ message }: Error): void {
    if (!this.#isBlind && !this.#isClosed) this.#onBlind(message);
    this.#isBlind = true;
  }
}
