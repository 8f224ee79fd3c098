import { readCertificateFile } from '../pki/containers/certificate-file.ts';
import { type Place, type Problems, problemAt } from './place.ts';
import type { WrittenClient } from './written.ts';

/** Each certificate of a file or text is a client of its own: the second one's alias ends in `#2`. */
export function clientsIn(
  content: string | Uint8Array,
  alias: string,
  place: Place,
  problems: Problems,
): readonly WrittenClient[] {
  const ders = certificatesIn(content);
  if (typeof ders === 'string') {
    problems.push(problemAt(place, ders));
    return [];
  }
  return ders.map((der, i) => ({ alias: i === 0 ? alias : `${alias}#${i + 1}`, pem: pemOf(der) }));
}

/** The certificates of a file or text as DER, at least one; or what is wrong with it. */
export function certificatesIn(content: string | Uint8Array): readonly Uint8Array[] | string {
  const found = readCertificateFile(content);
  if (!found.ok) return found.problem;
  return found.faults[0] ?? found.certificates.map(({ der }) => der);
}

export const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
