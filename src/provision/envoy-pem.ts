import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { readCrl } from '../pki/revocation/crl.ts';
import { CrlError } from '../pki/revocation/crl-error.ts';
import { endsSoon, instant } from './dates.ts';

/**
 * PEM as Envoy reads it. Our own readers take more (DER, indented PEM, text of Windows) and refuse more; Envoy's
 * BoringSSL reads as OpenSSL does, so that Node's OpenSSL is asked. `test/e2e/envoy-config/router-files.test.ts` holds
 * the two together.
 */
export type Finding = {
  readonly level: 'error' | 'warn';
  /** Follows "found …, which". */
  readonly message: string;
};
const error = (message: string): Finding => ({ level: 'error', message });
const warning = (message: string): Finding => ({ level: 'warn', message });

export type Pair = {
  readonly certificate: Buffer;
  readonly key: Buffer;
  readonly purpose: 'server' | 'client';
  readonly now: number;
};

/** A certificate chain and its key. */
export function judgePair(pair: Pair): readonly (Finding & { readonly of: 'certPath' | 'keyPath' })[] {
  const { certificate, key, purpose, now } = pair;
  const chain = readChain(certificate);
  if (typeof chain === 'string') return [{ of: 'certPath', ...error(swapped(pair) ?? chain) }];
  const wrongKey = whyNotKey(key, chain);
  if (wrongKey !== undefined) return [{ of: 'keyPath', ...error(wrongKey) }];
  const [leaf] = chain as [X509Certificate];
  const told = (why: string | undefined, finding: typeof error) => (why === undefined ? [] : [finding(why)]);
  return [
    ...told(whyUseless(leaf, purpose), error),
    ...told(whyNotNow(leaf, now), error),
    ...told(weakHash(leaf), warning),
    ...told(
      isForNoSignature(leaf) && leaf.publicKey.asymmetricKeyType !== 'ec' ? forNoSignature : undefined,
      warning,
    ),
    ...chainWarnings(chain, now).map(warning),
  ].map((finding) => ({ of: 'certPath', ...finding }));
}

/** A bundle of CAs. */
export function judgeBundle(bundle: Buffer, now: number): readonly Finding[] {
  const cas = readAll(bundle);
  if (typeof cas === 'string') return [error(cas)];
  const last = cas.reduce((a, b) => (b.validToDate > a.validToDate ? b : a));
  const end = last.validToDate.getTime();
  const why = whyNotNow(last, now);
  return [
    ...(why === undefined ? [] : [error(`has no certificate that is valid: the last one ${why}`)]),
    ...(endsSoon(end, now) ? [warning(`has no certificate that is valid after ${instant(end)}`)] : []),
    ...(/^-----BEGIN [A-Z ]*PRIVATE KEY-----/m.test(bundle.toString('latin1'))
      ? [warning('has a private key in it; take it out, whoever trusts a CA needs none')]
      : []),
  ];
}

