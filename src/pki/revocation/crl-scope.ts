import { Attached } from '../../attached.ts';
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
 * For which reasons of revocation a CRL speaks for the certificate at this distribution point (RFC 5280 6.3.3 (b), (d)); 0:
 * not at all. What many lists are asked about is worked out once.
 */
export function coverageAt(point: DistributionPoint, certificate: Certificate): (crl: Crl) => ReasonMask {
  const wanted = wantedNames(point, certificate);
  return (crl) => {
    const scope = crl.extensions.issuingDistributionPoint;
    if (point.cRLIssuer !== undefined && scope?.indirectCRL !== true) return 0;
    if (scope === undefined) return point.reasons;
    if (scope.onlyContainsAttributeCerts) return 0;
    if (scope.onlyContainsUserCerts && certificate.isCa) return 0;
    if (scope.onlyContainsCACerts && !certificate.isCa) return 0;
    if (scope.name !== undefined) {
      const own = ownNames(crl, scope.name);
      if (!wanted.some((key) => own.has(key))) return 0;
    }
    return point.reasons & scope.onlySomeReasons;
  };
}

/** 6.3.3 (b)(2)(i): one of the CRL's names is one of the point's, or where it has none, of its cRLIssuer's. */
function wantedNames(point: DistributionPoint, { issuer }: Certificate): readonly string[] {
  const directory = point.cRLIssuer?.find((one) => one.form === 'directoryName');
  return point.name === undefined
    ? (point.cRLIssuer ?? []).map(keyOf)
    : keysOf(point.name, directory === undefined ? issuer : directory.name);
}

const namesOf = new Attached<Crl, ReadonlySet<string>>();

function ownNames(crl: Crl, name: DistributionPointName): ReadonlySet<string> {
  const known = namesOf.get(crl) ?? new Set(keysOf(name, crl.issuer));
  namesOf.set(crl, known);
  return known;
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

/** Of two of an issuer's lists of one scope that one key signed the newer takes the other's place (RFC 5280 5.2.3, 5.2.5). */
export const scopeOf = ({ extensions: { issuingDistributionPoint } }: Crl): string =>
  issuingDistributionPoint?.key ?? '';

/** Whether the delta changes this complete CRL (RFC 5280 5.2.4, 6.3.3 (c)). */
export function isDeltaOf(delta: Crl, complete: Crl): boolean {
  const base = delta.extensions.deltaCRLIndicator;
  return (
    base !== undefined &&
    delta.issuer.key === complete.issuer.key &&
    scopeOf(delta) === scopeOf(complete) &&
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
