import { type Extension, readExtension } from '../certificate/extensions.ts';
import { type Name, readName } from '../certificate/name.ts';
import { readSignatureAlgorithm, type Signed } from '../certificate/signature.ts';
import {
  contentOf,
  contextConstructed,
  contextPrimitive,
  DerError,
  type Element,
  elementsOf,
  encodingOf,
  explicit,
  Fields,
  readWhole,
  someElementsOf,
  tags,
} from '../der/der.ts';
import { integerOctets, readBitStringOctets, readCount, readOid, readTime } from '../der/der-values.ts';
import type { RevokedEntry } from './crl-entry.ts';

/** Which certificate an answer is about (RFC 6960 4.1.1). */
export type CertId = {
  /** Dotted OID. */
  readonly hashAlgorithm: string;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  /** Content of the INTEGER. */
  readonly serialNumber: Uint8Array;
};

export type SingleResponse = {
  readonly certId: CertId;
  readonly status: 'good' | 'unknown' | RevokedEntry;
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | undefined;
  readonly extensions: readonly Extension[];
};

/** A BasicOCSPResponse (RFC 6960 4.2.1), nothing of it verified. */
export type OcspResponse = Signed & {
  /** The responder's name, or the SHA-1 hash of its key. */
  readonly responderId: Name | Uint8Array;
  readonly producedAt: number;
  readonly responses: readonly SingleResponse[];
  readonly extensions: readonly Extension[];
  /** DER of certificates that came along. */
  readonly certificates: readonly Uint8Array[];
};

/** Why there is no answer in it. */
export class OcspError extends Error {
  override readonly name = 'OcspError';
}

/** In the order of their numbers (RFC 6960 4.2.1); 4 is not used. */
const refusals = ['', 'malformedRequest', 'internalError', 'tryLater', '', 'sigRequired', 'unauthorized'];
const basicResponse = '1.3.6.1.5.5.7.48.1.1';

/**
 * Reads one DER OCSPResponse. Every node of it is ours: whatever DER does not allow is refused, so that no two readers
 * see two answers in one.
 *
 * @throws OcspError, and nothing else, whatever the bytes are
 */
export function readOcspResponse(der: Uint8Array): OcspResponse {
  try {
    const fields = new Fields(readWhole(der, tags.sequence, 'OCSPResponse'));
    const status = readCount(fields.next(tags.enumerated, 'responseStatus'));
    const wrapper = fields.optional(contextConstructed(0));
    fields.finish('OCSPResponse');
    if (status !== 0) throw new OcspError(`the responder says ${refusals[status] || `status ${status}`}`);
    if (wrapper === undefined) throw new OcspError('the responder says successful, and nothing else');
    const bytes = new Fields(explicit(wrapper, tags.sequence));
    const type = readOid(bytes.next(tags.oid, 'responseType'));
    if (type !== basicResponse) throw new OcspError(`an answer of type ${type}`);
    const response = contentOf(bytes.next(tags.octetString, 'response'));
    bytes.finish('responseBytes');
    return readBasic(response);
  } catch (error) {
    if (error instanceof DerError) throw new OcspError(`no OCSPResponse: ${error.message}`);
    throw error;
  }
}

function readBasic(der: Uint8Array): OcspResponse {
  const fields = new Fields(readWhole(der, tags.sequence, 'BasicOCSPResponse'));
  const tbs = fields.next(tags.sequence, 'tbsResponseData');
  const signatureAlgorithm = readSignatureAlgorithm(fields.next(tags.sequence, 'signatureAlgorithm'));
  const signature = readBitStringOctets(fields.next(tags.bitString, 'signature'));
  const certs = fields.optional(contextConstructed(0));
  fields.finish('BasicOCSPResponse');
  const data = readData(tbs);
  const certificates = certs === undefined ? [] : elementsOf(explicit(certs, tags.sequence)).map(encodingOf);
  return { tbs: encodingOf(tbs), signatureAlgorithm, signature, certificates, ...data };
}

function readData(
  tbs: Element,
): Pick<OcspResponse, 'responderId' | 'producedAt' | 'responses' | 'extensions'> {
  const fields = new Fields(tbs);
  const version = fields.optional(contextConstructed(0));
  // DEFAULT v1: written out it is not DER, and harmless; responders do it.
  if (version !== undefined && readCount(explicit(version, tags.integer)) !== 0)
    throw new OcspError('an answer of another version than 1');
  const responderId = readResponderId(fields.any('responderID'));
  const producedAt = readTime(fields.next(tags.generalizedTime, 'producedAt'));
  const responses = elementsOf(fields.next(tags.sequence, 'responses')).map(readSingle);
  const extensions = readExtensions(fields.optional(contextConstructed(1)));
  fields.finish('tbsResponseData');
  return { responderId, producedAt, responses, extensions };
}

function readResponderId(element: Element): Name | Uint8Array {
  if (element.tag === contextConstructed(1)) return readName(explicit(element, tags.sequence));
  if (element.tag === contextConstructed(2)) return contentOf(explicit(element, tags.octetString));
  throw new DerError('responderID: neither name nor key');
}

function readSingle(element: Element): SingleResponse {
  const fields = new Fields(element);
  const certId = readCertId(fields.next(tags.sequence, 'certID'));
  const status = readStatus(fields.any('certStatus'));
  const thisUpdate = readTime(fields.next(tags.generalizedTime, 'thisUpdate'));
  const next = fields.optional(contextConstructed(0));
  const extensions = readExtensions(fields.optional(contextConstructed(1)));
  fields.finish('SingleResponse');
  const nextUpdate = next && readTime(explicit(next, tags.generalizedTime));
  return { certId, status, thisUpdate, nextUpdate, extensions };
}

function readCertId(element: Element): CertId {
  const fields = new Fields(element);
  const algorithm = new Fields(fields.next(tags.sequence, 'hashAlgorithm'));
  const hashAlgorithm = readOid(algorithm.next(tags.oid, 'hashAlgorithm'));
  const issuerNameHash = contentOf(fields.next(tags.octetString, 'issuerNameHash'));
  const issuerKeyHash = contentOf(fields.next(tags.octetString, 'issuerKeyHash'));
  const serialNumber = integerOctets(fields.next(tags.integer, 'serialNumber'));
  fields.finish('CertID');
  return { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber };
}

function readStatus(element: Element): SingleResponse['status'] {
  const isNull = element.content === element.end;
  if (element.tag === contextPrimitive(0) && isNull) return 'good';
  if (element.tag === contextPrimitive(2) && isNull) return 'unknown';
  if (element.tag !== contextConstructed(1)) throw new DerError('certStatus: none of the three');
  const fields = new Fields(element);
  const revocationDate = readTime(fields.next(tags.generalizedTime, 'revocationTime'));
  const reason = fields.optional(contextConstructed(0));
  fields.finish('RevokedInfo');
  return { revocationDate, reasonCode: reason && readCount(explicit(reason, tags.enumerated)) };
}

function readExtensions(wrapper: Element | undefined): readonly Extension[] {
  if (wrapper === undefined) return [];
  const extensions = someElementsOf(explicit(wrapper, tags.sequence), 'extensions').map(readExtension);
  if (new Set(extensions.map(({ oid }) => oid)).size < extensions.length)
    throw new DerError('an extension twice');
  return extensions;
}
