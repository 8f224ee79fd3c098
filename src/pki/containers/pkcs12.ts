import { createHmac, timingSafeEqual } from 'node:crypto';
import forge from 'node-forge';
import { type KeyStoreEntry, KeyStoreError } from './key-store-entry.ts';

/** What Java and OpenSSL write is 10,000 for each of its parts; a hostile store could ask for hours. */
const maxIterations = 1_000_000;

const oids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  safeContentsBag: '1.2.840.113549.1.12.10.1.6',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  pbes2: '1.2.840.113549.1.5.13',
};

/** By OID, with the length of their digest. */
const macDigests: Readonly<
  Record<string, readonly [name: 'sha1' | 'sha256' | 'sha384' | 'sha512', length: number]>
> = {
  '1.3.14.3.2.26': ['sha1', 20],
  '2.16.840.1.101.3.4.2.1': ['sha256', 32],
  '2.16.840.1.101.3.4.2.2': ['sha384', 48],
  '2.16.840.1.101.3.4.2.3': ['sha512', 64],
};

/**
 * A PKCS#12 key store (RFC 7292): certificates with their friendly names, under PBES2 or the older RC2 and 3DES. What
 * stands in a bag comes out as it is: forge reads the structure and decrypts, but never writes a certificate anew, which
 * would change its bytes. Private keys are not decrypted.
 *
 * @throws KeyStoreError
 */
export function readPkcs12(bytes: Uint8Array, password: string): readonly KeyStoreEntry[] {
  try {
    const safe = authenticatedSafe(parse(Buffer.from(bytes).toString('latin1')), password);
    const bags = safe.flatMap(readBags);
    const keys = new Set(bags.filter(isKey).map(({ localKeyId }) => localKeyId));
    return bags.flatMap(({ type, friendlyName, localKeyId, value }, i): KeyStoreEntry[] => {
      const der = type === oids.certBag ? certificateIn(value) : undefined;
      if (der === undefined) return [];
      const isKeys = localKeyId !== undefined && keys.has(localKeyId);
      return [{ alias: friendlyName ?? `${i}`, kind: isKeys ? 'private-key' : 'trusted', der }];
    });
  } catch (error) {
    if (error instanceof KeyStoreError) throw error;
    throw new KeyStoreError('not_a_key_store', `is no PKCS#12 key store: ${(error as Error).message}`);
  }
}

type Node = forge.asn1.Asn1;

function parse(bytes: string): Node {
  try {
    // What is in a BIT STRING is none of our business; to guess at it costs time.
    return forge.asn1.fromDer(bytes, { strict: true, decodeBitStrings: false } as never);
  } catch {
    throw new KeyStoreError('not_a_key_store', 'is no PKCS#12 key store: it can not be read as DER');
  }
}

const broken = (): KeyStoreError =>
  new KeyStoreError('not_a_key_store', 'is no PKCS#12 key store: a part of it is missing or of another kind');

function childrenOf(node: Node | undefined): readonly Node[] {
  if (!Array.isArray(node?.value)) throw broken();
  return node.value;
}

/** An OCTET STRING, or one that BER has in pieces. */
function octetsOf(node: Node | undefined): string {
  if (node === undefined) throw broken();
  return typeof node.value === 'string' ? node.value : childrenOf(node).map(octetsOf).join('');
}

const oidOf = (node: Node | undefined): string => forge.asn1.derToOid(octetsOf(node));
const numberOf = (node: Node): number => Number(`0x${Buffer.from(octetsOf(node), 'latin1').toString('hex')}`);

/** What RFC 7292 calls so, its MAC verified and its parts decrypted: each a SafeContents. */
function authenticatedSafe(pfx: Node, password: string): readonly Node[] {
  const [, contentInfo, macData] = childrenOf(pfx);
  const [type, content] = childrenOf(contentInfo);
  if (oidOf(type) === oids.signedData) throw unsupported('its integrity rests on a key, not on a password');
  if (oidOf(type) !== oids.data) throw broken();
  const authSafe = octetsOf(childrenOf(content)[0]);
  const budget = { iterations: maxIterations };
  if (macData !== undefined) verifyMac(macData, authSafe, password, budget);
  return childrenOf(parse(authSafe)).map((part) => {
    const [partType, wrapped] = childrenOf(part);
    const inner = childrenOf(wrapped)[0];
    if (oidOf(partType) === oids.data) return parse(octetsOf(inner));
    if (oidOf(partType) === oids.encryptedData) return parse(decrypt(inner, password, budget));
    throw unsupported('a part of it is encrypted for a key, not with a password');
  });
}

const unsupported = (why: string): KeyStoreError =>
  new KeyStoreError(
    'unsupported_encryption',
    `is encrypted in a way that is not known (${why}); write it anew: openssl pkcs12`,
  );

type Budget = { iterations: number };

