import type { Api } from '../apis/api.ts';
import type { Operation } from '../apis/operations.ts';
import { type Client, clientsOf, isInForce } from '../apis/security.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import type { PathPolicy } from '../pki/path/path-options.ts';
import type { PathInputs } from '../pki/path/path-request.ts';
import { type PathVerdict, validatePath } from '../pki/path/path-validation.ts';
import { type Anchor, createTrustStore, isSameCa } from '../pki/path/trust-store.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Findings } from './findings.ts';
import { type ClientEntry, ownerKey, type Trust } from './trust.ts';

type Reviewed = {
  /** As config.toml has it, without what foreign files add. */
  readonly own: Pick<Config, 'clients' | 'apis' | 'router'>;
  readonly snapshot: Snapshot;
  readonly trust: Trust;
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
  if (reviewed.own.router.downstream.tls.trustedCertPath !== undefined)
    warnAboutUntrusted(reviewed, findings);
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
  at: Path,
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
  !isInForce(term, now) || (asks?.kind === 'certificate' && now > asks.certificate.notAfter);

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

/**
 * With `trustedCertPath`, entries from which nothing that is known here leads up to one of its CAs. What a client could
 * send along nobody knows.
 */
function warnAboutUntrusted({ own, trust, now }: Reviewed, { warn }: Findings): void {
  const trustStore = createTrustStore({
    anchors: anchorsOf('ca', trust.anchors),
    intermediates: trust.between,
  });
  const judge = (
    certificate: Certificate,
    given: Pick<PathPolicy, 'purpose'> & Pick<PathInputs, 'trustStore'>,
  ) => {
    // What its dates say is told already.
    const day = Math.min(Math.max(now, certificate.notBefore), certificate.notAfter);
    return validatePath(certificate, { ...trust.policy, ...given, intermediates: [], now: day });
  };
  const whyCertificate = (certificate: Certificate): string | undefined => {
    const alone = createTrustStore({ anchors: anchorsOf('pinned', [certificate]) });
    // So is what no path could mend. And nobody issued what is signed by itself.
    if (certificate.isSelfSigned() || !judge(certificate, { purpose: 'client', trustStore: alone }).valid)
      return undefined;
    return whyNot(judge(certificate, { purpose: 'client', trustStore }));
  };
  const whyCa = (ca: Certificate): string | undefined => {
    if (trust.anchors.some((anchor) => isSameCa(anchor, ca))) return undefined;
    // However often it was issued anew, by others too.
    const same = (trust.between.bySubject.get(ca.subject.key) ?? []).filter((one) => isSameCa(one, ca));
    const all = [ca, ...same].map((one) => whyNot(judge(one, { purpose: 'any', trustStore })));
    if (all.includes(undefined)) return undefined;
    return ca.isSelfSigned() ? `${formatName(ca.subject)} issued itself, and is not in there` : all[0];
  };
  for (const { entry } of trust.clients) {
    const isOne = entry.kind === 'certificate';
    const certificates = isOne ? [entry.certificate] : entry.kind === 'ca' ? (entry.cas ?? []) : [];
    const [why, ...others] = certificates.map(isOne ? whyCertificate : whyCa);
    if (why === undefined || others.includes(undefined)) continue;
    warn(
      placeOf(entry, own),
      `alias "${entry.alias}": nothing known here leads from its ${isOne ? 'certificate' : 'CA'} up to router.downstream.tls.trustedCertPath (${why}): every request with it is refused, unless CA certificates that do come along with it; add its CA to trustedCertPath, or those between to intermediatesPath`,
    );
  }
}

const anchorsOf = (kind: Anchor['kind'], certificates: readonly Certificate[]): readonly Anchor[] =>
  certificates.map((certificate) => ({ kind, certificate }));

const whyNot = (verdict: PathVerdict): string | undefined =>
  verdict.valid ? undefined : `${verdict.code}: ${verdict.detail}`;

/** What comes of foreign files has no line here. */
function placeOf({ scope, index }: ClientEntry, { clients, apis }: Reviewed['own']): Path {
  const [api, operation] = scope.split('.').map(Number);
  if (scope !== '' && api! >= apis.length) return ['definitions'];
  const whose =
    scope === '' ? [] : ['apis', api!, ...(operation === undefined ? [] : ['operations', operation])];
  const of =
    scope === '' ? { clients } : operation === undefined ? apis[api!]! : apis[api!]!.operations[operation]!;
  const written = of.clients?.[index];
  const key = (['file', 'pem', 'caFile', 'caPem', 'issuer'] as const).find(
    (key) => written?.[key] !== undefined,
  );
  return [...whose, 'clients', index, ...(key === undefined ? [] : [key])];
}
