import { constants, verify } from 'node:crypto';
import {
  contextConstructed,
  type Element,
  encodingOf,
  explicit,
  Fields,
  readWhole,
  tags,
} from '../der/der.ts';
import { readBitStringOctets, readCount, readOid } from '../der/der-values.ts';
import { Repeated } from '../der/repeated.ts';
import type { KeyType, PublicKey } from './public-key.ts';

type Hash = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** How a signature is checked. */
type SignatureScheme = {
  readonly keyTypes: readonly KeyType[];
  /** undefined: the scheme has its own (RFC 8032). */
  readonly hash: Hash | undefined;
  /** RSA-PSS only: length of the salt in octets. */
  readonly saltLength?: number;
};

export type SignatureAlgorithm = {
  /** The AlgorithmIdentifier. */
  readonly der: Uint8Array;
  /** Dotted OID. */
  readonly oid: string;
  /** A text: none that we check, or with parameters that we don't; what is wrong, as in "signed with ...". */
  readonly scheme: SignatureScheme | string;
};

const rsaPss = '1.2.840.113549.1.1.10';
const rsa = (hash: Hash): SignatureScheme => ({ keyTypes: ['rsa'], hash });
const ecdsa = (hash: Hash): SignatureScheme => ({ keyTypes: ['ec'], hash });

const schemes: Readonly<Record<string, SignatureScheme>> = {
  '1.2.840.113549.1.1.4': rsa('md5'),
  '1.2.840.113549.1.1.5': rsa('sha1'),
  '1.2.840.113549.1.1.11': rsa('sha256'),
  '1.2.840.113549.1.1.12': rsa('sha384'),
  '1.2.840.113549.1.1.13': rsa('sha512'),
  '1.2.840.10045.4.1': ecdsa('sha1'),
  '1.2.840.10045.4.3.2': ecdsa('sha256'),
  '1.2.840.10045.4.3.3': ecdsa('sha384'),
  '1.2.840.10045.4.3.4': ecdsa('sha512'),
  '1.3.101.112': { keyTypes: ['ed25519'], hash: undefined },
  '1.3.101.113': { keyTypes: ['ed448'], hash: undefined },
};

const hashes: Readonly<Record<string, Hash>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** AlgorithmIdentifier of a signature. @throws DerError */
export const readSignatureAlgorithm = (element: Element): SignatureAlgorithm => algorithms.of(element);

const algorithms = new Repeated(readAlgorithm, { places: 64, longest: 128 });

function readAlgorithm(element: Element): SignatureAlgorithm {
  const fields = new Fields(element);
  const oid = readOid(fields.next(tags.oid, 'signature algorithm'));
  const parameters = fields.done ? undefined : fields.any('signature parameters');
  fields.finish('signature algorithm');
  const scheme = oid === rsaPss ? readPss(parameters) : plainScheme(oid, parameters);
  return { der: encodingOf(element), oid, scheme };
}

/** RSA: NULL or none (RFC 4055 5: accept both). The others: none (RFC 5758 3.2, RFC 8410 3). */
function plainScheme(oid: string, parameters: Element | undefined): SignatureScheme | string {
  const scheme = schemes[oid];
  if (scheme === undefined) return `the algorithm ${oid}`;
  const isNull = parameters?.tag === tags.null && parameters.content === parameters.end;
  const isRsa = scheme.keyTypes[0] === 'rsa';
  if (parameters === undefined || (isNull && isRsa)) return scheme;
  if (isRsa) return `RSA and ${scheme.hash}, with parameters other than NULL`;
  return scheme.hash === undefined
    ? `${scheme.keyTypes[0]}, with parameters, which RFC 8410 3 forbids`
    : `ecdsa-with-${scheme.hash.toUpperCase()}, with parameters, which RFC 5758 3.2 forbids`;
}

/** RSASSA-PSS-params (RFC 4055 3.1). The mask's hash must be the message's: RFC 4055 recommends it, Node needs it. */
function readPss(parameters: Element | undefined): SignatureScheme | string {
  if (parameters?.tag !== tags.sequence) return 'RSASSA-PSS without parameters';
  const fields = new Fields(parameters);
  const hash = readPssHash(fields.optional(contextConstructed(0)));
  const mask = fields.optional(contextConstructed(1));
  const salt = fields.optional(contextConstructed(2));
  const trailer = fields.optional(contextConstructed(3));
  fields.finish('RSASSA-PSS-params');
  const saltLength = salt === undefined ? 20 : readCount(explicit(salt, tags.integer));
  const usualTrailer = trailer === undefined || readCount(explicit(trailer, tags.integer)) === 1;
  const maskHash = readMaskHash(mask);
  if (hash === undefined) return 'RSASSA-PSS with a hash that is not accepted';
  if (maskHash !== hash)
    return `RSASSA-PSS with ${hash}, whose mask has ${maskHash ?? 'a function that is not accepted'}; both must be the same hash`;
  if (!usualTrailer) return 'RSASSA-PSS with a trailer that RFC 4055 3.1 does not know';
  if (saltLength > 512) return `RSASSA-PSS with a salt of ${saltLength} octets, more than 512`;
  return { keyTypes: ['rsa', 'rsa-pss'], hash, saltLength };
}

function readPssHash(field: Element | undefined): Hash | undefined {
  return field === undefined ? 'sha1' : readHash(explicit(field, tags.sequence));
}

function readMaskHash(field: Element | undefined): Hash | undefined {
  if (field === undefined) return 'sha1';
  const mask = new Fields(explicit(field, tags.sequence));
  const oid = readOid(mask.next(tags.oid, 'mask generation function'));
  const hash = mask.next(tags.sequence, 'hash of the mask');
  mask.finish('mask generation function');
  return oid === '1.2.840.113549.1.1.8' ? readHash(hash) : undefined;
}

function readHash(element: Element): Hash | undefined {
  const fields = new Fields(element);
  const oid = readOid(fields.next(tags.oid, 'hash'));
  if (!fields.done && fields.any('hash parameters').tag !== tags.null) return undefined;
  fields.finish('hash');
  return hashes[oid];
}

/** Signed bytes with their signature, as certificates and CRLs are. */
export type Signed = {
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
};

/** The frame of every signed thing (RFC 5280 4.1.1, 5.1.1): what is signed, the algorithm once more, the signature. */
type Frame = Pick<Signed, 'signature'> & {
  readonly tbs: Element;
  /** The outer AlgorithmIdentifier, which must be the inner one again. */
  readonly algorithm: Element;
};

/** @throws DerError */
export function readFrame(der: Uint8Array, what: string): Frame {
  const fields = new Fields(readWhole(der, tags.sequence, what));
  const tbs = fields.next(tags.sequence, `to-be-signed ${what}`);
  const algorithm = fields.next(tags.sequence, 'signatureAlgorithm');
  const signature = readBitStringOctets(fields.next(tags.bitString, 'signature'));
  fields.finish(what);
  return { tbs, algorithm, signature };
}

/** Whether the key made the signature. Says nothing about the strength of either. */
export function verifySignature({ tbs, signatureAlgorithm, signature }: Signed, key: PublicKey): boolean {
  const { scheme } = signatureAlgorithm;
  if (typeof scheme === 'string' || key.type === undefined || !scheme.keyTypes.includes(key.type))
    return false;
  const keyObject = key.keyObject();
  if (keyObject === undefined) return false;
  try {
    const input =
      scheme.saltLength === undefined
        ? keyObject
        : { key: keyObject, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.saltLength };
    return verify(scheme.hash, tbs, input, signature);
  } catch {
    // OpenSSL throws on some signatures that don't fit the key's own parameters.
    return false;
  }
}
