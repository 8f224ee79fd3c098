import { readCertificateFile } from '../pki/containers/certificate-file.ts';
import { derKind } from '../pki/containers/der-kind.ts';
import { readKeyStore } from '../pki/containers/key-store.ts';
import { KeyStoreError } from '../pki/containers/key-store-entry.ts';
import { PemError, parsePem } from '../pki/containers/pem.ts';

/** What a client has of itself: DER, its own certificate first. */
type ClientFile = { readonly ders: readonly Uint8Array[] } | { readonly problem: string };

/**
 * The certificates of a client's file: PEM (its key may stand beside them, and is not looked at), DER, PKCS#12, JKS.
 *
 * @param password of a key store
 */
export function readClientFile(bytes: Uint8Array, password: string): ClientFile {
  const isJks = Buffer.from(bytes.subarray(0, 4)).toString('hex') === 'feedfeed';
  if (isJks || derKind(bytes) === 'PKCS#12') return fromKeyStore(bytes, password);
  const text = Buffer.from(bytes).toString('latin1');
  if (text.includes('-----BEGIN')) return fromPem(text);
  const file = readCertificateFile(bytes);
  return file.ok ? { ders: file.certificates.map(({ der }) => der) } : { problem: file.problem };
}

function fromPem(text: string): ClientFile {
  try {
    const ders = parsePem(text)
      .filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE')
      .map(({ decode }) => decode());
    return ders.length > 0 ? { ders } : { problem: 'has no certificate in it' };
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    return { problem: `is no PEM text (line ${error.line}): ${error.message}` };
  }
}

function fromKeyStore(bytes: Uint8Array, password: string): ClientFile {
  try {
    const entries = readKeyStore(bytes, password);
    const own = entries.find(({ kind }) => kind === 'private-key') ?? entries[0];
    if (own === undefined) return { problem: 'is a key store with no certificate in it' };
    return { ders: [own, ...entries.filter((entry) => entry !== own)].map(({ der }) => der) };
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error;
    const hint = error.code === 'wrong_password' ? '; write it into a file, and --password-file FILE' : '';
    return { problem: error.message + hint };
  }
}
