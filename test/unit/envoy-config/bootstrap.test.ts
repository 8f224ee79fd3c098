import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { knownCertificateHeaders } from '../../../src/client-certificate/formats/table.ts';
import { RECEIVED_XFCC } from '../../../src/client-certificate/formats/xfcc.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import type { Config } from '../../../src/config/schema/config.ts';
import { writeEnvoyConfig } from '../../../src/envoy-config/bootstrap.ts';
import type { EnvoyConfigOptions } from '../../../src/envoy-config/options.ts';
import { writeRateLimitConfig } from '../../../src/envoy-config/ratelimit-service.ts';
import type { Limit, Tier } from '../../../src/provision/tiers.ts';

/** As Envoy reads it: YAML 1.1. */
// biome-ignore lint/suspicious/noExplicitAny: a tree of Envoy's, of which each test looks at one leaf
type Tree = any;

function configOf(toml: string): Config {
  const read = readConfig(toml, 'config.toml', {});
  if (!('config' in read)) throw new Error(JSON.stringify(read));
  return read.config;
}
const write = (toml: string, options: Partial<EnvoyConfigOptions> = {}): string =>
  writeEnvoyConfig(configOf(toml), { resolvePath: (path) => `seen/${path}`, ...options });
const bootstrap = (toml: string, options?: Partial<EnvoyConfigOptions>): Tree =>
  parse(write(toml, options), { version: '1.1' });

const listener = (tree: Tree, index = 0): Tree => tree.static_resources.listeners[index];
const tls = (tree: Tree): Tree => listener(tree).filter_chains[0].transport_socket.typed_config;
const hcm = (tree: Tree, index = 0): Tree => listener(tree, index).filter_chains[0].filters[0].typed_config;
const filter = (tree: Tree, name: string, index = 0): Tree =>
  hcm(tree, index).http_filters.find((each: Tree) => each.name === name)?.typed_config;
const cluster = (tree: Tree, name: string): Tree =>
  tree.static_resources.clusters.find((each: Tree) => each.name === name);
const enforcerEndpoints = (tree: Tree): Tree[] =>
  cluster(tree, 'enforcer').load_assignment.endpoints[0].lb_endpoints.map(
    ({ endpoint }: Tree) => endpoint.address,
  );
const routes = (tree: Tree, domain = '*', index = 0): Tree[] =>
  hcm(tree, index).route_config.virtual_hosts.find((each: Tree) => each.domains.includes(domain)).routes;
const upstreamTls = (tree: Tree, name: string): Tree => cluster(tree, name).transport_socket?.typed_config;

const api = (backend: string, more = '') =>
  `[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nbackend = "${backend}"\n${more}\n`;

