import { bufferOf, DerError, type Element, elementsOf, readWhole, tags } from '../der/der.ts';
import { hex, readOid } from '../der/der-values.ts';

/** What certificates come in, and what is taken for one. */
export type DerKind =
  | 'certificate'
  | 'certificate request'
  | 'private key'
  | 'public key'
  | 'PKCS#7'
  | 'PKCS#12'
  | 'CRL';

const signedData = '1.2.840.113549.1.7.2';
const data = '1.2.840.113549.1.7.1';

/** By its shape alone, of what may be anything; undefined: none of these. */
export function derKind(bytes: Uint8Array): DerKind | undefined {
  try {
    return kindOf(elementsOf(readWhole(bytes, tags.sequence, '')));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return berKind(bytes);
  }
}

function kindOf([first, second, third]: readonly Element[]): DerKind | undefined {
  const shape = [first, second, third].map((element) => element?.tag);
  if (first === undefined || second === undefined) return undefined;
  if (first.tag === tags.oid) return readOid(first) === signedData ? 'PKCS#7' : undefined;
  if (first.tag === tags.integer) {
    // PKCS #1, SEC 1, PKCS #8; PFX is version 3 of a ContentInfo.
    if (second.tag === tags.integer || second.tag === tags.octetString) return 'private key';
    if (second.tag !== tags.sequence) return undefined;
    if (third?.tag === tags.octetString) return 'private key';
    const type = elementsOf(second)[0];
    return type?.tag === tags.oid && [data, signedData].includes(readOid(type)) ? 'PKCS#12' : undefined;
  }
  if (first.tag !== tags.sequence) return undefined;
  if (second.tag === tags.octetString) return 'private key'; // EncryptedPrivateKeyInfo
  if (second.tag === tags.bitString) return 'public key';
  return shape[1] === tags.sequence && shape[2] === tags.bitString ? signedKind(first) : undefined;
}

/** Certificate, CRL and CertificationRequest are all SEQUENCE { what is signed, algorithm, BIT STRING }. */
function signedKind(signed: Element): DerKind | undefined {
  const fields = elementsOf(signed);
  const shape = fields.map(({ tag }) => tag);
  const times: readonly (number | undefined)[] = [tags.utcTime, tags.generalizedTime];
  const third = fields[2];
  if (shape[0] === tags.integer && third?.tag === tags.sequence && isPublicKey(third))
    return 'certificate request';
  if (times.includes(shape[0] === tags.integer ? shape[3] : shape[2])) return 'CRL';
  return 'certificate';
}

function isPublicKey(element: Element): boolean {
  const [algorithm, key, ...more] = elementsOf(element);
  return algorithm?.tag === tags.sequence && key?.tag === tags.bitString && more.length === 0;
}

/** PKCS#7 and PKCS#12 come in BER, too, with lengths that DER does not have; their first OID tells them. */
function berKind(bytes: Uint8Array): DerKind | undefined {
  const head = hex(bytes.subarray(0, 40));
  if (head.includes('06092a864886f70d010702')) return head.includes('020103') ? 'PKCS#12' : 'PKCS#7';
  return head.includes('020103') && head.includes('06092a864886f70d010701') ? 'PKCS#12' : undefined;
}

/**
 * What OpenSSL puts behind a certificate in a BEGIN TRUSTED CERTIFICATE block (X509_CERT_AUX): purposes that it is
 * trusted and rejected for. As there, a list without the purpose is a refusal, and so is what can't be read.
 */
export function isTrustedFor(settings: Uint8Array, purposes: readonly string[]): boolean {
  if (settings.length === 0) return true;
  try {
    const fields = elementsOf(readWhole(settings, tags.sequence, 'trust settings'));
    const listed = (tag: number): readonly string[] | undefined => {
      const list = fields.find((field) => field.tag === tag);
      return list && elementsOf(list).map(readOid);
    };
    const [trusted, rejected] = [listed(tags.sequence), listed(0xa0)];
    return (
      !purposes.some((purpose) => rejected?.includes(purpose)) &&
      (trusted === undefined || purposes.some((purpose) => trusted.includes(purpose)))
    );
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return false;
  }
}

/** The first element of these bytes and what follows it. @throws DerError */
export function splitFirst(bytes: Uint8Array): readonly [first: Uint8Array, rest: Uint8Array] {
  // As if both stood in one SEQUENCE.
  const all = { bytes: bufferOf(bytes), tag: tags.sequence, start: 0, content: 0, end: bytes.length };
  const [first] = elementsOf(all);
  const end = first?.end ?? 0;
  return [bytes.subarray(0, end), bytes.subarray(end)];
}
