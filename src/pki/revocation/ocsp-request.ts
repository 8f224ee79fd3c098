import { hash } from 'node:crypto';
import type { Certificate, Signer } from '../certificate/certificate.ts';
import { type Name, readName } from '../certificate/name.ts';
import { readPublicKey } from '../certificate/public-key.ts';
import { contentOf, elementAt, Fields, readWhole, tags } from '../der/der.ts';
import { equalBytes, readBitStringOctets } from '../der/der-values.ts';
import type { CertId } from './ocsp-response.ts';

/** Hashes that a CertID may be made with. */
const hashes: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** What a responder knows a certificate by. */
export type OcspSubject = Pick<Certificate, 'serialOctets'> & { readonly issuer: Pick<Name, 'der'> };

/** Of a certificate and its issuer what a responder is asked with and its answers are judged by, in bytes of their own. */
export type AskedAbout = Readonly<Record<'serial' | 'name' | 'key', Uint8Array>>;

/** These themselves are as large as who issued them likes, and thousands are asked about. */
export const askedAbout = ({ serialOctets, issuer: name }: Certificate, issuer: Signer): AskedAbout => ({
  serial: new Uint8Array(serialOctets),
  name: new Uint8Array(name.der),
  key: new Uint8Array(issuer.subjectPublicKey.spki),
});

export function readAskedAbout({ serial, name, key }: AskedAbout): {
  readonly certificate: OcspSubject;
  readonly issuer: Signer;
} {
  const subject = readName(elementAt(name, 0));
  const subjectPublicKey = readPublicKey(elementAt(key, 0));
  return { certificate: { serialOctets: serial, issuer: subject }, issuer: { subject, subjectPublicKey } };
}

/** Whether the answer is about this certificate (RFC 6960 3.2 (1)). */
export function isAbout(
  { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }: CertId,
  certificate: OcspSubject,
  issuer: Signer,
): boolean {
  const algorithm = hashes[hashAlgorithm];
  return (
    algorithm !== undefined &&
    equalBytes(serialNumber, certificate.serialOctets) &&
    equalBytes(issuerNameHash, hash(algorithm, certificate.issuer.der, 'buffer')) &&
    equalBytes(issuerKeyHash, keyHash(issuer, algorithm))
  );
}

/** Of the key's BIT STRING, without its tag, length and unused bits (RFC 6960 4.1.1). */
export function keyHash(
  { subjectPublicKey: { spki } }: Pick<Signer, 'subjectPublicKey'>,
  algorithm: string,
): Uint8Array {
  const fields = new Fields(readWhole(spki, tags.sequence, 'SubjectPublicKeyInfo'));
  fields.next(tags.sequence, 'algorithm');
  return hash(algorithm, readBitStringOctets(fields.next(tags.bitString, 'subjectPublicKey')), 'buffer');
}

/**
 * Equal for what a responder knows as one (RFC 6960 4.1.1), whatever its bytes: anybody can write an ECDSA signature in
 * two ways, and a CA may have several certificates for one key.
 */
export const questionKey = ({ issuer: name, serialOctets }: OcspSubject, issuer: Signer): string =>
  hash('sha256', Buffer.concat([name.der, issuer.subjectPublicKey.spki, serialOctets]));

export const nonceOid = '1.3.6.1.5.5.7.48.1.2';

/**
 * An OCSPRequest for one certificate (RFC 6960 4.1.1). CertID by SHA-1, as RFC 5019 and RFC 9654 want it for every
 * responder to answer: it only names the certificate.
 *
 * @param nonce 1 to 128 octets that the answer must repeat (RFC 9654); undefined: answers made beforehand are welcome
 */
export function writeOcspRequest(certificate: OcspSubject, issuer: Signer, nonce?: Uint8Array): Uint8Array {
  const sha1 = sequence(Buffer.from('06052b0e03021a0500', 'hex'));
  const certId = sequence(
    sha1,
    element(tags.octetString, hash('sha1', certificate.issuer.der, 'buffer')),
    element(tags.octetString, keyHash(issuer, 'sha1')),
    element(tags.integer, certificate.serialOctets),
  );
  const list = sequence(sequence(certId));
  if (nonce === undefined) return sequence(sequence(list));
  const oid = Buffer.from('06092b0601050507300102', 'hex');
  const value = element(tags.octetString, element(tags.octetString, nonce));
  return sequence(sequence(list, element(0xa2, sequence(sequence(oid, value)))));
}

const sequence = (...parts: readonly Uint8Array[]): Uint8Array =>
  element(tags.sequence, Buffer.concat(parts));

function element(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...head), content]);
}

/** The nonce in an extension's value: an OCTET STRING in it, though old responders leave that out. */
export function nonceOf(value: Uint8Array): Uint8Array {
  try {
    return contentOf(readWhole(value, tags.octetString, 'nonce'));
  } catch {
    return value;
  }
}
