import { isIP } from 'node:net';
import { z } from 'zod';
import { absoluteUrl, table, text } from './values.ts';

const seconds = (least: number, most: number) => {
  const error = `write whole seconds from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};
const year = 31_536_000;

const url = (example: string) => absoluteUrl({ query: true, example });

const mode = () => z.enum(['off', 'soft-fail', 'hard-fail']).optional();

const sources = {
  crlUrls: z.array(url('http://crl.example.com/ca.crl')).default([]),
  crlFiles: z.array(text('a path, for example "crls/" or "crls/ca.crl"')).default([]),
  ocspResponder: url('http://ocsp.example.com').optional(),
  ocspResponderCertificate: text('a PEM file').optional(),
};

const own = {
  mode: mode().describe(
    'For what this CA issued, in place of the mode of all. off: revocation is not looked at.',
  ),
  crlUrls: sources.crlUrls.describe('CRLs of this CA, beside those of all.'),
  crlFiles: sources.crlFiles.describe('The same as files.'),
  ocspResponder: sources.ocspResponder.describe(
    'Its OCSP responder, in place of the one of all and of those that certificates name.',
  ),
  ocspResponderCertificate: sources.ocspResponderCertificate.describe(
    "PEM: the responder's certificate, where the CA neither signs answers itself nor certified the responder for it.",
  ),
};

/** What one CA has of its own, beside the `caFile` of a client. */
export const revocationOfCa = table(own);

/** The same by itself. */
const ofCa = table({
  caFile: text('a PEM file').optional().describe('The CA, PEM: a trusted one, or one below it.'),
  caPem: text('a PEM certificate').optional().describe('The same as text.'),
  ...own,
});

/** `[enforcer.security.revocation]`. */
export const revocation = table({
  mode: mode().describe(
    'What becomes of a certificate of which nothing says whether it is revoked. hard-fail: refused. soft-fail: admitted. Revoked ones are refused in both. off: only where no source is written. Unset: hard-fail where there is a source, for all or of one CA, else off.',
  ),
  check: z
    .enum(['leaf', 'chain'])
    .default('chain')
    .describe("leaf: the client's certificate only. chain: the CA certificates below the trusted one, too."),
  sources: z
    .array(z.enum(['crl', 'ocsp']))
    .min(1, { error: 'write "crl", "ocsp" or both' })
    .default(['crl', 'ocsp'])
    .describe(
      'What is asked, each of them and none in place of another: revoked counts whoever says so, else it is enough that one says good. In this order: where both say revoked, date and reason in the log are those of the first.',
    ),
  crlUrls: sources.crlUrls.describe(
    'CRLs, whichever trusted CA they are of. These URLs may lead anywhere, also into private networks.',
  ),
  crlFiles: sources.crlFiles.describe(
    'Files, folders or globs with CRLs (PEM, DER, base64), read again within seconds of a change.',
  ),
  ocspResponder: sources.ocspResponder.describe('OCSP responder, in place of those that certificates name.'),
  ocspResponderCertificate: sources.ocspResponderCertificate.describe(
    "PEM: the responder's certificate, where the CA neither signs answers itself nor certified the responder for it.",
  ),
  followCertificateUrls: z
    .boolean()
    .default(false)
    .describe(
      'true: fetch from where certificates say (cRLDistributionPoints, authorityInfoAccess), once their path is valid.',
    ),
  allowedHosts: z
    .array(
      z
        .string()
        .toLowerCase()
        .refine((value) => isIP(value) !== 0 || /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$/.test(value), {
          error: 'write a host name or address without port, for example "crl.example.com"',
        }),
    )
    .default([])
    .describe(
      'Hosts that certificates may name, wherever they are. Empty: any host, at public addresses only.',
    ),
  clockSkew: seconds(0, 86_400).default(60).describe('Seconds by which clocks may differ.'),
  maxAge: seconds(60, 10 * year)
    .optional()
    .describe(
      'Seconds for which a CRL or answer counts at most, from its thisUpdate on; also where it does not say itself. Unset: as it says itself.',
    ),
  staleGrace: seconds(0, year)
    .default(0)
    .describe('soft-fail: seconds for which the last good one counts beyond its nextUpdate.'),
  timeout: seconds(1, 300).default(10).describe('Seconds for one fetch, all of it.'),
  refresh: seconds(30, 86_400)
    .default(600)
    .describe('Longest time between fetches in seconds; CRLs are asked for by what changed since.'),
  cacheDir: text('a folder, for example "/var/lib/mtls-enforcer"')
    .optional()
    .describe('Folder for last good copies: after a restart they count while their sources are down.'),
  nonce: z
    .boolean()
    .default(false)
    .describe('true: OCSP answers must be made for our question. Many responders can not.'),
  firstSight: z
    .enum(['deny', 'allow'])
    .default('deny')
    .describe(
      'What becomes of a certificate that comes for the first time, while its OCSP responder is being asked, with hard-fail.',
    ),
  cas: z.array(ofCa).default([]).describe('What one CA has of its own.'),
});
