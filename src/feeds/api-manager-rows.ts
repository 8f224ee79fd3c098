import type { Client } from 'pg';
import type { TableRow } from '../definitions/api-manager/table-row.ts';

/** Whoever changes the table may tell us: NOTIFY of this channel. */
export const channel = 'am_api_client_certificate';

/** More than any installation has. */
export const maxRows = 200_000;
const maxCertificate = 65_536;
const maxAll = 256 * 1024 * 1024;

/**
 * All rows of `AM_API_CLIENT_CERTIFICATE`, those that were removed too. Columns that only some versions have are looked
 * up first.
 *
 * @throws Error: the database's, no such table, or more in it than is read
 */
export async function readRows(client: Client): Promise<readonly TableRow[]> {
  const columns = await client.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns
      WHERE table_name = 'am_api_client_certificate' AND table_schema = ANY (current_schemas(false))`,
  );
  const has = new Set(columns.rows.map((row) => row.column_name));
  if (has.size === 0)
    throw new Error(
      'there is no table AM_API_CLIENT_CERTIFICATE in this database, or this user may not read it; GRANT SELECT on it and on AM_API',
    );
  const [size] = (
    await client.query<{ rows: string; bytes: string }>(
      `SELECT count(*) AS rows, coalesce(sum(least(octet_length(certificate), ${maxCertificate})), 0) AS bytes
         FROM am_api_client_certificate`,
    )
  ).rows;
  if (Number(size?.rows) > maxRows)
    throw new Error(`the table has more than ${maxRows} rows, which are not read`);
  if (Number(size?.bytes) > maxAll)
    throw new Error(`the table has more than ${maxAll} bytes of certificates, which are not read`);
  const optional = (column: string): string => (has.has(column) ? `c.${column}` : `NULL AS ${column}`);
  // What is no certificate by its size is told as an empty one, and what is neither true nor false as removed.
  const result = await client.query<Record<string, unknown>>(
    `SELECT c.alias, c.tier_name, c.tenant_id, ${optional('key_type')}, ${optional('revision_uuid')},
            CASE WHEN octet_length(c.certificate) <= ${maxCertificate} THEN c.certificate END AS certificate,
            ${has.has('removed') ? "coalesce(c.removed::text NOT IN ('false', '0', 'f'), true)" : 'false'} AS removed,
            a.api_name, a.api_version, a.api_provider, a.context
       FROM am_api_client_certificate c JOIN am_api a ON a.api_id = c.api_id
      ORDER BY c.tenant_id, c.api_id, c.alias, removed, 4, 5
      LIMIT ${maxRows}`,
  );
  return result.rows.map(rowOf);
}

function rowOf(row: Record<string, unknown>): TableRow {
  const text = (key: string): string => String(row[key] ?? '');
  const optional = (key: string): string | undefined => (row[key] === null ? undefined : text(key));
  return {
    alias: text('alias'),
    tier: optional('tier_name') || undefined,
    certificate: row.certificate === null ? Buffer.alloc(0) : (row.certificate as Buffer),
    tenant: Number(row.tenant_id),
    ...(row.removed === true && { removed: true }),
    keyType: optional('key_type'),
    revision: optional('revision_uuid'),
    apiName: text('api_name'),
    apiVersion: text('api_version'),
    apiProvider: text('api_provider'),
    apiContext: text('context'),
  };
}