const keys: readonly [toml: string, leaf: (tree: Tree) => unknown, expected: unknown, why: string][] = [
  [
    '',
    (t) => listener(t).address.socket_address,
    { address: '0.0.0.0', port_value: 9095 },
    'the TLS listener’s address',
  ],
  ['', (t) => t.static_resources.listeners.length, 1, 'no plain listener unless asked for'],
  [
    '[router]\nlistenerPort = 9090',
    (t) => listener(t, 1).address.socket_address.port_value,
    9090,
    'a plain one where asked for',
  ],
  [
    '[router]\nlistenerPort = 9090',
    (t) => listener(t, 1).filter_chains[0].transport_socket,
    undefined,
    'which is plain',
  ],
  [
    '[router]\nlistenerPort = 9090',
    (t) => hcm(t, 1).forward_client_cert_details,
    'SANITIZE',
    'and never sets XFCC',
  ],
  [
    '',
    (t) => t.admin.address.socket_address,
    { address: '127.0.0.1', port_value: 9901 },
    'admin on loopback',
  ],
  [
    '[router]\nmaxConnections = 7',
    (t) => t.overload_manager.resource_monitors[0].typed_config.max_active_downstream_connections,
    7,
    'the limit on connections',
  ],
  ['', (t) => tls(t).require_client_certificate, false, 'a certificate is asked for, not required'],
  [
    '',
    (t) => tls(t).common_tls_context.validation_context,
    { trust_chain_verification: 'ACCEPT_UNTRUSTED' },
    'unknown ones are passed on',
  ],
  [
    '',
    (t) => [tls(t).disable_stateless_session_resumption, tls(t).disable_stateful_session_resumption],
    [true, true],
    'no resumption of either kind',
  ],
  ['', (t) => tls(t).common_tls_context.alpn_protocols, ['h2', 'http/1.1'], 'HTTP/2 is offered'],
  [
    '[router.keystore]\ncertPath = "c"\nkeyPath = "k"',
    (t) => tls(t).common_tls_context.tls_certificates[0],
    { certificate_chain: { filename: 'seen/c' }, private_key: { filename: 'seen/k' } },
    'paths go through resolvePath',
  ],
  [
    '[router.downstream.tls]\nmTLSAPIsEnabled = false',
    (t) => tls(t).common_tls_context.validation_context,
    undefined,
    'nobody is asked',
  ],
  [
    '[router.downstream.tls]\nmTLSAPIsEnabled = false',
    (t) => hcm(t).forward_client_cert_details,
    'SANITIZE',
    'and XFCC is not set',
  ],
  [
    '[router.downstream.tls]\nverifyInHandshake = true\ntrustedCertPath = "ca"',
    (t) => tls(t).common_tls_context.validation_context,
    { trusted_ca: { filename: 'seen/ca' }, suppress_client_ca_list: true },
    'the handshake verifies, and names no CA',
  ],
  [
    '[router.downstream.tls]\nminimumProtocolVersion = "TLS1_1"',
    (t) => tls(t).common_tls_context.tls_params.tls_minimum_protocol_version,
    'TLSv1_2',
    'TLS 1.1 is read as 1.2',
  ],
  [
    '[router.downstream.tls]\nmaximumProtocolVersion = "TLS1_0"',
    (t) => tls(t).common_tls_context.tls_params.tls_maximum_protocol_version,
    'TLSv1_2',
    'at both ends',
  ],
  [
    '[router.downstream.tls]\nciphers = "AES128-SHA, AES256-SHA:ECDHE-RSA-AES128-SHA"',
    (t) => tls(t).common_tls_context.tls_params.cipher_suites,
    ['AES128-SHA', 'AES256-SHA', 'ECDHE-RSA-AES128-SHA'],
    'ciphers are a list',
  ],
  [
    '',
    (t) => hcm(t).set_current_client_cert_details,
    { chain: true },
    'never uri, dns, subject: they are forgeable',
  ],
  [
    '',
    (t) => [
      hcm(t).use_remote_address,
      hcm(t).normalize_path,
      hcm(t).merge_slashes,
      hcm(t).strip_trailing_host_dot,
    ],
    [true, true, true, true],
    'one scheme, path and host for all',
  ],
  [
    '',
    (t) => hcm(t).path_with_escaped_slashes_action,
    'KEEP_UNCHANGED',
    'encoded slashes are the enforcer’s to refuse, with a reason',
  ],
  [
    '',
    (t) => hcm(t).http_filters.map((each: Tree) => each.name),
    [
      'envoy.filters.http.cors',
      'envoy.filters.http.ext_authz',
      'certificate_headers',
      'trailers',
      'envoy.filters.http.router',
    ],
    'the filters’ order',
  ],
  [
    '[router.cors]\nenabled = false',
    (t) => hcm(t).http_filters[0].name,
    'envoy.filters.http.ext_authz',
    'no cors filter',
  ],
  ['', (t) => filter(t, 'envoy.filters.http.ext_authz').failure_mode_allow, false, 'no answer, no admission'],
  [
    '[router]\nlistenerPort = 9090',
    (t) => filter(t, 'envoy.filters.http.ext_authz', 1).failure_mode_allow,
    false,
    'on the plain listener, too',
  ],
  [
    '[router]\nlistenerPort = 9090',
    (t) =>
      hcm(t, 1).route_config.typed_per_filter_config['envoy.filters.http.ext_authz'].check_settings
        .context_extensions,
    { listener: 'plain' },
    'the plain listener says so',
  ],
  [
    '',
    (t) => cluster(t, 'enforcer').load_assignment.endpoints[0].lb_endpoints[0].endpoint.address,
    { socket_address: { address: '127.0.0.1', port_value: 8081 } },
    'the enforcer’s address',
  ],
  [
    '[enforcer.authService]\nsocket = "s"\nworkers = 3',
    (t) => enforcerEndpoints(t).map(({ pipe }) => pipe.path),
    ['seen/s', 'seen/s.2', 'seen/s.3'],
    'each worker has a socket of its own',
  ],
  [
    '[enforcer.authService]\nport = 9000\nworkers = 2',
    (t) => enforcerEndpoints(t).map(({ socket_address }) => socket_address.port_value),
    [9000, 9001],
    'or a port',
  ],
  [
    '',
    (t) => [
      cluster(t, 'enforcer').outlier_detection.max_ejection_percent,
      cluster(t, 'enforcer').common_lb_config,
    ],
    [100, { healthy_panic_threshold: { value: 1 }, update_merge_window: '0s' }],
    'one that fails is left alone at once, and tried where there is no other',
  ],
  [
    '[enforcer.authService]\naddress = "0.0.0.0"',
    (t) =>
      cluster(t, 'enforcer').load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
        .address,
    '127.0.0.1',
    'any address is this machine',
  ],
  [
    '[enforcer.authService]\nsocket = "s"\ncertPath = "c"',
    (t) => cluster(t, 'enforcer').load_assignment.endpoints[0].lb_endpoints[0].endpoint.address,
    { pipe: { path: 'seen/s' } },
    'or its socket',
  ],
  [
    '[enforcer.authService]\nsocket = "s"\ncertPath = "c"',
    (t) => upstreamTls(t, 'enforcer'),
    undefined,
    'where TLS is not needed',
  ],
  [
    '[enforcer.authService]\ncertPath = "c"',
    (t) => upstreamTls(t, 'enforcer').common_tls_context.validation_context,
    { trusted_ca: { filename: 'seen/c' } },
    'its own certificate is trusted, and no other',
  ],
  [api('https://b.test/v2'), (t) => cluster(t, 'https://b.test').type, 'STRICT_DNS', 'a backend by name'],
  [
    api('https://[2001:db8::1]:8443'),
    (t) => cluster(t, 'https://[2001:db8::1]:8443').alt_stat_name,
    '2001_db8__1_8443',
    'no dot and no colon in the names of its metrics',
  ],
  [
    api('wss://b.test/chat'),
    (t) => [
      upstreamTls(t, 'wss://b.test').sni,
      routes(t)[0].route.upgrade_configs,
      routes(t)[0].route.timeout,
    ],
    ['b.test', [{ upgrade_type: 'websocket' }], '0s'],
    'a WebSocket lasts as long as it is used',
  ],
  [
    api('https://b.test/v2'),
    (t) => [routes(t)[0].route.upgrade_configs, routes(t)[0].route.timeout],
    [undefined, '60s'],
    'other backends are asked for no upgrade',
  ],
  [api('https://b.test/v2'), (t) => upstreamTls(t, 'https://b.test').sni, 'b.test', 'with its name in SNI'],
  [
    api('https://b.test/v2'),
    (t) =>
      upstreamTls(t, 'https://b.test').common_tls_context.validation_context.match_typed_subject_alt_names,
    [{ san_type: 'DNS', matcher: { exact: 'b.test' } }],
    'and verified',
  ],
  [
    api('https://10.0.0.1:8443'),
    (t) => [cluster(t, 'https://10.0.0.1:8443').type, upstreamTls(t, 'https://10.0.0.1:8443').sni],
    ['STATIC', undefined],
    'a backend by address has no SNI',
  ],
  [
    api('https://[::1]'),
    (t) =>
      cluster(t, 'https://[::1]').load_assignment.endpoints[0].lb_endpoints[0].endpoint.address
        .socket_address,
    { address: '::1', port_value: 443 },
    'IPv6 without brackets',
  ],
  [api('http://b.test'), (t) => upstreamTls(t, 'http://b.test'), undefined, 'a backend in clear text'],
  [
    `[router.upstream.tls]\nverifyHostName = false\ntrustedCertPath = "ca"\n${api('https://b')}`,
    (t) => upstreamTls(t, 'https://b').common_tls_context.validation_context,
    { trusted_ca: { filename: 'seen/ca' } },
    'verifyHostName',
  ],
  [
    `[router.upstream.tls]\ndisableSslVerification = true\n${api('https://b')}`,
    (t) => upstreamTls(t, 'https://b').common_tls_context.validation_context,
    undefined,
    'disableSslVerification',
  ],
  [
    `[router.upstream.tls]\nminimumProtocolVersion = "TLS1_3"\n${api('https://b')}`,
    (t) => upstreamTls(t, 'https://b').common_tls_context.tls_params.tls_minimum_protocol_version,
    'TLSv1_3',
    'TLS versions towards backends',
  ],
  [
    `[router.upstream.timeouts]\nrouteTimeoutInSeconds = 0\nrouteIdleTimeoutInSeconds = 9\n${api('https://b')}`,
    (t) => [routes(t)[0].route.timeout, routes(t)[0].route.idle_timeout],
    ['0s', '9s'],
    'timeouts',
  ],
  [
    api('https://b/x') + api('https://b/y').replace('"/a"', '"/b"'),
    (t) => t.static_resources.clusters.length,
    2,
    'one cluster for a backend, whatever the paths',
  ],
  [
    api('https://b', 'hosts = ["::1", "A.test"]'),
    (t) => hcm(t).route_config.virtual_hosts.map((each: Tree) => each.domains),
    [['[::1]', 'a.test'], ['*']],
    'hosts as Envoy matches them, and always the rest',
  ],
  [
    api('https://b'),
    (t) => routes(t).at(-1).direct_response,
    { status: 404 },
    'what is no API goes to the enforcer and no further',
  ],
  [
    api('https://b'),
    (t) => routes(t).at(-1).typed_per_filter_config,
    undefined,
    'without saying that it is one',
  ],
];
for (const [toml, leaf, expected, why] of keys) {
  test(`${why}: ${toml.replaceAll('\n', ' ').slice(0, 80)}`, () =>
    assert.deepEqual(leaf(bootstrap(toml)), expected));
}

