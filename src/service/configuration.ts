import { type Problem, problemLine } from '../config/problem.ts';
import type { Env } from '../config/read-config.ts';
import type { Config } from '../config/schema/config.ts';
import { attempt, disk } from '../documents/files.ts';
import type { Stamps } from '../documents/stamps.ts';
import { ClientCertificateTables, type TableRows } from '../feeds/api-manager-table.ts';
import type { FeedState, FeedTimes } from '../feeds/feed.ts';
import type { FeedEvent } from '../feeds/feed-event.ts';
import { JwksFeeds } from '../feeds/jwks.ts';
import { RevocationFeeds } from '../feeds/revocation-feeds.ts';
import { tablesOf } from '../provision/definitions.ts';
import {
  type OwnConfig,
  type OwnReading,
  type OwnResult,
  readOwnConfig,
  resolver,
} from '../provision/own-config.ts';
import { type Provisioned, provision } from '../provision/provision.ts';
import { ReadingError, ReadingProcess } from '../provision/reading-process.ts';
import { inSlices } from '../provision/slices.ts';
import { AnotherTry } from './another-try.ts';
import { describeChanges, type Written } from './changes.ts';
import type { Status } from './control-socket.ts';
import { ForeignFiles, type ForeignReading } from './foreign-files.ts';
import { collectBeside, makeRoom } from './heap.ts';
import { type Refusal, Refused } from './refused.ts';

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
  | Refusal
  /** Files that seemed to be others say what is in force. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'feed'; readonly event: FeedEvent };

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
  readonly #foreign: ForeignFiles;
  readonly #refused: Refused;
  /** It reads for the change that is made just now, or for the last. */
  #reader = new ReadingProcess();
  readonly #wanted = new Set<Change>();
  #isBusy = false;
  #isClosed = false;
  #own: OwnConfig | undefined;
  /** What stood at the paths of the last configuration that was read, be it in force or refused. */
  #lastRead: Stamps = new Map();
  #inForce: InForce | undefined;
  #working: Promise<void> | undefined;
  readonly #again = new AnotherTry(() => this.#want('files'));

  constructor(options: ConfigurationOptions) {
    this.#options = options;
    const tell = (event: FeedEvent): void => options.tell({ kind: 'feed', event });
    this.#jwksFeeds = new JwksFeeds(tell);
    this.#revocation = new RevocationFeeds(tell, options.env, options.revocationTimes);
    this.#tables = new ClientCertificateTables((event) => {
      tell(event);
      if (event.kind === 'read' && event.changed) this.#want('tables');
    });
    this.#refused = new Refused(options.tell);
    this.#foreign = new ForeignFiles({
      onNews: () => this.#want('definitions'),
      onEnd: ({ hasNews, isAnnounced }) => {
        if (hasNews) this.#want('definitions');
        else if (isAnnounced) this.#tellInForce([]);
        else this.#tellUnchanged();
      },
      onPassing: () => this.#isClosed || this.#again.wait(),
      onFault: ({ stack }) => options.tell({ kind: 'refused-whole', reason: String(stack) }),
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
    const { file, env, isBeside } = this.#options;
    // What changes meanwhile is done once it is in force.
    this.#isBusy = true;
    try {
      const own = isBeside ? await this.#reader.own(file, env) : readOwnConfig(file, env, disk);
      const mayPass = this.#takeNote(own);
      if ('problems' in own) return this.#notStarted(own, mayPass);
      const rows = await this.#latestRows(own.ok, firstRowsWithin);
      const reading = await this.#foreign.begin(own.ok, rows, this.#reader, 'disk', definitionsWithin);
      const result = await this.#prepare(own.ok, reading);
      if ('problems' in result) return this.#notStarted(result, mayPass);
      await this.#takeOver(own.ok, result.ok, reading);
      return { ok: this.inForce };
    } finally {
      if (this.#inForce === undefined) await this.close();
      this.#working = this.#work();
    }
  }

  /** @throws ReadingError: it is worth another try */
  #notStarted({ problems }: { readonly problems: readonly Problem[] }, mayPass: boolean): OwnResult<InForce> {
    if (mayPass) throw new ReadingError(problems.map(problemLine).join('; '));
    return { problems };
  }

  /** @returns whether something of it could not be read that may be there in a moment */
  #takeNote(own: OwnReading): boolean {
    const { read, mayPass } = 'ok' in own ? own.ok : own;
    this.#lastRead = read;
    // What stands there may never change again.
    if (mayPass) this.#again.wait();
    return mayPass;
  }

  /** Files of `[[definitions]]` are still being read. */
  get isReading(): boolean {
    return this.#foreign.current !== undefined;
  }

  /** What the files say is not in force, since something is wrong with it. */
  get isRefused(): boolean {
    return this.#refused.lines.length > 0;
  }

  /** What is to be known of it, without a secret. */
  get state(): Pick<Status, 'generation' | 'since' | 'digest' | 'reading' | 'refused' | 'faulty'> {
    const { generation, since, digest, problems } = this.inForce;
    return {
      generation,
      since: new Date(since).toISOString(),
      digest,
      reading: this.isReading,
      refused: this.#refused.lines,
      faulty: problems.map(problemLine),
    };
  }

  /** Returns once nothing is being read or changed any more. */
  async settled(): Promise<void> {
    while (!this.#isClosed && (this.isReading || this.#isBusy))
      await (this.#foreign.current?.done ?? this.#working);
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

  /** What stood at every path when it was last read, be it in force or refused. */
  get read(): Stamps {
    return new Map([...this.#foreign.read, ...this.#lastRead]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#again.close();
    await Promise.all([
      this.#reader.close(),
      this.#foreign.current?.reader.close(),
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
      if (changes.has('everything')) this.#refused.asked();
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
    const { current } = this.#foreign;
    if (changes.has('tables') && current === undefined) return this.#readRows();
    // To end it would leave unread what somebody asked to be read; what it says of the table is told again after it.
    if (changes.has('tables')) void current?.done.then(() => this.#want('tables'));
    if (changes.has('definitions')) await this.#put(this.#own!);
  }

  async #readRows(): Promise<void> {
    const own = this.#own!;
    const rows = await this.#latestRows(own);
    if (this.#isClosed) return;
    this.#reader = new ReadingProcess();
    const reading = await this.#foreign.begin(own, rows, this.#reader, 'memory');
    await this.#put(own, reading);
    if (this.#foreign.current !== reading) await this.#reader.close();
  }

  async #readAll(changes: ReadonlySet<Change>): Promise<void> {
    const { file, env } = this.#options;
    const known = this.#own!;
    const before = this.#inForce;
    // What else was asked for is no less a change where the files say what they said.
    const isAsked = changes.size > 1 || !changes.has('files');
    // Beside the process that decides: a large one takes a second.
    this.#reader = new ReadingProcess();
    try {
      const own = await this.#reader.own(file, env, known);
      if (this.#isClosed) return;
      this.#takeNote(own);
      if ('problems' in own) return this.#refuse({ kind: 'refused', problems: own.problems }, true);
      if (isEmptied(own.ok) && this.inForce.config.apis.length > 0) {
        const reason = 'the file has no APIs any more, as if it were being written. Restart to have none';
        return this.#refuse({ kind: 'refused-whole', reason }, true);
      }
      const isKnown = own.ok.digest === known.digest;
      if (isKnown && !isAsked && this.#foreign.current !== undefined) {
        // To end it each time that a file changes would leave others unread for good.
        void this.#foreign.current.done.then(() => this.#want('files'));
        return;
      }
      const rows = await this.#latestRows(own.ok);
      if (this.#isClosed) return;
      const reading = await this.#foreign.begin(own.ok, rows, this.#reader, 'disk');
      if (this.#isClosed) return;
      reading.hasNews ||= isAsked;
      if (isKnown && !(reading.isDone && reading.hasNews)) this.#goOn(own.ok, reading);
      else await this.#put(own.ok, reading);
      // Refused: what the database said meanwhile counts for what is in force.
      if (this.#own !== own.ok && rows.size > 0 && !haveSame(rows, this.#foreign.tables))
        this.#want('tables');
    } finally {
      // It was not put into force, and what others have asked for beside it still is to be.
      if (this.#inForce === before)
        for (const change of ['tables', 'definitions'] as const) if (changes.has(change)) this.#want(change);
      if (this.#foreign.current?.reader !== this.#reader) await this.#reader.close();
    }
  }

  /** With what was announced until now. */
  async #latestRows({ config }: OwnConfig, firstWithin = newRowsWithin): Promise<TableRows> {
    const rows = await this.#tables.use(tablesOf(config), firstWithin);
    this.#wanted.delete('tables');
    return rows;
  }

  /** With what is in force already, so that what foreign files say counts as it comes, where it is news. */
  #goOn(own: OwnConfig, reading: ForeignReading): void {
    this.#own = own;
    this.#refused.ownIsGood();
    this.#foreign.takeIn(reading);
    if (reading.isDone) this.#tellUnchanged();
    else if (reading.hasNews && reading.readings.size > 0) this.#want('definitions');
    else if (reading.hasNews) this.#tellInForce([]);
  }

  async #put(own: OwnConfig, reading?: ForeignReading): Promise<void> {
    const result = await this.#prepare(own, reading);
    if (this.#isClosed) return;
    if ('problems' in result)
      return this.#refuse({ kind: 'refused', problems: result.problems }, own !== this.#own);
    const changes = await inSlices(
      describeChanges(written(this.#own!, this.inForce.config), written(own, result.ok.config)),
    );
    if (this.#isClosed) return;
    await this.#takeOver(own, result.ok, reading);
    this.#tellInForce(changes);
  }

  /** Beside what is in force, and without touching it. */
  #prepare(own: OwnConfig, reading?: ForeignReading): Promise<OwnResult<Provisioned>> {
    const before = this.#inForce;
    const definitions = this.#foreign.definitions(own, reading, before === undefined);
    const circumstances = {
      now: Date.now(),
      jwksFeeds: this.#jwksFeeds,
      revocationKnowledge: this.#revocation,
      before,
    };
    return inSlices(provision(own, definitions, circumstances));
  }

  /** In one step; nothing of the old is closed before. */
  async #takeOver(own: OwnConfig, ok: Provisioned, reading?: ForeignReading): Promise<void> {
    const { isBeside } = this.#options;
    const revocation = isBeside && ok.revocation ? { ...ok.revocation, cacheDir: undefined } : ok.revocation;
    // Else the first requests would be refused for want of keys.
    await Promise.all([
      this.#jwksFeeds.start(ok.feeds, firstKeysWithin),
      this.#revocation.prepare(revocation, firstKeysWithin),
    ]);
    if (reading !== undefined) {
      this.#foreign.takeIn(reading);
      reading.isAnnounced = true;
      if (reading.hasNews) this.#want('definitions');
    }
    this.#foreign.keepOnly(own);
    if (own !== this.#own) this.#refused.ownIsGood();
    this.#refused.end();
    this.#own = own;
    this.#revocation.takeOver(revocation);
    this.#inForce = {
      ...ok,
      generation: (this.#inForce?.generation ?? 0) + 1,
      since: Date.now(),
      digest: own.digest,
    };
    this.#keepOnlyWanted();
  }

  #refuse(refusal: Refusal, isOwn: boolean): void {
    // What the refused one has added goes again.
    this.#keepOnlyWanted();
    this.#refused.refuse(refusal, isOwn);
  }

  #tellInForce(changes: readonly string[]): void {
    this.#options.tell({ kind: 'in-force', loaded: this.inForce, reading: this.isReading, changes });
  }

  #tellUnchanged(): void {
    if (this.#refused.end()) this.#options.tell({ kind: 'unchanged' });
  }

  #keepOnlyWanted(): void {
    void this.#jwksFeeds.keepOnly(this.inForce.feeds);
    void this.#tables.keepOnly(tablesOf(this.#own!.config));
  }
}

const haveSame = (some: TableRows, others: TableRows): boolean =>
  [...some].every(([url, rows]) => !others.has(url) || others.get(url) === rows);

function written({ file, files }: OwnConfig, config: Config): Written {
  const absolute = resolver(file);
  return { config, bytesOf: (path) => attempt(file, { problems: [] }, () => files.bytes(absolute(path))) };
}

const isEmptied = ({ config }: OwnConfig): boolean =>
  config.apis.length === 0 && config.definitions.length === 0;
