import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** Whose certificate and key they are, and what config.toml calls them. */
export type Names = {
  readonly reader: 'Envoy' | 'the enforcer';
  readonly certPath: 'certPath' | 'publicCertificatePath';
  readonly keyPath: 'keyPath' | 'privateKeyPath';
};
type Trouble = { readonly of: 'certificate' | 'key'; readonly message: string };

/** Leaf first; or what is wrong with a certificate chain and its key, which follows "found …, which". */
export function readPair(
  certificate: Buffer,
  key: Buffer,
  names: Names,
): readonly X509Certificate[] | Trouble {
  const chain = readChain(certificate, names);
  if (typeof chain === 'string')
    return { of: 'certificate', message: swapped(certificate, key, names) ?? chain };
  const wrongKey = whyNotKey(key, chain, names);
  return wrongKey === undefined ? chain : { of: 'key', message: wrongKey };
}

export type KeyPair = { readonly certificatePem: string; readonly privateKeyPem: string };

/** What the enforcer's own port can be served with. */
export function readKeyPair(certificate: Buffer, key: Buffer): KeyPair | Trouble {
  const pair = { certificatePem: certificate.toString('utf8'), privateKeyPem: key.toString('utf8') };
  try {
    createSecureContext({ cert: pair.certificatePem, key: pair.privateKeyPem });
    return pair;
  } catch (error) {
    const names = { reader: 'the enforcer', certPath: 'certPath', keyPath: 'keyPath' } as const;
    const message = `can not be used for TLS: ${reason(error)}; have it issued anew, for a key of 2048 bits or more (RSA) or on P-256, and signed with SHA-256`;
    return troubleOf(certificate, key, names) ?? { of: 'certificate', message };
  }
}

/** What is wrong with a pair that OpenSSL has refused, which looks over a byte order mark. */
export function troubleOf(certificate: Buffer, key: Buffer, names: Names): Trouble | undefined {
  const found = readPair(unmarked(certificate), unmarked(key), names);
  return 'of' in found ? found : undefined;
}

const unmarked = (file: Buffer): Buffer =>
  file.subarray(file.subarray(0, 3).toString('hex') === 'efbbbf' ? 3 : 0);

/** Leaf first; or why they can't be read. */
function readChain(file: Buffer, { reader }: Names): readonly X509Certificate[] | string {
  const strange = whyNotPem(file, 'certificate', reader);
  if (strange !== undefined) return strange;
  try {
    createSecureContext({ cert: file, ciphers: anyStrength });
  } catch (problem) {
    return `has a certificate that can't be read: ${reason(problem)}; write it anew`;
  }
  return certificatesIn(file);
}

/** Weakness is told by us, in other words. */
const anyStrength = 'DEFAULT@SECLEVEL=0';

const certificateBlock =
  /^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s[\s\S]*?^-----END [^\n]*$|^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*$/gm;

/** @throws Error of OpenSSL's */
export const certificatesIn = (file: Buffer): readonly X509Certificate[] =>
  (file.toString('latin1').match(certificateBlock) ?? []).map((block) => new X509Certificate(block));

/** What the file is, if no block in it is what it should be. */
export function whyNotPem(
  file: Buffer,
  wanted: 'certificate' | 'private key',
  reader: Names['reader'],
): string | undefined {
  const text = file.toString('latin1');
  const isCertificate = wanted === 'certificate';
  const label = isCertificate ? '(?:X509 |TRUSTED )?CERTIFICATE' : '(?:RSA |EC |DSA |ENCRYPTED )?PRIVATE KEY';
  const found = new RegExp(`^-----BEGIN ${label}-----\\s*$`, 'm').exec(text);
  if (text.startsWith('\xef\xbb\xbf-----BEGIN'))
    return `begins with a byte order mark, so that ${reader} does not see the first line; save it as plain ASCII`;
  if (found !== null) return undefined;
  if (text.trim() === '') return `is empty; it needs a ${wanted} as PEM`;
  if (/^(\xff\xfe|\xfe\xff)/.test(text) || /^-\0|^\0-/.test(text))
    return `is UTF-16, which ${reader} does not read; save it as plain ASCII`;
  if (file[0] === 0x30)
    return isCertificate
      ? `is binary (DER or PKCS#12), which ${reader} does not read; make PEM of it: openssl x509 -inform der -in FILE -out FILE.pem, or openssl pkcs12 -in FILE -nokeys -out FILE.pem`
      : `is binary (DER or PKCS#12), which ${reader} does not read; make PEM of it: openssl pkey -inform der -in FILE -out FILE.pem, or openssl pkcs12 -in FILE -nocerts -nodes -out FILE.pem`;
  if (new RegExp(`-----BEGIN ${label}-----`).test(text))
    return `has a line -----BEGIN …----- with something before or behind it, so that ${reader} does not see it; write each such line by itself, without indentation`;
  const other = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  return other === undefined
    ? `has no ${wanted} in it; it needs a block from "-----BEGIN ${isCertificate ? 'CERTIFICATE' : 'PRIVATE KEY'}-----" to its END`
    : `has no ${wanted} in it, but a ${other}`;
}

const swapped = (certificate: Buffer, key: Buffer, { reader, keyPath }: Names): string | undefined =>
  whyNotPem(certificate, 'private key', reader) === undefined &&
  whyNotPem(key, 'certificate', reader) === undefined
    ? `has a private key in it and no certificate, as ${keyPath} has a certificate: swap the two`
    : undefined;

function whyNotKey(
  file: Buffer,
  chain: readonly X509Certificate[],
  { reader, certPath }: Names,
): string | undefined {
  const strange = whyNotPem(file, 'private key', reader);
  if (strange !== undefined) return strange;
  const [block = ''] =
    /^-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(^-----END|$(?![\s\S]))/m.exec(file.toString('latin1')) ?? [];
  if (block.includes('ENCRYPTED'))
    return `is protected by a password, which ${reader} is not told; write the key without one: openssl pkey -in FILE -out FILE.key, readable by ${reader} alone`;
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(file);
  } catch (problem) {
    return `has a private key that can't be read: ${reason(problem)}; write it anew`;
  }
  const whose = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (whose > 0)
    return `is the key of certificate ${whose + 1} of ${certPath}, and ${reader} takes the first for its own; write that one first, then who issued it, and so on`;
  return whose < 0
    ? `is not the key of the certificate in ${certPath}; write the key that belongs to it`
    : undefined;
}

/** OpenSSL's own words, without its numbers. */
export const reason = (problem: unknown): string =>
  (problem as Error).message.replace(/^error:[0-9A-F]+:/i, '').replace(/:+/g, ': ');
