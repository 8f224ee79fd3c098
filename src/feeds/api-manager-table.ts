import { createHash } from 'node:crypto';
import { Client } from 'pg';
import type { TableRow } from '../definitions/api-manager/table-row.ts';
import { channel, readRows } from './api-manager-rows.ts';

const timeout = 10_000;
/** Between a lost connection and the next, or a notification and its read: anybody in the database may send many. */
const shortly = 200;
const afterLoss = 1_000;

export type TableAddress = {
  /** `postgres://user:password@host/database` */
  readonly url: string;
  /** Milliseconds between reads. */
  readonly every: number;
};

export type TableEvent =
  | { readonly kind: 'read'; readonly rows: number; readonly changed: boolean }
  | { readonly kind: 'failed'; readonly reason: string; readonly keepsLastGood: boolean };

/** API Manager's `AM_API_CLIENT_CERTIFICATE`, read again and again, and when it is told of a change. The last good rows are kept. */
export class ClientCertificateTable {
  /** Milliseconds between reads. */
  every: number;
  readonly #url: string;
  readonly #tell: (event: TableEvent) => void;
  #rows: readonly TableRow[] | undefined;
  #digest = '';
  #readAt = 0;
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failures = 0;
  #closed = false;

  constructor({ url, every }: TableAddress, tell: (event: TableEvent) => void) {
    this.#url = url;
    this.every = every;
    this.#tell = tell;
  }

  /** Those that were clients since the start are among them, marked as removed, while their API has no other. */
  get rows(): readonly TableRow[] | undefined {
    return this.#rows;
  }

  /** Milliseconds since the last good read began. */
  get age(): number {
    return Date.now() - this.#readAt;
  }

  /**
   * Reads now, and from now on by itself. Resolves when a read is over that began no earlier than this call, well or
   * not: one that runs already may have passed over a change. Never rejects.
   */
  start(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#running !== undefined) {
      this.#next ??= this.#running.then(() => {
        this.#next = undefined;
        return this.start();
      });
      return this.#next;
    }
    this.#running = this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#disconnect();
    await this.#running;
    await this.#disconnect();
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
    const startedAt = Date.now();
    try {
      this.#client ??= await this.#connect();
      const present = await readRows(this.#client);
      const rows = withVanished(present, this.#rows ?? []);
      const digest = digestOf(rows);
      const changed = digest !== this.#digest;
      [this.#rows, this.#digest, this.#readAt, this.#failures] = [rows, digest, startedAt, 0];
      const count = present.filter(({ removed }) => removed !== true).length;
      if (!this.#closed) this.#tell({ kind: 'read', rows: count, changed });
    } catch (error) {
      await this.#disconnect();
      this.#failures++;
      if (this.#failures === 1 && !this.#closed)
        this.#tell({
          kind: 'failed',
          reason: (error as Error).message,
          keepsLastGood: this.#rows !== undefined,
        });
    }
    this.#readIn(
      this.#failures === 0 ? this.every : Math.min(this.every, 1000 * 2 ** Math.min(this.#failures - 1, 20)),
    );
  }

  /** Unless one is due sooner. */
  #readIn(milliseconds: number): void {
    const due = Date.now() + milliseconds;
    if (this.#closed || this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.start(), milliseconds);
    this.#timer.unref();
  }

  async #connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.#url,
      connectionTimeoutMillis: timeout,
      statement_timeout: timeout,
      query_timeout: timeout,
      application_name: 'mtls-enforcer',
    });
    client.on('error', () => {
      if (this.#client !== client) return;
      // Until there is another connection nobody tells of changes.
      void this.#disconnect();
      this.#readIn(afterLoss);
    });
    client.on('notification', () => this.#readIn(shortly));
    try {
      await client.connect();
    } catch (error) {
      await end(client);
      throw error;
    }
    // A replica can't; then there are the polls.
    await client.query(`LISTEN ${channel}`).catch(() => {});
    return client;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await end(client);
  }
}

/** At most a second: a peer that is gone says no goodbye. */
async function end(client: Client): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 1_000);
  await Promise.race([client.end().catch(() => {}), promise]);
  clearTimeout(timer);
}

/**
 * An API whose last row was deleted is in the table no more, and would be what it was before, or fall to a shorter
 * base path: its clients of before are kept as removed.
 */
function withVanished(present: readonly TableRow[], before: readonly TableRow[]): readonly TableRow[] {
  const known = new Set(present.map(ofApi));
  const vanished = before.filter((row) => !known.has(ofApi(row)));
  return [...present, ...vanished.map((row) => ({ ...row, removed: true }))];
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

function digestOf(rows: readonly TableRow[]): string {
  const hash = createHash('sha256');
  for (const { certificate, ...rest } of rows)
    hash.update(`${JSON.stringify(rest)}${certificate.length}:`).update(certificate);
  return hash.digest('base64');
}

/** One table a database, kept over reloads. */
export class ClientCertificateTables {
  readonly #tables = new Map<string, ClientCertificateTable>();
  readonly #tell: (url: string, event: TableEvent) => void;

  constructor(tell: (url: string, event: TableEvent) => void) {
    this.#tell = tell;
  }

  /**
   * Starts what is new, and reads again what was not read just now. Nothing is closed and no interval changed: who asks
   * may be refused yet.
   *
   * @returns rows by URL, once all have been read, well or not
   */
  async use(wanted: readonly TableAddress[]): Promise<TableRows> {
    const read = intervals(wanted).map(async ({ url, every }) => {
      const table =
        this.#tables.get(url) ??
        new ClientCertificateTable({ url, every }, (event) => this.#tell(withoutPassword(url), event));
      this.#tables.set(url, table);
      if (table.rows === undefined || table.age > 1_000) await table.start();
      return [url, table.rows] as const;
    });
    const rows = await Promise.all(read);
    return new Map(rows.flatMap(([url, own]) => (own === undefined ? [] : [[url, own] as const])));
  }

  /** Once these are in force: closes all others. */
  async keepOnly(wanted: readonly TableAddress[]): Promise<void> {
    const kept = new Map(intervals(wanted).map(({ url, every }) => [url, every]));
    const closing: Promise<void>[] = [];
    for (const [url, table] of this.#tables) {
      const every = kept.get(url);
      if (every !== undefined) {
        table.every = every;
        continue;
      }
      this.#tables.delete(url);
      closing.push(table.close());
    }
    await Promise.all(closing);
  }

  async close(): Promise<void> {
    for (const table of this.#tables.values()) await table.close();
    this.#tables.clear();
  }
}

/** Each database once, read as often as the most impatient entry asks for. */
const intervals = (wanted: readonly TableAddress[]): readonly TableAddress[] =>
  [...Map.groupBy(wanted, ({ url }) => url)].map(([url, addresses]) => ({
    url,
    every: Math.min(...addresses.map(({ every }) => every)),
  }));

/** Rows by the database's URL; one that could not be read is not among them. */
export type TableRows = ReadonlyMap<string, readonly TableRow[]>;

/** For the log. */
export function withoutPassword(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return 'the database';
  parsed.password = '';
  parsed.search = '';
  return parsed.href;
}
