import { extension, type Message, typed } from './extension.ts';

const name = 'envoy.filters.http.ext_authz';
export const enforcerCluster = 'enforcer';

/**
 * Asks the enforcer about each request that has a route. Whatever goes wrong on the way, nothing is admitted.
 *
 * @param headers those of the request that it gets
 */
export const extAuthzFilter = (headers: Message): Message =>
  extension(name, 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
    allowed_headers: headers,
    transport_api_version: 'V3',
    failure_mode_allow: false,
    status_on_error: { code: 'ServiceUnavailable' },
    include_peer_certificate: true,
    include_tls_session: true,
    // Repeated headers stay apart, and bytes that are no UTF-8 stay what they are.
    encode_raw_headers: true,
    // Else a line break in an answer would split the response.
    validate_mutations: true,
    grpc_service: {
      timeout: '0.5s',
      // Without x-envoy-internal and an x-forwarded-for of Envoy's own address, which nobody reads and every Check would carry.
      envoy_grpc: { cluster_name: enforcerCluster, skip_envoy_headers: true },
      // Of the service, not of envoy_grpc, where it does nothing. The default back-off would wait up to a second.
      retry_policy: {
        retry_on: 'connect-failure,refused-stream,reset,unavailable',
        num_retries: 2,
        // Not the one again that has just died, hangs, or goes, while its health check does not know yet.
        retry_host_predicate: [
          extension(
            'envoy.retry_host_predicates.previous_hosts',
            'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
          ),
        ],
        // Of two, each attempt is as likely the same again: a few would not do.
        host_selection_retry_max_attempts: 30,
        // max_interval is also the time that each try gets (measured): two retries never wait that long in between,
        // and a busy enforcer must not be given up after 20 ms.
        retry_back_off: { base_interval: '0.005s', max_interval: '0.25s' },
      },
    },
  });

/** What a route says of itself in the Check. Merged: the most specific wins, key by key. */
export const contextExtensions = (extensions: Readonly<Record<string, string>>): Message => ({
  [name]: typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute', {
    check_settings: { context_extensions: extensions },
  }),
});

/** A field of what the enforcer answered, for log lines. */
export const decided = (field: string): string => `%DYNAMIC_METADATA(${name}:${field})%`;

/** The same field, for filters behind ext_authz. */
export const decidedAt = (field: string): Message => ({ key: name, path: [{ key: field }] });

/** As a condition of an answer of Envoy's own: the field says this, or where nothing is given, anything. */
export const decidedFilter = (field: string, exact?: string): Message => ({
  metadata_filter: {
    matcher: {
      filter: name,
      path: [{ key: field }],
      value: exact === undefined ? { present_match: true } : { string_match: { exact } },
    },
    match_if_key_not_found: false,
  },
});

/** The enforcer says in this field of its dynamic metadata that it has written the backend's certificate header itself. */
const outboundField = 'outbound';

/**
 * Behind ext_authz: whatever certificate headers are left go no further, unless the enforcer says that one of them is
 * its own. It then has removed the others by its answer. So the certificate header can be renamed, and the outbound
 * one turned on and off, without a change here; and no client can say it, for metadata is no header.
 *
 * @param headers names, lower case
 */
export const removeCertificateHeaders = (headers: readonly string[]): Message =>
  extension('certificate_headers', 'envoy.extensions.common.matching.v3.ExtensionWithMatcher', {
    xds_matcher: {
      matcher_list: {
        matchers: [
          {
            predicate: {
              single_predicate: {
                input: extension(
                  'envoy.matching.inputs.dynamic_metadata',
                  'envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput',
                  { filter: name, path: [{ key: outboundField }] },
                ),
                custom_match: extension(
                  'envoy.matching.matchers.metadata_matcher',
                  'envoy.extensions.matching.input_matchers.metadata.v3.Metadata',
                  { value: { present_match: true } },
                ),
              },
            },
            on_match: {
              action: extension('skip', 'envoy.extensions.filters.common.matcher.action.v3.SkipFilter'),
            },
          },
        ],
      },
    },
    extension_config: extension(
      'envoy.filters.http.header_mutation',
      'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
      { mutations: { request_mutations: headers.map((header) => ({ remove: header })) } },
    ),
  });

/** What comes behind the body: some backends take it for headers, and the enforcer never sees it. */
export const removeTrailers = (regex: string): Message =>
  extension('trailers', 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
    mutations: {
      request_trailers_mutations: [{ remove_on_match: { key_matcher: { safe_regex: { regex } } } }],
    },
  });