/** Leaf first; or why Envoy can't read them. */
function readChain(file: Buffer): readonly X509Certificate[] | string {
  const strange = whyNotPem(file, 'certificate');
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

/** All of them; or why Envoy can't read one. */
function readAll(file: Buffer): readonly X509Certificate[] | string {
  const strange = whyNotPem(file, 'certificate');
  if (strange !== undefined) return strange;
  try {
    for (const [, base64 = ''] of file.toString('latin1').matchAll(/^-----BEGIN X509 CRL-----\s([^-]*)/gm))
      readCrl(Buffer.from(base64, 'base64'));
    return certificatesIn(file);
  } catch (problem) {
    const what = problem instanceof CrlError ? 'list of revoked certificates' : 'certificate';
    return `has a ${what} that can't be read: ${reason(problem)}; write it anew, or take it out`;
  }
}

const certificateBlock =
  /^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s[\s\S]*?^-----END [^\n]*$|^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*$/gm;

/** @throws Error of OpenSSL's */
export const certificatesIn = (file: Buffer): readonly X509Certificate[] =>
  (file.toString('latin1').match(certificateBlock) ?? []).map((block) => new X509Certificate(block));

/** What the file is, if no block in it is what it should be. */
function whyNotPem(file: Buffer, wanted: 'certificate' | 'private key'): string | undefined {
  const text = file.toString('latin1');
  const isCertificate = wanted === 'certificate';
  const label = isCertificate ? '(?:X509 |TRUSTED )?CERTIFICATE' : '(?:RSA |EC |DSA |ENCRYPTED )?PRIVATE KEY';
  const found = new RegExp(`^-----BEGIN ${label}-----\\s*$`, 'm').exec(text);
  if (text.startsWith('\xef\xbb\xbf-----BEGIN'))
    return 'begins with a byte order mark, so that Envoy does not see the first line; save it as plain ASCII';
  if (found !== null) return undefined;
  if (text.trim() === '') return `is empty; it needs a ${wanted} as PEM`;
  if (/^(\xff\xfe|\xfe\xff)/.test(text) || /^-\0|^\0-/.test(text))
    return 'is UTF-16, which Envoy does not read; save it as plain ASCII';
  if (file[0] === 0x30)
    return isCertificate
      ? 'is binary (DER or PKCS#12), which Envoy does not read; make PEM of it: openssl x509 -inform der -in FILE -out FILE.pem, or openssl pkcs12 -in FILE -nokeys -out FILE.pem'
      : 'is binary (DER or PKCS#12), which Envoy does not read; make PEM of it: openssl pkey -inform der -in FILE -out FILE.pem, or openssl pkcs12 -in FILE -nocerts -nodes -out FILE.pem';
  if (new RegExp(`-----BEGIN ${label}-----`).test(text))
    return `has a line -----BEGIN …----- with something before or behind it, so that Envoy does not see it; write each such line by itself, without indentation`;
  const other = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  return other === undefined
    ? `has no ${wanted} in it; it needs a block from "-----BEGIN ${isCertificate ? 'CERTIFICATE' : 'PRIVATE KEY'}-----" to its END`
    : `has no ${wanted} in it, but a ${other}`;
}

const swapped = ({ certificate, key }: Pair): string | undefined =>
  whyNotPem(certificate, 'private key') === undefined && whyNotPem(key, 'certificate') === undefined
    ? 'has a private key in it and no certificate, as keyPath has a certificate: swap the two'
    : undefined;

function whyNotKey(file: Buffer, chain: readonly X509Certificate[]): string | undefined {
  const strange = whyNotPem(file, 'private key');
  if (strange !== undefined) return strange;
  const [block = ''] =
    /^-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(^-----END|$(?![\s\S]))/m.exec(file.toString('latin1')) ?? [];
  if (block.includes('ENCRYPTED'))
    return 'is protected by a password, which Envoy is not told; write the key without one: openssl pkey -in FILE -out FILE.key, readable by Envoy alone';
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(file);
  } catch (problem) {
    return `has a private key that can't be read: ${reason(problem)}; write it anew`;
  }
  const whose = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (whose > 0)
    return `is the key of certificate ${whose + 1} of certPath, and Envoy takes the first for its own; write that one first, then who issued it, and so on`;
  return whose < 0
    ? 'is not the key of the certificate in certPath; write the key that belongs to it'
    : undefined;
}