test('Envoy’s own certificate for the enforcer, and its CA and name', () => {
  const tree = bootstrap('[enforcer.authService]\ncertPath = "c"', {
    enforcer: { address: 'enforcer.test', trustedCertPath: 'ca', certPath: 'e.pem', keyPath: 'e.key' },
  });
  const context = upstreamTls(tree, 'enforcer').common_tls_context;
  assert.equal(upstreamTls(tree, 'enforcer').sni, 'enforcer.test');
  assert.equal(context.tls_certificates[0].private_key.filename, 'seen/e.key');
  assert.deepEqual(context.validation_context, {
    trusted_ca: { filename: 'seen/ca' },
    match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'enforcer.test' } }],
  });
});

/** Whether Envoy would remove a header before any filter; its patterns match whole names. */
function removedEarly(tree: Tree, name: string, index = 0): boolean {
  const [{ typed_config }] = hcm(tree, index).early_header_mutation_extensions;
  return typed_config.mutations.some(
    ({ remove_on_match: removed }: Tree) =>
      removed !== undefined && new RegExp(`^(?:${removed.key_matcher.safe_regex.regex})$`).test(name),
  );
}

const answers = '[enforcer.answers]\naliasHeader = "X.My+Alias"\ntierHeader = ""\n';
const dotted = '[enforcer.security.mutualSSL]\ncertificateHeader = "X.Client.Cert"\n';
const early: readonly [toml: string, name: string, removed: boolean, why: string][] = [
  ['', 'x-client-cert-alias', true, 'an identity header'],
  ['', 'x_client-cert_alias', true, 'with _ for - anywhere'],
  ['', 'x-client-cert-aliases', false, 'a longer name'],
  ['', 'my-x-client-cert-alias', false, 'a longer name in front'],
  [answers, 'x.my+alias', true, 'under another name, in lower case'],
  [answers, 'xxmy+alias', false, 'whose dot is a dot'],
  [answers, 'x-client-cert-alias', false, 'the usual name then means nothing'],
  [answers, 'x-client-cert-tier', false, 'nor does one that is switched off'],
  [answers, '', false, 'and no name is no name'],
  ['', RECEIVED_XFCC, true, "a client's own copy of what only Envoy copies"],
  ['', 'x-wso2-client-certificate', false, 'a certificate header is for the enforcer'],
  ['', 'x_wso2_client_certificate', true, 'but not with _ for -'],
  ['', 'x-wso2_client-certificate', true, 'anywhere'],
  ['', 'ssl_client_cert', false, 'unless that is a name of its own'],
  ['', 'ssl_client-cert', true, 'which this is not'],
  [dotted, 'x.client.cert', false, 'or one of config.toml’s, be it with dots'],
  [dotted, 'x.client-cert', true, 'which this is not'],
];
for (const [toml, name, removed, why] of early) {
  test(`${name} is ${removed ? '' : 'not '}removed before the enforcer sees it: ${why}`, () => {
    assert.equal(removedEarly(bootstrap(toml), name), removed);
  });
}

