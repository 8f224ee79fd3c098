import type { Term } from '../apis/security.ts';
import type { Path } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { type ClientReading, findCas, issuesCertificates } from './cas.ts';
import { warnAboutConstraints, warnAboutDates, warnAboutUse } from './certificate-warnings.ts';
import { readRule } from './client-rules.ts';
import { instant } from './dates.ts';
import { scopeOf } from './directory.ts';
import type { Findings, ReadingCircumstances } from './findings.ts';
import { checkBeyond, warnAboutLeniency } from './leniency.ts';
import { certificateIn } from './pem-files.ts';
import type { Sliced } from './slices.ts';
import type { ClientEntry } from './trust.ts';

type Written = Partial<Config['clients'][number]> & { readonly alias: string };
/** `[[clients]]`, an API's own, or `[[senders]]`. */
type ClientList = {
  readonly entries: readonly Written[];
  /** Where it stands in config.toml. */
  readonly at: Path;
  /** '' for those that any API may name; else whose own they are. */
  readonly scope: string;
};

/** The entries of a list with their files read. A broken one is reported and left out. */
export function* readClients(
  { entries, at, scope }: ClientList,
  reading: ClientReading,
): Sliced<readonly ClientEntry[]> {
  const { findings } = reading;
  yield* checkAliases(at, entries, findings);
  const read: ClientEntry[] = [];
  for (const [index, client] of entries.entries()) {
    const path = [...at, index];
    const what = readKind(client, path, reading);
    yield;
    if (what === undefined) continue;
    const term = readTerm(client, path, reading);
    if (term !== undefined) checkTerm(term, what, path, findings);
    read.push({ scope, alias: client.alias, tier: client.tier, term, index, ...what });
  }
  return read;
}

/** Clients that only one API, or one of its operations, knows. */
export function* readOwnClients({ apis }: Config, reading: ClientReading): Sliced<ClientEntry[]> {
  const entries: ClientEntry[] = [];
  for (const [i, { clients, operations }] of apis.entries()) {
    yield;
    const own = { entries: clients, at: ['apis', i, 'clients'], scope: scopeOf(i) };
    entries.push(...(yield* readClients(own, reading)));
    for (const [j, { clients = [] }] of operations.entries()) {
      const at = ['apis', i, 'operations', j, 'clients'];
      entries.push(...(yield* readClients({ entries: clients, at, scope: scopeOf(i, j) }, reading)));
    }
  }
  return entries;
}

/** An alias may have several entries, all of one tier and spelt alike. */
function* checkAliases(at: Path, written: readonly Written[], findings: Findings): Sliced<void> {
  const seen = new Map<string, Written>();
  for (const [i, client] of written.entries()) {
    yield;
    const alias = client.alias.toLowerCase();
    const first = seen.get(alias);
    if (first === undefined) {
      seen.set(alias, client);
    } else if (first.alias !== client.alias) {
      findings.error(
        [...at, i, 'alias'],
        `found "${client.alias}", which differs from "${first.alias}" by case only; aliases are compared without case, so rename one`,
      );
    } else if (first.tier !== client.tier) {
      findings.error(
        [...at, i, 'tier'],
        `alias "${client.alias}" has tier ${JSON.stringify(client.tier ?? '')} here and ${JSON.stringify(first.tier ?? '')} in an entry before; write the same in both`,
      );
    }
  }
}

type Kind =
  | Pick<Extract<ClientEntry, { kind: 'certificate' }>, 'kind' | 'certificate'>
  | Pick<Extract<ClientEntry, { kind: 'fingerprints' }>, 'kind' | 'fingerprints'>
  | Pick<
      Extract<ClientEntry, { kind: 'ca' }>,
      'kind' | 'cas' | 'isAnchor' | 'rule' | 'words' | 'certificates' | 'revocation'
    >;

/** What anybody may write into a certificate: worth something beside a CA only. */
const nameKeys = ['subject', 'dns', 'email', 'uri', 'spiffe'] as const;
/** What says whose certificate is meant: exactly one must be there. */
const certificateKeys = ['file', 'pem', 'fingerprints', 'caFile', 'caPem', 'issuer'] as const;

const ruleKeysOf = (client: Written): readonly (keyof Written)[] =>
  ([...nameKeys, 'spki'] as const).filter((key) => client[key] !== undefined);

function readKind(client: Written, at: Path, reading: ClientReading): Kind | undefined {
  const { findings, cas } = reading;
  const { alias, issuer, fingerprints } = client;
  if (!addsUp(client, at, findings)) return undefined;
  if (fingerprints !== undefined) return { kind: 'fingerprints', fingerprints };
  if ((client.file ?? client.pem) !== undefined) return readExact(client, at, reading);
  const ruleKeys = ruleKeysOf(client);
  const rule = ruleKeys.length > 0 ? readRule(client, at, findings) : undefined;
  const words = Object.fromEntries(ruleKeys.map((key) => [key, JSON.stringify(client[key])]));
  if ((client.caFile ?? client.caPem) !== undefined) {
    const ca = readCa(client, at, reading);
    const { certificates } = client;
    if (certificates !== undefined) {
      checkBeyond(certificates, cas.strength, [...at, 'certificates'], findings);
      warnAboutLeniency(certificates, `alias "${alias}": `, [...at, 'certificates'], findings);
    }
    const revocation = client.revocation && { written: client.revocation, at: [...at, 'revocation'] };
    return ca && { kind: 'ca', cas: [ca], isAnchor: true, rule, words, certificates, revocation };
  }
  if (issuer !== undefined) {
    const named = findCas(issuer, at, reading);
    return named && { kind: 'ca', cas: named, isAnchor: false, rule, words };
  }
  const name = nameKeys.find((key) => client[key] !== undefined);
  if (name !== undefined) {
    findings.error(
      [...at, name],
      `alias "${alias}" is only a name, and anyone can write any name into a certificate; write caFile = "…" or issuer = "…" beside it`,
    );
    return undefined;
  }
  if (client.spki !== undefined && cas.trusted !== undefined)
    return { kind: 'ca', cas: undefined, isAnchor: false, rule, words };
  findings.error(
    at,
    client.spki !== undefined
      ? `alias "${alias}" is only a key, whose holder can sign himself any certificate; write caFile = "…" or issuer = "…" beside it, or set trustedCertPath`
      : `alias "${alias}" names no certificate; write file = "…" (exactly this one) or caFile = "…" (every client of this CA)`,
  );
  return undefined;
}

