import { hash } from 'node:crypto';
import { Fields, readWhole, tags } from '../der/der.ts';
import { integerOctets } from '../der/der-values.ts';
import type { Certificate } from './certificate.ts';

/** Orders of the groups of P-256, P-384 and P-521 (FIPS 186-5, SP 800-186). */
const orders: readonly bigint[] = [
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
];

/**
 * SHA-256 of the certificates that this one can be made into without any key: an ECDSA signature (r, s) is as good as
 * (r, n - s). Whoever is to be kept out by the hash of his certificate must be kept out by these, too.
 *
 * @returns lower-case hex; one for each curve that the issuer's key may be on, none for other signatures
 */
export function twinFingerprints(certificate: Certificate): readonly string[] {
  const { signatureAlgorithm, signature, tbs } = certificate;
  const { scheme } = signatureAlgorithm;
  if (typeof scheme === 'string' || !scheme.keyTypes.includes('ec')) return [];
  try {
    const fields = new Fields(readWhole(signature, tags.sequence, 'Ecdsa-Sig-Value'));
    const r = integerOctets(fields.next(tags.integer, 'r'));
    const s = BigInt(`0x${Buffer.from(integerOctets(fields.next(tags.integer, 's'))).toString('hex')}`);
    return orders
      .filter((order) => s < order)
      .map((order) => {
        const value = encode(tags.sequence, encode(tags.integer, r), encode(tags.integer, octets(order - s)));
        const bits = encode(tags.bitString, Uint8Array.of(0), value);
        return hash('sha256', encode(tags.sequence, tbs, signatureAlgorithm.der, bits));
      });
  } catch {
    return []; // no signature at all: it is refused as what it is
  }
}

/** Two's complement, shortest, for a positive number. */
function octets(value: bigint): Uint8Array {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return bytes[0]! < 0x80 ? bytes : Buffer.concat([Uint8Array.of(0), bytes]);
}

/** X.690 section 8.1, definite form. */
function encode(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const lengthOctets =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : length < 0x10000
          ? [0x82, length >> 8, length & 0xff]
          : [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...lengthOctets), content]);
}
