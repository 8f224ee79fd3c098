/** What a cause is called, in words for the client, and where it is written (RFC 5280 unless it says otherwise). */
type FailureRow = { readonly sentence: string; readonly section: string };

const row = (section: string, sentence: string): FailureRow => ({ section, sentence });

/**
 * THE table of what can be wrong with a certificate or its path. Codes that begin with `certificate_` or name an
 * extension speak of the client's certificate, `issuer_` of a CA above it.
 *
 * The order counts: where several paths fail, each for a reason of its own, the one that stands first here is told,
 * since it came closest to a valid path (see `moreTelling`).
 */
export const pathFailures = {
  // The certificate alone, as read.
  certificate_malformed: row('4.1', 'The certificate is not well-formed DER.'),
  certificate_version_unsupported: row('4.1.2.1', 'The certificate is of an unknown X.509 version.'),
  certificate_version_too_low: row(
    '4.1.2.9',
    'The certificate has extensions, which its X.509 version has not.',
  ),
  certificate_serial_malformed: row('4.1.2.2', "The certificate's serial number is not one, or too long."),
  certificate_algorithms_differ: row('4.1.1.2', 'The certificate names two different signature algorithms.'),
  certificate_issuer_empty: row('4.1.2.4', 'The certificate does not name its issuer.'),
  certificate_validity_malformed: row('4.1.2.5', "The certificate's dates can not be read."),
  certificate_key_malformed: row('4.1.2.7', "The certificate's public key can not be read."),
  certificate_extension_malformed: row('4.2', 'An extension of the certificate can not be read.'),
  certificate_extension_duplicate: row('4.2', 'The certificate has an extension twice.'),

  // A path up to a trust anchor whose signatures are right, and what forbids it.
  certificate_revoked: row('6.3.3', 'The certificate is revoked.'),
  issuer_revoked: row('6.3.3', 'A CA certificate above the certificate is revoked.'),
  revocation_unknown: row('6.3.3', 'Whether the certificate or a CA above it is revoked can not be told.'),
  revocation_pending: row(
    'RFC 6960 3.2',
    'The certificate is new here, and its CA is being asked whether it is revoked. Try again in a moment.',
  ),
  revocation_source_missing: row(
    '6.3.3',
    'There is nothing to learn from whether the certificate or a CA above it is revoked.',
  ),
  certificate_expired: row('6.1.3 (a)(2)', 'The certificate has expired.'),
  certificate_not_yet_valid: row('6.1.3 (a)(2)', 'The certificate is not valid yet.'),
  extended_key_usage_not_client: row('4.2.1.12', 'The certificate is not meant for client authentication.'),
  extended_key_usage_not_server: row('4.2.1.12', 'The certificate is not meant for server authentication.'),
  key_usage_not_client: row('4.2.1.3', "The certificate's key usage does not allow client authentication."),
  key_too_weak: row('NIST SP 800-131A 3', "The certificate's key is too short."),
  key_unsupported: row('RFC 8422 5.1.1', "The certificate's key is of a kind that is not accepted."),
  certificate_critical_extension_unknown: row(
    '6.1.5 (f)',
    'The certificate has a critical extension that is not understood.',
  ),
  certificate_subject_missing: row(
    '4.1.2.6',
    'The certificate names nobody: no subject, and no critical alternative names.',
  ),
  key_usage_without_ca: row('4.2.1.9', 'The certificate may sign certificates, yet is no CA.'),
  name_constraints_without_ca: row('4.2.1.10', 'The certificate has name constraints, yet is no CA.'),
  issuer_expired: row('6.1.3 (a)(2)', 'A CA certificate above the certificate has expired.'),
  issuer_not_yet_valid: row('6.1.3 (a)(2)', 'A CA certificate above the certificate is not valid yet.'),
  issuer_not_ca: row('6.1.4 (k)', 'The certificate was issued by one that is no CA.'),
  issuer_key_usage_not_cert_sign: row('6.1.4 (n)', 'A CA above the certificate may not sign certificates.'),
  issuer_extended_key_usage: row(
    '4.2.1.12',
    'A CA above the certificate may not issue certificates for this purpose.',
  ),
  issuer_critical_extension_unknown: row(
    '6.1.4 (o)',
    'A CA certificate above the certificate has a critical extension that is not understood.',
  ),
  path_length_exceeded: row('6.1.4 (l)', 'There are more CAs between than one above them allows.'),
  name_excluded: row('6.1.3 (c)', 'A CA above the certificate excludes one of its names.'),
  name_not_permitted: row('6.1.3 (b)', 'A CA above the certificate does not permit one of its names.'),
  name_constraint_unsupported: row(
    '4.2.1.10',
    'A CA above the certificate constrains its names in a way that can not be applied.',
  ),
  policy_mapping_invalid: row('6.1.4 (a)', 'A CA above the certificate maps the policy anyPolicy.'),
  policy_not_acceptable: row('6.1.5 (g)', 'The certificate is not issued under an acceptable policy.'),
  path_not_through_issuer: row('6.1', 'The certificate was not issued under the CA that it must come from.'),

  // No path was completed.
  name_constraints_too_many: row('8', 'The path has more names and constraints than are compared.'),
  path_search_exhausted: row('8', 'The search for a path was given up: too many CA certificates to try.'),
  certificate_search_limited: row(
    '8',
    'Too many unseen certificates are being looked into at the moment. Try again in a second.',
  ),
  path_too_deep: row('6.1', 'The path has more CA certificates than are allowed.'),
  signature_algorithm_weak: row('RFC 6194, RFC 6151', 'A signature in the path uses a weak algorithm.'),
  signature_algorithm_unsupported: row(
    '4.1.1.2',
    'A signature in the path uses an algorithm that is not accepted.',
  ),
  issuer_key_too_weak: row('NIST SP 800-131A 3', 'The key of a CA above the certificate is too short.'),
  issuer_key_unsupported: row(
    '4.1.2.7',
    'The key of a CA above the certificate is of a kind that is not accepted.',
  ),
  signature_invalid: row('6.1.3 (a)(1)', 'A signature in the path is wrong.'),
  issuer_unknown: row('6.1', 'The certificate does not lead up to a trusted CA.'),
} as const satisfies Readonly<Record<string, FailureRow>>;

export type PathFailureCode = keyof typeof pathFailures;

export type PathFailure = {
  readonly valid: false;
  readonly code: PathFailureCode;
  /** Which certificate of the path tried: 0 is the leaf, the last one the trust anchor. */
  readonly at: number;
  /** For the log: which certificate, which value. */
  readonly detail: string;
};

export const failure = (code: PathFailureCode, at: number, detail: string): PathFailure => ({
  valid: false,
  code,
  at,
  detail,
});

export const byRevocation: ReadonlySet<PathFailureCode> = new Set([
  'certificate_revoked',
  'issuer_revoked',
  'revocation_unknown',
  'revocation_pending',
  'revocation_source_missing',
]);

const ranks: ReadonlyMap<string, number> = new Map(Object.keys(pathFailures).map((code, i) => [code, i]));

/**
 * Of two failed paths, the one to tell an operator of: by the order of the table; for the same cause the one that got
 * further up; otherwise the first.
 */
export function moreTelling(a: PathFailure | undefined, b: PathFailure): PathFailure {
  if (a === undefined) return b;
  const difference = ranks.get(a.code)! - ranks.get(b.code)! || b.at - a.at;
  return difference <= 0 ? a : b;
}
