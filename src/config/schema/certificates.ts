import { z } from 'zod';
import { table } from './values.ts';

/** What old estates need: each weaker or rarer than what is taken unasked, and warned about at each start. */
const switches = {
  minRsaBits: z
    .int({ error: 'write a whole number from 1024 to 8192' })
    .min(1024, { error: 'write a whole number from 1024 to 8192' })
    .max(8192, { error: 'write a whole number from 1024 to 8192' }),
  sha1: z.boolean(),
  anyExtendedKeyUsage: z.boolean(),
  brainpool: z.boolean(),
  secp256k1: z.boolean(),
};

/** `[enforcer.security.certificates]`. */
export const certificates = table({
  minRsaBits: switches.minRsaBits
    .default(2048)
    .describe('Shortest RSA key that is taken, of clients and CAs. Less than 2048 can be broken.'),
  sha1: switches.sha1
    .default(false)
    .describe(
      'true: signatures with SHA-1 are taken. Who can get a certificate from such a CA may be able to forge one.',
    ),
  anyExtendedKeyUsage: switches.anyExtendedKeyUsage
    .default(false)
    .describe(
      'true: a certificate for any purpose (anyExtendedKeyUsage, as AD CS writes "any purpose") is one for client authentication.',
    ),
  brainpool: switches.brainpool
    .default(false)
    .describe(
      'true: keys on brainpoolP256r1, P384r1 and P512r1 are taken. In headers only: the TLS of Envoy does not know them.',
    ),
  secp256k1: switches.secp256k1.default(false).describe('The same for secp256k1.'),
});

/** The same for one CA. */
export const certificatesOfCa = table({
  minRsaBits: switches.minRsaBits.optional().describe('Shortest RSA key: of this CA, and of what it issued.'),
  sha1: switches.sha1.optional().describe('true: what this CA issued may be signed with SHA-1.'),
  anyExtendedKeyUsage: switches.anyExtendedKeyUsage
    .optional()
    .describe('true: what this CA issued for any purpose is for client authentication.'),
  brainpool: switches.brainpool.optional().describe('true: keys on brainpool curves, as above.'),
  secp256k1: switches.secp256k1.optional().describe('true: keys on secp256k1, as above.'),
});
