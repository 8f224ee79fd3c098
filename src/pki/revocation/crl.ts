import { type Name, readName } from '../certificate/name.ts';
import { readFrame, readSignatureAlgorithm, type Signed } from '../certificate/signature.ts';
import { contextConstructed, DerError, encodingOf, explicit, Fields, isSame, tags } from '../der/der.ts';
import { readCount, readTime } from '../der/der-values.ts';
import { mostAtOnce } from './crl-entry.ts';
import { CrlError } from './crl-error.ts';
import { type CrlExtensions, readCrlExtensions } from './crl-extensions.ts';
import { type EntryIndex, RevokedEntries } from './revoked-entries.ts';

/** A certificate revocation list (RFC 5280 section 5), nothing of it verified. */
export type Crl = Signed & {
  readonly issuer: Name;
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number;
  /** Milliseconds since the epoch. undefined: it does not say when there will be another. */
  readonly nextUpdate: number | undefined;
  readonly cRLNumber: bigint | undefined;
  readonly extensions: Readonly<CrlExtensions>;
  /** Bytes, without its entries and signature. */
  readonly head: number;
  readonly revoked: RevokedEntries;
};

/**
 * Reads one DER CRL, of version 1 or 2. RFC 5280 5.1.2.5 and 5.2.3 bind those who issue to nextUpdate and cRLNumber, not
 * those who read, and small CAs leave them out: then thisUpdate tells which of two is the newer, and the policy's own
 * limit of age until when it counts.
 *
 * @param index of its entries, where they were read before
 * @throws CrlError, and nothing else, whatever the bytes are
 */
export function readCrl(der: Uint8Array, index?: EntryIndex): Crl {
  try {
    return readList(der, index);
  } catch (error) {
    if (error instanceof DerError) throw new CrlError('crl_malformed', error.message);
    throw error;
  }
}

function readList(der: Uint8Array, index: EntryIndex | undefined): Crl {
  const { tbs, algorithm, signature } = readFrame(der, 'CertificateList');
  const fields = new Fields(tbs);
  const version = fields.optional(tags.integer);
  if (version !== undefined && readCount(version) !== 1)
    throw new CrlError('crl_version_unsupported', 'neither version 1 nor 2');
  const innerAlgorithm = fields.next(tags.sequence, 'signature');
  const signatureAlgorithm = readSignatureAlgorithm(innerAlgorithm);
  if (!isSame(innerAlgorithm, algorithm)) throw new CrlError('crl_algorithms_differ', signatureAlgorithm.oid);
  const issuer = readName(fields.next(tags.sequence, 'issuer'));
  if (issuer.rdns.length === 0) throw new CrlError('crl_issuer_empty', 'issuer has no RDN');
  const thisUpdate = readTime(fields.any('thisUpdate'));
  const next = fields.optional(tags.utcTime) ?? fields.optional(tags.generalizedTime);
  const list = fields.optional(tags.sequence);
  const head = tbs.end - tbs.start - (list === undefined ? 0 : list.end - list.start);
  if (head > mostAtOnce)
    throw new CrlError('crl_too_large', `more than ${mostAtOnce} bytes besides its entries`);
  const extensions = readTail(fields, version !== undefined);
  const read = list && (index ? RevokedEntries.indexed(der, index) : RevokedEntries.read(list, issuer));
  return {
    tbs: encodingOf(tbs),
    signatureAlgorithm,
    signature,
    issuer,
    thisUpdate,
    nextUpdate: next && readTime(next),
    cRLNumber: extensions.cRLNumber,
    extensions,
    head,
    revoked: read ?? RevokedEntries.none(issuer),
  };
}

function readTail(fields: Fields, mayHaveExtensions: boolean): CrlExtensions {
  const wrapper = fields.optional(contextConstructed(0));
  fields.finish('tbsCertList');
  if (wrapper === undefined) return {};
  // RFC 5280 5.1.2.1: with extensions, the version must be there.
  if (!mayHaveExtensions) throw new CrlError('crl_version_unsupported', 'version 1 with extensions');
  return readCrlExtensions(explicit(wrapper, tags.sequence, 'crlExtensions'));
}
