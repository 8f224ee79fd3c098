import { peerLimits } from '../client-certificate/formats/reading.ts';
import type { Config } from '../config/schema/config.ts';
import { handshakeLog, requestLog } from './access-log.ts';
import { corsFilters } from './cors.ts';
import { downstreamTls } from './downstream-tls.ts';
import { extAuthzFilter, removeCertificateHeaders, removeTrailers } from './ext-authz-filter.ts';
import { extension, type Message, socketAddress } from './extension.ts';
import type { EnvoyConfigOptions } from './options.ts';
import { streamsPerConnection } from './protocols.ts';
import {
  certificateHeaders,
  earlyMutations,
  headersForEnforcer,
  trailersToRemove,
} from './request-headers.ts';
import { routeConfiguration, type Scheme } from './routes.ts';
import { tierAnswers } from './tier-answers.ts';
import { tierFilters, tiersIn } from './tiers.ts';

/** The TLS listener, and the plain one where there is to be one. */
export function listeners(config: Config, options: EnvoyConfigOptions): readonly Message[] {
  const { router } = config;
  const secured = {
    ...listener('secured', router.securedListenerHost, router.securedListenerPort),
    filter_chains: [
      {
        transport_socket: downstreamTls(config, options),
        transport_socket_connect_timeout: '10s',
        filters: [connectionManager(config, 'https', options)],
      },
    ],
    access_log: [handshakeLog],
  };
  if (router.listenerPort === 0) return [secured];
  const plain = {
    ...listener('plain', router.listenerHost, router.listenerPort),
    filter_chains: [{ filters: [connectionManager(config, 'http', options)] }],
  };
  return [secured, plain];
}

const listener = (name: string, host: string, port: number): Message => ({
  name,
  address: socketAddress(host === 'localhost' ? '127.0.0.1' : host, port),
  per_connection_buffer_limit_bytes: 32_768,
});

function connectionManager(config: Config, scheme: Scheme, options: EnvoyConfigOptions): Message {
  const tiers = tiersIn(config, options);
  const { mTLSAPIsEnabled } = config.router.downstream.tls;
  const { allowHeaderOverPlaintext } = config.enforcer.security.mutualSSL;
  return extension(
    'envoy.filters.network.http_connection_manager',
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    {
      stat_prefix: scheme,
      // What a client can quote, of Envoy's own answers as well.
      always_set_request_id_in_response: true,
      ...clientIsNotTrusted,
      ...onePathForAll,
      ...slowClients,
      ...roomForHeaders,
      ...clientCertificate(scheme === 'https' && mTLSAPIsEnabled),
      early_header_mutation_extensions: earlyMutations(
        config,
        scheme === 'http' && !allowHeaderOverPlaintext,
      ),
      http_filters: [
        ...corsFilters(config),
        extAuthzFilter(headersForEnforcer(config)),
        ...tierFilters(tiers, config),
        removeCertificateHeaders(certificateHeaders(config)),
        removeTrailers(trailersToRemove(config)),
        extension('envoy.filters.http.router', 'envoy.extensions.filters.http.router.v3.Router'),
      ],
      ...tierAnswers(tiers, config),
      route_config: routeConfiguration(config, scheme, options),
      access_log: [requestLog],
    },
  );
}

/**
 * XFCC as the client sent it is dropped; ours has the chain, which source.certificate lacks. No `cert`, which would be the
 * leaf a third time, and a quarter of what each Check sends. Never `uri`, `dns` or `subject`: Envoy writes those
 * unescaped, and a self-made certificate can forge a whole element with them.
 */
const clientCertificate = (asked: boolean): Message =>
  asked
    ? {
        forward_client_cert_details: 'SANITIZE_SET',
        set_current_client_cert_details: { chain: true },
      }
    : { forward_client_cert_details: 'SANITIZE' };

/**
 * Else a client's own x-forwarded-proto would be the scheme, and its x-envoy-* headers would be obeyed. No address is
 * internal: an empty list would mean all private ones (measured), so that it names one that nobody can have.
 */
const clientIsNotTrusted: Message = {
  use_remote_address: true,
  internal_address_config: { cidr_ranges: [{ address_prefix: '255.255.255.255', prefix_len: 32 }] },
};

/**
 * Routes, enforcer and backend all get the same path: /a/../b is /b for each of them, and so are %2e and //. An encoded
 * slash or backslash has no one meaning: it is passed on, and the enforcer denies it with a reason (`path_ambiguous`),
 * where REJECT_REQUEST would say nothing.
 */
const onePathForAll: Message = {
  normalize_path: true,
  merge_slashes: true,
  path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
  strip_trailing_host_dot: true,
};

/**
 * Envoy holds what it and the enforcer add against the same two limits as what the client sent, and answers 500
 * (`ext_authz_invalid`) beyond them. So its own 100 headers and 60 KiB are left to the client, with room for the longest
 * certificate that we read of a handshake twice: XFCC's Chain, and the header for the backend.
 */
const roomForHeaders: Message = {
  max_request_headers_kb: 60 + (2 * peerLimits.certificateLength) / 1024,
  common_http_protocol_options: { max_headers_count: 100 + 28 },
};

/** A client that is slow, or opens many streams, holds only its own share. */
const slowClients: Message = {
  request_headers_timeout: '10s',
  http2_protocol_options: {
    max_concurrent_streams: streamsPerConnection,
    initial_stream_window_size: 65_536,
    initial_connection_window_size: 1_048_576,
  },
};
