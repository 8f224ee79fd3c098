import { type Problem, problemLine } from '../config/problem.ts';
import type { Env } from '../config/read-config.ts';
import type { Config } from '../config/schema/config.ts';
import { attempt, disk } from '../documents/files.ts';
import type { Stamps } from '../documents/stamps.ts';
import { ClientCertificateTables, type TableRows } from '../feeds/api-manager-table.ts';
import { atMost } from '../feeds/deadline.ts';
import type { FeedState, FeedTimes } from '../feeds/feed.ts';
import type { FeedEvent } from '../feeds/feed-event.ts';
import { JwksFeeds } from '../feeds/jwks.ts';
import { RevocationFeeds } from '../feeds/revocation-feeds.ts';
import { type Entry, entriesOf, tablesOf } from '../provision/definitions.ts';
import { readEntries, unreadable } from '../provision/entry-readings.ts';
import {
  type OwnConfig,
  type OwnReading,
  type OwnResult,
  readOwnConfig,
  resolver,
} from '../provision/own-config.ts';
import { type Provisioned, provision } from '../provision/provision.ts';
import { type EntryReading, ReadingError, ReadingProcess } from '../provision/reading-process.ts';
import type { Remembered } from '../provision/remembered-files.ts';
import { inSlices } from '../provision/slices.ts';
import { AnotherTry } from './another-try.ts';
import { describeChanges, type Written } from './changes.ts';
import type { Status } from './control-socket.ts';
import { collectBeside, makeRoom } from './heap.ts';

/** A configuration that is in force, and what is to be known of it. */
export type InForce = Provisioned & {
  /** Counts up from 1. */
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Of config.toml and the files it names. */
  readonly digest: string;
};

export type ConfigurationEvent =
  /** `reading`: config.toml is in force, and the files of its `[[definitions]]` are still being read. */
  | {
      readonly kind: 'in-force';
      readonly loaded: InForce;
      readonly reading: boolean;
      /** In words. */
      readonly changes: readonly string[];
    }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
  | { readonly kind: 'refused-whole'; readonly reason: string }
  /** Files that seemed to be others say what is in force. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'feed'; readonly event: FeedEvent };

type Refusal = Extract<ConfigurationEvent, { readonly kind: 'refused' | 'refused-whole' }>;

const linesOf = (refusal: Refusal): readonly string[] =>
  refusal.kind === 'refused' ? refusal.problems.map(problemLine) : [refusal.reason];

export type ConfigurationOptions = {
  readonly file: string;
  readonly env: Env;
  readonly tell: (event: ConfigurationEvent) => void;
  /** Others are decided meanwhile: it keeps none of them waiting, not at its start either, and leaves nothing on disk. */
  readonly isBeside?: boolean;
  /** Of the feeds of revocation, where they are not the usual ones. */
  readonly revocationTimes?: Partial<FeedTimes>;
};

/** Milliseconds that a start, or a reload, waits for the keys of issuers: one that is down must not keep the others from serving. */
const firstKeysWithin = 3_000;
/** Milliseconds that a start waits for databases. What they say later is a change, and until then nobody is admitted by them. */
const firstRowsWithin = 10_000;
/** The same for a reload that names a new one: what else it changes must not wait for it. */
const newRowsWithin = 1_000;
/** Milliseconds that a start waits for foreign files; those that were not read by then refuse, until they are. */
const definitionsWithin = 30_000;

/**
 * Who asks for a change: everything is read again; files seem to be others, and may say the same; a database said that it
 * has other rows; foreign files were read.
 */
type Change = 'everything' | 'files' | 'tables' | 'definitions';

/**
 * The one gate for every change of configuration, whoever asks. One at a time, each prepared beside what is in force, and
 * taken over in one step together with everything that outlives a snapshot; or dropped without a trace.
 *
 * config.toml never waits for foreign files: it takes effect with what is known of them, and what they say now is a
 * change of its own, as soon as it is read.
 */
