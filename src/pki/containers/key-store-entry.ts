/** One entry of a key store: a certificate, and whose. Private keys are not kept. */
export type KeyStoreEntry = {
  readonly alias: string;
  /** trusted: a certificate by itself. private-key: the certificate of a key that is in the store. */
  readonly kind: 'trusted' | 'private-key';
  /** The certificate; of a chain, its first. */
  readonly der: Uint8Array;
};

type KeyStoreFailure = 'wrong_password' | 'not_a_key_store' | 'unsupported_encryption' | 'too_costly';

export class KeyStoreError extends Error {
  override readonly name = 'KeyStoreError';
  readonly code: KeyStoreFailure;
  constructor(code: KeyStoreFailure, message: string) {
    super(message);
    this.code = code;
  }
}
