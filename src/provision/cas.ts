import { type Path, shown } from '../config/problem.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { formatName } from '../pki/certificate/name.ts';
import { keysOf, parseNameText } from '../pki/certificate/name-text.ts';
import type { Leniency } from '../pki/path/path-options.ts';
import { warnAboutConstraints, warnAboutDates, warnAboutExpiredCas } from './certificate-warnings.ts';
import type { ReadingCircumstances } from './findings.ts';
import { readBundle } from './pem-files.ts';

/** The CAs that `issuer` may name; none are trusted where there is no trustedCertPath. */
type Cas = {
  readonly trusted: readonly Certificate[] | undefined;
  readonly intermediates: readonly Certificate[];
  /** What is accepted of all certificates. */
  readonly strength: Leniency;
  /** The one certificate of a text, or of a file. @throws FileProblem */
  readonly readOne?: (content: string | Uint8Array) => Certificate;
};

/** What entries are read with. */
export type ClientReading = ReadingCircumstances & { readonly cas: Cas };

/** Certificates that all paths must end at, and such as help to build one. Broken ones are left out, and told. */
export function readCas(
  path: Path,
  name: string | undefined,
  reading: ReadingCircumstances,
): readonly Certificate[] | undefined {
  if (name === undefined) return undefined;
  const { findings } = reading;
  const bundle = findings.file(path, name, readBundle);
  if (bundle === undefined) return undefined;
  for (const message of bundle.broken) findings.warn(path, `${message}; it is left out`);
  const cas = bundle.certificates.filter((certificate) => {
    if (!issuesCertificates(certificate)) {
      findings.warn(path, `has ${formatName(certificate.subject)}, which is no CA; it is left out`);
      return false;
    }
    if (reading.now <= certificate.notAfter)
      warnAboutDates(certificate, formatName(certificate.subject), path, reading);
    warnAboutConstraints(certificate, path, findings);
    return true;
  });
  warnAboutExpiredCas(cas, path, reading);
  if (cas.length === 0)
    findings.error(path, `found ${JSON.stringify(name)}, which has no usable CA certificate in it`);
  return cas;
}

export const issuesCertificates = (certificate: Certificate): boolean =>
  certificate.isCa && (certificate.keyUsage === undefined || certificate.keyUsage.has('keyCertSign'));

/** All CAs of that name: a CA may have been issued anew. */
export function findCas(
  issuer: string,
  at: Path,
  { findings, cas: { trusted, intermediates } }: ClientReading,
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
