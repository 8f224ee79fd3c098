import { Client } from 'pg';
import type { ClientCertificateRow } from './written.ts';

/** More than any installation has. */
const maxRows = 200_000;
const timeout = 10_000;
/** Whoever changes the table may tell us: NOTIFY of this channel. */
const channel = 'am_api_client_certificate';

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
  readonly #address: TableAddress;
  readonly #tell: (event: TableEvent) => void;
  #rows: readonly ClientCertificateRow[] | undefined;
  #text = '';
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;
  #closed = false;

  constructor(address: TableAddress, tell: (event: TableEvent) => void) {
    this.#address = address;
    this.#tell = tell;
  }

  get rows(): readonly ClientCertificateRow[] | undefined {
    return this.#rows;
  }

  /** Reads now, and from now on by itself. Resolves when this read is over, well or not; never rejects. */
  start(): Promise<void> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#disconnect();
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.#client ??= await this.#connect();
      const client = this.#client;
      const rows = await readRows(client);
      const text = JSON.stringify(rows);
      const changed = text !== this.#text;
      [this.#rows, this.#text, this.#failures] = [rows, text, 0];
      this.#tell({ kind: 'read', rows: rows.length, changed });
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
    if (this.#closed) return;
    const { every } = this.#address;
    const pause =
      this.#failures === 0 ? every : Math.min(every, 1000 * 2 ** Math.min(this.#failures - 1, 20));
    this.#timer = setTimeout(() => void this.start(), pause);
    this.#timer.unref();
  }

  async #connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.#address.url,
      connectionTimeoutMillis: timeout,
      statement_timeout: timeout,
      query_timeout: timeout,
      application_name: 'mtls-enforcer',
    });
    // Lost between two reads: the next one connects anew.
    client.on('error', () => void this.#disconnect());
    client.on('notification', () => void this.start());
    await client.connect();
    await client.query(`LISTEN ${channel}`);
    return client;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }
}

/** Columns that only some versions have are looked up first. */
async function readRows(client: Client): Promise<readonly ClientCertificateRow[]> {
  const columns = await client.query<{ column_name: string }>(
    "SELECT lower(column_name) AS column_name FROM information_schema.columns WHERE lower(table_name) = 'am_api_client_certificate'",
  );
  const has = new Set(columns.rows.map((row) => row.column_name));
  if (has.size === 0) throw new Error('there is no table AM_API_CLIENT_CERTIFICATE in this database');
  const result = await client.query<Record<string, unknown>>(
    `SELECT c.alias, c.tier_name, c.certificate, c.tenant_id,
            ${has.has('key_type') ? 'c.key_type' : 'NULL AS key_type'},
            ${has.has('revision_uuid') ? 'c.revision_uuid' : 'NULL AS revision_uuid'},
            a.api_name, a.api_version, a.api_provider, a.context
       FROM am_api_client_certificate c JOIN am_api a ON a.api_id = c.api_id
      ${has.has('removed') ? "WHERE c.removed::text IN ('false', '0', 'f')" : ''}
      ORDER BY c.tenant_id, c.api_id, c.alias
      LIMIT ${maxRows + 1}`,
  );
  if (result.rows.length > maxRows)
    throw new Error(`the table has more than ${maxRows} rows, which are not read`);
  return result.rows.map(rowOf);
}

function rowOf(row: Record<string, unknown>): ClientCertificateRow {
  const text = (key: string): string => String(row[key] ?? '');
  const optional = (key: string): string | undefined => (row[key] === null ? undefined : text(key));
  return {
    alias: text('alias'),
    tier: optional('tier_name') || undefined,
    certificate: row.certificate as Buffer,
    tenant: Number(row.tenant_id),
    keyType: optional('key_type'),
    revision: optional('revision_uuid'),
    apiName: text('api_name'),
    apiVersion: text('api_version'),
    apiProvider: text('api_provider'),
    apiContext: text('context'),
  };
}

/** One table an address, kept over reloads. */
export class ClientCertificateTables {
  readonly #tables = new Map<string, ClientCertificateTable>();
  readonly #tell: (url: string, event: TableEvent) => void;

  constructor(tell: (url: string, event: TableEvent) => void) {
    this.#tell = tell;
  }

  /**
   * Starts what is new, closes what is no longer wanted.
   * @returns rows by URL, once the new ones have been read, well or not
   */
  async use(wanted: readonly TableAddress[]): Promise<TableRows> {
    const byKey = new Map(wanted.map((address) => [JSON.stringify(address), address]));
    for (const [key, table] of this.#tables) {
      if (byKey.has(key)) continue;
      this.#tables.delete(key);
      await table.close();
    }
    const rows = new Map<string, readonly ClientCertificateRow[]>();
    for (const [key, address] of byKey) {
      const table =
        this.#tables.get(key) ??
        new ClientCertificateTable(address, (event) => this.#tell(withoutPassword(address.url), event));
      this.#tables.set(key, table);
      if (table.rows === undefined) await table.start();
      if (table.rows !== undefined) rows.set(address.url, table.rows);
    }
    return rows;
  }

  async close(): Promise<void> {
    for (const table of this.#tables.values()) await table.close();
    this.#tables.clear();
  }
}

/** Rows by the database's URL; one that could not be read is not among them. */
export type TableRows = ReadonlyMap<string, readonly ClientCertificateRow[]>;

/** For the log. */
export function withoutPassword(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return 'the database';
  parsed.password = '';
  parsed.search = '';
  return parsed.href;
}
