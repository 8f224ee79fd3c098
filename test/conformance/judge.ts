import { X509Certificate } from 'node:crypto';
import {
  type Certificate,
  CertificateError,
  readCertificate,
} from '../../src/pki/certificate/certificate.ts';
import type { GeneralName } from '../../src/pki/certificate/general-name.ts';
import { anyPolicy, type PathPolicy } from '../../src/pki/path/path-options.ts';
import { type PathVerdict, validatePath } from '../../src/pki/path/path-validation.ts';
import { createTrustStore } from '../../src/pki/path/trust-store.ts';
import { type Crl, readCrl } from '../../src/pki/revocation/crl.ts';
import { CrlError } from '../../src/pki/revocation/crl-error.ts';
import { createCrlSet } from '../../src/pki/revocation/crl-set.ts';
import { byCrls } from '../../src/pki/revocation/revocation-state.ts';
import type { Case, Peer } from './case.ts';
import { judgeStatus } from './judge-status.ts';

export type Judgement = {
  readonly accepted: boolean;
  /** What it came to: `valid`, one of our codes, or one that begins with `harness:`. */
  readonly code: string;
  readonly detail: string;
  readonly status: 'good' | 'revoked' | 'unknown' | undefined;
  readonly policies: readonly string[];
};

export const refused = (code: string, detail: string, status?: Judgement['status']): Judgement => ({
  accepted: false,
  code,
  detail,
  status,
  policies: [],
});

/** What our validation, and for servers the name match that is not ours, says of a case. */
export function judge(given: Case, wallClock: number): Judgement {
  if (given.kind === 'crl' || given.kind === 'ocsp') return judgeStatus(given, given.kind, wallClock);
  const leaf = readOr(given.leaf);
  if (leaf instanceof CertificateError) return refused(leaf.code, leaf.detail);
  const verdict = validate(given, leaf, wallClock);
  if (!verdict.valid) return refused(verdict.code, verdict.detail, statusOf(verdict.code));
  const mismatch = peerMismatch(given, leaf) ?? keyUsageMismatch(given, leaf);
  const status = given.crls?.length ? 'good' : undefined;
  if (mismatch !== undefined) return refused(mismatch, 'not what the case asks for', status);
  return { accepted: true, code: 'valid', detail: '', status, policies: verdict.policies };
}

function validate(given: Case, leaf: Certificate, wallClock: number): PathVerdict {
  const { policy: asked } = given;
  const crls = (given.crls ?? []).map(readCrlOr).filter((crl) => crl !== undefined);
  const anchors = (given.roots ?? []).map(readOr).filter(isCertificate);
  const policy: Partial<PathPolicy> = {
    purpose: given.kind === 'crl' || given.kind === 'ocsp' ? 'any' : given.kind,
    ...(typeof given.maxDepth === 'number' && { maxIntermediates: given.maxDepth }),
    ...(asked && {
      policies: {
        initialPolicySet: asked.initial ?? [anyPolicy],
        initialExplicitPolicy: asked.explicit ?? false,
        initialPolicyMappingInhibit: asked.inhibitMap ?? false,
        initialAnyPolicyInhibit: asked.inhibitAny ?? false,
      },
    }),
  };
  return validatePath(leaf, {
    ...policy,
    trustStore: createTrustStore({ anchors: anchors.map((certificate) => ({ kind: 'ca', certificate })) }),
    intermediates: (given.inters ?? []).map(readOr).filter(isCertificate),
    ...(given.crls?.length && {
      revocation: { version: 1, crls: createCrlSet(crls), policyOf: () => byCrls('refuse') },
    }),
    now: given.time ? Date.parse(given.time) : wallClock,
  });
}

const statuses: Readonly<Record<string, Judgement['status']>> = {
  certificate_revoked: 'revoked',
  issuer_revoked: 'revoked',
  revocation_unknown: 'unknown',
};
const statusOf = (code: string): Judgement['status'] => statuses[code];

export function readOr(base64: string): Certificate | CertificateError {
  try {
    return readCertificate(Buffer.from(base64, 'base64'));
  } catch (error) {
    if (error instanceof CertificateError) return error;
    throw error;
  }
}

export const isCertificate = (read: Certificate | CertificateError): read is Certificate =>
  !(read instanceof CertificateError);

export function readCrlOr(base64: string): Crl | undefined {
  try {
    return readCrl(Buffer.from(base64, 'base64'));
  } catch (error) {
    if (error instanceof CrlError) return undefined;
    throw error;
  }
}

function peerMismatch({ peer, peers }: Case, leaf: Certificate): string | undefined {
  const wanted = [...(peer ? [peer] : []), ...(peers ?? [])];
  return wanted.every((one) => hasName(leaf, one)) ? undefined : 'harness:peer_name_mismatch';
}

function hasName(leaf: Certificate, { kind, value }: Peer): boolean {
  const x509 = new X509Certificate(leaf.der);
  if (kind === 'DNS')
    return x509.checkHost(value, { subject: 'never', partialWildcards: false }) !== undefined;
  if (kind === 'IP') return x509.checkIP(value) !== undefined;
  const names: readonly GeneralName[] = leaf.values.subjectAltName ?? [];
  return names.some((name) => name.form === 'rfc822Name' && name.value === value);
}

function keyUsageMismatch({ ku }: Case, leaf: Certificate): string | undefined {
  const has: ReadonlySet<string> | undefined = leaf.keyUsage;
  const missing = has !== undefined && (ku ?? []).some((usage) => !has.has(otherNames[usage] ?? usage));
  return missing ? 'harness:key_usage_mismatch' : undefined;
}

/** X.509's later name for what RFC 5280 4.2.1.3 calls by the older one. */
const otherNames: Readonly<Record<string, string>> = {
  contentCommitment: 'nonRepudiation',
  crlSign: 'cRLSign',
};
