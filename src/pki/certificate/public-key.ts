import { createPublicKey, type KeyObject } from 'node:crypto';
import { DerError, type Element, encodingOf, Fields, readWhole, tags } from '../der/der.ts';
import { integerOctets, readBitStringOctets, readOid } from '../der/der-values.ts';

export type KeyType = 'rsa' | 'rsa-pss' | 'ec' | 'ed25519' | 'ed448';

/** SubjectPublicKeyInfo (RFC 5280 4.1.2.7), read as far as needed to say what may be done with it. */
export type PublicKey = {
  readonly spki: Uint8Array;
  /** undefined: an algorithm or curve that nothing here is signed or authenticated with. */
  readonly type: KeyType | undefined;
  /** RSA: size of the modulus. */
  readonly bits: number;
  /** What checking a signature by it costs at most, in checks by P-256; measured with `npm run bench -- pki`. */
  readonly checkCost: number;
  /** EC on a curve that nobody takes unasked; which ones, the policy says. */
  readonly optionalCurve?: 'brainpool' | 'secp256k1' | undefined;
  /** Why there is no type, for the log: what is wrong with the key, as in "a key of ...". */
  readonly unusable: string | undefined;
  /** undefined: OpenSSL refuses the key, as where the point is not on the curve. Made once, when first asked for. */
  readonly keyObject: () => KeyObject | undefined;
};

const keyTypes: Readonly<Record<string, KeyType>> = {
  '1.2.840.113549.1.1.1': 'rsa',
  '1.2.840.113549.1.1.10': 'rsa-pss',
  '1.2.840.10045.2.1': 'ec',
  '1.3.101.112': 'ed25519',
  '1.3.101.113': 'ed448',
};

type Curve = { readonly octets: number } & Pick<PublicKey, 'checkCost' | 'optionalCurve'>;

/** P-256, P-384, P-521, with the size of a coordinate: OpenSSL is made fast for the first only. Then those of old estates. */
const curves: ReadonlyMap<string, Curve> = new Map<string, Curve>([
  ['1.2.840.10045.3.1.7', { octets: 32, checkCost: 1 }],
  ['1.3.132.0.34', { octets: 48, checkCost: 6 }],
  ['1.3.132.0.35', { octets: 66, checkCost: 12 }],
  ['1.3.132.0.10', { octets: 32, checkCost: 6, optionalCurve: 'secp256k1' }],
  ['1.3.36.3.3.2.8.1.1.7', { octets: 32, checkCost: 6, optionalCurve: 'brainpool' }],
  ['1.3.36.3.3.2.8.1.1.11', { octets: 48, checkCost: 9, optionalCurve: 'brainpool' }],
  ['1.3.36.3.3.2.8.1.1.13', { octets: 64, checkCost: 14, optionalCurve: 'brainpool' }],
]);

/** Larger keys only cost time: a check grows with the square of the modulus and with the exponent. */
const maxRsaBits = 8192;
const maxExponentBits = 32;

/** @throws DerError */
export function readPublicKey(element: Element): PublicKey {
  const fields = new Fields(element);
  const algorithm = new Fields(fields.next(tags.sequence, 'key algorithm'));
  const key = readBitStringOctets(fields.next(tags.bitString, 'public key'));
  fields.finish('SubjectPublicKeyInfo');
  const oid = readOid(algorithm.next(tags.oid, 'key algorithm'));
  const parameters = algorithm.done ? undefined : algorithm.any('key parameters');
  algorithm.finish('key algorithm');

  const named = keyTypes[oid];
  const read = named === undefined ? unusable(`the algorithm ${oid}`) : readers[named](key, parameters);
  const spki = encodingOf(element);
  return {
    ...read,
    spki,
    type: read.unusable === undefined ? named : undefined,
    keyObject: keyObjectOf(spki),
  };
}

type KeyFacts = Pick<PublicKey, 'bits' | 'checkCost' | 'unusable' | 'optionalCurve'>;

const unusable = (why: string, bits = 0): KeyFacts => ({ bits, checkCost: 1, unusable: why });

