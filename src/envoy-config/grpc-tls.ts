import { namesHost, serverName } from './backends.ts';
import { extension, type Message } from './extension.ts';
import { certificatePair, tlsParameters } from './tls.ts';

type GrpcTls = {
  readonly host: string;
  /** PEM, as Envoy opens it: what its certificate must lead up to, or be. */
  readonly trusted: string;
  /** Not a certificate of its own but a CA: that issues to others, too, so the name must fit. */
  readonly isCa: boolean;
  /** Envoy's own, where it is asked for one. */
  readonly certPath: string | undefined;
  readonly keyPath: string | undefined;
};

/** Towards a gRPC service: the enforcer, or the rate limit service. */
export const grpcTls = ({ host, trusted, isCa, certPath, keyPath }: GrpcTls): Message =>
  extension('envoy.transport_sockets.tls', 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
    ...serverName(host),
    common_tls_context: {
      alpn_protocols: ['h2'],
      tls_params: tlsParameters({ minimumProtocolVersion: 'TLS1_2', maximumProtocolVersion: 'TLS1_3' }),
      ...(certPath !== undefined &&
        keyPath !== undefined && { tls_certificates: [certificatePair(certPath, keyPath)] }),
      validation_context: { trusted_ca: { filename: trusted }, ...(isCa && namesHost(host)) },
    },
  });
