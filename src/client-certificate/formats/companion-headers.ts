/**
 * What the producers of certificate headers say of a certificate besides. Not read by us; but a backend that believes
 * them would believe a client, so they are removed together with the certificate headers. Lower case.
 */
export const companionHeaders: readonly string[] = [
  // WebSphere takes these from anybody unless it is told whom to trust: $wscc is the certificate, $wsru the user.
  ...['at', 'cc', 'cs', 'is', 'ks', 'pr', 'ra', 'rh', 'ru', 'sc', 'si', 'sn', 'sp'].map(
    (what) => `$ws${what}`,
  ),
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
