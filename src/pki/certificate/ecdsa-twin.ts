import { hash } from 'node:crypto';
import { Fields, readWhole, tags } from '../der/der.ts';
import { integerOctets } from '../der/der-values.ts';
import type { Certificate } from './certificate.ts';

/** Orders of the groups of all curves that are taken (`public-key.ts`): NIST's (SP 800-186), secp256k1, brainpool (RFC 5639). */
const orders: readonly bigint[] = [
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  0xa9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7n,
  0x8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565n,
  0xaadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069n,
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
