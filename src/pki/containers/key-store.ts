import { readJks } from './jks.ts';
import { type KeyStoreEntry, KeyStoreError } from './key-store-entry.ts';
import { readPkcs12 } from './pkcs12.ts';

/**
 * The certificates of a JKS or PKCS#12 key store, told apart by what they begin with.
 *
 * @throws KeyStoreError
 */
export function readKeyStore(bytes: Uint8Array, password: string): readonly KeyStoreEntry[] {
  const magic = Buffer.from(bytes.subarray(0, 4)).toString('hex');
  if (magic === 'feedfeed') return readJks(bytes, password);
  if (magic === 'cececece')
    throw new KeyStoreError(
      'unsupported_encryption',
      'is a JCEKS key store; make a PKCS#12 of it: keytool -importkeystore -deststoretype PKCS12',
    );
  if (bytes[0] === 0x30) return readPkcs12(bytes, password);
  throw new KeyStoreError('not_a_key_store', 'is neither a JKS nor a PKCS#12 key store');
}