/** Looked at before anything is derived, and counted over all that the store asks for. */
function spend(budget: Budget, iterations: number): void {
  if (!(iterations >= 1)) throw broken();
  budget.iterations -= iterations;
  if (budget.iterations < 0)
    throw new KeyStoreError(
      'too_costly',
      `asks for more than ${maxIterations} iterations of its key derivation; write it anew with fewer`,
    );
}

function verifyMac(macData: Node, authSafe: string, password: string, budget: Budget): void {
  const [digestInfo, salt, count] = childrenOf(macData);
  const [algorithm, digest] = childrenOf(digestInfo);
  const oid = oidOf(childrenOf(algorithm)[0]);
  const known = macDigests[oid];
  if (known === undefined) throw unsupported(`MAC algorithm ${oid}`);
  const [name, length] = known;
  const iterations = count === undefined ? 1 : numberOf(count);
  spend(budget, iterations);
  const key = forge.pkcs12.generateKey(
    password,
    forge.util.createBuffer(octetsOf(salt)),
    3,
    iterations,
    length,
    forge.md[name].create(),
  );
  const own = createHmac(name, Buffer.from(key.getBytes(), 'latin1'))
    .update(Buffer.from(authSafe, 'latin1'))
    .digest();
  const written = Buffer.from(octetsOf(digest), 'latin1');
  if (own.length !== written.length || !timingSafeEqual(own, written))
    throw new KeyStoreError('wrong_password', 'can not be opened with this password');
}

type Cipher = {
  readonly update: (input: forge.util.ByteBuffer) => void;
  readonly finish: () => boolean;
  readonly output: forge.util.ByteBuffer;
};
type Pbe = { readonly getCipher: (oid: string, parameters: Node | undefined, password: string) => Cipher };

/** EncryptedData (RFC 2315): version, then type, algorithm and content. */
function decrypt(encryptedData: Node | undefined, password: string, budget: Budget): string {
  const [, algorithm, content] = childrenOf(childrenOf(encryptedData)[1]);
  const [type, parameters] = childrenOf(algorithm);
  const oid = oidOf(type);
  for (const iterations of countsIn(parameters)) spend(budget, iterations);
  // PBES2 takes the password as UTF-8, the older algorithms as UTF-16 (RFC 7292 B.1, RFC 8018).
  const secret = oid === oids.pbes2 ? Buffer.from(password).toString('latin1') : password;
  let cipher: Cipher;
  try {
    cipher = (forge.pki as unknown as { readonly pbe: Pbe }).pbe.getCipher(oid, parameters, secret);
  } catch (error) {
    throw unsupported((error as Error).message);
  }
  cipher.update(forge.util.createBuffer(octetsOf(content)));
  if (!cipher.finish())
    throw new KeyStoreError('wrong_password', 'can not be opened with this password, or was changed since');
  return cipher.output.getBytes();
}

/** INTEGERs beside a salt, in the parameters of PBKDF2 and of the older algorithms. */
function countsIn(node: Node | undefined): readonly number[] {
  if (!Array.isArray(node?.value)) return [];
  return node.value.flatMap((child, i, all) =>
    child.type === forge.asn1.Type.INTEGER && all[i - 1]?.type === forge.asn1.Type.OCTETSTRING
      ? [numberOf(child)]
      : countsIn(child),
  );
}

type Bag = {
  readonly type: string;
  readonly value: Node | undefined;
  readonly friendlyName: string | undefined;
  readonly localKeyId: string | undefined;
};

function readBags(safeContents: Node): readonly Bag[] {
  return childrenOf(safeContents).flatMap((bag) => {
    const [id, wrapped, attributes] = childrenOf(bag);
    const type = oidOf(id);
    const value = childrenOf(wrapped)[0];
    if (type === oids.safeContentsBag && value !== undefined) return readBags(value);
    const attribute = (oid: string): string | undefined => {
      const list = attributes === undefined ? [] : childrenOf(attributes);
      const found = list.find((candidate) => oidOf(childrenOf(candidate)[0]) === oid);
      const first = found && childrenOf(childrenOf(found)[1])[0];
      return first && octetsOf(first);
    };
    return [
      { type, value, friendlyName: attribute(oids.friendlyName), localKeyId: attribute(oids.localKeyId) },
    ];
  });
}

const isKey = ({ type }: Bag): boolean => type === oids.keyBag || type === oids.shroudedKeyBag;

/** RFC 7292 4.2.3: the certificate is the content of an OCTET STRING. undefined: one of another kind than X.509. */
function certificateIn(certBag: Node | undefined): Uint8Array | undefined {
  const [type, wrapped] = childrenOf(certBag);
  if (oidOf(type) !== oids.x509Certificate) return undefined;
  return new Uint8Array(Buffer.from(octetsOf(childrenOf(wrapped)[0]), 'latin1'));
}
