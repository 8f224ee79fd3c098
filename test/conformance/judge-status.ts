import type { Certificate } from '../../src/pki/certificate/certificate.ts';
import type { Crl } from '../../src/pki/revocation/crl.ts';
import { createCrlSet } from '../../src/pki/revocation/crl-set.ts';
import { byTheBook, type Freshness } from '../../src/pki/revocation/freshness.ts';
import { judgeOcsp } from '../../src/pki/revocation/ocsp.ts';
import { OcspError, readOcspResponse } from '../../src/pki/revocation/ocsp-response.ts';
import { revocationStatus } from '../../src/pki/revocation/revocation.ts';
import { signerFailure } from '../../src/pki/revocation/signer.ts';
import type { Case } from './case.ts';
import { isCertificate, type Judgement, readCrlOr, readOr } from './judge.ts';

/** Weak keys are no matter where revocation data is judged by itself. */
const weakAlgorithms = { sha1: true, md5: true, minRsaBits: 0, brainpool: true, secp256k1: true };

/** What a CRL or an OCSP response alone says of a leaf, without a path. */
export function judgeStatus(given: Case, kind: 'crl' | 'ocsp', wallClock: number): Judgement {
  const leaf = readOr(given.leaf);
  if (!isCertificate(leaf)) return judgement('unknown', leaf.code);
  const cas = [given.ca ?? []].flat().map(readOr);
  const unreadable = cas.find((ca) => !isCertificate(ca));
  const [issuer, ...others] = cas.filter(isCertificate);
  if (issuer === undefined)
    return judgement(
      'unknown',
      'harness:no_issuer',
      unreadable === undefined || isCertificate(unreadable) ? '' : unreadable.detail,
    );
  const now = given.time ? Date.parse(given.time) : wallClock;
  const maxAge = typeof given.maxAge === 'number' ? given.maxAge * 1000 : Infinity;
  const about = { certificate: leaf, issuer, freshness: { ...byTheBook, maxAge }, now };
  return kind === 'crl' ? byCrls(given, about, others) : byOcsp(given, about, others);
}

type About = {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
  readonly freshness: Freshness;
  readonly now: number;
};

function byCrls({ crls = [] }: Case, about: About, others: readonly Certificate[]): Judgement {
  const isSignedBy = (crl: Crl, signer: Certificate): boolean =>
    signer.keyUsage?.has('cRLSign') !== false &&
    signerFailure(crl, 'the CRL', signer, weakAlgorithms) === undefined;
  const { status } = revocationStatus({
    ...about,
    crls: createCrlSet(crls.map(readCrlOr).filter((crl) => crl !== undefined)),
    isSignedBy,
    findSigner: (crl) => {
      const cas = [about.issuer, ...others];
      const signer = cas.find((ca) => ca.subject.key === crl.issuer.key && isSignedBy(crl, ca));
      return signer && { certificate: signer, isSure: true };
    },
  });
  return judgement(status, status);
}

function byOcsp({ ocsp = '' }: Case, about: About, others: readonly Certificate[]): Judgement {
  try {
    const response = readOcspResponse(Buffer.from(ocsp, 'base64'));
    const answer = judgeOcsp(response, { ...about, responders: others, weakAlgorithms, nonce: undefined });
    if (answer.status === 'unusable') return judgement('unknown', 'unusable', answer.reason);
    return judgement(answer.status, answer.status);
  } catch (error) {
    if (error instanceof OcspError) return judgement('unknown', 'unusable', error.message);
    throw error;
  }
}

const judgement = (status: NonNullable<Judgement['status']>, code: string, detail = ''): Judgement => ({
  accepted: status === 'good',
  code,
  detail,
  status,
  policies: [],
});
