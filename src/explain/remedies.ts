import type { DenialCode } from '../decision.ts';

/** What would have the next request admitted, if it is to be, and whose turn it is. */
export type Remedy = { readonly turn: Turn; readonly text: string };

/** client: whoever calls, or who made its certificate or token. sender: who passes the certificate on in a header. */
type Turn = 'client' | 'sender' | 'operator';

const client = (text: string): Remedy => ({ turn: 'client', text });
const sender = (text: string): Remedy => ({ turn: 'sender', text });
const operator = (text: string): Remedy => ({ turn: 'operator', text });

const anew = (what: string): Remedy => client(`Ask for a new certificate, ${what}.`);
const caAnew = (what: string): Remedy =>
  client(
    `Ask whoever runs the CA for a new CA certificate, ${what}; clients send it along, or intermediatesPath has it.`,
  );
const tokenAnew = (what: string): Remedy => client(`Get a token from the issuer ${what}.`);

/** One a code: what has none does not compile. */
export const remedies: Readonly<Record<DenialCode, Remedy>> = {
  api_not_found: client(
    'Call a host and path that an API has; or write an [[apis]] entry with this basePath (and host, if it has hosts).',
  ),
  operation_not_found: client(
    'Call a path that the API lists; or write an [[apis.operations]] entry for it.',
  ),
  method_not_allowed: client(
    'Use a method that the API lists for this path; or add it to methods of that [[apis.operations]] entry.',
  ),
  path_ambiguous: client(
    'Send the path as it is meant: no "." or ".." segments, "//", "\\", %2F, %5C, %00 to %1F, %7F, "%" without two hex digits, no ";" where operations are listed, nothing encoded twice, no extension or index.php that the API has not, and upper and lower case as it has it; if another spelling is one of its own, write that as an API or operation as well.',
  ),
  certificate_missing: client(
    'Send a client certificate: curl --cert client.pem --key client.key. If one was sent, see that Envoy asks TLS clients for it and passes it on, or, in header mode, that the request came through the trusted sender.',
  ),
  certificate_not_bound: operator(
    'If this client may call the API, give it an alias, and name the alias in the API.',
  ),
  alias_disabled: operator(
    'Somebody has switched the client off (disabled = true in its [[clients]] entry). Find out why before you take that out.',
  ),
  alias_not_current: operator(
    'Change notBefore or notAfter of its [[clients]] entry, if the client may call now.',
  ),
  credentials_missing: client('Send a client certificate, or an access token (Authorization: Bearer …).'),
  tier_limit_exceeded: client(
    'Wait as long as Retry-After says, and ask less often; or the operator gives the client another tier, or the [[tiers]] entry more requests (Envoy then needs its configuration anew: "mtls-enforcer envoy-config").',
  ),
  api_misconfigured: operator(
    'Mend the definition of the API: "mtls-enforcer check-config" says what is wrong with it, with file and line.',
  ),
  route_mismatch: operator(
    'Envoy has the routes of a configuration before, in which the API was another\'s. With [router] dynamicFolder it has the new ones in a few seconds; else write its configuration anew: "mtls-enforcer envoy-config".',
  ),
  internal_error: operator('This is a fault of ours: the log has its stack. Please report it.'),

  header_sender_untrusted: operator(
    'If that address is your load balancer, add it to trustedSenders; if it is known by its certificate (senders), see above what that is refused for; if neither, somebody tries to pass for a client.',
  ),
  sender_ambiguous: operator(
    'Leave each sender one source: take its address or alias out of the trustedSenders of all but one.',
  ),
  header_over_plaintext: operator(
    'Have the load balancer speak TLS to Envoy; or, where the network between them is yours alone, write allowHeaderOverPlaintext = true.',
  ),
  raw_headers_required: operator(
    'Set encode_raw_headers: true in Envoy\'s ext_authz filter, as "mtls-enforcer envoy-config" writes it.',
  ),
  header_repeated: sender(
    'Have the load balancer overwrite the header (set, not add), so that what a client sends is gone.',
  ),
  header_is_list: sender(
    'Have the load balancer overwrite the header (set, not add), and send one certificate; or name the format that has the chain in it.',
  ),
  header_too_long: sender(
    'Send the certificate alone, without its chain, or in a shorter format (base64-der); or ask for a certificate with fewer names.',
  ),
  header_coding_invalid: operator(
    'Name the format in which the load balancer writes the header: certificateFormat (docs/certificate-sources.md has one for each product).',
  ),
  plus_signs_lost: sender(
    'Whatever stands between decodes the header as a form: have it decode %XX only, and leave "+" alone.',
  ),
  certificate_not_der: sender('Send an X.509 certificate: what came is base64 of something else.'),
  certificate_truncated: sender(
    'Raise the limit of header size on the way; the certificate arrives cut off.',
  ),
  certificate_trailing_bytes: sender(
    'Send the one certificate and nothing behind it; a chain belongs into a format that has one.',
  ),
  certificate_hash_mismatch: sender(
    'Send hash and certificate of one connection: the two differ, so that one of them was replaced on the way.',
  ),
  too_many_certificates: client(
    'Send the chain without certificates that nobody needs; or raise maxCertificates.',
  ),
  chain_repeated: sender('Have the load balancer overwrite the chain header (set, not add).'),
  chain_too_long: client('Send the chain without certificates that nobody needs; the root is never needed.'),
  chain_coding_invalid: operator('Name the format in which the load balancer writes the chain header.'),
  chain_without_leaf: sender(
    "Have the load balancer overwrite the chain header where there is no certificate, too: a client's own stays otherwise.",
  ),
  chain_leaf_mismatch: sender('Send certificate and chain of one connection, the certificate itself first.'),
  xfcc_element_count: operator(
    'Set elements to the number of proxies that add to X-Forwarded-Client-Cert; or have the first of them overwrite it (SANITIZE_SET).',
  ),
  xfcc_key_repeated: sender(
    'Have the sending Envoy leave URI, DNS and Subject out of X-Forwarded-Client-Cert (set_current_client_cert_details: cert, chain): a certificate has put something into them.',
  ),
  xfcc_without_cert: sender(
    'Set cert: true and chain: true in set_current_client_cert_details of the sending Envoy.',
  ),
  peer_certificate_too_long: client('Ask for a certificate with fewer names in it.'),
  peer_certificate_differs: operator(
    'Have the Envoy that asks write X-Forwarded-Client-Cert itself (SANITIZE_SET) on every listener: what came was not its own.',
  ),
  peer_certificate_unreadable: operator(
    'Envoy sends source.certificate as percent-encoded PEM; see what stands between it and the enforcer, and tell us.',
  ),

  certificate_malformed: anew('made by a tool that writes DER as X.690 has it'),
  certificate_version_unsupported: anew('of X.509 version 3'),
  certificate_version_too_low: anew('of X.509 version 3, since it has extensions'),
  certificate_serial_malformed: anew('with a serial number of at most 20 octets (RFC 5280 4.1.2.2)'),
  certificate_algorithms_differ: anew(
    'whose two signature algorithms are the same (RFC 5280 4.1.1.2); somebody may have changed this one',
  ),
  certificate_issuer_empty: anew('that names its issuer'),
  certificate_validity_malformed: anew(
    'whose dates are UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them',
  ),
  certificate_key_malformed: anew('with a public key that is written as RFC 3279 or 8410 has it'),
  certificate_extension_malformed: anew('with extensions as RFC 5280 4.2 has them'),
  certificate_extension_duplicate: anew('with each extension once'),

  certificate_revoked: anew('with a new key: its CA has revoked this one'),
  issuer_revoked: client(
    'Ask for a new certificate, from another CA: the one above this certificate is revoked.',
  ),
  revocation_unknown: operator(
    'See that the CRL or OCSP answer of its CA can be fetched and is fresh: "mtls-enforcer revocation" lists each source with its state.',
  ),
  revocation_pending: client(
    'Try again in a moment: the OCSP responder is being asked for the first time. Where that must not be felt: firstSight = "allow".',
  ),
  revocation_source_missing: operator(
    'Name where the CA publishes what it revokes (crlUrls, crlFiles, ocspResponder in [enforcer.security.revocation]), or let followCertificateUrls find it.',
  ),
  certificate_expired: anew('since this one has expired'),
  certificate_not_yet_valid: client(
    "Wait until the certificate begins to count; or see whose clock is wrong, the CA's or this host's.",
  ),
  extended_key_usage_not_client: anew(
    'with clientAuth in its extended key usage (or without that extension)',
  ),
  extended_key_usage_not_server: anew('with serverAuth in its extended key usage'),
  key_usage_not_client: anew('with digitalSignature in its key usage'),
  key_too_weak: anew('with an RSA key of at least 2048 bits, or an EC key on P-256'),
  key_unsupported: anew('with a key of RSA, or EC on P-256, P-384 or P-521, or Ed25519'),
  certificate_critical_extension_unknown: anew('without that critical extension, or with it not critical'),
  certificate_subject_missing: anew('with a subject, or with alternative names that are critical'),
  key_usage_without_ca: anew('without keyCertSign in its key usage'),
  name_constraints_without_ca: anew('without name constraints, which are for CAs'),
  issuer_expired: client(
    'Ask for a new certificate, from a CA that has not expired; or have the renewed CA certificate sent along.',
  ),
  issuer_not_yet_valid: client('Wait until the CA certificate begins to count; or see whose clock is wrong.'),
  issuer_not_ca: client(
    'Ask for a new certificate, from a CA: what issued this one is none (basicConstraints).',
  ),
  issuer_key_usage_not_cert_sign: caAnew('with keyCertSign in its key usage'),
  issuer_extended_key_usage: caAnew('with clientAuth in its extended key usage, or without that extension'),
  issuer_critical_extension_unknown: caAnew('without that critical extension'),
  path_length_exceeded: client(
    'Ask for a certificate from a CA higher up: one above allows fewer CAs below it (pathLenConstraint).',
  ),
  name_excluded: anew('without the name that a CA above it excludes'),
  name_not_permitted: anew('with names that the CAs above it permit'),
  name_constraint_unsupported: caAnew(
    'with name constraints as RFC 5280 4.2.1.10 has them: DNS names without a leading dot',
  ),
  policy_mapping_invalid: caAnew('that does not map anyPolicy'),
  policy_not_acceptable: anew('issued under a policy that the CAs above it require'),
  path_not_through_issuer: operator(
    'The alias asks for another CA than the one that issued it: if that is right, write its CA as caFile.',
  ),

  name_constraints_too_many: anew('with fewer names'),
  path_search_exhausted: client(
    'Send only the CA certificates of its own path along: with those that came, too many ways had to be tried.',
  ),
  certificate_search_limited: client(
    'Try again in a second: a flood of unknown certificates is being held off.',
  ),
  path_too_deep: client('Send a shorter path: at most 10 CAs between certificate and trusted CA.'),
  signature_algorithm_weak: client(
    'Ask for a new certificate, signed with SHA-256 or better. Until then, for an old partner: sha1 = true in [clients.certificates] of its CA.',
  ),
  signature_algorithm_unsupported: client(
    'Ask for a new certificate, signed by RSA, ECDSA or Ed25519 with SHA-256 or better.',
  ),
  issuer_key_too_weak: caAnew('with an RSA key of at least 2048 bits'),
  issuer_key_unsupported: caAnew('with a key of RSA, or EC on P-256, P-384 or P-521, or Ed25519'),
  signature_invalid: client(
    'Ask which CA issued the certificate: one of that name is trusted here, and did not sign it.',
  ),
  issuer_unknown: operator(
    "If this client may call, make its certificate or its CA known: see first, by another way, that it is the client's (with trustedCertPath, its CA has to be in there). If the CA is known already, have the client send the CA certificates in between along.",
  ),

  token_missing: tokenAnew('and send it: Authorization: Bearer …'),
  token_repeated: client('Send one access token, in one header.'),
  token_malformed: client(
    'Send the JWT itself, after the word Bearer. An opaque token can not be judged here.',
  ),
  token_too_long: tokenAnew('with fewer claims'),
  token_member_repeated: tokenAnew('that says each thing once; this one was not made by a sound issuer'),
  token_algorithm_refused: tokenAnew('signed by an algorithm that the tokenService takes (algorithms)'),
  token_extension_refused: tokenAnew('without critical header parameters (crit)'),
  token_type_refused: client(
    'Send the access token, not the ID token or another JWT; or name its typ in tokenTypes of the tokenService.',
  ),
  token_issuer_unknown: operator(
    'If its issuer is to be believed, write an [[enforcer.security.tokenService]] entry with exactly this iss, and name it in the API.',
  ),
  token_key_unknown: client(
    'Get a new token: its key is no more, or not yet, among those that the issuer publishes.',
  ),
  token_keys_unavailable: operator(
    "See that the issuer's JWKS can be fetched from here: the log names it, with the reason.",
  ),
  token_checks_limited: client('Try again in a second: a flood of unknown access tokens is being held off.'),
  token_signature_invalid: tokenAnew('anew, and send it unchanged'),
  token_claims_malformed: tokenAnew('with exp, and with claims of the form that RFC 7519 gives them'),
  token_expired: tokenAnew('anew: this one has expired'),
  token_not_yet_valid: client(
    "Wait until the token begins to count; or see whose clock is wrong, the issuer's or this host's.",
  ),
  token_audience_wrong: tokenAnew('that is meant for this API (aud); or name its aud in audiences'),
  token_confirmation_malformed: tokenAnew('whose cnf is as RFC 8705 section 3.1 has it'),
  token_confirmation_unsupported: tokenAnew('that is bound by certificate (x5t#S256), or not at all'),
  token_unbound: tokenAnew('over mutual TLS, so that it is bound to the client certificate (RFC 8705)'),
  token_certificate_missing: client('Send the client certificate that the token was got with.'),
  token_certificate_mismatch: client(
    'Send the client certificate that the token was got with, or get a token with this one. If the client did neither, the token is stolen.',
  ),
  token_certificate_unusable: client(
    'Send the client certificate that the token was got with, in a form that can be read.',
  ),
  token_certificate_not_current: client('Renew the client certificate, and get a token with the new one.'),
  token_client_refused: operator('If this client may call, add its id to consumerKeys.'),
  token_scope_missing: tokenAnew('with the scopes that the API asks for'),
};
