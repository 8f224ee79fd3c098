import type { Certificate } from '../certificate/certificate.ts';
import { isProcessed } from '../certificate/extensions.ts';
import { purposesText } from '../certificate/key-purposes.ts';
import { named } from '../certificate/name.ts';
import { failure, type PathFailure } from './failures.ts';
import type { PathPolicy } from './path-options.ts';

/** From the leaf up; the trust anchor is the last. A leaf that is pinned stands alone and is none's issue. */
export type Chain = readonly Certificate[];

const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyExtendedKeyUsage = '2.5.29.37.0';
const certificatePolicies = '2.5.29.32';

/** RFC 5280 6.1.3 (a)(2), for the anchor too. Both ends count, to the whole second. */
export function checkDates(chain: Chain, now: number): PathFailure | undefined {
  const second = Math.floor(now / 1000) * 1000;
  return first(chain, (certificate, at) => {
    const { notBefore, notAfter } = certificate;
    if (second > notAfter) {
      return failure(
        at === 0 ? 'certificate_expired' : 'issuer_expired',
        at,
        `${named(certificate)} expired on ${instant(notAfter)}`,
      );
    }
    if (second < notBefore) {
      return failure(
        at === 0 ? 'certificate_not_yet_valid' : 'issuer_not_yet_valid',
        at,
        `${named(certificate)} is not valid before ${instant(notBefore)}`,
      );
    }
    return undefined;
  });
}

/** RFC 5280 4.2.1.12, in each certificate that has the extension: a CA's limits what it may issue. */
export function checkPurpose(
  chain: Chain,
  purpose: PathPolicy['purpose'],
  anyInLeaf: boolean,
): PathFailure | undefined {
  if (purpose === 'any') return undefined;
  const wanted = purpose === 'client' ? clientAuth : serverAuth;
  return first(chain, (certificate, at) => {
    const usages = certificate.values.extKeyUsage;
    if (usages === undefined || usages.includes(wanted)) return undefined;
    if ((at > 0 || anyInLeaf) && usages.includes(anyExtendedKeyUsage)) return undefined;
    const code = at === 0 ? (`extended_key_usage_not_${purpose}` as const) : 'issuer_extended_key_usage';
    return failure(code, at, `${named(certificate)} is for ${purposesText(usages.slice(0, 10))}`);
  });
}

/** RFC 5280 6.1.4 (o), 6.1.5 (f), for the anchor too. Of certificate policies the qualifiers must be understood, too. */
export function checkCriticalExtensions(chain: Chain): PathFailure | undefined {
  return first(chain, (certificate, at) => {
    const { unknownPolicyQualifier } = certificate.values;
    const isUnknown = (oid: string): boolean =>
      !isProcessed(oid) || (oid === certificatePolicies && unknownPolicyQualifier !== undefined);
    const unknown = certificate.extensions.find(({ critical, oid }) => critical && isUnknown(oid));
    if (unknown === undefined) return undefined;
    const what =
      unknown.oid === certificatePolicies
        ? `certificate policies with the qualifier ${unknownPolicyQualifier}`
        : unknown.oid;
    const code = at === 0 ? 'certificate_critical_extension_unknown' : 'issuer_critical_extension_unknown';
    return failure(code, at, `${named(certificate)} has ${what}`);
  });
}

/** What RFC 5280 forbids in a certificate as such, where it would be read as more or less than it is. */
export function checkLeafForm(leaf: Certificate, policy: PathPolicy): PathFailure | undefined {
  const { keyUsage, isCa, values } = leaf;
  if (leaf.subject.rdns.length === 0 && !hasCriticalSubjectAltName(leaf)) {
    return failure('certificate_subject_missing', 0, 'empty subject without a critical subjectAltName');
  }
  if (!isCa && keyUsage?.has('keyCertSign')) {
    return failure('key_usage_without_ca', 0, `${named(leaf)} has keyCertSign without cA`);
  }
  if (!isCa && values.nameConstraints !== undefined) {
    return failure('name_constraints_without_ca', 0, `${named(leaf)} has nameConstraints without cA`);
  }
  // RFC 5280 4.2.1.12, clientAuth: digitalSignature and/or keyAgreement.
  const signs = keyUsage === undefined || keyUsage.has('digitalSignature') || keyUsage.has('keyAgreement');
  if (policy.purpose === 'client' && !signs) {
    return failure('key_usage_not_client', 0, `${named(leaf)} has ${[...keyUsage].join(', ')}`);
  }
  return undefined;
}

function hasCriticalSubjectAltName({ extensions }: Certificate): boolean {
  return extensions.some(({ oid, critical }) => oid === '2.5.29.17' && critical);
}

/**
 * RFC 5280 6.1.4 (k), (n), for the anchor too: the operator's word that it is trusted is no word that it is a CA, since
 * bundles of client certificates are given as trust anchors as well.
 */
export function checkIssuers(chain: Chain): PathFailure | undefined {
  return first(chain, (certificate, at) => {
    if (at === 0) return undefined;
    if (!certificate.isCa)
      return failure('issuer_not_ca', at, `${named(certificate)} has no basicConstraints with cA`);
    if (certificate.keyUsage?.has('keyCertSign') === false) {
      return failure('issuer_key_usage_not_cert_sign', at, `${named(certificate)} has no keyCertSign`);
    }
    return undefined;
  });
}

/**
 * RFC 5280 6.1.4 (l), (m), the anchor's pathLenConstraint included. Counts the intermediates below each CA that are not
 * self-issued; the leaf is none, even where it is a CA.
 */
export function checkPathLengths(chain: Chain): PathFailure | undefined {
  let below = 0;
  return first(chain, (certificate, at) => {
    if (at === 0) return undefined;
    const limit = certificate.values.basicConstraints?.pathLenConstraint;
    if (limit !== undefined && below > limit) {
      return failure(
        'path_length_exceeded',
        at,
        `${named(certificate)} allows ${limit} CAs below it, the path has ${below}`,
      );
    }
    if (!certificate.isSelfIssued) below++;
    return undefined;
  });
}

/** @param check gets the certificate and its place; the first failure ends it */
function first(
  chain: Chain,
  check: (certificate: Certificate, at: number) => PathFailure | undefined,
): PathFailure | undefined {
  for (let at = 0; at < chain.length; at++) {
    const failed = check(chain[at]!, at);
    if (failed !== undefined) return failed;
  }
  return undefined;
}

const instant = (ms: number): string => new Date(ms).toISOString().replace('.000', '');