const hidden =
  '[enforcer.security.mutualSSL]\ncertificateHeader = "X-Mine"\noutboundHeader = "X-Out"\noutboundChainHeader = "X-Out-Chain"\n';
const named = ['x-mine', 'x-out', 'x-out-chain', ...knownCertificateHeaders];
test('every certificate header that is known or named is removed behind the enforcer, on both listeners', () => {
  const tree = bootstrap(`[router]\nlistenerPort = 9090\n${hidden}`);
  for (const index of [0, 1]) {
    const { mutations } = filter(tree, 'certificate_headers', index).extension_config.typed_config;
    const removed = mutations.request_mutations.map(({ remove }: Tree) => remove);
    assert.deepEqual(
      named.filter((name) => !removed.includes(name)),
      [],
    );
  }
});

test('an XFCC that a load balancer sent is kept under another name, before SANITIZE_SET overwrites it', () => {
  const [{ typed_config }] = hcm(bootstrap(''), 0).early_header_mutation_extensions;
  assert.deepEqual(typed_config.mutations.at(-1), {
    append: {
      header: { key: RECEIVED_XFCC, value: '%REQ(x-forwarded-client-cert)%' },
      append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
    },
  });
});

test('Envoy listens without waiting for the names of backends that only foreign files have', () => {
  const api = (backend: string, i: number): string =>
    `[[apis]]\nname = "a${i}"\nversion = "1"\nbasePath = "/a${i}"\nmutualSSL = "off"\nbackend = "${backend}"\n`;
  const toml = ['https://own.test', 'https://own.test/x', 'http://theirs.test', 'http://192.0.2.1']
    .map(api)
    .join('');
  const waits = (options: Parameters<typeof bootstrap>[1]) =>
    bootstrap(toml, options).static_resources.clusters.map(({ name, wait_for_warm_on_init = true }: Tree) => [
      name,
      wait_for_warm_on_init,
    ]);
  const all = waits({});
  assert.ok(all.every(([, waits]: [string, boolean]) => waits));
  assert.deepEqual(
    waits({ ownApis: 1 }),
    all.map(([name]: [string]) => [name, name !== 'http://theirs.test']),
  );
});