type Reader = (key: Uint8Array, parameters: Element | undefined) => KeyFacts;

const readers: Readonly<Record<KeyType, Reader>> = {
  rsa: (key, parameters) => {
    // RFC 3279 2.3.1 wants NULL; those who leave it out are understood all the same.
    if (parameters !== undefined && parameters.tag !== tags.null) throw new DerError('RSA: parameters');
    return readRsa(key);
  },
  'rsa-pss': (key) => readRsa(key),
  ec: (key, parameters) => readEc(key, parameters),
  ed25519: (key, parameters) => readEdwards(key, parameters, 32),
  ed448: (key, parameters) => readEdwards(key, parameters, 57),
};

/** RSAPublicKey (RFC 8017 A.1.1). */
function readRsa(key: Uint8Array): KeyFacts {
  const fields = new Fields(readWhole(key, tags.sequence, 'RSAPublicKey'));
  const modulus = positive(fields.next(tags.integer, 'modulus'));
  const exponent = positive(fields.next(tags.integer, 'publicExponent'));
  fields.finish('RSAPublicKey');
  const bits = bitLength(modulus);
  if (bits > maxRsaBits) return unusable(`RSA of ${bits} bits, more than ${maxRsaBits}`, bits);
  const exponentBits = bitLength(exponent);
  if (exponentBits > maxExponentBits)
    return unusable(`RSA with an exponent of ${exponentBits} bits, more than ${maxExponentBits}`, bits);
  const isOdd = (exponent.at(-1)! & 1) === 1;
  if (!isOdd || exponentBits === 1) return unusable('RSA with an exponent that is even or 1', bits);
  return { bits, checkCost: bits > 4096 ? 4 : 1, unusable: undefined };
}

const bitLength = (magnitude: Uint8Array): number => magnitude.length * 8 - Math.clz32(magnitude[0]!) + 24;

/** ECPoint (RFC 5480 2.2), whole or compressed; whether it is on the curve shows when the key is used. */
function readEc(key: Uint8Array, parameters: Element | undefined): KeyFacts {
  // RFC 5480 2.1.1: namedCurve only; explicit parameters can pass off another curve (CVE-2020-0601).
  if (parameters === undefined) return unusable('EC without a curve');
  if (parameters.tag !== tags.oid)
    return unusable('EC with explicit curve parameters; RFC 5480 2.1.1 wants the name of a curve');
  const curve = readOid(parameters);
  const known = curves.get(curve);
  if (known === undefined) return unusable(`EC on the curve ${curve}`);
  const { octets, checkCost, optionalCurve } = known;
  const isPoint =
    (key[0] === 4 && key.length === 1 + 2 * octets) ||
    ((key[0] === 2 || key[0] === 3) && key.length === 1 + octets);
  if (!isPoint) throw new DerError('ECPoint: neither whole nor compressed');
  return { bits: 0, checkCost, optionalCurve, unusable: undefined };
}

/** RFC 8410 3 and 4: no parameters, the key's octets as they are. */
function readEdwards(key: Uint8Array, parameters: Element | undefined, length: number): KeyFacts {
  if (parameters !== undefined || key.length !== length) throw new DerError('EdDSA: parameters or length');
  return { bits: 0, checkCost: 2, unusable: undefined };
}

function positive(element: Element): Uint8Array {
  const octets = integerOctets(element);
  if (octets[0]! >= 0x80) throw new DerError('INTEGER: negative');
  const magnitude = octets[0] === 0 ? octets.subarray(1) : octets;
  if (magnitude.length === 0) throw new DerError('INTEGER: zero');
  return magnitude;
}

function keyObjectOf(spki: Uint8Array): () => KeyObject | undefined {
  let made: { readonly key: KeyObject | undefined } | undefined;
  return () => {
    made ??= { key: createKey(spki) };
    return made.key;
  };
}

function createKey(spki: Uint8Array): KeyObject | undefined {
  try {
    const key = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength);
    return createPublicKey({ key, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
