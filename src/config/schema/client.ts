import { z } from 'zod';
import {
  dnsPatternProblem,
  emailPatternProblem,
  spiffePathProblem,
  trustDomainProblem,
  uriPatternProblem,
} from '../../apis/rule-pattern.ts';
import { certificatesOfCa } from './certificates.ts';
import { revocationOfCa } from './revocation.ts';
import { sha256, table, text } from './values.ts';

/** `[[clients]]`: what an alias is known by. */
export const known = {
  alias: text('a name, for example "acme"').describe(
    'Its name. Several entries may have the same one (old and new certificate together); two that differ by case only are an error.',
  ),
  file: text('a PEM file, for example "clients/acme.pem"')
    .optional()
    .describe('Exactly this certificate; it is never taken for an issuer.'),
  caFile: text('a PEM file, for example "clients/partner-ca.pem"')
    .optional()
    .describe('Every certificate that this CA issued.'),
  pem: text('a certificate as PEM text')
    .optional()
    .describe('As `file`, with the certificate itself in place of a path.'),
  caPem: text('a CA certificate as PEM text')
    .optional()
    .describe('As `caFile`, with the certificate itself in place of a path.'),
};

/** What people who come from elsewhere write, and what it is called here. */
export const otherNames: Readonly<Record<string, string>> = {
  ca: 'caFile',
  caCert: 'caFile',
  caCertFile: 'caFile',
  caPath: 'caFile',
  cert: 'file',
  certFile: 'file',
  certPath: 'file',
  certificate: 'file',
  certificateFile: 'file',
  certificatePath: 'file',
  certificatePem: 'pem',
  cn: 'subject',
  commonName: 'subject',
  dn: 'subject',
  dnsNames: 'dns',
  san: 'dns',
  emailAddress: 'email',
  mail: 'email',
  fingerprint: 'fingerprints',
  sha256: 'fingerprints',
  thumbprint: 'fingerprints',
  publicKey: 'spki',
  spiffeId: 'spiffe',
  trustDomain: 'spiffe',
  issuerDN: 'issuer',
  enabled: 'disabled',
  name: 'alias',
  expires: 'notAfter',
  validFrom: 'notBefore',
  validTo: 'notAfter',
  validUntil: 'notAfter',
};

const checked = (what: string, problemOf: (value: string) => string | undefined) =>
  text(what).superRefine((value, context) => {
    const message = value === '' ? undefined : problemOf(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

const patterns = (what: string, problemOf: (value: string) => string | undefined) =>
  z
    .array(checked(what, problemOf))
    .min(1, { error: `write at least one: ${what}` })
    .optional();

export const client = table({
  ...known,
  tier: text('a name, for example "Gold"')
    .optional()
    .describe('Throttling tier, passed on to Envoy and the backend; what it allows say `[[tiers]]`.'),
  fingerprints: z
    .array(sha256())
    .min(1, { error: 'write at least one SHA-256 fingerprint' })
    .optional()
    .describe('Exactly the certificates with these SHA-256 fingerprints, hex with or without colons.'),
  issuer: text('a name, for example "CN=Issuing CA,O=Acme"')
    .optional()
    .describe(
      'Subject, written and compared as for `subject`, of a CA of `trustedCertPath` or `intermediatesPath` that must have issued the certificate, in place of a `caFile`.',
    ),
  spki: z
    .array(sha256())
    .min(1, { error: 'write at least one SHA-256 of a public key' })
    .optional()
    .describe(
      'Certificates with these keys: SHA-256 of the SubjectPublicKeyInfo, hex or base64. With a path to a trusted CA, since the holder of a key can sign himself any certificate.',
    ),
  subject: z
    .union(
      [
        text('a name, for example "CN=acme,O=Acme Inc"'),
        z
          .record(z.string(), text('a value, or leave the attribute out'))
          .refine((attributes) => Object.keys(attributes).length > 0, {
            error: 'write at least one attribute, as in { CN = "acme" }',
          }),
      ],
      {
        error:
          'write a name, for example "CN=acme,O=Acme Inc", or some of its attributes, as in { CN = "acme" }',
      },
    )
    .optional()
    .describe(
      'With `caFile` or `issuer`: the whole subject, as RFC 4514, OpenSSL, Java, .NET and others write it, or some of its attributes, each there exactly once. Compared by RFC 5280 7.1: neither case nor the string type count, but the order of RDNs does (written with spaces around separators, either order is taken). An attribute goes by any of its usual names or its OID, its value as text or as `#` and hex. For mail addresses use `email`: the CA’s name constraints do not bind an `emailAddress` here beside a subjectAltName with a mail address of its own.',
    ),
  dns: patterns('a DNS name, for example "*.clients.example.com"', dnsPatternProblem).describe(
    'With `caFile` or `issuer`: a DNS name in the subjectAltName; `*` stands for the whole first label.',
  ),
  email: patterns('an e-mail address, for example "*@example.com"', emailPatternProblem).describe(
    'The same for e-mail addresses; `*` for the whole local part or the first label of the domain.',
  ),
  uri: patterns('a URI, for example "https://example.com/tenants/*"', uriPatternProblem).describe(
    'The same for URIs; `*` for the first label of the host or one segment of the path.',
  ),
  spiffe: table({
    trustDomain: checked('a trust domain, for example "prod.example.com"', trustDomainProblem).describe(
      'The trust domain.',
    ),
    paths: patterns('a path, for example "/ns/*/sa/web"', spiffePathProblem).describe(
      'The path; `*` for one segment. Unset: any.',
    ),
  })
    .optional()
    .describe('With `caFile` or `issuer`: a SPIFFE ID (X.509-SVID: the only URI in the certificate).'),
  certificates: certificatesOfCa
    .optional()
    .describe(
      'With `caFile` or `caPem`: what is taken for the sake of this CA alone, beyond `[enforcer.security.certificates]`; of all that it issued, whichever alias it is.',
    ),
  revocation: revocationOfCa
    .optional()
    .describe(
      'With `caFile` or `caPem`: what this CA has of its own beside `[enforcer.security.revocation]`; for all that it issued, whichever alias it is.',
    ),
  notBefore: z
    .date({ error: 'write a date with time and zone, without quotes, for example 2026-01-31T00:00:00Z' })
    .optional()
    .describe('From when on this entry counts.'),
  notAfter: z
    .date({ error: 'write a date with time and zone, without quotes, for example 2026-12-31T23:59:59Z' })
    .optional()
    .describe('Until when this entry counts.'),
  disabled: z
    .boolean()
    .default(false)
    .describe('true: certificates of this entry are refused, whatever else would admit them.'),
});
