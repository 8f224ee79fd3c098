import { X509Certificate } from 'node:crypto';
import { pemOf } from '../definitions/pem-clients.ts';
import { FileProblem } from '../documents/files.ts';
import { type Certificate, CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { readCertificateFile } from '../pki/containers/certificate-file.ts';
import { reason } from './key-pair.ts';

/**
 * The one certificate of a text, or of a file's bytes.
 * @throws FileProblem: empty, several certificates, a private key, or no readable certificate
 */
export function certificateIn(content: string | Uint8Array): Certificate {
  const { certificates, broken } = readBundle(content);
  if (broken.length > 0) throw new FileProblem(broken[0]!);
  if (certificates.length > 1) {
    throw new FileProblem(
      `has ${certificates.length} certificates where one belongs; write each into its own file`,
    );
  }
  return certificates[0]!;
}

type Bundle = {
  /** At least one, unless all are broken. */
  readonly certificates: readonly Certificate[];
  /** What is wrong with those that could not be read. */
  readonly broken: readonly string[];
};

/**
 * A bundle for TLS, which takes PEM only, and has its own mind about what a certificate is.
 * @throws FileProblem: unreadable, without certificates, or with a private key in it
 */
export function readPemBundle(content: Buffer): string {
  const found = readCertificateFile(content);
  if (!found.ok) throw new FileProblem(found.problem);
  if (found.faults[0] !== undefined) throw new FileProblem(found.faults[0]);
  return found.certificates
    .map(({ der, line }) => {
      try {
        new X509Certificate(der);
      } catch (error) {
        // It would be passed over in silence, and others be the only ones that count.
        throw new FileProblem(
          `has a certificate that TLS can't read (${reason(error)}); write another in its place`,
          line,
        );
      }
      return pemOf(der);
    })
    .join('');
}

/** @throws FileProblem: unreadable, without certificates, or with a private key in it */
export function readBundle(content: string | Uint8Array): Bundle {
  const found = readCertificateFile(content);
  if (!found.ok) throw new FileProblem(found.problem);
  const certificates: Certificate[] = [];
  const broken = [...found.faults];
  for (const { der, line } of found.certificates) {
    try {
      certificates.push(readCertificate(der));
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      broken.push(`has a certificate that can't be read (line ${line}): ${error.code}, ${error.detail}`);
    }
  }
  return { certificates, broken };
}
