import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ClientCertificateTable, ClientCertificateTables } from '../../src/feeds/api-manager-table.ts';
import { type FeedEvent, feedLines } from '../../src/feeds/feed-event.ts';
import { askControl } from '../../src/service/control-socket.ts';
import { selfSigned } from '../support/certificate-authority.ts';
import { EnforcerProcess } from '../support/enforcer-process.ts';
import { freePort } from '../support/free-port.ts';
import { FreezableProxy } from '../support/freezable-proxy.ts';
import { noPostgres, type Postgres, startPostgres } from '../support/postgres.ts';

describe('AM_API_CLIENT_CERTIFICATE in a real PostgreSQL', { skip: noPostgres, timeout: 60_000 }, () => {
  let database: Postgres;
  let acme: string;
  let globex: string;
  before(async () => {
    acme = (await selfSigned({ subject: 'CN=acme' })).pem;
    globex = (await selfSigned({ subject: 'CN=globex' })).pem;
    database = await startPostgres();
    await database.query(`
      CREATE TABLE AM_API (API_ID INTEGER PRIMARY KEY, API_PROVIDER VARCHAR(200), API_NAME VARCHAR(200), API_VERSION VARCHAR(30), CONTEXT VARCHAR(256));
      CREATE TABLE AM_API_CLIENT_CERTIFICATE (
        TENANT_ID INTEGER NOT NULL, ALIAS VARCHAR(45) NOT NULL, API_ID INTEGER NOT NULL REFERENCES AM_API (API_ID),
        CERTIFICATE BYTEA NOT NULL, REMOVED BOOLEAN NOT NULL DEFAULT '0', TIER_NAME VARCHAR(512),
        PRIMARY KEY (ALIAS, TENANT_ID, REMOVED));
      INSERT INTO AM_API VALUES (1, 'admin', 'PizzaShack', '1.0.0', '/pizzashack/1.0.0');`);
    await insert('acme', acme);
    await insert('gone', globex, true);
  });
  after(() => database?.remove());
  const insert = (alias: string, pem: string, removed = false): Promise<void> =>
    database.query('INSERT INTO AM_API_CLIENT_CERTIFICATE VALUES (-1234, $1, 1, $2, $3, $4)', [
      alias,
      Buffer.from(pem),
      removed,
      'Gold',
    ]);

  const events: FeedEvent[] = [];
  const waiting: (() => void)[] = [];
  const nextEvent = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  let table: ClientCertificateTable;

  it('reads what is there, and what was removed as such', async () => {
    table = new ClientCertificateTable({ url: database.url, every: 3_600_000 }, (event) => {
      events.push(event);
      for (const done of waiting.splice(0)) done();
    });
    await table.start();
    assert.deepEqual(
      table.rows?.map(({ alias, removed, tier, tenant, apiName, apiContext, keyType }) => [
        alias,
        removed,
        tier,
        tenant,
        apiName,
        apiContext,
        keyType,
      ]),
      [
        ['acme', undefined, 'Gold', -1234, 'PizzaShack', '/pizzashack/1.0.0', undefined],
        ['gone', true, 'Gold', -1234, 'PizzaShack', '/pizzashack/1.0.0', undefined],
      ],
    );
    assert.deepEqual(events.at(-1), {
      feed: 'client-certificates',
      from: database.url.replace(':secret', ''),
      kind: 'read',
      changed: true,
      failures: 0,
      count: 1,
      unused: [],
    });
    assert.equal(Buffer.from(table.rows![0]!.certificate).toString(), acme);
  });

  it('follows a notification at once', async () => {
    const told = nextEvent();
    await insert('globex', globex);
    await database.query('NOTIFY am_api_client_certificate');
    await told;
    assert.deepEqual(
      table.rows?.map(({ alias }) => alias),
      ['acme', 'globex', 'gone'],
    );
  });

  it('a change that comes while it is read is not passed over', async () => {
    const first = table.start();
    await insert('late', globex);
    await Promise.all([first, table.start()]);
    assert.ok(table.rows?.some(({ alias }) => alias === 'late'));
    await database.query("DELETE FROM AM_API_CLIENT_CERTIFICATE WHERE ALIAS = 'late'");
  });

  it('what is far larger than a certificate is not taken in', async () => {
    await insert('huge', 'x'.repeat(100_000));
    await table.start();
    assert.equal(table.rows?.find(({ alias }) => alias === 'huge')?.certificate.length, 0);
    await database.query("DELETE FROM AM_API_CLIENT_CERTIFICATE WHERE ALIAS = 'huge'");
  });

  it('reads the columns of later versions where they exist', async () => {
    await database.query(
      "ALTER TABLE AM_API_CLIENT_CERTIFICATE ADD REVISION_UUID VARCHAR(255) DEFAULT 'Current API', ADD KEY_TYPE VARCHAR(20) DEFAULT 'PRODUCTION'",
    );
    await table.start();
    assert.deepEqual([table.rows?.[0]?.revision, table.rows?.[0]?.keyType], ['Current API', 'PRODUCTION']);
  });

  it('keeps the last good rows while the database is away, says so once, and comes back', async () => {
    await database.stop();
    await table.start();
    await table.start();
    assert.equal(table.rows?.length, 3);
    const failed = events.filter(({ kind }) => kind === 'failed');
    assert.ok(failed[0]?.kind === 'failed' && failed[0].keepsLastGood);
    assert.deepEqual(
      failed.flatMap(feedLines).map(({ message }) => message),
      ["can't read the table of client certificates: its last good rows stay in force; trying on"],
    );
    await database.start();
    await table.start();
    assert.equal(events.at(-1)?.kind, 'read');
  });

  it('comes back by itself, so that it hears of changes again', async () => {
    const heard = nextEvent();
    await database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mtls-enforcer'",
    );
    await heard;
    const told = nextEvent();
    await database.query('NOTIFY am_api_client_certificate');
    await told;
    assert.partialDeepStrictEqual(events.at(-1), { kind: 'read', count: 2, changed: false });
    await table.close();
  });

  it('keeps its rows where the interval is changed while the database is away', async () => {
    const tables = new ClientCertificateTables(() => {});
    await tables.use([{ url: database.url, every: 60_000 }]);
    await database.stop();
    const rows = await tables.use([{ url: database.url, every: 30_000 }]);
    assert.equal(rows.get(database.url)?.length, 3);
    await tables.close();
    await database.start();
  });

  it('what is refused closes no table and forgets none of its rows; what is in force closes the others', async () => {
    let heard = (): void => {};
    const tables = new ClientCertificateTables(() => heard());
    await tables.use([{ url: database.url, every: 3_600_000 }]);
    await database.query('DELETE FROM AM_API_CLIENT_CERTIFICATE');
    // As a file says that is being written, or has a typo in it.
    assert.equal((await tables.use([])).size, 0);
    const told = new Promise<void>((resolve) => {
      heard = resolve;
    });
    await database.query('NOTIFY am_api_client_certificate');
    await told;
    const rows = await tables.use([{ url: database.url, every: 3_600_000 }]);
    assert.deepEqual(
      rows.get(database.url)?.map(({ alias, removed }) => [alias, removed]),
      [
        ['acme', true],
        ['globex', true],
        ['gone', true],
      ],
    );
    await tables.keepOnly([]);
    assert.equal((await tables.use([{ url: database.url, every: 3_600_000 }])).get(database.url)?.length, 0);
    await tables.close();
    await insert('acme', acme);
    await insert('globex', globex);
    await insert('gone', globex, true);
  });

  it('a database that hangs keeps neither a reload waiting that has its rows, nor the end', async () => {
    const proxy = await FreezableProxy.start(Number(new URL(database.url).port));
    const address = {
      url: database.url.replace(/:\d+\/postgres/, `:${proxy.port}/postgres`),
      every: 3_600_000,
    };
    const failed = Promise.withResolvers<FeedEvent>();
    const tables = new ClientCertificateTables(
      (event) => {
        if (event.kind === 'failed') failed.resolve(event);
      },
      { fresh: -1, patience: 10, within: 500, retry: 3_600_000 },
    );
    assert.equal((await tables.use([address])).get(address.url)?.length, 3);
    proxy.freeze();
    assert.equal((await tables.use([address])).get(address.url)?.length, 3);
    assert.partialDeepStrictEqual(await failed.promise, {
      reason: 'no whole answer within 0.5 s',
      keepsLastGood: true,
    });
    const reading = tables.use([address]);
    await tables.close();
    assert.equal((await reading).get(address.url)?.length, 3);
    proxy.close();
  });

  it('the service serves by it, and follows a change without a signal', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'table-'));
    writeFileSync(join(folder, 'readme.txt'), '');
    writeFileSync(
      join(folder, 'config.toml'),
      `[enforcer.authService]\nport = ${await freePort()}\ncontrol = "control"\n[[enforcer.security.tokenService]]\nname = "x"\nissuer = "x"\njwksURL = "http://127.0.0.1:1/"\naudiences = ["x"]\n[[definitions]]\nkind = "api-manager"\npath = "readme.txt"\ndatabase = "${database.url}"\n`,
    );
    const enforcer = await EnforcerProcess.start(join(folder, 'config.toml'));
    assert.match(enforcer.lines.join('\n'), /info +started .*apis=1/);
    // A reload that is refused ends no watch: what is deleted after it is heard of.
    const config = readFileSync(join(folder, 'config.toml'), 'utf8');
    writeFileSync(join(folder, 'config.toml'), config.replace('port =', 'prot ='));
    assert.equal(await enforcer.reload(), 'refused');
    // What the database says is in force then, and the file is refused as before.
    const before = enforcer.lines.length;
    await database.query("UPDATE AM_API_CLIENT_CERTIFICATE SET TIER_NAME = 'Bronze'");
    await database.query('NOTIFY am_api_client_certificate');
    await enforcer.line(/info +reloaded/, before);
    const { refused } = await askControl(join(folder, 'control'), 'status', 5_000);
    assert.match(refused.join(), /prot/);
    writeFileSync(join(folder, 'config.toml'), config);
    const from = enforcer.lines.length;
    await database.query('DELETE FROM AM_API_CLIENT_CERTIFICATE');
    await database.query('NOTIFY am_api_client_certificate');
    await enforcer.line(/read the table of client certificates .*rows=0/, from);
    // The API stays, and admits nobody: what it was before would still admit whom it has lost.
    await enforcer.line(/info +reloaded .*apis=1/, from);
    assert.doesNotMatch(enforcer.lines.slice(from).join('\n'), /last good/);
    assert.doesNotMatch(enforcer.lines.join('\n'), /secret/, 'no password in the log');
    await enforcer.stop();
    rmSync(folder, { recursive: true });
  });
});