test('the plain listener removes them early, unless the file says that they count there', () => {
  const plain = `[router]\nlistenerPort = 9090\n${hidden}`;
  for (const name of named) {
    assert.equal(removedEarly(bootstrap(plain), name, 1), true, name);
    const isCopy = name === RECEIVED_XFCC;
    assert.equal(removedEarly(bootstrap(`${plain}allowHeaderOverPlaintext = true`), name, 1), isCopy, name);
    assert.equal(removedEarly(bootstrap(plain), name, 0), isCopy, name);
  }
});

test('the same file gives the same text, without anchors or another folder’s name', () => {
  const text = write(api('https://b'));
  assert.equal(text, write(api('https://b')));
  assert.doesNotMatch(text, /[:-] [&*]\w|<<:/);
});

test('whatever an API is called, it stays that text', () => {
  const words = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('off', 'y', 'NO', '~', '0o7', '1_0', '1:30', '.inf', '<<', '=', '2026-01-01'),
  );
  fc.assert(
    fc.property(words, words, (name, version) => {
      const config = configOf(api('https://b'));
      const text = writeEnvoyConfig(
        { ...config, apis: [{ ...config.apis[0]!, name, version }] },
        { resolvePath: (path) => path },
      );
      const [route] = routes(parse(text, { version: '1.1' }));
      const { context_extensions } =
        route.typed_per_filter_config['envoy.filters.http.ext_authz'].check_settings;
      assert.deepEqual([context_extensions.name, context_extensions.version], [name, version]);
    }),
  );
});

