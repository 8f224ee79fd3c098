import { createSecureContext } from 'node:tls';
import { FileProblem, readText } from '../documents/files.ts';
import { type Certificate, CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { PemError, parsePem } from '../pki/containers/pem.ts';

/**
 * The one certificate of a PEM file.
 * @throws FileProblem: unreadable, empty, several certificates, a private key, or no readable certificate
 */
export const readOneCertificate = (path: string): Certificate => certificateIn(readText(path));

/**
 * The one certificate of a PEM text.
 * @throws FileProblem: as above
 */
export function certificateIn(pem: string): Certificate {
  const { certificates, broken } = bundleIn(pem);
  if (broken.length > 0) throw new FileProblem(broken[0]!);
  if (certificates.length > 1) {
    throw new FileProblem(
      `has ${certificates.length} certificates where one belongs; write each into its own file`,
    );
  }
  return certificates[0]!;
}

export type Bundle = {
  /** At least one, unless all are broken. */
  readonly certificates: readonly Certificate[];
  /** What is wrong with those that could not be read. */
  readonly broken: readonly string[];
};

/** @throws FileProblem: unreadable, not PEM, empty, or with a private key in it */
export const readBundle = (path: string): Bundle => bundleIn(readText(path));

function bundleIn(pem: string): Bundle {
  const certificates: Certificate[] = [];
  const broken: string[] = [];
  for (const { label, der, line } of pemBlocks(pem)) {
    if (label.includes('PRIVATE KEY')) {
      throw new FileProblem(
        `has a private key in it (line ${line}); take it out, a certificate file needs none, and treat the key as leaked if others can read this file`,
      );
    }
    if (label !== 'CERTIFICATE' && label !== 'X509 CERTIFICATE' && label !== 'TRUSTED CERTIFICATE') continue;
    try {
      certificates.push(readCertificate(der));
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      broken.push(`has a certificate that can't be read (line ${line}): ${error.code}, ${error.detail}`);
    }
  }
  if (certificates.length + broken.length === 0) {
    throw new FileProblem(
      'has no certificate in it; it needs a block from "-----BEGIN CERTIFICATE-----" to its END',
    );
  }
  return { certificates, broken };
}

export type KeyPair = { readonly certificatePem: string; readonly privateKeyPem: string };

/** @throws FileProblem: either is unreadable, or they don't belong together */
export function readKeyPair(certPath: string, keyPath: string): KeyPair {
  const pair = { certificatePem: readText(certPath), privateKeyPem: readText(keyPath) };
  try {
    createSecureContext({ cert: pair.certificatePem, key: pair.privateKeyPem });
  } catch (error) {
    throw new FileProblem(`does not make a key pair with keyPath: ${(error as Error).message}`);
  }
  return pair;
}

function pemBlocks(text: string): ReturnType<typeof parsePem> {
  if (text.trim() === '') throw new FileProblem('is empty; it needs a PEM certificate');
  try {
    return parsePem(text);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw new FileProblem(`is not PEM (line ${error.line}): ${error.message}`);
  }
}
