import { Socket } from 'node:net';
import { Client, DatabaseError } from 'pg';
import type { TableRow } from '../definitions/api-manager/table-row.ts';
import '../server-certificate.ts';
import { channel, readRows } from './api-manager-rows.ts';
import { atMost } from './deadline.ts';

/** Milliseconds. */
const times = {
  connect: 10_000,
  statement: 20_000,
  /** A peer that is gone says no goodbye. */
  goodbye: 1_000,
  /** Between a lost connection and the next. */
  afterLoss: 1_000,
  /** Between a notification and its read: anybody in the database may send many. */
  afterNotice: 200,
};

type Heard = {
  readonly signal: AbortSignal;
  readonly readIn: (milliseconds: number) => void;
};
type Connection = { readonly client: Client; readonly socket: Socket };

/** A connection that stays open, to be told of changes; another when it is lost. */
export class TableConnection {
  readonly #url: string;
  #open: Connection | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** @throws Error: the database's, or what `readRows` has against it. Then the connection is closed, too. */
  async rows({ signal, readIn }: Heard): Promise<readonly TableRow[]> {
    const giveUp = (): void => void this.close();
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const { client } = this.#open ?? (await this.#connect(readIn));
      return await readRows(client);
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Within a second. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    await atMost(
      times.goodbye,
      open.client.end().catch(() => {}),
    );
    open.socket.destroy();
  }

  async #connect(readIn: Heard['readIn']): Promise<Connection> {
    // Its own socket: pg has no way to end a connection that does not answer.
    const socket = new Socket();
    const client = new Client({
      connectionString: this.#url,
      stream: () => socket,
      statement_timeout: times.statement,
      application_name: 'mtls-enforcer',
    });
    const connection = { client, socket };
    this.#open = connection;
    client.on('error', () => {
      if (this.#open !== connection) return;
      // Until there is another connection nobody tells of changes.
      void this.close();
      readIn(times.afterLoss);
    });
    client.on('notification', () => readIn(times.afterNotice));
    const tooLong = new Error(`no connection within ${times.connect / 1000} s`);
    const timer = setTimeout(() => socket.destroy(tooLong), times.connect).unref();
    try {
      await client.connect();
    } finally {
      clearTimeout(timer);
    }
    await client.query(`LISTEN ${channel}`).catch((error: unknown) => {
      // A replica can't; then there are the polls.
      if (!(error instanceof DatabaseError)) throw error;
    });
    return connection;
  }
}
