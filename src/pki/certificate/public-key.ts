import { createPublicKey, type KeyObject } from 'node:crypto';
import { bufferOf, DerError, type Element, encodingOf, Fields, readInner, tags } from '../der/der.ts';
import { checkInteger, readOid, wholeOctetsOf } from '../der/der-values.ts';

export type KeyType = 'rsa' | 'rsa-pss' | 'ec' | 'ed25519' | 'ed448';

/** What is read of a key to say what may be done with it. */
type KeyFacts = {
  /** RSA: size of the modulus. */
  readonly bits: number;
  /** What checking a signature by it costs at most, in checks by P-256; measured with `npm run bench -- pki`. */
  readonly checkCost: number;
  /** EC on a curve that nobody takes unasked; which ones, the policy says. */
  readonly optionalCurve?: 'brainpool' | 'secp256k1' | undefined;
  /** Why there is no type, for the log: what is wrong with the key, as in "a key of ...". */
  readonly unusable: string | undefined;
};

/** SubjectPublicKeyInfo (RFC 5280 4.1.2.7). */
export class PublicKey implements KeyFacts {
  readonly spki: Uint8Array;
  /** undefined: an algorithm or curve that nothing here is signed or authenticated with. */
  readonly type: KeyType | undefined;
  readonly bits: number;
  readonly checkCost: number;
  readonly optionalCurve: KeyFacts['optionalCurve'];
  readonly unusable: string | undefined;
  #text: string | undefined;
  #made: { readonly key: KeyObject | undefined } | undefined;

  constructor(spki: Uint8Array, type: KeyType | undefined, facts: KeyFacts) {
    this.spki = spki;
    this.type = facts.unusable === undefined ? type : undefined;
    this.bits = facts.bits;
    this.checkCost = facts.checkCost;
    this.optionalCurve = facts.optionalCurve;
    this.unusable = facts.unusable;
  }

  /** Its bytes as a text: the same for the same key, for maps. */
  get text(): string {
    this.#text ??= bufferOf(this.spki).toString('latin1');
    return this.#text;
  }

  /** undefined: OpenSSL refuses the key, as where the point is not on the curve. Made once, when first asked for. */
  keyObject(): KeyObject | undefined {
    this.#made ??= { key: createKey(this.spki) };
    return this.#made.key;
  }
}

const keyTypes: Readonly<Record<string, KeyType>> = {
  '1.2.840.113549.1.1.1': 'rsa',
  '1.2.840.113549.1.1.10': 'rsa-pss',
  '1.2.840.10045.2.1': 'ec',
  '1.3.101.112': 'ed25519',
  '1.3.101.113': 'ed448',
};

type Curve = { readonly octets: number } & Pick<KeyFacts, 'checkCost' | 'optionalCurve'>;

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
  const key = wholeOctetsOf(fields.next(tags.bitString, 'public key'));
  fields.finish('SubjectPublicKeyInfo');
  const oid = readOid(algorithm.next(tags.oid, 'key algorithm'));
  const parameters = algorithm.done ? undefined : algorithm.any('key parameters');
  algorithm.finish('key algorithm');

  const named = keyTypes[oid];
  const read = named === undefined ? unusable(`the algorithm ${oid}`) : readers[named](key, parameters);
  return new PublicKey(encodingOf(element), named, read);
}

const unusable = (why: string, bits = 0): KeyFacts => ({ bits, checkCost: 1, unusable: why });

/** @param key its content is the key */
type Reader = (key: Element, parameters: Element | undefined) => KeyFacts;

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
function readRsa(key: Element): KeyFacts {
  const fields = new Fields(readInner(key, tags.sequence, 'RSAPublicKey'));
  const bits = bitLength(fields.next(tags.integer, 'modulus'));
  const exponent = fields.next(tags.integer, 'publicExponent');
  const exponentBits = bitLength(exponent);
  fields.finish('RSAPublicKey');
  if (bits > maxRsaBits) return unusable(`RSA of ${bits} bits, more than ${maxRsaBits}`, bits);
  if (exponentBits > maxExponentBits)
    return unusable(`RSA with an exponent of ${exponentBits} bits, more than ${maxExponentBits}`, bits);
  const isOdd = (exponent.bytes[exponent.end - 1]! & 1) === 1;
  if (!isOdd || exponentBits === 1) return unusable('RSA with an exponent that is even or 1', bits);
  return { bits, checkCost: bits > 4096 ? 4 : 1, unusable: undefined };
}

/** Of a positive INTEGER. @throws DerError */
function bitLength(element: Element): number {
  checkInteger(element);
  const { bytes, content, end } = element;
  if (bytes[content]! >= 0x80) throw new DerError('INTEGER: negative');
  const at = bytes[content] === 0 ? content + 1 : content;
  if (at === end) throw new DerError('INTEGER: zero');
  return (end - at) * 8 - Math.clz32(bytes[at]!) + 24;
}

/** ECPoint (RFC 5480 2.2), whole or compressed; whether it is on the curve shows when the key is used. */
function readEc({ bytes, content, end }: Element, parameters: Element | undefined): KeyFacts {
  // RFC 5480 2.1.1: namedCurve only; explicit parameters can pass off another curve (CVE-2020-0601).
  if (parameters === undefined) return unusable('EC without a curve');
  if (parameters.tag !== tags.oid)
    return unusable('EC with explicit curve parameters; RFC 5480 2.1.1 wants the name of a curve');
  const curve = readOid(parameters);
  const known = curves.get(curve);
  if (known === undefined) return unusable(`EC on the curve ${curve}`);
  const { octets, checkCost, optionalCurve } = known;
  const isPoint =
    (bytes[content] === 4 && end - content === 1 + 2 * octets) ||
    ((bytes[content] === 2 || bytes[content] === 3) && end - content === 1 + octets);
  if (!isPoint) throw new DerError('ECPoint: neither whole nor compressed');
  return { bits: 0, checkCost, optionalCurve, unusable: undefined };
}

/** RFC 8410 3 and 4: no parameters, the key's octets as they are. */
function readEdwards(key: Element, parameters: Element | undefined, length: number): KeyFacts {
  if (parameters !== undefined || key.end - key.content !== length)
    throw new DerError('EdDSA: parameters or length');
  return { bits: 0, checkCost: 2, unusable: undefined };
}

function createKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: bufferOf(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