/** Whether its keys may stand beside each other: what can be read in two ways would let in more than its author meant. */
function addsUp(client: Written, at: Path, findings: Findings): boolean {
  const [first, ...others] = certificateKeys.filter((key) => client[key] !== undefined);
  const ruleKeys = ruleKeysOf(client);
  if (first !== undefined && others.length > 0) {
    findings.error(
      at,
      `alias "${client.alias}" has both ${[first, ...others].join(' and ')}; write one of them, and a second entry for the other`,
    );
    return false;
  }
  const isExact = first === 'file' || first === 'pem' || first === 'fingerprints';
  if (isExact && ruleKeys.length > 0) {
    findings.error(
      [...at, ruleKeys[0]!],
      `found beside ${first}, which already means exactly one certificate; leave ${ruleKeys.join(', ')} out, or write caFile`,
    );
    return false;
  }
  for (const key of ['certificates', 'revocation'] as const) {
    if (client[key] === undefined || first === 'caFile' || first === 'caPem') continue;
    findings.error(
      [...at, key],
      `found where there is no caFile; it tells what ${key === 'certificates' ? 'is taken for the sake of' : 'goes for'} one CA: write caFile = "…", or [enforcer.security.${key}] for all`,
    );
    return false;
  }
  return true;
}

/** Exactly this certificate, whoever issued it. */
function readExact(client: Written, at: Path, reading: ClientReading): Kind | undefined {
  const [key, certificate] = readNamed(['file', client.file], ['pem', client.pem], at, reading);
  if (certificate === undefined) return undefined;
  const { findings, cas } = reading;
  const [whose, path] = [`alias "${client.alias}"`, [...at, key]];
  warnAboutDates(certificate, whose, path, reading);
  warnAboutUse(certificate, whose, path, { findings, strength: cas.strength });
  return { kind: 'certificate', certificate };
}

function readCa(
  { alias, caFile, caPem }: Written,
  at: Path,
  reading: ClientReading,
): Certificate | undefined {
  const [key, certificate] = readNamed(['caFile', caFile], ['caPem', caPem], at, reading);
  if (certificate === undefined) return undefined;
  if (!issuesCertificates(certificate)) {
    reading.findings.error(
      [...at, key],
      `found ${formatName(certificate.subject)}, which is no CA (it needs basicConstraints CA:TRUE, and keyCertSign where it has keyUsage); write file = "…" to admit exactly this certificate`,
    );
    return undefined;
  }
  warnAboutDates(certificate, `alias "${alias}"`, [...at, key], reading);
  warnAboutConstraints(certificate, [...at, key], reading.findings);
  return certificate;
}

/** A certificate by the path of a file, or as it stands there. */
function readNamed<Key extends string>(
  [fileKey, file]: readonly [Key, string | undefined],
  [textKey, text]: readonly [Key, string | undefined],
  at: Path,
  { findings, cas: { readOne = certificateIn } }: ClientReading,
): readonly [key: Key, certificate: Certificate | undefined] {
  return file === undefined
    ? [textKey, findings.text([...at, textKey], text ?? '', readOne)]
    : [fileKey, findings.file([...at, fileKey], file, readOne)];
}

function readTerm(
  { disabled, notBefore, notAfter }: Written,
  at: Path,
  { findings, now }: ReadingCircumstances,
): Term | undefined {
  if (!disabled && notBefore === undefined && notAfter === undefined) return undefined;
  const term = {
    disabled: disabled === true,
    notBefore: notBefore?.getTime() ?? -Infinity,
    notAfter: notAfter?.getTime() ?? Infinity,
  };
  if (term.notBefore > term.notAfter)
    findings.error([...at, 'notAfter'], 'found a date before notBefore; write a later one');
  else if (now > term.notAfter)
    findings.warn(
      [...at, 'notAfter'],
      `this entry ended on ${instant(term.notAfter)}; its certificates are refused`,
    );
  return term;
}

/** An entry that begins when its certificate has ended, or the other way round, never counts. */
function checkTerm(term: Term, entry: Kind, at: Path, findings: Findings): void {
  const certificates =
    entry.kind === 'certificate' ? [entry.certificate] : entry.kind === 'ca' ? (entry.cas ?? []) : [];
  const isEver = certificates.some(
    ({ notBefore, notAfter }) => term.notBefore <= notAfter && term.notAfter >= notBefore,
  );
  const [first] = certificates;
  if (first === undefined || isEver || term.notBefore > term.notAfter) return;
  const [from, to] = [instant(first.notBefore), instant(first.notAfter)];
  findings.error(
    [...at, term.notBefore > first.notAfter ? 'notBefore' : 'notAfter'],
    `the certificate is valid from ${from} to ${to}, and this entry counts at another time; write a date in between, or the certificate that is meant`,
  );
}
