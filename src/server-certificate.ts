import type { X509Certificate } from 'node:crypto';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { Attached } from './attached.ts';

/** Of a server Node hands out its certificate once. */
const certificates = new Attached<TLSSocket, X509Certificate>();

/**
 * Node 24 ends with a segmentation fault where it describes a certificate on a curve that NIST has no name for: brainpool,
 * secp256k1. And it describes the whole chain of each server that it connects to and trusts, before it asks anybody's
 * `checkServerIdentity` (lib/internal/tls/wrap.js, onConnectSecure). All that https, pg and grpc-js have in common is
 * this method. Here it describes the server's own certificate alone, in which names are looked for, and where Node can't
 * it tells these names: what they are worth, Node says as ever. Whoever connects by TLS imports this file.
 */
TLSSocket.prototype.getPeerCertificate = function (this: TLSSocket) {
  const certificate = certificates.get(this) ?? this.getPeerX509Certificate();
  if (certificate === undefined) return {};
  certificates.set(this, certificate);
  return isDescribable(certificate) ? certificate.toLegacyObject() : namesOf(certificate);
} as TLSSocket['getPeerCertificate'];

function isDescribable({ publicKey }: X509Certificate): boolean {
  const { namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  return namedCurve === undefined || ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve);
}

/** What `tls.checkServerIdentity` reads. A subject's text has escapes: no value in it passes for a CN, nor ends one. */
function namesOf({ subject, subjectAltName }: X509Certificate): Partial<PeerCertificate> {
  const attributes = (subject ?? '').split(/\n| \+ /);
  const commonNames = attributes.filter((one) => one.startsWith('CN=')).map((one) => one.slice(3));
  return { subject: { CN: commonNames }, subjectaltname: subjectAltName ?? '' };
}
