import type { Api, BoundClients, Client } from '../apis/api.ts';
import { type ApiIndex, indexApis, trimSlash } from '../apis/api-index.ts';
import { normalizeHost } from '../apis/request-path.ts';
import type { Findings } from './findings.ts';
import { nearest } from './problem.ts';
import type { Config } from './schema.ts';
import { fingerprintsOf, type Trust, type TrustedClient } from './trust.ts';

/** `[[apis]]` with their aliases looked up, indexed. What does not add up is reported. */
export function buildApis(config: Config, trust: Trust, findings: Findings, now: number): ApiIndex {
  const known = Map.groupBy(trust.clients, ({ alias }) => alias.toLowerCase());
  const names = config.clients.map(({ alias }) => alias);
  const declared = new Set(names.map((alias) => alias.toLowerCase()));

  const apis = config.apis.map((api, i): Api => {
    const clients: TrustedClient[] = [];
    api.aliases.forEach((alias, j) => {
      const entries = known.get(alias.toLowerCase());
      if (entries !== undefined) {
        clients.push(...entries);
      } else if (!declared.has(alias.toLowerCase())) {
        const near = nearest(alias, names);
        findings.error(
          ['apis', i, 'aliases', j],
          `found "${alias}", which no [[clients]] entry defines; ${near === undefined ? 'define it' : `did you mean "${near}"?`}`,
        );
      }
    });
    checkMutualSsl(config, i, findings);
    warnAboutOverlaps(clients, i, findings, now);
    return {
      name: api.name,
      version: api.version,
      basePath: trimSlash(api.basePath),
      hosts: [...new Set(api.hosts.map(normalizeHost))],
      mutualSsl: api.mutualSSL,
      clients: byKind(clients),
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

function checkMutualSsl(config: Config, i: number, findings: Findings): void {
  const api = config.apis[i]!;
  if (api.mutualSSL === 'off') return;
  if (api.aliases.length === 0) {
    if (api.mutualSSL === 'mandatory') {
      findings.error(
        ['apis', i],
        `"${api.name}" needs a certificate but is bound to no alias, so nobody could call it; write aliases = ["…"], or mutualSSL = "off"`,
      );
    } else {
      findings.warn(
        ['apis', i],
        `"${api.name}" is bound to no alias: requests with a certificate are all refused`,
      );
    }
  }
  const peerMode = config.enforcer.security.mutualSSL.enableClientValidation;
  if (peerMode && !config.router.downstream.tls.mTLSAPIsEnabled) {
    findings.error(
      ['apis', i, 'mutualSSL'],
      `"${api.name}" has mutualSSL = "${api.mutualSSL}", but router.downstream.tls.mTLSAPIsEnabled is false, so that no client is asked for a certificate; set it to true, or mutualSSL = "off"`,
    );
  }
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
  i: number,
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
        ['apis', i, 'aliases'],
        `the certificate of "${alias}" fits "${other}" as well; exact ones come first, then rules, then CAs, then the order of aliases`,
      );
    }
  }
}