export const envoysCurves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/** Nobody, or no Envoy, takes such a certificate. */
function whyUseless(leaf: X509Certificate, purpose: Pair['purpose']): string | undefined {
  const { asymmetricKeyType = 'an unknown kind', asymmetricKeyDetails } = leaf.publicKey;
  if (!['rsa', 'ec', 'ed25519'].includes(asymmetricKeyType))
    return `has a key of the kind ${asymmetricKeyType}, and Envoy takes RSA (rsaEncryption), EC and Ed25519; make a new key`;
  const { modulusLength: bits, publicExponent } = asymmetricKeyDetails ?? {};
  if (bits !== undefined && bits < 2048)
    return `has an RSA key of ${bits} bits, and Envoy takes 2048 or more; make a new key`;
  // BoringSSL's bound.
  if (publicExponent !== undefined && publicExponent >= 2n ** 33n)
    return 'has an RSA key whose exponent has more than 33 bits, which Envoy does not take; make a new key';
  if (asymmetricKeyType === 'ec' && !envoysCurves.includes(asymmetricKeyDetails?.namedCurve ?? ''))
    return `has a key on the curve ${asymmetricKeyDetails?.namedCurve}, and Envoy takes P-256, P-384 and P-521; make a new key`;
  if (asymmetricKeyType === 'ec' && hasExplicitCurve(leaf))
    return 'has a key with explicit curve parameters, which Envoy does not take; make a new key on a named curve';
  if (asymmetricKeyType === 'ec' && isForNoSignature(leaf)) return forNoSignature;
  const [oid, name] = purposes[purpose];
  // Node calls the extended key usage so.
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.includes(oid) && !leaf.keyUsage.includes('2.5.29.37.0'))
    return `is not for TLS ${purpose}s (extended key usage without ${name}); have it issued with that`;
  return undefined;
}

/** id-ecPublicKey with something behind it that is no object identifier (RFC 5480 2.1.1). Node calls such a curve by name. */
function hasExplicitCurve({ raw }: X509Certificate): boolean {
  const ecPublicKey = Buffer.from('06072a8648ce3d0201', 'hex');
  const at = raw.indexOf(ecPublicKey);
  return at !== -1 && raw[at + ecPublicKey.length] !== 0x06;
}

const forNoSignature =
  'is not for signatures (key usage without digitalSignature), which TLS needs; have it issued with that';

/** BoringSSL looks at it where the key is on a curve, so that Envoy does not start. With others it is up to the clients. */
function isForNoSignature({ raw }: X509Certificate): boolean {
  try {
    const { keyUsage } = readCertificate(raw);
    return keyUsage !== undefined && !keyUsage.has('digitalSignature');
  } catch (problem) {
    if (!(problem instanceof CertificateError)) throw problem;
    return false; // stricter than Envoy: it may well take what we can't read
  }
}

const purposes = {
  server: ['1.3.6.1.5.5.7.3.1', 'serverAuth'],
  client: ['1.3.6.1.5.5.7.3.2', 'clientAuth'],
} as const;

function whyNotNow({ validFromDate, validToDate }: X509Certificate, now: number): string | undefined {
  if (now > validToDate.getTime()) return `expired on ${instant(validToDate.getTime())}; renew it`;
  if (now < validFromDate.getTime()) return `is not valid before ${instant(validFromDate.getTime())}`;
  return undefined;
}

function chainWarnings(chain: readonly X509Certificate[], now: number): readonly string[] {
  const soon = chain.flatMap(({ validToDate }, i) => {
    const end = validToDate.getTime();
    if (i > 0 && now > end)
      return [`has an issuer (certificate ${i + 1}) that expired on ${instant(end)}; renew the chain`];
    return endsSoon(end, now)
      ? [
          `${i === 0 ? 'expires' : `has an issuer (certificate ${i + 1}) that expires`} on ${instant(end)}; renew it before`,
        ]
      : [];
  });
  const stray = chain.findIndex((certificate, i) => i > 0 && !chain[i - 1]!.checkIssued(certificate));
  return stray < 0
    ? soon
    : [
        ...soon,
        `has as certificate ${stray + 1} one that did not issue the one before it, which some clients refuse; write the leaf, then who issued it, and so on`,
      ];
}

const weakHash = ({ signatureAlgorithm }: X509Certificate): string | undefined =>
  /sha1|md5/i.test(signatureAlgorithm ?? '')
    ? `is signed with ${signatureAlgorithm}, which clients refuse; have it issued anew`
    : undefined;

/** OpenSSL's own words, without its numbers. */
export const reason = (problem: unknown): string =>
  (problem as Error).message.replace(/^error:[0-9A-F]+:/i, '').replace(/:+/g, ': ');
