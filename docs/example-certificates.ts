import { createPrivateKey, createPublicKey } from 'node:crypto';
import { bits, bytes, integer, name, oid, sequence } from '../test/unit/pki/der-writer.ts';
import {
  type CertificateParts,
  ca,
  clientAuth,
  dayMs,
  extensions,
  extKeyUsage,
  forgeDer,
  type Keys,
  type Scheme,
  spkiOf,
  validity,
} from '../test/unit/pki/forge.ts';

/** The clock of the examples. */
export const at = Date.UTC(2026, 5, 1);

/** From a seed, and Ed25519 signs without lots: the same certificates each time. */
export function keysFrom(seed: number): Keys {
  const pkcs8 = Buffer.concat([bytes('302e020100300506032b657004220420'), Buffer.alloc(32, seed)]);
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
const ed25519: Scheme = { algorithm: sequence(oid('1.3.101.112')), hash: null };
export const nullParameters = bytes('0500');
/** What is signed so is refused before anybody looks at the signature. */
export const scheme = (algorithm: string): Scheme => ({
  algorithm: sequence(oid(algorithm), nullParameters),
  hash: null,
});
export const [rootKeys, caKeys, leafKeys, otherKeys] = [1, 2, 3, 4].map(keysFrom) as [Keys, Keys, Keys, Keys];
export const weakRsa = sequence(
  sequence(oid('1.2.840.113549.1.1.1'), nullParameters),
  bits(sequence(integer(2n ** 1023n + 1n), integer(65_537))),
);
export const oddKey = sequence(sequence(oid('1.2.3')), bits(bytes('11')));

export type Made = {
  readonly parts?: Partial<CertificateParts>;
  readonly signer?: Keys;
  readonly scheme?: Scheme;
};
export const made = (
  issuer: string,
  subject: string,
  keys: Keys,
  list: readonly Uint8Array[],
  made: Made = {},
): Uint8Array =>
  forgeDer(
    {
      issuer: name(`CN=${issuer}`),
      subject: name(`CN=${subject}`),
      subjectPublicKeyInfo: spkiOf(keys),
      extensions: extensions(...list),
      validity: validity(at - 100 * dayMs, at + 265 * dayMs),
      serialNumber: integer(4711),
      ...made.parts,
    },
    made.signer ?? caKeys,
    made.scheme ?? ed25519,
  );
export const forClients = extKeyUsage(clientAuth);
/** A client's certificate, by the CA that the client sends along. */
export const client = (how: Made = {}, list: readonly Uint8Array[] = [forClients]): Uint8Array =>
  made('Example CA', 'partner 1', leafKeys, list, how);
export const issuer = (list: readonly Uint8Array[] = [ca()], how: Made = {}): Uint8Array =>
  made('Example Root', 'Example CA', caKeys, list, { signer: rootKeys, ...how });
export const root = made('Example Root', 'Example Root', rootKeys, [ca()], { signer: rootKeys });
export const acme = made('acme', 'acme', otherKeys, [], { signer: otherKeys });
export const stranger = made('stranger', 'stranger', leafKeys, [], { signer: leafKeys });
export const dates = (from: number, until: number): Made => ({
  parts: { validity: validity(at + from * dayMs, at + until * dayMs) },
});

export const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END CERTIFICATE-----\n`;
