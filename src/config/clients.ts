import type { Certificate } from '../pki/certificate.ts';
import { formatName } from '../pki/name.ts';
import type { Findings } from './findings.ts';
import { readBundle, readOneCertificate } from './pem-files.ts';
import type { ClientEntry } from './trust.ts';

type Written = {
  readonly alias: string;
  readonly file?: string | undefined;
  readonly caFile?: string | undefined;
  readonly tier?: string | undefined;
};

/**
 * `[[clients]]`, or `[[senders]]`, with their files read. A broken entry is reported and left out.
 *
 * @param at where the list stands in config.toml
 */
export function readClients(
  at: readonly PropertyKey[],
  written: readonly Written[],
  findings: Findings,
  now: number,
): readonly ClientEntry[] {
  const entries: ClientEntry[] = [];
  const seen = new Map<string, string>();
  written.forEach((client, i) => {
    const known = seen.get(client.alias.toLowerCase());
    if (known !== undefined) {
      findings.error(
        [...at, i, 'alias'],
        known === client.alias
          ? `found "${client.alias}" a second time; write one entry for each alias`
          : `found "${client.alias}", which differs from "${known}" by case only; aliases are compared without case, so rename one`,
      );
      return;
    }
    seen.set(client.alias.toLowerCase(), client.alias);
    const entry = readClient(client, [...at, i], findings);
    if (entry === undefined) return;
    warnAboutDates(
      entry.certificate,
      `alias "${entry.alias}"`,
      [...at, i, entry.kind === 'ca' ? 'caFile' : 'file'],
      findings,
      now,
    );
    entries.push(entry);
  });
  return entries;
}

function readClient(
  client: Written,
  at: readonly PropertyKey[],
  findings: Findings,
): ClientEntry | undefined {
  const { alias, tier, file, caFile } = client;
  if ((file === undefined) === (caFile === undefined)) {
    findings.error(
      at,
      file === undefined
        ? `alias "${alias}" names no certificate; write file = "…" (exactly this one) or caFile = "…" (every client of this CA)`
        : `alias "${alias}" has both file and caFile; write one of them, and a second alias for the other`,
    );
    return undefined;
  }
  const key = file === undefined ? 'caFile' : 'file';
  const certificate = findings.file([...at, key], (file ?? caFile)!, readOneCertificate);
  if (certificate === undefined) return undefined;
  if (key === 'caFile' && !issuesCertificates(certificate)) {
    findings.error(
      [...at, 'caFile'],
      `found ${formatName(certificate.subject)}, which is no CA (it needs basicConstraints CA:TRUE, and keyCertSign where it has keyUsage); write file = "…" to admit exactly this certificate`,
    );
    return undefined;
  }
  return { alias, tier, kind: key === 'caFile' ? 'ca' : 'certificate', certificate };
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
