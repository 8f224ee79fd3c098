import { hash, type KeyObject } from 'node:crypto';
import {
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  encodingOf,
  explicit,
  Fields,
  isSame,
  someElementsOf,
  tags,
} from '../der/der.ts';
import { checkBitString, hex, integerOctets, readCount, readTime } from '../der/der-values.ts';
import { Repeated } from '../der/repeated.ts';
import type { PathFailureCode } from '../path/failures.ts';
import {
  type Extension,
  type ExtensionValues,
  type KeyUsage,
  readExtension,
  readExtensionValues,
} from './extensions.ts';
import { type Name, readName } from './name.ts';
import { type PublicKey, readPublicKey } from './public-key.ts';
import {
  readFrame,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  type Signed,
  verifySignature,
} from './signature.ts';

type CertificateErrorCode = Extract<
  PathFailureCode,
  `certificate_${'malformed' | 'version_unsupported' | 'version_too_low' | `${string}_malformed` | 'algorithms_differ' | 'issuer_empty' | 'extension_duplicate'}`
>;

/** Bytes that are no certificate by RFC 5280 4.1 and 4.2. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly code: CertificateErrorCode;
  /** For the log. */
  readonly detail: string;

  constructor(code: CertificateErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
  }
}

/** What a certificate says, none of it verified. */
export class Certificate implements Signed {
  /** A copy of the bytes it was read from: all that is told of it comes from here. */
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Content of the INTEGER that it is. */
  readonly serialOctets: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  /** Milliseconds since the epoch; valid from then on. */
  readonly notBefore: number;
  /** Milliseconds since the epoch; valid to the end of that second. */
  readonly notAfter: number;
  readonly subjectPublicKey: PublicKey;
  readonly extensions: readonly Extension[];
  readonly values: Readonly<ExtensionValues>;
  #sha256: string | undefined;
  #isSelfSigned: boolean | undefined;

  /** Every part of it is read here. @throws CertificateError, DerError */
  constructor(bytes: Uint8Array) {
    const der = new Uint8Array(bytes);
    const { tbs, algorithm, signature } = readFrame(der, 'Certificate');
    const fields = new Fields(tbs);
    this.der = der;
    this.tbs = encodingOf(tbs);
    this.signature = signature;
    this.version = readVersion(fields.optional(contextConstructed(0)));
    this.serialOctets = readSerial(fields.next(tags.integer, 'serialNumber'));
    const innerAlgorithm = fields.next(tags.sequence, 'signature');
    this.signatureAlgorithm = readSignatureAlgorithm(innerAlgorithm);
    if (!isSame(innerAlgorithm, algorithm))
      throw new CertificateError('certificate_algorithms_differ', this.signatureAlgorithm.oid);
    this.issuer = issuers.of(fields.next(tags.sequence, 'issuer'));
    if (this.issuer.rdns.length === 0)
      throw new CertificateError('certificate_issuer_empty', 'issuer has no RDN');
    const { notBefore, notAfter } = readValidity(fields.next(tags.sequence, 'validity'));
    this.notBefore = notBefore;
    this.notAfter = notAfter;
    this.subject = readName(fields.next(tags.sequence, 'subject'));
    this.subjectPublicKey = readKey(fields.next(tags.sequence, 'subjectPublicKeyInfo'));
    this.extensions = readTail(fields, this.version);
    this.values = readValues(this.extensions);
  }

  /** Lower-case hex, of the whole certificate. */
  get sha256(): string {
    this.#sha256 ??= hash('sha256', this.der);
    return this.#sha256;
  }

  /** Upper-case hex, an even number of digits, after `-` where it is negative: as OpenSSL shows it. */
  get serialNumber(): string {
    return serialText(this.serialOctets);
  }

  /** undefined where OpenSSL refuses the key. */
  get publicKey(): KeyObject | undefined {
    return this.subjectPublicKey.keyObject();
  }

  /** basicConstraints says so; whether its keyUsage lets it sign is another matter. */
  get isCa(): boolean {
    return this.values.basicConstraints?.cA === true;
  }

  /** undefined: the certificate does not say, and all is allowed. */
  get keyUsage(): ReadonlySet<KeyUsage> | undefined {
    return this.values.keyUsage;
  }

  /** Issuer and subject are the same name (RFC 5280 3.2, 6.1). */
  get isSelfIssued(): boolean {
    return this.issuer.key === this.subject.key;
  }

