import { createECDH, createHash, createPublicKey } from 'node:crypto';
import { type Certificate, readCertificate } from '../../../src/pki/certificate/certificate.ts';
import type { Signed } from '../../../src/pki/certificate/signature.ts';
import { Fields, readWhole, tags } from '../../../src/pki/der/der.ts';
import { integerOctets } from '../../../src/pki/der/der-values.ts';
import { bits, integer, sequence } from './der-writer.ts';
import { type Entity, entity, generateEc } from './forge.ts';

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * Another P-256 key by which the same signature is right, under the same name. Anybody can reckon the public one from
 * what is signed (SEC 1 4.1.6); with the private one at hand it takes no curve: -d - 2e/r.
 */
export function withSecondKey({ tbs, signature }: Signed, signer: Entity): Entity {
  const d = toNumber(Buffer.from(signer.keys.privateKey.export({ format: 'jwk' }).d!, 'base64url'));
  const e = toNumber(createHash('sha256').update(tbs).digest());
  const r = toNumber(signature.subarray(4, 4 + signature[3]!));
  const second = modulo(-d - 2n * e * inverse(r));
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(Buffer.from(second.toString(16).padStart(64, '0'), 'hex'));
  const point = curve.getPublicKey();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'));
  const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y! }, format: 'jwk' });
  return entity(signer.name, { ...generateEc(), publicKey });
}

/** The same certificate with (r, n - s) for (r, s): what anybody can do without a key. */
export function twinOf({ tbs, signatureAlgorithm, signature }: Certificate): Certificate {
  const fields = new Fields(readWhole(signature, tags.sequence, 'signature'));
  const [r, s] = ['r', 's'].map((which) => toNumber(integerOctets(fields.next(tags.integer, which))));
  const other = sequence(integer(r!), integer(order - s!));
  return readCertificate(sequence(tbs, signatureAlgorithm.der, bits(other)));
}

const toNumber = (octets: Uint8Array): bigint => BigInt(`0x${Buffer.from(octets).toString('hex')}`);
const modulo = (value: bigint): bigint => ((value % order) + order) % order;

/** By Fermat: the order is a prime. */
function inverse(value: bigint): bigint {
  let [base, result] = [value, 1n];
  for (let exponent = order - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = modulo(result * base);
    base = modulo(base * base);
  }
  return result;
}
