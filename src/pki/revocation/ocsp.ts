import {
  type Certificate,
  CertificateError,
  readCertificate,
  type Signer,
} from '../certificate/certificate.ts';
import { named } from '../certificate/name.ts';
import { equalBytes } from '../der/der-values.ts';
import type { WeakAlgorithms } from '../path/path-options.ts';
import type { RevokedEntry } from './crl-entry.ts';
import { type Freshness, isWithin, type Window, windowOf } from './freshness.ts';
import { isAbout, keyHash, nonceOf, nonceOid, type OcspSubject } from './ocsp-request.ts';
import type { OcspResponse, SingleResponse } from './ocsp-response.ts';
import { signerFailure } from './signer.ts';

export type OcspQuestion = {
  readonly certificate: OcspSubject;
  /** The certificate above it in its validated path. */
  readonly issuer: Signer;
  /** Certificates of responders that the operator trusts for this issuer, beside the issuer and whom it delegates to. */
  readonly responders: readonly Certificate[];
  readonly freshness: Freshness;
  readonly weakAlgorithms: WeakAlgorithms;
  /** That the request asked with; undefined: none. */
  readonly nonce: Uint8Array | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

type OcspRevoked = { readonly status: 'revoked'; readonly entry: RevokedEntry; readonly window: Window };

export type OcspStatus =
  | {
      readonly status: 'good' | 'unknown';
      readonly window: Window;
      /** Serial number of the responder that the issuer certified for it: a list may yet say that it is revoked. */
      readonly delegate?: Uint8Array | undefined;
      /** The answer whose place it took by that responder's word: where that one is revoked, it counts on. */
      readonly instead?: OcspRevoked;
    }
  | OcspRevoked
  /** No answer to go by, and why. */
  | { readonly status: 'unusable'; readonly reason: string };

const unusable = (reason: string): OcspStatus => ({ status: 'unusable', reason });

/**
 * What a response says of a certificate (RFC 6960 3.2). Of several answers about it the worst counts: revoked, then
 * unknown, then good.
 */
export function judgeOcsp(response: OcspResponse, question: OcspQuestion): OcspStatus {
  const { certificate, issuer, freshness, nonce, now } = question;
  const critical = response.extensions.find((one) => one.critical && one.oid !== nonceOid);
  if (critical !== undefined) return unusable(`critical extension ${critical.oid}`);
  const repeated = response.extensions.find(({ oid }) => oid === nonceOid)?.value;
  if (nonce !== undefined && (repeated === undefined || !equalBytes(nonceOf(repeated), nonce)))
    return unusable('does not repeat the nonce');
  if (response.producedAt > now + freshness.clockSkew) return unusable('was produced in the future');
  const responder = responderOf(response, question);
  if (typeof responder === 'string') return unusable(responder);
  const about = response.responses.filter(({ certId }) => isAbout(certId, certificate, issuer));
  if (about.length === 0) return unusable('is about other certificates');
  const current = about.filter((one) => isWithin(windowOf(one, freshness), now));
  if (current.length === 0) return unusable('is out of date');
  const misunderstood = current.flatMap(({ extensions }) => extensions).find(({ critical }) => critical);
  if (misunderstood !== undefined) return unusable(`critical extension ${misunderstood.oid}`);
  const worst = current.map((one) => statusOf(one, freshness)).toSorted((a, b) => rank(a) - rank(b))[0]!;
  const { delegate } = responder;
  return worst.status === 'good' && delegate !== undefined
    ? { ...worst, delegate: new Uint8Array(delegate.serialOctets) }
    : worst;
}

const statusOf = (single: SingleResponse, freshness: Freshness): OcspStatus => {
  const window = windowOf(single, freshness);
  return typeof single.status === 'string'
    ? { status: single.status, window }
    : { status: 'revoked', entry: single.status, window };
};

const rank = ({ status }: OcspStatus): number => ['revoked', 'unknown', 'good'].indexOf(status);

/**
 * RFC 6960 4.2.2.2: signed by the issuer, by whom the operator named, or by whom the issuer itself, directly and with
 * this very key, certified for OCSP signing.
 *
 * @returns whom it certified, where it is such a one; or why it is none of these
 */
function responderOf(
  response: OcspResponse,
  question: OcspQuestion,
): { readonly delegate: Certificate | undefined } | string {
  const { issuer, responders, weakAlgorithms } = question;
  const sent = response.certificates.slice(0, maxCertificates).flatMap(readable);
  // The issuer's own may be among them, and its key is tried as it is.
  const delegates = sent.filter((one) => !hasSameKey(one, issuer));
  const trusted = [issuer, ...responders].map((signer) => ({ signer, delegate: undefined }));
  let why = 'its responder is neither the issuer nor authorised by it';
  for (const { signer, delegate } of [
    ...trusted,
    ...delegates.map((one) => ({ signer: one, delegate: one })),
  ]) {
    if (!isResponder(signer, response.responderId)) continue;
    const failed = delegate && delegationFailure(delegate, question);
    if (failed !== undefined) {
      why = failed;
      continue;
    }
    const forged = signerFailure(response, 'the OCSP response', signer, weakAlgorithms);
    if (forged === undefined) return { delegate };
    why = forged;
  }
  return why;
}

const hasSameKey = (one: Signer, other: Signer): boolean =>
  one.subject.key === other.subject.key && one.subjectPublicKey.text === other.subjectPublicKey.text;

/** More than any responder sends; each may cost a signature. */
const maxCertificates = 4;

function readable(der: Uint8Array): Certificate[] {
  try {
    return [readCertificate(der)];
  } catch (error) {
    if (error instanceof CertificateError) return [];
    throw error;
  }
}

const isResponder = (signer: Signer, id: OcspResponse['responderId']): boolean =>
  id instanceof Uint8Array ? equalBytes(id, keyHash(signer, 'sha1')) : id.key === signer.subject.key;

const ocspSigning = '1.3.6.1.5.5.7.3.9';

/** Why this certificate is no delegated responder of the issuer's. */
function delegationFailure(
  signer: Certificate,
  { issuer, weakAlgorithms, freshness: { clockSkew }, now }: OcspQuestion,
): string | undefined {
  const who = named(signer);
  if (signer.issuer.key !== issuer.subject.key) return `${who} was not issued by ${named(issuer)}`;
  if (signer.values.extKeyUsage?.includes(ocspSigning) !== true) return `${who} is not for OCSP signing`;
  if (signer.keyUsage?.has('digitalSignature') === false) return `${who} is not for signatures`;
  if (now + clockSkew < signer.notBefore || now - clockSkew > signer.notAfter + 999)
    return `${who} is not valid now`;
  const unknown = signer.extensions.find(({ oid, critical }) => critical && !understood.has(oid));
  if (unknown !== undefined) return `${who} has critical extension ${unknown.oid}`;
  return signerFailure(signer, who, issuer, weakAlgorithms);
}

/** Critical extensions that say nothing against a responder, or that were looked at. */
const understood: ReadonlySet<string> = new Set([
  '2.5.29.15',
  '2.5.29.19',
  '2.5.29.37',
  '1.3.6.1.5.5.7.48.1.5',
]);
