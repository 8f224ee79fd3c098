import type { Certificate } from '../certificate/certificate.ts';
import {
  allReasons,
  type DistributionPoint,
  type DistributionPointName,
  type ReasonMask,
} from '../certificate/distribution-point.ts';
import type { GeneralName } from '../certificate/general-name.ts';
import { appendRdn, type Name } from '../certificate/name.ts';
import { equalBytes, hex } from '../der/der-values.ts';
import type { Crl } from './crl.ts';

/**
 * Where the CRLs for a certificate may come from: its distribution points, then, as RFC 5280 6.3.3 ends, whatever its
 * issuer publishes without being named there.
 */
export function distributionPointsOf({ values, issuer }: Certificate): readonly DistributionPoint[] {
  const implied: DistributionPoint = {
    name: { kind: 'fullName', names: [{ form: 'directoryName', name: issuer }] },
    reasons: allReasons,
    cRLIssuer: undefined,
  };
  return [...(values.cRLDistributionPoints ?? []), implied];
}

/** Keys of the names under which a CRL for this distribution point may be issued (RFC 5280 6.3.3 (b)(1)). */
export function crlIssuersOf(point: DistributionPoint, { issuer }: Certificate): readonly string[] {
  if (point.cRLIssuer === undefined) return [issuer.key];
  return point.cRLIssuer.filter((name) => name.form === 'directoryName').map(({ name }) => name.key);
}

/**
 * For which reasons of revocation this CRL speaks for the certificate at this distribution point (RFC 5280 6.3.3 (b),
 * (d)); 0: not at all.
 */
export function reasonsCovered(crl: Crl, point: DistributionPoint, certificate: Certificate): ReasonMask {
  const scope = crl.extensions.issuingDistributionPoint;
  if (point.cRLIssuer !== undefined && scope?.indirectCRL !== true) return 0;
  if (scope === undefined) return point.reasons;
  if (scope.onlyContainsAttributeCerts) return 0;
  if (scope.onlyContainsUserCerts && certificate.isCa) return 0;
  if (scope.onlyContainsCACerts && !certificate.isCa) return 0;
  if (scope.name !== undefined && !isNamed(scope.name, crl, point, certificate)) return 0;
  return point.reasons & scope.onlySomeReasons;
}

/** 6.3.3 (b)(2)(i): one of the CRL's names is one of the point's, or where it has none, of its cRLIssuer's. */
function isNamed(
  name: DistributionPointName,
  crl: Crl,
  point: DistributionPoint,
  { issuer }: Certificate,
): boolean {
  const own = keysOf(name, crl.issuer);
  const directory = point.cRLIssuer?.find((one) => one.form === 'directoryName');
  const wanted =
    point.name === undefined
      ? (point.cRLIssuer ?? []).map(keyOf)
      : keysOf(point.name, directory === undefined ? issuer : directory.name);
  return own.some((key) => wanted.includes(key));
}

const keysOf = (name: DistributionPointName, relativeTo: Name): readonly string[] =>
  name.kind === 'fullName' ? name.names.map(keyOf) : [`directoryName ${appendRdn(relativeTo, name.rdn).key}`];

function keyOf(name: GeneralName): string {
  switch (name.form) {
    case 'directoryName':
      return `directoryName ${name.name.key}`;
    case 'iPAddress':
      return `iPAddress ${hex(name.octets)}`;
    case 'dNSName':
    case 'rfc822Name':
    case 'uniformResourceIdentifier':
      return `${name.form} ${name.value}`;
    default:
      return `${name.form} ${hex(name.der)}`;
  }
}

/** Whether of two lists that one key signed the newer takes the other's place (RFC 5280 5.2.3, 5.2.5). */
export const isSameScope = (a: Crl, b: Crl): boolean =>
  a.issuer.key === b.issuer.key &&
  a.extensions.issuingDistributionPoint?.key === b.extensions.issuingDistributionPoint?.key;

/** Whether the delta changes this complete CRL (RFC 5280 5.2.4, 6.3.3 (c)). */
export function isDeltaOf(delta: Crl, complete: Crl): boolean {
  const base = delta.extensions.deltaCRLIndicator;
  return (
    base !== undefined &&
    isSameScope(delta, complete) &&
    sameOrNone(delta.extensions.authorityKeyIdentifier, complete.extensions.authorityKeyIdentifier) &&
    // A delta counts in numbers: without them nothing says what it changes.
    complete.cRLNumber !== undefined &&
    delta.cRLNumber !== undefined &&
    base <= complete.cRLNumber &&
    complete.cRLNumber < delta.cRLNumber
  );
}

const sameOrNone = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equalBytes(a, b);
