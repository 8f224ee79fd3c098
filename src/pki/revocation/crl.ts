import { serialText } from '../certificate/certificate.ts';
import { type Name, readName } from '../certificate/name.ts';
import { readFrame, readSignatureAlgorithm, type Signed } from '../certificate/signature.ts';
import { contextConstructed, DerError, type Element, encodingOf, Fields, tags } from '../der/der.ts';
import { equalBytes, integerOctets, readCount, readTime } from '../der/der-values.ts';
import { CrlError } from './crl-error.ts';
import { type CrlExtensions, readCrlExtensions, readEntryExtensions } from './crl-extensions.ts';

export type RevokedEntry = {
  /** Milliseconds since the epoch. */
  readonly revocationDate: number;
  /** CRLReason, undefined where none is given. */
  readonly reasonCode: number | undefined;
};

/** A certificate revocation list (RFC 5280 section 5), nothing of it verified. */
export type Crl = Signed & {
  readonly issuer: Name;
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number;
  /** Milliseconds since the epoch. */
  readonly nextUpdate: number;
  readonly cRLNumber: bigint;
  readonly extensions: Readonly<CrlExtensions>;
  /** By the key of the certificate's issuer, then by serial number as `Certificate.serialNumber` has it. */
  readonly revoked: ReadonlyMap<string, ReadonlyMap<string, RevokedEntry>>;
};

/**
 * Reads one DER CRL: version 2, with nextUpdate and cRLNumber, as RFC 5280 5.1.2.5 and 5.2.3 demand. Without them
 * nobody could tell which of two CRLs is the newer, and until when.
 *
 * @throws CrlError, and nothing else, whatever the bytes are
 */
export function readCrl(der: Uint8Array): Crl {
  try {
    return readList(new Uint8Array(der));
  } catch (error) {
    if (error instanceof DerError) throw new CrlError('crl_malformed', error.message);
    throw error;
  }
}

function readList(der: Uint8Array): Crl {
  const { tbs, algorithm, signature } = readFrame(der, 'CertificateList');
  const fields = new Fields(tbs);
  const version = fields.optional(tags.integer);
  if (version === undefined || readCount(version) !== 1) {
    throw new CrlError('crl_version_unsupported', 'not version 2');
  }
  const signatureAlgorithm = readSignatureAlgorithm(fields.next(tags.sequence, 'signature'));
  if (!equalBytes(signatureAlgorithm.der, algorithm)) {
    throw new CrlError('crl_algorithms_differ', signatureAlgorithm.oid);
  }
  const issuer = readName(fields.next(tags.sequence, 'issuer'));
  if (issuer.rdns.length === 0) throw new CrlError('crl_issuer_empty', 'issuer has no RDN');
  const thisUpdate = readTime(fields.any('thisUpdate'));
  const next = fields.optional(tags.utcTime) ?? fields.optional(tags.generalizedTime);
  if (next === undefined) throw new CrlError('crl_next_update_missing', 'no nextUpdate');
  const entries = fields.optional(tags.sequence);
  const extensions = readTail(fields);
  if (extensions.cRLNumber === undefined) throw new CrlError('crl_number_missing', 'no cRLNumber');
  return {
    tbs: encodingOf(tbs),
    signatureAlgorithm,
    signature,
    issuer,
    thisUpdate,
    nextUpdate: readTime(next),
    cRLNumber: extensions.cRLNumber,
    extensions,
    revoked: entries === undefined ? new Map() : readEntries(entries, issuer),
  };
}

function readTail(fields: Fields): CrlExtensions {
  const wrapper = fields.optional(contextConstructed(0));
  fields.finish('tbsCertList');
  if (wrapper === undefined) return {};
  const inner = new Fields(wrapper);
  const list = inner.next(tags.sequence, 'crlExtensions');
  inner.finish('crlExtensions');
  return readCrlExtensions(list);
}

/** An entry without certificateIssuer has that of the entry before it, the first one the CRL's (RFC 5280 5.3.3). */
function readEntries(list: Element, issuer: Name): Crl['revoked'] {
  const revoked = new Map<string, Map<string, RevokedEntry>>();
  const entries = new Fields(list);
  let issuerKey = issuer.key;
  while (!entries.done) {
    const fields = new Fields(entries.next(tags.sequence, 'revokedCertificates'));
    const serial = serialText(integerOctets(fields.next(tags.integer, 'userCertificate')));
    const revocationDate = readTime(fields.any('revocationDate'));
    const list = fields.optional(tags.sequence);
    fields.finish('revokedCertificates');
    const { reasonCode, certificateIssuer } = list === undefined ? {} : readEntryExtensions(list);
    if (certificateIssuer !== undefined) {
      const directory = certificateIssuer.find((name) => name.form === 'directoryName');
      if (directory === undefined)
        throw new CrlError('crl_extension_malformed', 'certificateIssuer: no name');
      issuerKey = directory.name.key;
    }
    let ofIssuer = revoked.get(issuerKey);
    if (ofIssuer === undefined) {
      ofIssuer = new Map();
      revoked.set(issuerKey, ofIssuer);
    }
    ofIssuer.set(serial, { revocationDate, reasonCode });
  }
  return revoked;
}
