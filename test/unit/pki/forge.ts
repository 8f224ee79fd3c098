import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Certificate, readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { now } from '../../support/certificate-authority.ts';
import {
  bits,
  boolean,
  bytes,
  explicit,
  extension,
  implicit,
  integer,
  name,
  octets,
  oid,
  sequence,
  time,
} from './der-writer.ts';

export type Keys = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

export const generateEc = (namedCurve = 'P-256'): Keys => generateKeyPairSync('ec', { namedCurve });

export const spkiOf = ({ publicKey }: Keys): Uint8Array =>
  new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));

export const ecdsaSha256 = sequence(oid('1.2.840.10045.4.3.2'));

/** How to sign: the AlgorithmIdentifier to write, and what node:crypto needs to make the signature. */
export type Scheme = {
  readonly algorithm: Uint8Array;
  readonly hash: string | null;
  readonly saltLength?: number;
};

export const defaultScheme: Scheme = { algorithm: ecdsaSha256, hash: 'sha256' };

export function signBytes(tbs: Uint8Array, { privateKey }: Keys, { hash, saltLength }: Scheme): Uint8Array {
  const key =
    saltLength === undefined
      ? privateKey
      : { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  return new Uint8Array(sign(hash, tbs, key));
}

/** Fields of a certificate as DER, each one replaceable by something it should not be. */
export type CertificateParts = {
  readonly version: Uint8Array;
  readonly serialNumber: Uint8Array;
  readonly signature: Uint8Array;
  readonly issuer: Uint8Array;
  readonly validity: Uint8Array;
  readonly subject: Uint8Array;
  readonly subjectPublicKeyInfo: Uint8Array;
  /** The [3] wrapper. */
  readonly extensions: Uint8Array;
  readonly signatureAlgorithm: Uint8Array;
  /** Put after the signature. */
  readonly tail: Uint8Array;
};

export const nothing = new Uint8Array();
export const dayMs = 86_400_000;
export const validity = (from = now - dayMs, until = now + 90 * dayMs): Uint8Array =>
  sequence(time(from), time(until));
export const extensions = (...list: readonly Uint8Array[]): Uint8Array =>
  list.length === 0 ? nothing : explicit(3, sequence(...list));

export const someKeys = generateEc();

/** A certificate put together from parts; by default a plain one of version 3 without extensions. */
export function forgeDer(
  parts: Partial<CertificateParts>,
  signer = someKeys,
  scheme = defaultScheme,
): Uint8Array {
  const all: CertificateParts = {
    version: explicit(0, integer(2)),
    serialNumber: integer(7),
    signature: scheme.algorithm,
    issuer: name('CN=Issuer'),
    validity: validity(),
    subject: name('CN=Subject'),
    subjectPublicKeyInfo: spkiOf(someKeys),
    extensions: nothing,
    signatureAlgorithm: scheme.algorithm,
    tail: nothing,
    ...parts,
  };
  const tbs = sequence(
    all.version,
    all.serialNumber,
    all.signature,
    all.issuer,
    all.validity,
    all.subject,
    all.subjectPublicKeyInfo,
    all.extensions,
  );
  return sequence(tbs, all.signatureAlgorithm, bits(signBytes(tbs, signer, scheme)), all.tail);
}

/** Someone with a name and keys. */
export type Entity = { readonly name: string; readonly keys: Keys; readonly scheme?: Scheme };

export const entity = (cn: string, keys = generateEc(), scheme = defaultScheme): Entity => ({
  name: cn,
  keys,
  scheme,
});

/** What one entity certifies of another. */
export function certify(
  issuer: Entity,
  subject: Entity,
  list: readonly Uint8Array[] = [],
  parts: Partial<CertificateParts> = {},
): Certificate {
  return readCertificate(
    forgeDer(
      {
        issuer: name(`CN=${issuer.name}`),
        subject: name(`CN=${subject.name}`),
        subjectPublicKeyInfo: spkiOf(subject.keys),
        extensions: extensions(...list),
        serialNumber: integer(nextSerial++),
        ...parts,
      },
      issuer.keys,
      issuer.scheme,
    ),
  );
}

let nextSerial = 1000;

export const clientAuth = '1.3.6.1.5.5.7.3.2';
export const serverAuth = '1.3.6.1.5.5.7.3.1';

export const basicConstraints = (cA: boolean, pathLen?: number): Uint8Array =>
  extension(
    '2.5.29.19',
    sequence(...(cA ? [boolean(true)] : []), ...(pathLen === undefined ? [] : [integer(pathLen)])),
    true,
  );
export const ca = (pathLen?: number): Uint8Array => basicConstraints(true, pathLen);
export const keyUsage = (hex: string): Uint8Array => extension('2.5.29.15', bits(bytes(hex)), true);
export const extKeyUsage = (...purposes: readonly string[]): Uint8Array =>
  extension('2.5.29.37', sequence(...purposes.map(oid)));
export const subjectAltName = (...names: readonly Uint8Array[]): Uint8Array =>
  extension('2.5.29.17', sequence(...names), true);
export const dns = (text: string): Uint8Array => implicit(2, Buffer.from(text));
export const mail = (text: string): Uint8Array => implicit(1, Buffer.from(text));
export const subjectKeyIdentifier = (hex: string): Uint8Array => extension('2.5.29.14', octets(bytes(hex)));
export const authorityKeyIdentifier = (hex: string): Uint8Array =>
  extension('2.5.29.35', sequence(implicit(0, bytes(hex))));
export const policies = (...list: readonly string[]): Uint8Array =>
  extension('2.5.29.32', sequence(...list.map((policy) => sequence(oid(policy)))));
export const mappings = (...pairs: readonly (readonly [string, string])[]): Uint8Array =>
  extension('2.5.29.33', sequence(...pairs.map(([from, to]) => sequence(oid(from), oid(to)))), true);
export const policyConstraints = (requireExplicit?: number, inhibitMapping?: number): Uint8Array =>
  extension(
    '2.5.29.36',
    sequence(
      ...(requireExplicit === undefined ? [] : [implicit(0, Uint8Array.of(requireExplicit))]),
      ...(inhibitMapping === undefined ? [] : [implicit(1, Uint8Array.of(inhibitMapping))]),
    ),
    true,
  );
export const nameConstraints = (
  permitted: readonly Uint8Array[],
  excluded: readonly Uint8Array[] = [],
): Uint8Array =>
  extension(
    '2.5.29.30',
    sequence(
      ...(permitted.length > 0 ? [explicit(0, ...permitted.map((base) => sequence(base)))] : []),
      ...(excluded.length > 0 ? [explicit(1, ...excluded.map((base) => sequence(base)))] : []),
    ),
    true,
  );
export const unknownCritical = extension('1.2.3.4.5', bytes('0500'), true);
export const thumb = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex');
