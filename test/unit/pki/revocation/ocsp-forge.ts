import { createHash } from 'node:crypto';
import type { Certificate } from '../../../../src/pki/certificate/certificate.ts';
import { now } from '../../../support/certificate-authority.ts';
import { bits, der, explicit, integer, name, octets, oid, sequence } from '../der-writer.ts';
import { dayMs, defaultScheme, type Entity, nothing, signBytes, spkiOf } from '../forge.ts';

const generalized = (instant: number): Uint8Array =>
  der(0x18, Buffer.from(new Date(instant).toISOString().replace(/[-:T]|\.\d+/g, '')));
const hashes = {
  sha1: sequence(oid('1.3.14.3.2.26'), der(0x05)),
  sha256: sequence(oid('2.16.840.1.101.3.4.2.1')),
  md5: sequence(oid('1.2.840.113549.2.5')),
};
const digest = (algorithm: string, bytes: Uint8Array): Uint8Array =>
  createHash(algorithm).update(bytes).digest();
/** Content of the key's BIT STRING: of P-256 the last 65 octets. */
const keyBits = ({ keys }: Entity): Uint8Array => spkiOf(keys).subarray(-65);

export const certId = (
  issuer: Entity,
  { issuer: issuerName, serialNumber }: Certificate,
  hash: keyof typeof hashes = 'sha1',
  serial = serialNumber,
): Uint8Array =>
  sequence(
    hashes[hash],
    octets(digest(hash, issuerName.der)),
    octets(digest(hash, keyBits(issuer))),
    integer(BigInt(`0x${serial}`)),
  );

export const good = der(0x80);
export const unknown = der(0x82);
export const revoked = (reason?: number): Uint8Array =>
  explicit(
    1,
    generalized(now - dayMs),
    ...(reason === undefined ? [] : [explicit(0, der(0x0a, Uint8Array.of(reason)))]),
  );

export type Single = {
  readonly id: Uint8Array;
  readonly status?: Uint8Array;
  readonly thisUpdate?: number;
  /** null: none. */
  readonly nextUpdate?: number | null;
  readonly extensions?: readonly Uint8Array[];
};

const single = ({
  id,
  status = good,
  thisUpdate = now - dayMs,
  nextUpdate = now + dayMs,
  extensions,
}: Single) =>
  sequence(
    id,
    status,
    generalized(thisUpdate),
    nextUpdate === null ? nothing : explicit(0, generalized(nextUpdate)),
    extensions === undefined ? nothing : explicit(1, sequence(...extensions)),
  );

export type ResponseParts = {
  readonly responses: readonly Single[];
  readonly producedAt?: number;
  /** By key unless given. */
  readonly responderName?: string;
  readonly extensions?: readonly Uint8Array[];
  readonly certificates?: readonly Certificate[];
  readonly version?: number;
  readonly type?: string;
  readonly tail?: Uint8Array;
  /** Of OCSPResponse. */
  readonly status?: number;
  readonly signedBy?: Entity;
};

/** What a responder answers. */
export function forgeOcsp(responder: Entity, parts: ResponseParts): Uint8Array {
  const { status = 0, type = '1.3.6.1.5.5.7.48.1.1', version, certificates = [], extensions } = parts;
  const tbs = sequence(
    version === undefined ? nothing : explicit(0, integer(version)),
    parts.responderName === undefined
      ? explicit(2, octets(digest('sha1', keyBits(responder))))
      : explicit(1, name(`CN=${parts.responderName}`)),
    generalized(parts.producedAt ?? now - dayMs),
    sequence(...parts.responses.map(single)),
    extensions === undefined ? nothing : explicit(1, sequence(...extensions)),
  );
  const basic = sequence(
    tbs,
    defaultScheme.algorithm,
    bits(signBytes(tbs, (parts.signedBy ?? responder).keys, defaultScheme)),
    certificates.length === 0 ? nothing : explicit(0, sequence(...certificates.map((one) => one.der))),
    parts.tail ?? nothing,
  );
  const bytes = explicit(0, sequence(oid(type), octets(basic)));
  return sequence(der(0x0a, Uint8Array.of(status)), status === 0 ? bytes : nothing);
}
