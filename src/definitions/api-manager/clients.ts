import { readCertificate } from '../../pki/certificate/certificate.ts';
import { certificateProblem, certificatesIn, pemOf, withoutIssuers } from '../pem-clients.ts';
import type { DefinitionEntry, WrittenApi, WrittenClient } from '../written.ts';
import { isOfCurrentApi, type TableRow } from './table-row.ts';

/** One bad row must not keep the removal of another from taking effect: it is left out, and told. */
type Tell = (row: TableRow, message: string) => void;

/**
 * Rows that count: of the tenant, of the key type, and of an API's revisions the current one. Sandbox certificates are
 * for a sandbox's endpoint; unless asked for, they open nothing.
 */
export function currentRows({
  rows = [],
  tenant,
  keyType = 'PRODUCTION',
}: Pick<DefinitionEntry, 'rows' | 'tenant' | 'keyType'>): readonly TableRow[] {
  return rows.filter(
    (row) =>
      (tenant === undefined || row.tenant === tenant) &&
      (!row.keyType || row.keyType.toUpperCase() === keyType) &&
      isOfCurrentApi(row),
  );
}

/** Two tenants, or two providers, may each have a "PizzaShack" 1.0.0: its context tells them apart. */
export const keyOf = (api: Pick<WrittenApi, 'name' | 'version' | 'basePath'>): string =>
  JSON.stringify([api.name, api.version, api.basePath]);

/**
 * An API's clients by its rows. While none is left, those that were removed keep it from having no clients at all, and
 * so from being set back to what it was before: they are named, and admitted no more.
 */
export function clientsOf(
  rows: readonly TableRow[],
  isChainMode: boolean,
  tell: Tell,
): readonly WrittenClient[] {
  const present = rows.filter(({ removed }) => removed !== true);
  const clients = present.flatMap((row) => clientOf(row, isChainMode, tell));
  return clients.length > 0 ? clients : disabled(rows.flatMap((row) => clientOf(row, false, () => {})));
}

/** The same aliases, each once, admitted no more. */
export function disabled(clients: readonly WrittenClient[]): readonly WrittenClient[] {
  const byAlias = new Map(clients.map((client) => [client.alias.toLowerCase(), client]));
  return [...byAlias.values()].map((client) => ({ ...client, disabled: true }));
}

function clientOf(row: TableRow, isChainMode: boolean, tell: Tell): readonly WrittenClient[] {
  const der = certificateOf(row);
  if (typeof der === 'string') {
    tell(row, der);
    return [];
  }
  const named = { alias: row.alias, ...(row.tier !== undefined && { tier: row.tier }) };
  const pem = pemOf(der);
  return [isChainMode ? asIssuer({ ...named, pem }) : { ...named, pem }];
}

/** DER; or why it can't be one. */
function certificateOf({ alias, certificate }: TableRow): Uint8Array | string {
  if (alias.trim() === '') return 'has no alias';
  if (certificate.length === 0) return 'is empty, or larger than a certificate can be';
  // Its Publisher stores PEM, or the base64 of it.
  const found = certificatesIn(Buffer.from(certificate));
  if (typeof found === 'string') return found;
  const ders = withoutIssuers(found);
  if (ders.length !== 1) return `has ${ders.length} certificates where one belongs`;
  const problem = certificateProblem(ders[0]!);
  return problem === undefined ? ders[0]! : `has a certificate that can't be read: ${problem}`;
}

/** With chain validation on, an uploaded CA admits what it issued; anything else is exactly itself. */
export function asIssuer(client: WrittenClient): WrittenClient {
  const { pem, ...rest } = client;
  const ders = certificatesIn(pem ?? '');
  if (pem === undefined || typeof ders === 'string' || certificateProblem(ders[0]!) !== undefined)
    return client;
  const { isCa, keyUsage } = readCertificate(ders[0]!);
  return isCa && keyUsage?.has('keyCertSign') !== false ? { ...rest, caPem: pem } : client;
}
