import type { Config } from '../config/schema/config.ts';
import { extension, type Message } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { atLeastTls12, certificatePair, tlsParameters } from './tls.ts';

/** Envoy's own list lacks Ed25519 and P-521: clients with such keys would fail in the handshake, without a reason. */
const signatureAlgorithms = [
  'ecdsa_secp256r1_sha256',
  'rsa_pss_rsae_sha256',
  'rsa_pkcs1_sha256',
  'ecdsa_secp384r1_sha384',
  'rsa_pss_rsae_sha384',
  'rsa_pkcs1_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pkcs1_sha512',
  'ecdsa_secp521r1_sha512',
  'ed25519',
];

/** TLS towards clients: asks for a certificate, requires none. */
export function downstreamTls(config: Config, { resolvePath }: EnvoyConfigOptions): Message {
  const { downstream, keystore } = config.router;
  const validation = clientValidation(downstream.tls, resolvePath);
  return extension(
    'envoy.transport_sockets.tls',
    'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    {
      require_client_certificate: false,
      // Both are needed: a resumed session would outlive the revocation of what it was opened with.
      disable_stateless_session_resumption: true,
      disable_stateful_session_resumption: true,
      common_tls_context: {
        alpn_protocols: ['h2', 'http/1.1'],
        tls_params: {
          ...tlsParameters({
            minimumProtocolVersion: atLeastTls12(downstream.tls.minimumProtocolVersion),
            maximumProtocolVersion: atLeastTls12(downstream.tls.maximumProtocolVersion),
            ciphers: downstream.tls.ciphers,
          }),
          signature_algorithms: signatureAlgorithms,
        },
        tls_certificates: [certificatePair(resolvePath(keystore.certPath), resolvePath(keystore.keyPath))],
        ...(validation && { validation_context: validation }),
      },
    },
  );
}

/** undefined: no certificate is asked for. */
function clientValidation(
  tls: Config['router']['downstream']['tls'],
  resolvePath: EnvoyConfigOptions['resolvePath'],
): Message | undefined {
  if (!tls.mTLSAPIsEnabled) return undefined;
  // Told the CAs' names, some clients (Go) keep back a certificate of another CA: "none" in place of "unknown".
  if (tls.verifyInHandshake && tls.trustedCertPath !== undefined) {
    return { trusted_ca: { filename: resolvePath(tls.trustedCertPath) }, suppress_client_ca_list: true };
  }
  // Unknown certificates are passed on, so that the enforcer refuses them with a reason.
  return { trust_chain_verification: 'ACCEPT_UNTRUSTED' };
}