test('the number of workers on the command line counts, whatever the file says', () => {
  const tree = bootstrap('[enforcer.authService]\nworkers = 3', { workers: 2 });
  assert.equal(enforcerEndpoints(tree).length, 2);
});

test('a host that foreign files alone name has what config.toml has for all hosts, too, and first', () => {
  const at = (name: string, basePath: string, host: string): string =>
    `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "${basePath}"\nhosts = ["${host}"]\n`;
  const toml =
    at('own', '/own', '*') +
    at('named', '/x', 'named.test') +
    at('theirs', '/own', 'api.test') +
    at('below', '/own/deep', 'api.test') +
    at('both', '/y', 'named.test');
  const tree = bootstrap(toml, { ownApis: 2 });
  const names = (domain: string) => routes(tree, domain).map(({ name }: Tree) => name);
  assert.deepEqual(names('api.test'), ['below 1', 'own 1', 'theirs 1', 'no API']);
  assert.deepEqual(names('named.test'), ['named 1', 'both 1', 'no API']);
  const own = routes(tree, 'api.test')[1].typed_per_filter_config['envoy.filters.http.ext_authz'];
  assert.equal(own.check_settings.context_extensions.vHost, 'api.test', 'where the enforcer finds it');
});

test('hosts that lead to the same APIs share one virtual host: thousands of a foreign file cost its length', () => {
  const at = (name: string, hosts: readonly string[]): string =>
    `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "/${name}"\nhosts = ${JSON.stringify(hosts)}\n`;
  const many = Array.from({ length: 1000 }, (_, i) => `h${i}.test`);
  const toml = at('own', ['*']) + at('named', ['h1.test']) + at('all', many) + at('some', many.slice(500));
  const tree = bootstrap(toml, { ownApis: 2 });
  const sites = hcm(tree).route_config.virtual_hosts.map((each: Tree) => [
    each.domains.length,
    each.routes.map(({ name }: Tree) => name),
  ]);
  assert.deepEqual(sites, [
    [1, ['named 1', 'all 1', 'no API']],
    [499, ['own 1', 'all 1', 'no API']],
    [500, ['some 1', 'own 1', 'all 1', 'no API']],
    [1, ['own 1', 'no API']],
  ]);
});

