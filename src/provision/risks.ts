import type { Api } from '../apis/api.ts';
import type { Operation } from '../apis/operations.ts';
import { type Client, clientsOf } from '../apis/security.ts';
import type { Config } from '../config/schema/config.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Findings } from './findings.ts';
import { ownerKey } from './trust.ts';

type Reviewed = {
  /** As config.toml has it, without what foreign files add. */
  readonly own: Pick<Config, 'clients' | 'apis'>;
  readonly snapshot: Snapshot;
  /** Envoy's routes are made of this file as well. */
  readonly isRouted: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/** What is allowed, and yet worth a second look by whoever reviews a configuration: `serve` does not repeat it. */
export function warnAboutRisks(reviewed: Reviewed, findings: Findings): void {
  warnAboutApis(reviewed, findings);
  warnAboutUnused(reviewed, findings);
  warnAboutWideCas(reviewed, findings);
}

function warnAboutApis({ own, snapshot: { apis }, isRouted, now }: Reviewed, { warn }: Findings): void {
  for (const [i, api] of apis.apis.entries()) {
    // What is told of it already: it admits nobody, whatever its placeholder asks for.
    if (api.fault !== undefined) continue;
    const isOwn = i < own.apis.length;
    // What comes of foreign files has no line here.
    const at = isOwn ? ['apis', i] : ['definitions'];
    for (const asked of [api, ...(api.operations ?? [])]) warnAboutSecurity(api, asked, at, { warn, now });
    if (isRouted && isOwn && own.apis[i]!.backend === undefined)
      warn(
        at,
        `"${api.name}" has no backend: the generated Envoy answers 503 to whoever is admitted; write backend = "https://…"`,
      );
  }
}

function warnAboutSecurity(
  api: Api,
  asked: Api | Operation,
  at: readonly PropertyKey[],
  { warn, now }: Pick<Findings, 'warn'> & { readonly now: number },
): void {
  const { mutualSsl, applicationSecurity, clients } = asked.security;
  // Where it lists operations, and serves no others, what it asks for itself is asked of nobody.
  if (asked === api && api.operations !== undefined && !api.servesUnlisted) return;
  const name = 'segments' in asked ? `"${api.name}", operation ${asked.path}` : `"${api.name}"`;
  if (mutualSsl === 'off' && applicationSecurity === 'off')
    warn(at, `${name} is open: it asks for no certificate and no token, and admits everybody`);
  const all = clientsOf(clients);
  if (mutualSsl === 'mandatory' && all.length > 0 && all.every((client) => isOver(client, now)))
    warn(at, `${name} admits nobody: all its clients are disabled, or their time is not now`);
}

const isOver = ({ term, asks }: Client, now: number): boolean =>
  (term !== undefined && (term.disabled || now < term.notBefore || now > term.notAfter)) ||
  (asks?.kind === 'certificate' && now > asks.certificate.notAfter);

function warnAboutUnused({ own, snapshot: { apis } }: Reviewed, { warn }: Findings): void {
  const used = new Set(
    apis.apis.flatMap((api) =>
      [api, ...(api.operations ?? [])].flatMap(({ security }) =>
        clientsOf(security.clients).map(({ owner }) => owner),
      ),
    ),
  );
  const told = new Set<string>();
  for (const [i, { alias }] of own.clients.entries()) {
    const owner = ownerKey('', alias);
    if (used.has(owner) || told.has(owner)) continue;
    told.add(owner);
    warn(
      ['clients', i, 'alias'],
      `alias "${alias}" may call no API; name it in aliases of one, or take it out`,
    );
  }
}

/** Whoever trusts a CA for one client trusts it for all that it issues: others' certificates, too. */
function warnAboutWideCas({ own, snapshot: { everyone } }: Reviewed, { warn }: Findings): void {
  const aliasesUnder = new Map<string, Set<string>>();
  const note = (issuer: string, alias: string): void => {
    aliasesUnder.set(issuer, (aliasesUnder.get(issuer) ?? new Set()).add(alias));
  };
  for (const { alias, kind, asks } of everyone.clients ?? []) {
    if (asks?.kind === 'certificate' && !asks.certificate.isSelfIssued)
      note(asks.certificate.issuer.key, alias);
    if (kind === 'rule' && asks?.kind === 'ca') for (const ca of asks.cas ?? []) note(ca.subject.key, alias);
  }
  for (const { alias, owner, kind, asks } of everyone.clients ?? []) {
    if (kind !== 'issuedBy' || asks?.kind !== 'ca') continue;
    for (const ca of asks.cas ?? []) {
      const others = [...(aliasesUnder.get(ca.subject.key) ?? [])].filter((other) => other !== alias);
      const i = own.clients.findIndex((entry) => ownerKey('', entry.alias) === owner);
      if (others.length === 0 || i === -1) continue;
      const shown = others
        .slice(0, 3)
        .map((other) => `"${other}"`)
        .join(', ');
      const more = others.length > 3 ? ` and ${others.length - 3} more` : '';
      warn(
        ['clients', i],
        `alias "${alias}" is everybody to whom ${formatName(ca.subject)} issued a certificate, and it issued those of ${shown}${more}; write which are meant (subject, dns, uri, spiffe) beside caFile`,
      );
    }
  }
}
