import { type Crl, readCrl } from '../../../../src/pki/revocation/crl.ts';
import { now } from '../../../support/certificate-authority.ts';
import { bits, der, explicit, extension, integer, name, sequence, time } from '../der-writer.ts';
import { dayMs, defaultScheme, type Entity, nothing, signBytes } from '../forge.ts';

/** Fields of a CRL as DER, each one replaceable by something it should not be. */
export type CrlParts = {
  readonly version: Uint8Array;
  readonly signature: Uint8Array;
  readonly issuer: Uint8Array;
  readonly thisUpdate: Uint8Array;
  readonly nextUpdate: Uint8Array;
  readonly revokedCertificates: Uint8Array;
  readonly crlExtensions: Uint8Array;
  readonly signatureAlgorithm: Uint8Array;
  readonly tail: Uint8Array;
};

export const crlNumber = (value: number | bigint): Uint8Array => extension('2.5.29.20', integer(value));

export function forgeCrlDer(issuer: Entity, parts: Partial<CrlParts> = {}): Uint8Array {
  const { algorithm } = defaultScheme;
  const all: CrlParts = {
    version: integer(1),
    signature: algorithm,
    issuer: name(`CN=${issuer.name}`),
    thisUpdate: time(now - dayMs),
    nextUpdate: time(now + dayMs),
    revokedCertificates: nothing,
    crlExtensions: crlExtensions(crlNumber(1)),
    signatureAlgorithm: algorithm,
    tail: nothing,
    ...parts,
  };
  const { version, signature, thisUpdate, nextUpdate, revokedCertificates } = all;
  const tbs = sequence(
    version,
    signature,
    all.issuer,
    thisUpdate,
    nextUpdate,
    revokedCertificates,
    all.crlExtensions,
  );
  return sequence(tbs, all.signatureAlgorithm, bits(signBytes(tbs, issuer.keys, defaultScheme)), all.tail);
}

export const crlExtensions = (...list: readonly Uint8Array[]): Uint8Array => explicit(0, sequence(...list));

export type CrlOptions = {
  /** Serial numbers as hex, or whole entries. */
  readonly revoked?: readonly (string | Uint8Array)[];
  readonly number?: number;
  readonly thisUpdate?: number;
  readonly nextUpdate?: number;
  readonly list?: readonly Uint8Array[];
};

/** What an issuer says of its certificates. */
export function crl(issuer: Entity, options: CrlOptions = {}): Crl {
  const entries = (options.revoked ?? []).map((one) => (typeof one === 'string' ? entry(one) : one));
  return readCrl(
    forgeCrlDer(issuer, {
      thisUpdate: time(options.thisUpdate ?? now - dayMs),
      nextUpdate: time(options.nextUpdate ?? now + dayMs),
      revokedCertificates: entries.length === 0 ? nothing : sequence(...entries),
      crlExtensions: crlExtensions(crlNumber(options.number ?? 1), ...(options.list ?? [])),
    }),
  );
}

/** @param serial hex */
export const entry = (serial: string, ...list: readonly Uint8Array[]): Uint8Array =>
  sequence(
    integer(BigInt(`0x${serial}`)),
    time(now - dayMs),
    ...(list.length === 0 ? [] : [sequence(...list)]),
  );

export const reason = (code: number): Uint8Array => extension('2.5.29.21', der(0x0a, Uint8Array.of(code)));
export const certificateIssuer = (...names: readonly Uint8Array[]): Uint8Array =>
  extension('2.5.29.29', sequence(...names), true);
export const deltaOf = (base: number): Uint8Array => extension('2.5.29.27', integer(base), true);
/** issuingDistributionPoint, its fields as DER. */
export const scope = (...fields: readonly Uint8Array[]): Uint8Array =>
  extension('2.5.29.28', sequence(...fields), true);
