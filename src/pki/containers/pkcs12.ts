import forge from 'node-forge';
import { type KeyStoreEntry, KeyStoreError } from './key-store-entry.ts';

/** What Java and OpenSSL write is 10,000 at most; a hostile store could ask for hours. */
const maxIterations = 1_000_000;

/**
 * A PKCS#12 key store (RFC 7292): certificates with their friendly names, under PBES2 or the older RC2 and 3DES.
 *
 * @throws KeyStoreError
 */
export function readPkcs12(bytes: Uint8Array, password: string): readonly KeyStoreEntry[] {
  checkIterations(bytes);
  const store = open(bytes, password);
  const bags = store.safeContents.flatMap(({ safeBags }) => safeBags as readonly Bag[]);
  const keys = new Set(
    bags
      .filter(({ type }) => type === forge.pki.oids.keyBag || type === forge.pki.oids.pkcs8ShroudedKeyBag)
      .flatMap(({ attributes }) => attributes?.localKeyId ?? []),
  );
  return bags.flatMap((bag, i): KeyStoreEntry[] => {
    if (bag.type !== forge.pki.oids.certBag) return [];
    const der = derOf(bag);
    if (der === undefined) return [];
    const isKeys = (bag.attributes?.localKeyId ?? []).some((id) => keys.has(id));
    const alias = bag.attributes?.friendlyName?.[0] ?? `${i}`;
    return [{ alias, kind: isKeys ? 'private-key' : 'trusted', der }];
  });
}

type Bag = {
  readonly type: string;
  readonly attributes?: {
    readonly friendlyName?: readonly string[];
    readonly localKeyId?: readonly string[];
  };
  readonly cert?: forge.pki.Certificate | null;
  readonly asn1: forge.asn1.Asn1;
};

function open(bytes: Uint8Array, password: string): forge.pkcs12.Pkcs12Pfx {
  let asn1: forge.asn1.Asn1;
  try {
    asn1 = forge.asn1.fromDer(Buffer.from(bytes).toString('binary'), { strict: true } as never);
  } catch {
    throw new KeyStoreError('not_a_key_store', 'is no PKCS#12 key store: it can not be read as DER');
  }
  try {
    return forge.pkcs12.pkcs12FromAsn1(asn1, true, password);
  } catch (error) {
    const { message } = error as Error;
    if (/MAC could not be verified|Invalid password/i.test(message))
      throw new KeyStoreError('wrong_password', 'can not be opened with this password');
    if (/Unsupported|Cannot read .*(cipher|algorithm|encryption)|Unknown/i.test(message))
      throw new KeyStoreError(
        'unsupported_encryption',
        `is encrypted in a way that is not known (${message}); write it anew: openssl pkcs12`,
      );
    throw new KeyStoreError('not_a_key_store', `is no PKCS#12 key store: ${message}`);
  }
}

/** The certificate as it is in the bag: forge itself parses RSA ones only. */
function derOf({ cert, asn1 }: Bag): Uint8Array | undefined {
  const own = cert ? forge.pki.certificateToAsn1(cert) : asn1;
  return own ? Buffer.from(forge.asn1.toDer(own).getBytes(), 'binary') : undefined;
}

/** Looked for before anything is derived: INTEGERs beside a salt, in PBKDF2, PBE and MAC parameters. */
function checkIterations(bytes: Uint8Array): void {
  let asn1: forge.asn1.Asn1;
  try {
    asn1 = forge.asn1.fromDer(Buffer.from(bytes).toString('binary'));
  } catch {
    return; // told when it is opened
  }
  const visit = (node: forge.asn1.Asn1, depth: number): void => {
    if (depth > 50 || !Array.isArray(node.value)) return;
    for (const [i, child] of node.value.entries()) {
      const before = node.value[i - 1];
      if (
        child.type === forge.asn1.Type.INTEGER &&
        before?.type === forge.asn1.Type.OCTETSTRING &&
        typeof child.value === 'string' &&
        Number(`0x${Buffer.from(child.value, 'binary').toString('hex')}`) > maxIterations
      )
        throw new KeyStoreError(
          'too_costly',
          `asks for more than ${maxIterations} iterations of its key derivation; write it anew with fewer`,
        );
      visit(child, depth + 1);
    }
  };
  visit(asn1, 0);
}
