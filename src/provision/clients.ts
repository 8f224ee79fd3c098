import { type ClientRule, type SubjectRule, subjectAttributes, wholeSubject } from '../apis/client-rule.ts';
import type { Term } from '../apis/security.ts';
import { defaultLimits, peerLimits } from '../client-certificate/formats/reading.ts';
import { shown } from '../config/problem.ts';
import type { Config } from '../config/schema/config.ts';
import { pemOf } from '../definitions/pem-clients.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { type Attribute, formatName } from '../pki/certificate/name.ts';
import { keysOf, parseAttribute, parseNameText } from '../pki/certificate/name-text.ts';
import { inapplicableConstraints } from '../pki/path/name-constraints.ts';
import { defaultPolicy } from '../pki/path/path-options.ts';
import { validatePath } from '../pki/path/path-validation.ts';
import { createTrustStore } from '../pki/path/trust-store.ts';
import type { Findings } from './findings.ts';
import { type Strength, warnAboutLeniency } from './leniency.ts';
import { certificateIn, readBundle } from './pem-files.ts';
import type { Sliced } from './slices.ts';
import type { ClientEntry } from './trust.ts';

type Written = Partial<Config['clients'][number]> & { readonly alias: string };
type Path = readonly PropertyKey[];

/** The CAs that `issuer` may name; none are trusted where there is no trustedCertPath. */
export type Cas = {
  readonly trusted: readonly Certificate[] | undefined;
  readonly intermediates: readonly Certificate[];
  /** What is accepted of all certificates; undefined: nothing unusual. */
  readonly strength?: Strength;
  /** The one certificate of a text, or of a file. @throws FileProblem */
  readonly readOne?: (content: string | Uint8Array) => Certificate;
};

/**
 * `[[clients]]`, or `[[senders]]`, with their files read. A broken entry is reported and left out.
 *
 * @param at where the list stands in config.toml
 * @param scope '' for those that any API may name; else whose own they are
 * @param cas those of trustedCertPath and intermediatesPath, which `issuer` may name
 */
export function* readClients(
  at: Path,
  scope: string,
  written: readonly Written[],
  cas: Cas,
  findings: Findings,
  now: number,
): Sliced<readonly ClientEntry[]> {
  checkAliases(at, written, findings);
  const entries: ClientEntry[] = [];
  for (const [index, client] of written.entries()) {
    const path = [...at, index];
    const what = readKind(client, path, cas, findings, now);
    yield;
    if (what === undefined) continue;
    const term = readTerm(client, path, findings, now);
    if (term !== undefined) checkTerm(term, what, path, findings);
    entries.push({ scope, alias: client.alias, tier: client.tier, term, index, ...what });
  }
  return entries;
}