const gold = '[[tiers]]\nname = "Gold"\nrequests = 5000\nburst = 50\n';
const tiers: readonly [toml: string, leaf: (tree: Tree) => unknown, expected: unknown, why: string][] = [
  [
    gold,
    (t) => filter(t, 'envoy.filters.http.local_ratelimit').descriptors,
    [
      {
        entries: [{ key: 'tier', value: 'Gold' }, { key: '\\account' }],
        token_bucket: { max_tokens: 50, tokens_per_fill: 5000, fill_interval: '60s' },
      },
    ],
    'a bucket for each alias of the tier',
  ],
  [
    gold,
    (t) =>
      hcm(t)
        .http_filters.map(({ name }: Tree) => name)
        .slice(1, 4),
    ['envoy.filters.http.ext_authz', 'envoy.filters.http.local_ratelimit', 'certificate_headers'],
    'behind the enforcer, who says whom to count',
  ],
  [
    `[router]\nlistenerPort = 9090\n${gold}`,
    (t) => filter(t, 'envoy.filters.http.local_ratelimit', 1)?.stat_prefix,
    'tier_Gold',
    'on the plain listener, too',
  ],
  [
    '[[tiers]]\nname = "Zoë 1.0"\nrequests = 1\n',
    (t) => {
      const { stat_prefix, descriptors } = filter(t, 'envoy.filters.http.local_ratelimit');
      return [stat_prefix, descriptors[0].entries[0].value];
    },
    ['tier_Zo~C3~AB~201~2E0', 'Zo\\C3\\AB 1.0'],
    'the tier as the enforcer writes it, and a name that statistics can have',
  ],
  [
    ['Gold!', 'Gold?', 'Gold_', 'Gold~21', 'Gold', 'Gold.', 'Gold ', 'Gold\\\\', '\\\\47old']
      .map((name) => `[[tiers]]\nname = "${name}"\nrequests = 1\n`)
      .join(''),
    (t) => new Set(hcm(t).http_filters.flatMap((one: Tree) => one.typed_config.stat_prefix ?? [])).size,
    9,
    'each has statistics of its own, whatever signs its name has',
  ],
  [
    `${gold}[router.rateLimit]\nservice = "[::1]:8081"\nfailureMode = "deny"\n`,
    (t) => {
      const { failure_mode_deny, domain } = filter(t, 'envoy.filters.http.ratelimit');
      const { address } = cluster(t, 'rate_limit').load_assignment.endpoints[0].lb_endpoints[0].endpoint;
      return [
        failure_mode_deny,
        domain,
        address.socket_address,
        filter(t, 'envoy.filters.http.local_ratelimit'),
      ];
    },
    [true, 'mtls-enforcer', { address: '::1', port_value: 8081 }, undefined],
    'the global service in place of buckets',
  ],
  [
    `${gold}[router]\nmaxConnections = 50\n[router.rateLimit]\nservice = "[::1]:8081"\n`,
    (t) => cluster(t, 'rate_limit').circuit_breakers.thresholds[0].max_requests,
    5_000,
    'which is asked about as many at a time as there may be',
  ],
  [
    `${gold}[router.rateLimit]\nservice = "limits.test:1"\ntrustedCertPath = "ca.pem"\ncertPath = "envoy.pem"\nkeyPath = "envoy.key"\n`,
    (t) => {
      const { sni, common_tls_context } = cluster(t, 'rate_limit').transport_socket.typed_config;
      const { validation_context, tls_certificates } = common_tls_context;
      const [san] = validation_context.match_typed_subject_alt_names;
      return [sni, validation_context.trusted_ca.filename, san, tls_certificates[0].private_key.filename];
    },
    ['limits.test', 'seen/ca.pem', { san_type: 'DNS', matcher: { exact: 'limits.test' } }, 'seen/envoy.key'],
    'a service that proves that it is the one, and asks who Envoy is',
  ],
  [
    '[router.rateLimit]\nservice = "a:1"\n',
    (t) => cluster(t, 'rate_limit'),
    undefined,
    'which is not asked where there is nothing to count',
  ],
];
for (const [toml, leaf, expected, why] of tiers) {
  test(`tiers: ${why}`, () => assert.deepEqual(leaf(bootstrap(toml)), expected));
}

test('without a limit nothing is different, though clients have tiers', () => {
  const client = '[[clients]]\nalias = "a"\npem = "x"\ntier = "Gold"\n';
  for (const tiers of ['', '[[tiers]]\nname = "Unlimited"\n'])
    assert.equal(write(api('https://b') + client + tiers), write(api('https://b')));
  assert.doesNotMatch(write(api('https://b') + client), /rate_?limit|local_reply/i);
});

test('the rate limit service counts the same tiers, each by the same fields', () => {
  const tier = (name: string, limit: Partial<Limit>): Tier => ({
    name,
    limit: { requests: 10, per: 'hour', burst: 10, key: 'alias', stopOnQuotaReach: true, ...limit },
  });
  const text = writeRateLimitConfig([
    tier('Gold', {}),
    tier('off', { key: 'api', per: 'day', stopOnQuotaReach: false }),
    tier('Zoë', { key: 'certificate' }),
    { name: 'Unlimited', limit: undefined },
  ]);
  assert.deepEqual(parse(text, { version: '1.1' }), {
    domain: 'mtls-enforcer',
    descriptors: [
      {
        key: 'tier',
        value: 'Gold',
        descriptors: [{ key: '\\account', rate_limit: { unit: 'hour', requests_per_unit: 10 } }],
      },
      {
        key: 'tier',
        value: 'off',
        descriptors: [
          {
            key: '\\account',
            descriptors: [
              {
                key: '\\api',
                descriptors: [
                  {
                    key: '\\version',
                    rate_limit: { unit: 'day', requests_per_unit: 10 },
                    shadow_mode: true,
                  },
                ],
              },
            ],
          },
        ],
      },
      {
        key: 'tier',
        value: 'Zo\\C3\\AB',
        descriptors: [{ key: '\\fingerprint', rate_limit: { unit: 'hour', requests_per_unit: 10 } }],
      },
    ],
  });
});
