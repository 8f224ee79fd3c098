import type { X509Certificate } from 'node:crypto';
import { CertificateError, readCertificate } from '../pki/certificate/certificate.ts';
import { readCrl } from '../pki/revocation/crl.ts';
import { CrlError } from '../pki/revocation/crl-error.ts';
import { endsSoon, instant } from './dates.ts';
import { certificatesIn, type Names, readPair, reason, whyNotPem } from './key-pair.ts';

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

type Pair = {
  readonly certificate: Buffer;
  readonly key: Buffer;
  readonly purpose: 'server' | 'client';
  readonly now: number;
};

/** A certificate chain and its key. */
export function judgePair(pair: Pair): readonly (Finding & { readonly of: 'certPath' | 'keyPath' })[] {
  const { certificate, key, purpose, now } = pair;
  const chain = readPair(certificate, key, names);
  if ('of' in chain) return [{ of: chain.of === 'key' ? 'keyPath' : 'certPath', ...error(chain.message) }];
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

const names: Names = { reader: 'Envoy', certPath: 'certPath', keyPath: 'keyPath' };

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

/** All of them; or why Envoy can't read one. */
function readAll(file: Buffer): readonly X509Certificate[] | string {
  const strange = whyNotPem(file, 'certificate', 'Envoy');
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