export class Configuration {
  readonly #options: ConfigurationOptions;
  readonly #jwksFeeds: JwksFeeds;
  readonly #tables: ClientCertificateTables;
  readonly #revocation: RevocationFeeds;
  #ownReader: ReadingProcess | undefined;
  #readings: ReadonlyMap<string, EntryReading> = new Map();
  readonly #wanted = new Set<Change>();
  #isBusy = false;
  #isClosed = false;
  #own: OwnConfig | undefined;
  /** What stood at the paths of the last configuration that was read, be it in force or refused. */
  #lastRead: Stamps = new Map();
  #rows: TableRows = new Map();
  #inForce: InForce | undefined;
  /** Why what the files say is not in force, while it is so. */
  #refusal: Refusal | undefined;
  /** config.toml or what it names is refused: what else comes into force meanwhile, as rows of a database, does not end that. */
  #isOwnRefused = false;
  /** As it was told last. */
  #told: string | undefined;
  #working: Promise<void> | undefined;
  readonly #again = new AnotherTry(() => this.#want('files'));
  /** The reading, still going on, of the foreign files of what is in force. */
  #reading: Reading | undefined;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    const tell = (event: FeedEvent): void => options.tell({ kind: 'feed', event });
    this.#jwksFeeds = new JwksFeeds(tell);
    this.#revocation = new RevocationFeeds(tell, options.env, options.revocationTimes);
    this.#tables = new ClientCertificateTables((event) => {
      tell(event);
      if (event.kind === 'read' && event.changed) this.#want('tables');
    });
  }

  /** Only after a start that went well. */
  get inForce(): InForce {
    return this.#inForce!;
  }

  /** How all goes that is fetched for it, but for OCSP. */
  get feedStates(): readonly FeedState[] {
    return [...this.#jwksFeeds.states, ...this.#tables.states, ...this.#revocation.crlStates];
  }

  ocspStates(): Iterable<FeedState> {
    return this.#revocation.ocspStates();
  }

  /**
   * The first configuration, or what is wrong with it: then all that it began is ended.
   *
   * @throws ReadingError: not all could be read, through no fault of what stands there
   */
  async start(): Promise<OwnResult<InForce>> {
    const { file } = this.#options;
    // What changes meanwhile is done once it is in force.
    this.#isBusy = true;
    let reading: Reading | undefined;
    try {
      const own = await this.#readFirst();
      const { read, mayPass } = 'ok' in own ? own.ok : own;
      this.#lastRead = read;
      if ('problems' in own) return this.#notStarted(own, mayPass);
      if (mayPass) this.#again.wait();
      const rows = await this.#latestRows(own.ok, firstRowsWithin);
      const entries = entriesOf(own.ok.config, resolver(file));
      reading = this.#read(entries, rows);
      await atMost(definitionsWithin, reading.done);
      const taken = reading.readings.size;
      const result = await this.#prepare(own.ok, entries, reading.readings, 'refuse-unread');
      if ('problems' in result) return this.#notStarted(result, mayPass);
      await this.#takeOver(own.ok, rows, result.ok, { reading, taken });
      return { ok: this.inForce };
    } finally {
      if (this.#inForce === undefined) await Promise.all([this.close(), reading?.reader.close()]);
      this.#working = this.#work();
    }
  }

  /** @throws ReadingError: it is worth another try */
  #notStarted({ problems }: { readonly problems: readonly Problem[] }, mayPass: boolean): OwnResult<InForce> {
    if (mayPass) throw new ReadingError(problems.map(problemLine).join('; '));
    return { problems };
  }

  async #readFirst(): Promise<OwnReading> {
    const { file, env, isBeside } = this.#options;
    if (!isBeside) return readOwnConfig(file, env, disk);
    const reader = new ReadingProcess();
    this.#ownReader = reader;
    try {
      return await reader.own(file, env);
    } finally {
      await reader.close();
    }
  }

  /** Files of `[[definitions]]` are still being read. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** What the files say is not in force, since something is wrong with it. */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /** What is to be known of it, without a secret. */
  get state(): Pick<Status, 'generation' | 'since' | 'digest' | 'reading' | 'refused' | 'faulty'> {
    const { generation, since, digest, problems } = this.inForce;
    return {
      generation,
      since: new Date(since).toISOString(),
      digest,
      reading: this.isReading,
      refused: this.#refusal === undefined ? [] : linesOf(this.#refusal),
      faulty: problems.map(problemLine),
    };
  }

  /** Returns once nothing is being read or changed any more. */
  async settled(): Promise<void> {
    while (!this.#isClosed && (this.#reading !== undefined || this.#isBusy))
      await (this.#reading?.done ?? this.#working);
  }

  /** Reads everything again. What comes of it is told. */
  reload(): void {
    this.#again.asked();
    this.#want('everything');
  }

  /** The same, but what says what is in force makes no new configuration. */
  reread(): void {
    this.#again.asked();
    this.#want('files');
  }

  /**
   * What stood at every path when it was last read, be it in force or refused. Of what is being read just now nobody
   * needs to be told that it is other than before.
   */
  get read(): Stamps {
    const isRead = (id: string): boolean =>
      this.#reading === undefined || this.#reading.readings.has(id) || !this.#reading.ids.has(id);
    const readings = [...this.#readings].filter(([id]) => isRead(id));
    return new Map([...readings.flatMap(([, { read }]) => [...read]), ...this.#lastRead]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#again.close();
    await Promise.all([
      this.#ownReader?.close(),
      this.#reading?.reader.close(),
      this.#jwksFeeds.close(),
      this.#revocation.close(),
      this.#tables.close(),
    ]);
  }

  #want(change: Change): void {
    this.#wanted.add(change);
    if (!this.#isBusy) this.#working = this.#work();
  }

  /** One at a time: what is asked for meanwhile is done once more, together. */
  async #work(): Promise<void> {
    this.#isBusy = true;
    const isMaking = this.#wanted.size > 0;
    if (isMaking) makeRoom();
    while (this.#wanted.size > 0 && !this.#isClosed) {
      const changes = new Set(this.#wanted);
      this.#wanted.clear();
      if (changes.has('everything')) this.#told = undefined;
      try {
        await this.#change(changes);
      } catch (error) {
        // Whoever closes it ends what is being read.
        if (this.#isClosed) break;
        if (error instanceof ReadingError) this.#again.wait();
        // A fault of ours, or a reading that came to nothing, must not end a service that runs.
        const reason =
          error instanceof ReadingError ? `reading it ${error.message}` : String((error as Error).stack);
        this.#refuse({ kind: 'refused-whole', reason }, changes.has('everything') || changes.has('files'));
      }
    }
    this.#isBusy = false;
    // Not before nobody works with what was in force before, or with what was refused.
    if (isMaking) void this.settled().then(() => this.#isClosed || collectBeside());
  }

  async #change(changes: ReadonlySet<Change>): Promise<void> {
    if (changes.has('everything') || changes.has('files')) return this.#readAll(changes);
    const own = this.#own!;
    const entries = entriesOf(own.config, resolver(this.#options.file));
    if (!changes.has('tables')) return this.#put(own, entries, this.#rows);
    if (this.#reading !== undefined) {
      // To end it would leave unread what somebody asked to be read; what it says of the table is told again after it.
      void this.#reading.done.then(() => this.#want('tables'));
      if (changes.has('definitions')) await this.#put(own, entries, this.#rows);
      return;
    }
    const rows = await this.#latestRows(own);
    if (this.#isClosed) return;
    // A change in the database reads nothing else anew, not the files beside it either.
    const withDatabase = entries.filter(({ database }) => database !== undefined);
    const files = (id: string): Remembered | undefined => this.#readings.get(id)?.remembered;
    const reading = this.#read(withDatabase, rows, { files });
    await this.#putWith(own, entries, rows, reading);
  }

  async #readAll(changes: ReadonlySet<Change>): Promise<void> {
    const { file, env } = this.#options;
    const known = this.#own!;
    const before = this.#inForce;
    // What else was asked for is no less a change where the files say what they said.
    const isAsked = changes.size > 1 || !changes.has('files');
    // Beside the process that decides: a large one takes a second.
    const reader = new ReadingProcess();
    this.#ownReader = reader;
    try {
      const own = await reader.own(file, env, known);
      if (this.#isClosed) return;
      const { read, mayPass } = 'ok' in own ? own.ok : own;
      this.#lastRead = read;
      // What stands there may never change again.
      if (mayPass) this.#again.wait();
      if ('problems' in own) return this.#refuse({ kind: 'refused', problems: own.problems }, true);
      if (isEmptied(own.ok) && this.inForce.config.apis.length > 0) {
        const reason = 'the file has no APIs any more, as if it were being written. Restart to have none';
        return this.#refuse({ kind: 'refused-whole', reason }, true);
      }
      const isKnown = own.ok.digest === known.digest;
      if (isKnown && !isAsked && this.#reading !== undefined) {
        // To end it each time that a file changes would leave others unread for good.
        void this.#reading.done.then(() => this.#want('files'));
        return;
      }
      const rows = await this.#latestRows(own.ok);
      if (this.#isClosed) return;
      const entries = entriesOf(own.ok.config, resolver(file));
      const reading = this.#read(entries, rows, { reader, hasNews: !isKnown || isAsked });
      if (isKnown) await this.#putNews(own.ok, entries, rows, reading);
      else await this.#putWith(own.ok, entries, rows, reading);
      // Refused: what the database said meanwhile counts for what is in force.
      if (this.#own !== own.ok && rows.size > 0 && !haveSame(rows, this.#rows)) this.#want('tables');
    } finally {
      // It was not put into force, and what others have asked for beside it still is to be.
      if (this.#inForce === before)
        for (const change of ['tables', 'definitions'] as const) if (changes.has(change)) this.#want(change);
      if (this.#reading?.reader !== reader) await reader.close();
    }
  }

  /** With what was announced until now. */
  async #latestRows({ config }: OwnConfig, firstWithin = newRowsWithin): Promise<TableRows> {
    const rows = await this.#tables.use(tablesOf(config), firstWithin);
    this.#wanted.delete('tables');
    return rows;
  }

  /**
   * Reads what these entries name, each in its own right, beside the process that decides. Nothing of it counts before the
   * configuration that it is read for: one that is refused may have changed what an entry asks for.
   */
  #read(
    entries: readonly Entry[],
    tables: TableRows,
    {
      files,
      reader = new ReadingProcess(),
      hasNews = true,
    }: {
      readonly files?: (id: string) => Remembered | undefined;
      readonly reader?: ReadingProcess;
      readonly hasNews?: boolean;
    } = {},
  ): Reading {
    const ids = new Set(entries.map(({ id }) => id));
    const readings = new Map<string, EntryReading>();
    const tell = ({ id }: Entry, entryReading: EntryReading): void => {
      const { digest } = entryReading;
      const known = this.#readings.get(id);
      reading.hasNews ||= digest === undefined || digest !== known?.digest;
      // From memory nothing of the disk was seen; and of what could not be read any file may be to blame.
      const isAll = files === undefined && digest !== undefined;
      const read = isAll ? entryReading.read : new Map([...(known?.read ?? []), ...entryReading.read]);
      readings.set(id, { ...entryReading, read });
      if (entryReading.mayPass && !this.#isClosed) this.#again.wait();
      if (this.#reading !== reading) return;
      this.#takeIn(reading);
      // With the last of them the end is there, too.
      if (reading.hasNews && readings.size < ids.size) this.#want('definitions');
    };
    const ended = (): void => {
      reading.isDone = true;
      if (this.#reading !== reading) return;
      this.#reading = undefined;
      if (reading.hasNews) this.#want('definitions');
      else if (reading.isAnnounced) this.#tellInForce([]);
      else this.#tellUnchanged();
    };
    const done = Promise.resolve()
      .then(() =>
        readEntries(entries, { tables, reader, files, known: (id) => this.#readings.get(id), tell }),
      )
      .catch((error: Error) => this.#options.tell({ kind: 'refused-whole', reason: String(error.stack) }))
      .then(ended);
    const reading: Reading = { reader, ids, readings, done, isDone: false, hasNews, isAnnounced: false };
    return reading;
  }

  /** What it says counts, and what it will. */
  #takeIn(reading: Reading): void {
    this.#readings = new Map([...this.#readings, ...reading.readings]);
    this.#reading = reading.isDone ? undefined : reading;
  }

  /** With a config.toml that is in force already, so that what foreign files say counts as it comes, where it is news. */
  async #putNews(
    own: OwnConfig,
    entries: readonly Entry[],
    rows: TableRows,
    reading: Reading,
  ): Promise<void> {
    await atMost(readWithin, reading.done);
    if (this.#isClosed) return;
    if (reading.isDone && reading.hasNews) return this.#put(own, entries, rows, reading);
    void this.#reading?.reader.close();
    this.#own = own;
    this.#isOwnRefused = false;
    this.#rows = rows;
    this.#takeIn(reading);
    if (reading.isDone) this.#tellUnchanged();
    else if (reading.hasNews && reading.readings.size > 0) this.#want('definitions');
    else if (reading.hasNews) this.#tellInForce([]);
  }

  /** What is read in less than `readWithin`, as most is, makes one change with it, not two. */
  async #putWith(
    own: OwnConfig,
    entries: readonly Entry[],
    rows: TableRows,
    reading: Reading,
  ): Promise<void> {
    await atMost(readWithin, reading.done);
    await this.#put(own, entries, rows, reading);
    if (this.#reading !== reading) await reading.reader.close();
  }

  async #put(own: OwnConfig, entries: readonly Entry[], rows: TableRows, reading?: Reading): Promise<void> {
    const news = reading && { reading, taken: reading.readings.size };
    const readings = new Map([...this.#readings, ...(reading?.readings ?? [])]);
    const result = await this.#prepare(own, entries, readings, 'as-before');
    if (this.#isClosed) return;
    if ('problems' in result) {
      this.#refuse({ kind: 'refused', problems: result.problems }, own !== this.#own);
      return;
    }
    const changes = await inSlices(
      describeChanges(written(this.#own!, this.inForce.config), written(own, result.ok.config)),
    );
    if (this.#isClosed) return;
    await this.#takeOver(own, rows, result.ok, news);
    this.#tellInForce(changes);
  }

  /** Beside what is in force, and without touching it. */
  #prepare(
    own: OwnConfig,
    entries: readonly Entry[],
    readings: ReadonlyMap<string, EntryReading>,
    unread: 'refuse-unread' | 'as-before',
  ): Promise<OwnResult<Provisioned>> {
    const definitions = entries.flatMap((entry) => {
      const known = readings.get(entry.id)?.definitions;
      if (known !== undefined) return [known];
      return unread === 'as-before' ? [] : [unreadable(entry, 'is not done yet')];
    });
    const circumstances = {
      now: Date.now(),
      jwksFeeds: this.#jwksFeeds,
      revocationKnowledge: this.#revocation,
      before: this.#inForce,
    };
    return inSlices(provision(own, definitions, circumstances));
  }

  /** In one step; nothing of the old is closed before. */
  async #takeOver(
    own: OwnConfig,
    rows: TableRows,
    ok: Provisioned,
    news?: { readonly reading: Reading; readonly taken: number },
  ): Promise<void> {
    const { isBeside } = this.#options;
    const revocation = isBeside && ok.revocation ? { ...ok.revocation, cacheDir: undefined } : ok.revocation;
    // Else the first requests would be refused for want of keys.
    await Promise.all([
      this.#jwksFeeds.start(ok.feeds, firstKeysWithin),
      this.#revocation.prepare(revocation, firstKeysWithin),
    ]);
    const ids = new Set(entriesOf(own.config, resolver(own.file)).map(({ id }) => id));
    const readings = [...this.#readings, ...(news?.reading.readings ?? [])];
    this.#readings = new Map(readings.filter(([id]) => ids.has(id)));
    if (news !== undefined) {
      void this.#reading?.reader.close();
      this.#reading = news.reading.isDone ? undefined : news.reading;
      // From now on what is other than this.
      news.reading.hasNews = news.reading.readings.size > news.taken;
      news.reading.isAnnounced = true;
      if (news.reading.hasNews) this.#want('definitions');
    }
    if (own !== this.#own) this.#isOwnRefused = false;
    this.#endRefusal();
    this.#own = own;
    this.#rows = rows;
    this.#revocation.takeOver(revocation);
    this.#inForce = {
      ...ok,
      generation: (this.#inForce?.generation ?? 0) + 1,
      since: Date.now(),
      digest: own.digest,
    };
    this.#keepOnlyWanted();
  }

  /** @param isOfOwn for what config.toml says, or what it names */
  #refuse(event: Refusal, isOfOwn: boolean): void {
    // What the refused one has added goes again.
    this.#keepOnlyWanted();
    this.#refusal = event;
    this.#isOwnRefused ||= isOfOwn;
    // Where other files change beside a faulty one nobody needs to hear of it once more, unless he asks.
    const told = JSON.stringify(event);
    if (told !== this.#told) this.#options.tell(event);
    this.#told = told;
  }

  #endRefusal(): void {
    if (this.#isOwnRefused) return;
    this.#refusal = undefined;
    this.#told = undefined;
  }

  #tellInForce(changes: readonly string[]): void {
    const reading = this.#reading !== undefined;
    this.#options.tell({ kind: 'in-force', loaded: this.inForce, reading, changes });
  }

  #tellUnchanged(): void {
    if (this.#isOwnRefused) return;
    this.#endRefusal();
    this.#options.tell({ kind: 'unchanged' });
  }

  #keepOnlyWanted(): void {
    if (this.#inForce === undefined || this.#own === undefined) return;
    void this.#jwksFeeds.keepOnly(this.#inForce.feeds);
    void this.#tables.keepOnly(tablesOf(this.#own.config));
  }
}

/** Foreign files that are being read, each entry's told as it is there. */
type Reading = {
  readonly reader: ReadingProcess;
  /** Of all its entries. */
  readonly ids: ReadonlySet<string>;
  readonly readings: ReadonlyMap<string, EntryReading>;
  readonly done: Promise<void>;
  isDone: boolean;
  /** Something of it is not in force yet. */
  hasNews: boolean;
  /** It was said that it goes on, and is to be said that it is done. */
  isAnnounced: boolean;
};

/** Milliseconds that config.toml waits for foreign files which are read quickly. */
const readWithin = 250;

const haveSame = (some: TableRows, others: TableRows): boolean =>
  [...some].every(([url, rows]) => !others.has(url) || others.get(url) === rows);

function written({ file, files }: OwnConfig, config: Config): Written {
  const absolute = resolver(file);
  return { config, bytesOf: (path) => attempt(file, { problems: [] }, () => files.bytes(absolute(path))) };
}

const isEmptied = ({ config }: OwnConfig): boolean =>
  config.apis.length === 0 && config.definitions.length === 0;