  /** Self-issued, and its own key made the signature, however weak the algorithm. */
  isSelfSigned(): boolean {
    this.#isSelfSigned ??= this.isSelfIssued && verifySignature(this, this.subjectPublicKey);
    return this.#isSelfSigned;
  }
}

/** Whose key makes signatures, as far as these are concerned. */
export type Signer = Pick<Certificate, 'subject' | 'subjectPublicKey'>;

/** A CA's, which all that it issued have. */
const issuers = new Repeated(readName, { places: 256, longest: 1024 });

/**
 * Reads one DER certificate (RFC 5280 4.1), all known extensions included. node:crypto's X509Certificate is not asked:
 * it reads more than RFC 5280 allows, tells less than validation needs, and takes as long again.
 *
 * @throws CertificateError, and nothing else, whatever the bytes are
 */
export function readCertificate(der: Uint8Array): Certificate {
  try {
    return new Certificate(der);
  } catch (error) {
    if (error instanceof DerError) throw new CertificateError('certificate_malformed', error.message);
    throw error;
  }
}

function readVersion(field: Element | undefined): 1 | 2 | 3 {
  if (field === undefined) return 1;
  const version = readCount(explicit(field, tags.integer, 'version'));
  if (version === 1 || version === 2) return version === 1 ? 2 : 3;
  // 0 is version 1, but as the DEFAULT it must not be written (X.690 11.5).
  throw new CertificateError('certificate_version_unsupported', `version field ${version}`);
}

/** Negative and zero are handled gracefully, as RFC 5280 4.1.2.2 asks; more than its 20 octets are not. */
function readSerial(element: Element): Uint8Array {
  let octets: Uint8Array;
  try {
    octets = integerOctets(element);
  } catch (error) {
    throw new CertificateError('certificate_serial_malformed', (error as Error).message);
  }
  if (octets.length > (octets[0] === 0 ? 21 : 20)) {
    throw new CertificateError('certificate_serial_malformed', `${octets.length} octets`);
  }
  return octets;
}

/** @param octets content of the INTEGER */
function serialText(octets: Uint8Array): string {
  if (octets[0]! < 0x80)
    return hex(octets.length > 1 && octets[0] === 0 ? octets.subarray(1) : octets).toUpperCase();
  const magnitude = (-BigInt.asIntN(octets.length * 8, BigInt(`0x${hex(octets)}`)))
    .toString(16)
    .toUpperCase();
  return `-${magnitude.length % 2 === 0 ? '' : '0'}${magnitude}`;
}

function readValidity(element: Element): { readonly notBefore: number; readonly notAfter: number } {
  try {
    const fields = new Fields(element);
    const notBefore = readTime(fields.any('notBefore'));
    const notAfter = readTime(fields.any('notAfter'));
    fields.finish('validity');
    return { notBefore, notAfter };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new CertificateError('certificate_validity_malformed', error.message);
  }
}

function readKey(element: Element): PublicKey {
  try {
    return readPublicKey(element);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new CertificateError('certificate_key_malformed', error.message);
  }
}

/** What may follow the key: unique identifiers from version 2, extensions from version 3 (RFC 5280 4.1.2.8, 4.1.2.9). */
function readTail(fields: Fields, version: 1 | 2 | 3): readonly Extension[] {
  if (version >= 2) {
    for (const tag of [contextPrimitive(1), contextPrimitive(2)]) {
      const identifier = fields.optional(tag);
      if (identifier !== undefined) checkBitString(identifier);
    }
  }
  const wrapper = fields.optional(contextConstructed(3));
  if (wrapper !== undefined && version < 3)
    throw new CertificateError(
      'certificate_version_too_low',
      `extensions in version ${version}; they need version 3`,
    );
  fields.finish('tbsCertificate');
  if (wrapper === undefined) return [];
  const list = explicit(wrapper, tags.sequence, 'extensions');
  const extensions = someElementsOf(list, 'extensions').map(readExtension);
  const oids = new Set<string>();
  for (const { oid } of extensions) {
    if (oids.has(oid)) throw new CertificateError('certificate_extension_duplicate', oid);
    oids.add(oid);
  }
  return extensions;
}

function readValues(extensions: readonly Extension[]): Readonly<ExtensionValues> {
  try {
    return readExtensionValues(extensions);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new CertificateError('certificate_extension_malformed', error.message);
  }
}
