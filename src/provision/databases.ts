import { isIP } from 'node:net';
import { shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Findings } from './findings.ts';

/** Whoever is on the way to a database that is not known by TLS can put a client of his own into the table. */
export function checkDatabases({ definitions }: Pick<Config, 'definitions'>, findings: Findings): void {
  for (const [i, { database }] of definitions.entries())
    if (database !== undefined && !isOnThisHost(database) && !verifiesTls(database))
      findings.warn(
        ['definitions', i, 'database'],
        `found ${shown(database)}, without TLS that verifies the server: whoever is on the way to it can put clients of his own into the table, and read the password; write ?sslmode=verify-full at its end`,
      );
}

function isOnThisHost(url: string): boolean {
  const { hostname = '', searchParams } = URL.parse(url) ?? {};
  const host = searchParams?.get('host') ?? hostname;
  const address = host.replace(/^\[|\]$/g, '');
  return (
    host === '' ||
    host.startsWith('/') ||
    host === 'localhost' ||
    address === '::1' ||
    (isIP(address) === 4 && address.startsWith('127.'))
  );
}

/** As pg reads it: all modes verify but `disable` and `no-verify`, unless libpq's meaning of them is asked for. */
function verifiesTls(url: string): boolean {
  const parameters = new Map(URL.parse(url)?.searchParams);
  const mode = parameters.get('sslmode');
  if (parameters.get('uselibpqcompat') === 'true') return mode === 'verify-ca' || mode === 'verify-full';
  if (mode !== undefined) return ['prefer', 'require', 'verify-ca', 'verify-full'].includes(mode);
  return ['true', '1'].includes(parameters.get('ssl') ?? '') || parameters.has('sslrootcert');
}
