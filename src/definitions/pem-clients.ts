import { PemError, parsePem } from '../pki/containers/pem.ts';
import { type Place, type Problems, problemAt } from './place.ts';
import type { WrittenClient } from './written.ts';

/** Each certificate of a PEM text is a client of its own: the second one's alias ends in `#2`. */
export function clientsIn(
  text: string,
  alias: string,
  place: Place,
  problems: Problems,
): readonly WrittenClient[] {
  const ders = certificatesIn(text);
  if (typeof ders === 'string') {
    problems.push(problemAt(place, ders));
    return [];
  }
  return ders.map((der, i) => ({ alias: i === 0 ? alias : `${alias}#${i + 1}`, pem: pemOf(der) }));
}

/** The certificates of a PEM text as DER, at least one; or what is wrong with it. */
export function certificatesIn(text: string): readonly Uint8Array[] | string {
  try {
    const blocks = parsePem(text);
    const key = blocks.find(({ label }) => label.includes('PRIVATE KEY'));
    if (key !== undefined || text.includes('PRIVATE KEY-----'))
      return 'has a private key in it; take it out, a client’s certificate needs none here, and treat the key as leaked if others can read this file';
    const certificates = blocks.filter(({ label }) => /^(X509 |TRUSTED )?CERTIFICATE$/.test(label));
    if (certificates.length === 0)
      return 'has no certificate in it; it needs a block from "-----BEGIN CERTIFICATE-----" to its END';
    return certificates.map(({ der }) => der);
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    return `is no PEM text (its line ${error.line}: ${error.message}); paste the certificate anew, from BEGIN to END`;
  }
}

export const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
