import type { Cursor } from '../documents/cursor.ts';
import { CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { readCertificateFile } from '../pki/containers/certificate-file.ts';
import type { WrittenClient } from './written.ts';

/** Each certificate of a file or text is a client of its own: the second one’s alias ends in `#2`. */
export function clientsAt(at: Cursor, content: string | Uint8Array, alias: string): readonly WrittenClient[] {
  const ders = certificatesIn(content);
  if (typeof ders !== 'string')
    return ders.map((der, i) => ({ alias: i === 0 ? alias : `${alias}#${i + 1}`, pem: pemOf(der) }));
  at.error(ders);
  return [];
}

/** The certificates of a file or text as DER, at least one; or what is wrong with it. */
export function certificatesIn(content: string | Uint8Array): readonly Uint8Array[] | string {
  const found = readCertificateFile(content);
  if (!found.ok) return found.problem;
  return found.faults[0] ?? found.certificates.map(({ der }) => der);
}

/** Why a certificate can't be read; undefined: it can. */
export function certificateProblem(der: Uint8Array): string | undefined {
  try {
    readCertificate(der);
    return undefined;
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return `${error.code}, ${error.detail}`;
  }
}

/** Of a client's certificate with the CAs above it behind it, as CAs hand it out, the client's: it alone is meant. */
export function withoutIssuers(ders: readonly Uint8Array[]): readonly Uint8Array[] {
  const isCa = (der: Uint8Array): boolean =>
    certificateProblem(der) === undefined && readCertificate(der).isCa;
  const [first, ...others] = ders;
  return first !== undefined && !isCa(first) && others.every(isCa) ? [first] : ders;
}

export const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
