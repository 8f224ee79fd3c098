import { isIPv6 } from 'node:net';
import type { Api, BoundClients, Client } from '../apis/api.ts';
import { type ApiIndex, indexApis, trimSlash } from '../apis/api-index.ts';
import { mostSpecificFirst, type Operation, parseTemplate, templateKey } from '../apis/operations.ts';
import { normalizeHost } from '../apis/request-path.ts';
import type { Findings } from './findings.ts';
import { nearest } from './problem.ts';
import type { Config } from './schema.ts';
import { fingerprintsOf, type Trust, type TrustedClient } from './trust.ts';

type Path = readonly PropertyKey[];

/** `[[apis]]` with their aliases looked up, indexed. What does not add up is reported. */
export function buildApis(config: Config, trust: Trust, findings: Findings, now: number): ApiIndex {
  const known = Map.groupBy(trust.clients, ({ alias }) => alias.toLowerCase());
  const names = config.clients.map(({ alias }) => alias);
  const declared = new Set(names.map((alias) => alias.toLowerCase()));

  const lookUp = (aliases: readonly string[], at: Path): readonly TrustedClient[] =>
    aliases.flatMap((alias, j) => {
      const entries = known.get(alias.toLowerCase());
      if (entries === undefined && !declared.has(alias.toLowerCase())) {
        const near = nearest(alias, names);
        findings.error(
          [...at, 'aliases', j],
          `found "${alias}", which no [[clients]] entry defines; ${near === undefined ? 'define it' : `did you mean "${near}"?`}`,
        );
      }
      return entries ?? [];
    });

  const apis = config.apis.map((api, i): Api => {
    const at = ['apis', i];
    const clients = lookUp(api.aliases, at);
    checkMutualSsl(config, api, at, findings);
    warnAboutOverlaps(clients, at, findings, now);
    const bound = byKind(clients);
    const operations = api.operations.map((operation, j): Operation => {
      const place = [...at, 'operations', j];
      const { mutualSSL = api.mutualSSL, aliases } = operation;
      checkMutualSsl(
        config,
        { name: `${api.name} ${operation.path}`, mutualSSL, aliases: aliases ?? api.aliases },
        place,
        findings,
      );
      return {
        ...parseTemplate(operation.path),
        methods:
          operation.methods &&
          new Set(operation.methods.map((method) => (method === 'HEAD' ? 'GET' : method))),
        mutualSsl: mutualSSL,
        clients: aliases === undefined ? bound : byKind(lookUp(aliases, place)),
      };
    });
    checkOperations(operations, at, findings);
    return {
      name: api.name,
      version: api.version,
      basePath: trimSlash(api.basePath),
      hosts: [...new Set(api.hosts.map(asInRequests))],
      mutualSsl: api.mutualSSL,
      clients: bound,
      operations: operations.length === 0 ? undefined : mostSpecificFirst(operations),
      servesUnlisted: api.unlistedOperations === 'api',
    };
  });

  const { index, taken } = indexApis(apis);
  for (const { host, basePath, first, second } of taken) {
    findings.error(
      ['apis', apis.indexOf(second), 'basePath'],
      `"${second.name}" ${second.version} claims ${host}${basePath || '/'}, which "${first.name}" ${first.version} has already; give one of them another basePath or host`,
    );
  }
  return index;
}

/** As it stands in the Host header: an IPv6 address in brackets. */
const asInRequests = (host: string): string =>
  isIPv6(host) ? `[${host.toLowerCase()}]` : normalizeHost(host);

type Secured = Pick<Config['apis'][number], 'name' | 'mutualSSL' | 'aliases'> & {
  readonly operations?: readonly unknown[];
};

function checkMutualSsl(config: Config, api: Secured, at: Path, findings: Findings): void {
  if (api.mutualSSL === 'off') return;
  if (api.aliases.length === 0) {
    // An API's own aliases are only what its operations fall back on, which are checked each.
    if (api.mutualSSL === 'mandatory' && !api.operations?.length) {
      findings.error(
        at,
        `"${api.name}" needs a certificate but is bound to no alias, so nobody could call it; write aliases = ["…"], or mutualSSL = "off"`,
      );
    } else if (api.mutualSSL === 'optional') {
      findings.warn(at, `"${api.name}" is bound to no alias: requests with a certificate are all refused`);
    }
  }
  const { sources, enableClientValidation } = config.enforcer.security.mutualSSL;
  const peerMode =
    sources.length > 0 ? sources.some(({ format }) => format === 'peer') : enableClientValidation;
  if (peerMode && !config.router.downstream.tls.mTLSAPIsEnabled) {
    findings.error(
      [...at, 'mutualSSL'],
      `"${api.name}" has mutualSSL = "${api.mutualSSL}", but router.downstream.tls.mTLSAPIsEnabled is false, so that no client is asked for a certificate; set it to true, or mutualSSL = "off"`,
    );
  }
}

/** Two operations that fit the same path and method: one of them would never be asked. */
function checkOperations(operations: readonly Operation[], at: Path, findings: Findings): void {
  operations.forEach((operation, j) => {
    const same = operations
      .slice(0, j)
      .find(
        (other) =>
          templateKey(other) === templateKey(operation) &&
          (other.methods === undefined ||
            operation.methods === undefined ||
            [...other.methods].some((method) => operation.methods?.has(method))),
      );
    if (same !== undefined) {
      findings.error(
        [...at, 'operations', j, 'path'],
        `found "${operation.path}", which an operation before ("${same.path}") has already for the same methods; write one of them`,
      );
    }
  });
}

/** Clients as `apis` looks them up. */
export function byKind(clients: readonly TrustedClient[]): BoundClients {
  const exact = new Map<string, Client[]>();
  for (const client of clients) {
    for (const sha256 of fingerprintsOf(client.entry))
      exact.set(sha256, [...(exact.get(sha256) ?? []), client]);
  }
  return {
    exact,
    rules: clients.filter(({ kind }) => kind === 'rule'),
    issuedBy: clients.filter(({ kind }) => kind === 'issuedBy'),
  };
}

/** Several aliases of one API that mean one certificate: which it is then, their kind and order decide. */
function warnAboutOverlaps(
  clients: readonly TrustedClient[],
  at: Path,
  findings: Findings,
  now: number,
): void {
  const broad = clients.filter(({ kind }) => kind !== 'exact');
  const seen = new Map<string, string>();
  for (const { alias, entry } of clients) {
    if (entry.kind !== 'certificate') continue;
    const { certificate } = entry;
    const other =
      seen.get(certificate.sha256) ??
      broad.find(
        (client) =>
          client.alias !== alias &&
          client.fits(certificate) &&
          client.validator.validate(certificate, [], now).valid,
      )?.alias;
    seen.set(certificate.sha256, alias);
    if (other !== undefined && other !== alias) {
      findings.warn(
        [...at, 'aliases'],
        `the certificate of "${alias}" fits "${other}" as well; exact ones come first, then rules, then CAs, then the order of aliases`,
      );
    }
  }
}
