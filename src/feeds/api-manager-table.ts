import { createHash } from 'node:crypto';
import { withoutSecrets } from '../config/problem.ts';
import { isOfCurrentApi, type TableRow } from '../definitions/api-manager/table-row.ts';
import { TableConnection } from './api-manager-connection.ts';
import { maxRows } from './api-manager-rows.ts';
import { atMost } from './deadline.ts';
import { Feed, type FeedRequest, type FeedState, type FeedTimes, type Reading } from './feed.ts';
import type { FeedEvent } from './feed-event.ts';
import { FeedPool } from './feed-pool.ts';

export type TableAddress = {
  /** `postgres://user:password@host/database` */
  readonly url: string;
  /** Milliseconds between reads. */
  readonly every: number;
};

/** Rows by the database's URL; one that could not be read is not among them. */
export type TableRows = ReadonlyMap<string, readonly TableRow[]>;

type TableTimes = FeedTimes & {
  /** What was read since is not read again for a reload. */
  readonly fresh: number;
  /** For how long a database that hangs may keep a reload waiting that has its last good rows: a change is told anyhow. */
  readonly patience: number;
};

const usual: Omit<TableTimes, 'every'> = {
  retry: 1_000,
  onDemand: 1_000,
  within: 30_000,
  fresh: 1_000,
  patience: 250,
};

/** A read ends before, of itself. */
const longest = 60_000;

type Rows = readonly TableRow[];

/**
 * API Manager's `AM_API_CLIENT_CERTIFICATE`, read again and again, and when it is told of a change. Those that were
 * clients since the start are among the rows, marked as removed, while their API has no other.
 */
export class ClientCertificateTable extends Feed<Rows> {
  constructor(
    { url, every }: TableAddress,
    tell: (event: FeedEvent) => void,
    times: Partial<FeedTimes> = {},
  ) {
    const connection = new TableConnection(url);
    super(
      {
        feed: 'client-certificates',
        from: withoutSecrets(url),
        read: (request) => readTable(connection, request),
        close: () => connection.close(),
      },
      tell,
      { ...usual, every, ...times },
    );
  }

  get rows(): Rows | undefined {
    return this.latest;
  }

  /** By a read that begins no earlier: one that runs already may have passed over a change. */
  override start(): Promise<void> {
    return this.startAnew();
  }
}

async function readTable(connection: TableConnection, request: FeedRequest<Rows>): Promise<Reading<Rows>> {
  const present = await connection.rows(request);
  const rows = withVanished(present, request.before ?? []);
  const count = present.filter(({ removed }) => removed !== true).length;
  return { value: rows, version: digestOf(rows), count };
}

/**
 * An API whose last row was deleted is in the table no more, and would be what it was before, or fall to a shorter
 * base path: its clients of before are kept as removed, those that went last first. Each deployment of an API has a
 * revision with rows of its own, which opens nothing and is not kept: it would be memory without end.
 */
export function withVanished(present: Rows, before: Rows, most = maxRows): Rows {
  const known = new Set(present.map(ofApi));
  const vanished = before.filter((row) => isOfCurrentApi(row) && !known.has(ofApi(row)));
  return [...present, ...vanished.slice(0, most).map((row) => ({ ...row, removed: true }))];
}

/** What older versions have no column for is what later ones have by default. */
const ofApi = ({ tenant, keyType, revision, apiName, apiVersion, apiContext }: TableRow): string =>
  JSON.stringify([
    tenant,
    keyType ?? 'PRODUCTION',
    revision ?? 'Current API',
    apiName,
    apiVersion,
    apiContext,
  ]);

function digestOf(rows: Rows): string {
  const hash = createHash('sha256');
  for (const { certificate, ...rest } of rows)
    hash.update(`${JSON.stringify(rest)}${certificate.length}:`).update(certificate);
  return hash.digest('base64');
}

/** One table a database. */
export class ClientCertificateTables {
  readonly #pool: FeedPool<TableAddress, ClientCertificateTable>;
  readonly #times: Pick<TableTimes, 'fresh' | 'patience'>;

  constructor(tell: (event: FeedEvent) => void, times: Partial<TableTimes> = {}) {
    this.#times = { ...usual, ...times };
    this.#pool = new FeedPool(
      ({ url }) => url,
      (address) => new ClientCertificateTable(address, tell, times),
    );
  }

  /**
   * Starts what is new, and reads again what was not read just now. Nothing is closed and no interval changed: who asks
   * may be refused yet.
   *
   * @param firstWithin milliseconds for a database that was never read
   * @returns rows by URL, once all have been read, well or not; or those of before, where a database takes its time
   */
  async use(wanted: readonly TableAddress[], firstWithin = longest): Promise<TableRows> {
    const { fresh, patience } = this.#times;
    const read = intervals(wanted).map(async (address) => {
      const table = this.#pool.at(address);
      if (table.rows === undefined) await atMost(firstWithin, table.start());
      else if (table.age > fresh) await atMost(patience, table.start());
      return [address.url, table] as const;
    });
    // Only now: the first may have changed while the last was waited for.
    const tables = await Promise.all(read);
    return new Map(tables.flatMap(([url, { rows }]) => (rows === undefined ? [] : [[url, rows] as const])));
  }

  get states(): readonly FeedState[] {
    return this.#pool.states;
  }

  /** Once these are in force: closes all others. */
  async keepOnly(wanted: readonly TableAddress[]): Promise<void> {
    const kept = intervals(wanted).map((address) => {
      const table = this.#pool.at(address);
      table.every = address.every;
      return table;
    });
    await this.#pool.keepOnly(kept);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** Each database once, read as often as the most impatient entry asks for. */
const intervals = (wanted: readonly TableAddress[]): readonly TableAddress[] =>
  [...Map.groupBy(wanted, ({ url }) => url)].map(([url, addresses]) => ({
    url,
    every: Math.min(...addresses.map(({ every }) => every)),
  }));