/** An alias may have several entries, all of one tier and spelt alike. */
function checkAliases(at: Path, written: readonly Written[], findings: Findings): void {
  const seen = new Map<string, Written>();
  written.forEach((client, i) => {
    const first = seen.get(client.alias.toLowerCase());
    if (first === undefined) {
      seen.set(client.alias.toLowerCase(), client);
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
  });
}

type Kind =
  | Pick<Extract<ClientEntry, { kind: 'certificate' }>, 'kind' | 'certificate'>
  | Pick<Extract<ClientEntry, { kind: 'fingerprints' }>, 'kind' | 'fingerprints'>
  | Pick<
      Extract<ClientEntry, { kind: 'ca' }>,
      'kind' | 'cas' | 'isAnchor' | 'rule' | 'words' | 'certificates'
    >;

/** The keys by which an entry can be known; exactly one must be there, but for rules, which need a CA beside them. */
const nameKeys = ['subject', 'dns', 'email', 'uri', 'spiffe'] as const;

function readKind(client: Written, at: Path, cas: Cas, findings: Findings, now: number): Kind | undefined {
  const { alias, file, caFile, pem, caPem, issuer, fingerprints } = client;
  const names = nameKeys.filter((key) => client[key] !== undefined);
  const ruleKeys = [...names, ...(client.spki ? (['spki'] as const) : [])];
  const ways = (['file', 'pem', 'fingerprints', 'caFile', 'caPem', 'issuer'] as const).filter(
    (key) => client[key] !== undefined,
  );
  if (ways.length > 1) {
    findings.error(
      at,
      `alias "${alias}" has both ${ways.join(' and ')}; write one of them, and a second entry for the other`,
    );
    return undefined;
  }
  if ((file ?? pem ?? fingerprints) !== undefined && ruleKeys.length > 0) {
    findings.error(
      [...at, ruleKeys[0]!],
      `found beside ${ways[0]}, which already means exactly one certificate; leave ${ruleKeys.join(', ')} out, or write caFile`,
    );
    return undefined;
  }
  if (client.certificates !== undefined && caFile === undefined && caPem === undefined) {
    findings.error(
      [...at, 'certificates'],
      `found where there is no caFile; it tells what is taken for the sake of one CA: write caFile = "…", or [enforcer.security.certificates] for all`,
    );
    return undefined;
  }
  if (fingerprints !== undefined) return { kind: 'fingerprints', fingerprints };
  if (file !== undefined || pem !== undefined) {
    const [key, certificate] = readNamed(['file', file], ['pem', pem], at, cas, findings);
    if (certificate === undefined) return undefined;
    warnAboutDates(certificate, `alias "${alias}"`, [...at, key], findings, now);
    warnAboutUse(certificate, cas.strength, alias, [...at, key], findings);
    return { kind: 'certificate', certificate };
  }
  const rule = ruleKeys.length > 0 ? readRule(client, at, findings) : undefined;
  const words = Object.fromEntries(ruleKeys.map((key) => [key, JSON.stringify(client[key])]));
  if (caFile !== undefined || caPem !== undefined) {
    const ca = readCa(client, at, cas, findings, now);
    if (client.certificates !== undefined)
      warnAboutLeniency(client.certificates, `alias "${alias}": `, [...at, 'certificates'], findings);
    return ca && { kind: 'ca', cas: [ca], isAnchor: true, rule, words, certificates: client.certificates };
  }
  if (issuer !== undefined) {
    const named = findCas(issuer, at, cas, findings);
    return named && { kind: 'ca', cas: named, isAnchor: false, rule, words };
  }
  if (names.length > 0) {
    findings.error(
      [...at, names[0]!],
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

/** A certificate by the path of a file, or as it stands there. */
function readNamed<Key extends string>(
  [fileKey, file]: readonly [Key, string | undefined],
  [textKey, text]: readonly [Key, string | undefined],
  at: Path,
  { readOne = certificateIn }: Cas,
  findings: Findings,
): readonly [key: Key, certificate: Certificate | undefined] {
  return file === undefined
    ? [textKey, findings.text([...at, textKey], text ?? '', readOne)]
    : [fileKey, findings.file([...at, fileKey], file, readOne)];
}

function readCa(
  { alias, caFile, caPem }: Written,
  at: Path,
  cas: Cas,
  findings: Findings,
  now: number,
): Certificate | undefined {
  const [key, certificate] = readNamed(['caFile', caFile], ['caPem', caPem], at, cas, findings);
  if (certificate === undefined) return undefined;
  if (!issuesCertificates(certificate)) {
    findings.error(
      [...at, key],
      `found ${formatName(certificate.subject)}, which is no CA (it needs basicConstraints CA:TRUE, and keyCertSign where it has keyUsage); write file = "…" to admit exactly this certificate`,
    );
    return undefined;
  }
  warnAboutDates(certificate, `alias "${alias}"`, [...at, key], findings, now);
  warnAboutConstraints(certificate, [...at, key], findings);
  return certificate;
}

/** All CAs of that name: a CA may have been issued anew. */
function findCas(
  issuer: string,
  at: Path,
  { trusted, intermediates }: Cas,
  findings: Findings,
): readonly Certificate[] | undefined {
  const wanted = parseNameText(issuer);
  if (!wanted.ok || trusted === undefined) {
    findings.error(
      [...at, 'issuer'],
      trusted === undefined
        ? `found ${shown(issuer)}, but no trusted CA to look for it among; set router.downstream.tls.trustedCertPath, or write caFile = "…"`
        : `found ${shown(issuer)}; ${wanted.ok ? '' : wanted.problem}`,
    );
    return undefined;
  }
  const all = [...trusted, ...intermediates];
  const keys = keysOf(wanted);
  const named = all.filter(({ subject }) => keys.has(subject.key));
  if (named.length > 0) return named;
  const known = [...new Set(all.map(({ subject }) => formatName(subject)))].slice(0, 5).join('; ');
  findings.error(
    [...at, 'issuer'],
    `found ${shown(issuer)}, which no CA of trustedCertPath and intermediatesPath is called; there are: ${known}`,
  );
  return undefined;
}

function readRule(client: Written, at: Path, findings: Findings): ClientRule {
  const { spki, dns, email, uri, spiffe } = client;
  if (spiffe !== undefined && uri?.every((pattern) => !/^spiffe:/i.test(pattern)))
    findings.error(
      [...at, 'uri'],
      'found beside spiffe, whose ID is the only URI that a certificate may have; leave one of them out',
    );
  return {
    spki: spki && new Set(spki),
    subject: readSubject(client.subject, at, findings),
    dns,
    email,
    uri,
    spiffe,
  };
}

function readSubject(subject: Written['subject'], at: Path, findings: Findings): SubjectRule | undefined {
  if (subject === undefined) return undefined;
  if (typeof subject === 'string') {
    const name = parseNameText(subject);
    if (name.ok) return wholeSubject(name);
    findings.error([...at, 'subject'], `found ${shown(subject)}; ${name.problem}`);
    return undefined;
  }
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(subject)) {
    const key = [...at, 'subject', name];
    const read = parseAttribute(name, value);
    if (!read.ok) findings.error(key, read.problem);
    else if (attributes.has(read.attribute.type))
      findings.error(key, 'is there a second time under another of its names; leave one out');
    else attributes.set(read.attribute.type, read.attribute);
  }
  return subjectAttributes([...attributes.values()]);
}

function readTerm(
  { disabled, notBefore, notAfter }: Written,
  at: Path,
  findings: Findings,
  now: number,
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
      `this entry ended on ${new Date(term.notAfter).toISOString()}; its certificates are refused`,
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
  const [from, to] = [first.notBefore, first.notAfter].map((instant) => new Date(instant).toISOString());
  findings.error(
    [...at, term.notBefore > first.notAfter ? 'notBefore' : 'notAfter'],
    `the certificate is valid from ${from} to ${to}, and this entry counts at another time; write a date in between, or the certificate that is meant`,
  );
}

/** Certificates that all paths must end at, and such as help to build one. Broken ones are left out, and told. */
export function readCas(
  path: readonly PropertyKey[],
  name: string | undefined,
  findings: Findings,
  now: number,
): readonly Certificate[] | undefined {
  if (name === undefined) return undefined;
  const bundle = findings.file(path, name, readBundle);
  if (bundle === undefined) return undefined;
  for (const message of bundle.broken) findings.warn(path, `${message}; it is left out`);
  const cas = bundle.certificates.filter((certificate) => {
    if (!issuesCertificates(certificate)) {
      findings.warn(path, `has ${formatName(certificate.subject)}, which is no CA; it is left out`);
      return false;
    }
    warnAboutDates(certificate, formatName(certificate.subject), path, findings, now);
    warnAboutConstraints(certificate, path, findings);
    return true;
  });
  if (cas.length === 0)
    findings.error(path, `found ${JSON.stringify(name)}, which has no usable CA certificate in it`);
  return cas;
}

const issuesCertificates = (certificate: Certificate): boolean =>
  certificate.isCa && (certificate.keyUsage === undefined || certificate.keyUsage.has('keyCertSign'));

/** Not an error: the others go on working, and a certificate that is not yet valid may be there on purpose. */
function warnAboutDates(
  certificate: Certificate,
  whose: string,
  path: readonly PropertyKey[],
  findings: Findings,
  now: number,
): void {
  const day = (instant: number): string => new Date(instant).toISOString();
  if (now > certificate.notAfter)
    findings.warn(
      path,
      `${whose}: the certificate expired on ${day(certificate.notAfter)}; every request with it is refused`,
    );
  if (now < certificate.notBefore)
    findings.warn(
      path,
      `${whose}: the certificate is not valid before ${day(certificate.notBefore)}; until then every request with it is refused`,
    );
}

/** RFC 5280 lets nothing pass under a constraint that can't be applied; others who read it guess what was meant. */
function warnAboutConstraints(ca: Certificate, path: Path, findings: Findings): void {
  const { nameConstraints } = ca.values;
  const wrong = nameConstraints === undefined ? [] : inapplicableConstraints(nameConstraints);
  if (wrong.length > 0)
    findings.warn(
      path,
      `${formatName(ca.subject)} constrains names in a way that can not be applied (${wrong.slice(0, 5).join(', ')}): every certificate below it that has a name of that form is refused, with name_constraint_unsupported; RFC 5280 4.2.1.10 wants DNS constraints without a leading dot; have the CA certificate issued anew`,
    );
}

/** What will be refused at each request, however it is trusted: another purpose, a weak key. */
function warnAboutUse(
  certificate: Certificate,
  strength: Strength | undefined,
  alias: string,
  path: Path,
  findings: Findings,
): void {
  const by = JSON.stringify(strength);
  const known = useless.get(certificate);
  const why = known?.by === by ? known.why : whyUseless(certificate, strength);
  useless.set(certificate, { by, why });
  if (why !== '') findings.warn(path, `alias "${alias}": ${why}; every request with it is refused`);
}

/**
 * A header has to hold the certificate, percent-encoded as a rule; a TLS handshake takes more. One with hundreds of names
 * is larger than either.
 */
export function warnAboutSize(clients: readonly ClientEntry[], config: Config, findings: Findings): void {
  const { enableClientValidation, sources } = config.enforcer.security.mutualSSL;
  const inHeader = !enableClientValidation || sources.some(({ format }) => format !== 'peer');
  const { certificateLength: longest } = inHeader ? defaultLimits : peerLimits;
  for (const entry of clients) {
    if (entry.kind !== 'certificate') continue;
    const { length } = encodeURIComponent(pemOf(entry.certificate.der));
    if (length > longest)
      findings.warn(
        ['clients', entry.index],
        `alias "${entry.alias}": its certificate takes ${length} characters, percent-encoded, and at most ${longest} are read${inHeader ? ' of a header' : ''}: every request with it is refused${inHeader ? ', unless it comes over TLS or in a shorter format' : ''}`,
      );
  }
}

/** Once a certificate, not once an API and reload. */
const useless = new WeakMap<Certificate, { readonly by: string | undefined; readonly why: string }>();

function whyUseless(certificate: Certificate, strength: Strength = defaultPolicy): string {
  const trustStore = createTrustStore({ anchors: [{ kind: 'pinned', certificate }] });
  const verdict = validatePath(certificate, {
    weakAlgorithms: strength.weakAlgorithms,
    anyExtendedKeyUsage: strength.anyExtendedKeyUsage,
    trustStore,
    intermediates: [],
    now: certificate.notBefore,
  });
  return verdict.valid ? '' : `${verdict.code}: ${verdict.detail}`;
}
