import { knownCertificateHeaders } from './formats.ts';
import { RECEIVED_XFCC } from './xfcc.ts';

/**
 * What the same producers say of a certificate besides: a backend that believes them would believe a client. Not read
 * by us.
 */
export const companionHeaders: readonly string[] = [
  'cf-cert-issuer-dn',
  'cf-cert-presented',
  'cf-cert-revoked',
  'cf-cert-serial',
  'cf-cert-sha1',
  'cf-cert-sha256',
  'cf-cert-subject-dn',
  'cf-cert-verified',
  'ssl-client-issuer-dn',
  'ssl-client-subject-dn',
  'ssl-client-verify',
  'x-amzn-mtls-clientcert-issuer',
  'x-amzn-mtls-clientcert-serial-number',
  'x-amzn-mtls-clientcert-subject',
  'x-amzn-mtls-clientcert-validity',
  'x-client-cert-hash',
  'x-client-cert-present',
  'x-client-cert-serial-number',
  'x-forwarded-client-chain',
  'x-forwarded-tls-client-cert-info',
  'x-ssl-client-verify',
];

export const removableHeaders: readonly string[] = [
  ...new Set([...knownCertificateHeaders, RECEIVED_XFCC, ...companionHeaders]),
].sort();

/**
 * One regular expression (RE2) for a whole header name, so that a proxy looks once at each header and not once for each
 * name. A backend that makes variables of names (CGI, WSGI) can't tell `-` from `_`: here either stands for either.
 *
 * @param names in lower case
 */
export function headerNamePattern(names: readonly string[] = removableHeaders): string {
  const alternatives = names.map((name) =>
    name.replaceAll(/[^a-z0-9_-]/g, '\\$&').replaceAll(/[-_]/g, '[-_]'),
  );
  return [...new Set(alternatives)].join('|');
}
