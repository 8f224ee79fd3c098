import { hash } from 'node:crypto';
import { indexApis } from '../src/apis/api-index.ts';
import type { Attributes, Header } from '../src/attributes.ts';
import { writeCertificate } from '../src/client-certificate/outbound.ts';
import type { DenialCode } from '../src/decision.ts';
import { explain } from '../src/explain/explanation.ts';
import { attributesOf, type ToldRequest } from '../src/explain/request.ts';
import { explanationText } from '../src/explain/text.ts';
import { plainPaper } from '../src/observability/paper.ts';
import { formatName } from '../src/pki/certificate/name.ts';
import type { OcspAnswer } from '../src/pki/revocation/revocation-state.ts';
import { atOnce } from '../src/provision/slices.ts';
import type { Snapshot } from '../src/snapshot.ts';
import { load } from '../test/support/enforcer.ts';
import { createTokenIssuer } from '../test/support/token-issuer.ts';
import { bits, bytes, extension, integer, oid, sequence } from '../test/unit/pki/der-writer.ts';
import {
  basicConstraints,
  type CertificateParts,
  ca,
  dayMs,
  dns,
  extensions,
  extKeyUsage,
  keyUsage,
  mappings,
  nameConstraints,
  nothing,
  policyConstraints,
  serverAuth,
  subjectAltName,
  unknownCritical,
} from '../test/unit/pki/forge.ts';
import {
  acme,
  at,
  client,
  dates,
  forClients,
  issuer,
  keysFrom,
  leafKeys,
  made,
  nullParameters,
  oddKey,
  otherKeys,
  pem,
  root,
  rootKeys,
  scheme,
  stranger,
  weakRsa,
} from './example-certificates.ts';

/** For each denial, a request that gets it, and what `explain` says of it: the same words each time. */
const idp = createTokenIssuer(at);
const elsewhere = { 'x5t#S256': Buffer.alloc(32, 7).toString('base64url') };

type World = {
  /** Before `[[clients]]`. */
  readonly top?: string;
  readonly clients?: string;
  /** Keys of `[[apis]]`. */
  readonly api?: string;
};
const orders = 'aliases = ["partners"]';
const tomlOf = ({ top = '', clients = '', api = orders }: World): string => `${top}
[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
pem = """${pem(acme)}"""
[[clients]]
alias = "partners"
caPem = """${pem(root)}"""
${clients}
[[apis]]
name = "Orders"
version = "1"
basePath = "/orders"
${api}
`;

type Example = {
  readonly world?: World;
  readonly told?: Partial<ToldRequest>;
  readonly change?: (attributes: Attributes) => Attributes;
  readonly snapshot?: (snapshot: Snapshot) => Snapshot;
};
/** Of a code that no request gets here. */
type Without = { readonly without: string };

const sends = (leaf: Uint8Array, ...intermediates: readonly Uint8Array[]): Partial<ToldRequest> => ({
  certificate: { leaf, intermediates },
});
const certificate = (leaf: Uint8Array, ...intermediates: readonly Uint8Array[]): Example => ({
  told: sends(leaf, ...intermediates),
});
const viaCa = (leaf: Uint8Array, between = issuer()): Example => certificate(leaf, between);
const parts = (parts: Partial<CertificateParts>): Example => viaCa(client({ parts }));

const lb = 'x-wso2-client-certificate';
const balancer = (format = 'percent-pem'): World => ({
  top: `[enforcer.security.mutualSSL]
enableClientValidation = false
certificateFormat = "${format}"
trustedSenders = ["10.0.0.1"]`,
});
const header = (format: string, ...headers: readonly Header[]): Example => ({
  world: balancer(format),
  told: { headers, from: '10.0.0.1' },
});
const escaped = (...ders: readonly Uint8Array[]): string => encodeURIComponent(ders.map(pem).join(''));
const peer = (value: string): Example => ({
  change: (one) => ({ ...one, source: { ...one.source, certificate: value } }),
});
const ring = (leaf: Uint8Array): string => writeCertificate('xfcc', leaf)[0]![1];
const xfcc = (value: string): Example => header('xfcc', ['x-forwarded-client-cert', value]);

const both: World = { api: 'mutualSSL = "off"\napplicationSecurity = "mandatory"\nscopes = ["orders:read"]' };
const token = (
  claims: Readonly<Record<string, unknown>>,
  head?: Readonly<Record<string, unknown>>,
): Example => ({
  world: both,
  told: { token: idp.token(claims, head) },
});
const bound = (cnf: unknown, told: Partial<ToldRequest> = {}): Example => ({
  world: { api: `${both.api}\ncertificateBoundTokens = "required"` },
  told: { ...told, token: idp.token({ cnf }) },
});
const operations = { world: { api: `${orders}\n[[apis.operations]]\npath = "/list"\nmethods = ["GET"]` } };
const crls = (mode: string): World => ({ top: `[enforcer.security.revocation]\n${mode}` });

const ocsp = crls('mode = "hard-fail"\nocspResponder = "http://ocsp.example.com"');
/** Its responder has said that this one is revoked, and all others are not. */
const knowing =
  (revoked: string) =>
  (snapshot: Snapshot): Snapshot => {
    const window = { from: at - dayMs, until: at + dayMs };
    const entry = { revocationDate: at - 2 * dayMs, reasonCode: 1 };
    return {
      ...snapshot,
      revocation: {
        ...snapshot.revocation!,
        answersAbout: ({ subject }): readonly OcspAnswer[] => [
          formatName(subject) === revoked ? { status: 'revoked', entry, window } : { status: 'good', window },
        ],
      },
    };
  };

const many = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
const deep = many(12).map((i) =>
  made(`CA ${i + 1}`, i === 0 ? 'Example CA' : `CA ${i}`, keysFrom(50 + i), [ca()], {
    signer: keysFrom(51 + i),
  }),
);
const top = made('Example Root', 'CA 12', keysFrom(62), [ca()], { signer: rootKeys });

const examples: Readonly<Record<DenialCode, Example | Without>> = {
  api_not_found: { told: { path: '/oders' } },
  operation_not_found: { ...operations, told: { path: '/orders/x' } },
  method_not_allowed: { ...operations, told: { path: '/orders/list', method: 'POST' } },
  path_ambiguous: { told: { path: '/orders/../admin' } },
  certificate_missing: {},
  certificate_not_bound: { ...viaCa(client()), world: { api: 'aliases = ["acme"]' } },
  alias_disabled: {
    ...viaCa(client()),
    world: {
      clients: `[[clients]]\nalias = "partner-1"\ncaPem = """${pem(root)}"""\nsubject = { CN = "partner 1" }\ndisabled = true`,
    },
  },
  alias_not_current: {
    ...viaCa(client()),
    world: {
      clients: `[[clients]]\nalias = "partner-1"\ncaPem = """${pem(root)}"""\nsubject = { CN = "partner 1" }\nnotAfter = 2026-03-31T00:00:00Z`,
    },
  },
  credentials_missing: {
    world: { api: `${orders}\nmutualSSL = "optional"\napplicationSecurity = "optional"` },
  },
  api_misconfigured: {
    snapshot: (snapshot) => ({
      ...snapshot,
      apis: atOnce(
        indexApis(
          snapshot.apis.apis.map((api) => ({
            ...api,
            fault: 'orders/api.yaml:12: data.clientCertificates: …',
          })),
        ),
      ).index,
    }),
  },
  route_mismatch: {
    change: (one) => ({ ...one, contextExtensions: new Map([['madeFor', "another's"]]) }),
  },
  tier_limit_exceeded: {
    without: 'Envoy says it: it counts, and the enforcer has admitted the request. See [tiers](tiers.md).',
  },
  internal_error: { without: 'It stands for a fault of ours, and `explain` would end with its stack.' },

  header_sender_untrusted: {
    world: balancer(),
    told: { ...sends(client()), from: '203.0.113.7' },
  },
  sender_ambiguous: {
    world: {
      top: `[[enforcer.security.mutualSSL.senders]]
alias = "lb"
pem = """${pem(stranger)}"""
[[enforcer.security.mutualSSL.sources]]
format = "nginx"
trustedSenders = ["10.0.0.1"]
[[enforcer.security.mutualSSL.sources]]
format = "rfc9440"
trustedSenders = ["alias:lb"]`,
    },
    ...peer(escaped(stranger)),
    told: { from: '10.0.0.1' },
  },
  header_over_plaintext: {
    world: balancer(),
    told: { ...sends(client()), scheme: 'http', from: '10.0.0.1' },
  },
  raw_headers_required: {
    ...header('rfc9440', ['client-cert', 'x']),
    change: (one) => ({ ...one, http: { ...one.http, headersAreRaw: false } }),
  },
  header_repeated: header('percent-pem', [lb, 'a'], [lb, 'b']),
  header_is_list: header('percent-pem', [lb, escaped(client(), issuer())]),
  header_too_long: header('percent-pem', [lb, 'A'.repeat(100_000)]),
  header_coding_invalid: header('base64-der', [lb, escaped(client())]),
  plus_signs_lost: header('apache', [
    'ssl_client_cert',
    pem(client())
      .trimEnd()
      .replaceAll('\n', ' ')
      .replace(/(?<=^.{100})./, ' '),
  ]),
  certificate_not_der: header('base64-der', [lb, Buffer.from(pem(client())).toString('base64')]),
  certificate_truncated: header('percent-pem', [lb, escaped(client().subarray(0, -9))]),
  certificate_trailing_bytes: header('percent-pem', [lb, escaped(Buffer.concat([client(), bytes('0500')]))]),
  certificate_hash_mismatch: header(
    'cloudflare',
    ['cf-client-cert-der-base64', Buffer.from(client()).toString('base64')],
    ['cf-client-cert-sha256', hash('sha256', acme)],
  ),
  too_many_certificates: {
    world: { top: '[enforcer.security.mutualSSL]\nmaxCertificates = 1' },
    ...viaCa(client()),
  },
  chain_repeated: header(
    'haproxy',
    ['x-ssl-client-cert', Buffer.from(client()).toString('base64')],
    ['x-ssl-client-cert-chain', 'a'],
    ['x-ssl-client-cert-chain', 'b'],
  ),
  chain_too_long: header(
    'haproxy',
    ['x-ssl-client-cert', Buffer.from(client()).toString('base64')],
    ['x-ssl-client-cert-chain', 'A'.repeat(1_000_000)],
  ),
  chain_coding_invalid: header(
    'haproxy',
    ['x-ssl-client-cert', Buffer.from(client()).toString('base64')],
    ['x-ssl-client-cert-chain', '%'],
  ),
  chain_without_leaf: header('haproxy', [
    'x-ssl-client-cert-chain',
    Buffer.from(issuer()).toString('base64'),
  ]),
  chain_leaf_mismatch: {
    change: (one) => ({
      ...one,
      source: { ...one.source, certificate: escaped(client()) },
      http: { ...one.http, headers: writeCertificate('xfcc', acme, [issuer()]) },
    }),
  },
  xfcc_element_count: xfcc(`${ring(acme)},${ring(client())}`),
  xfcc_key_repeated: xfcc(`${ring(client())};Hash=00`),
  xfcc_without_cert: xfcc('By=a;Hash=00'),
  peer_certificate_too_long: peer('A'.repeat(1_000_000)),
  peer_certificate_differs: {
    world: { top: '[enforcer.security.mutualSSL]\npeer = "xfcc"' },
    change: (one) => ({
      ...one,
      source: { ...one.source, certificate: escaped(client()) },
      http: { ...one.http, headers: writeCertificate('xfcc', acme) },
    }),
  },
  peer_certificate_unreadable: peer('-----BEGIN CERTIFICATE-----'),

  certificate_malformed: parts({ tail: nullParameters }),
  certificate_version_unsupported: parts({ version: bytes('a003020103') }),
  certificate_version_too_low: parts({ version: nothing }),
  certificate_serial_malformed: parts({ serialNumber: integer(2n ** 160n) }),
  certificate_algorithms_differ: parts({ signature: sequence(oid('1.2.840.10045.4.3.3')) }),
  certificate_issuer_empty: parts({ issuer: sequence() }),
  certificate_validity_malformed: parts({ validity: sequence(integer(1), integer(2)) }),
  certificate_key_malformed: parts({
    subjectPublicKeyInfo: sequence(sequence(oid('1.3.101.112')), bits(bytes('11'))),
  }),
  certificate_extension_malformed: parts({ extensions: extensions(extension('2.5.29.37', sequence())) }),
  certificate_extension_duplicate: parts({ extensions: extensions(forClients, forClients) }),

  certificate_revoked: { ...viaCa(client()), world: ocsp, snapshot: knowing('CN=partner 1') },
  issuer_revoked: { ...viaCa(client()), world: ocsp, snapshot: knowing('CN=Example CA') },
  revocation_unknown: {
    ...viaCa(client()),
    world: crls('mode = "hard-fail"\ncrlUrls = ["http://pki.example.com/ca.crl"]'),
  },
  revocation_pending: {
    ...viaCa(client()),
    world: ocsp,
    snapshot: (one) => ({ ...one, revocation: { ...one.revocation!, isAwaited: () => true } }),
  },
  revocation_source_missing: { ...viaCa(client()), world: crls('mode = "hard-fail"') },
  certificate_expired: viaCa(client(dates(-400, -35))),
  certificate_not_yet_valid: viaCa(client(dates(30, 395))),
  extended_key_usage_not_client: viaCa(client({}, [extKeyUsage(serverAuth)])),
  extended_key_usage_not_server: { without: 'It is told of servers, and no request gets it.' },
  key_usage_not_client: viaCa(client({}, [forClients, keyUsage('20')])),
  key_too_weak: parts({ subjectPublicKeyInfo: weakRsa }),
  key_unsupported: parts({ subjectPublicKeyInfo: oddKey }),
  certificate_critical_extension_unknown: viaCa(client({}, [forClients, unknownCritical])),
  certificate_subject_missing: parts({ subject: sequence() }),
  key_usage_without_ca: viaCa(client({}, [forClients, keyUsage('84')])),
  name_constraints_without_ca: viaCa(client({}, [forClients, nameConstraints([dns('example.com')])])),
  issuer_expired: viaCa(client(), issuer([ca()], dates(-400, -35))),
  issuer_not_yet_valid: viaCa(client(), issuer([ca()], dates(30, 395))),
  issuer_not_ca: viaCa(client(), issuer([basicConstraints(false)])),
  issuer_key_usage_not_cert_sign: viaCa(client(), issuer([ca(), keyUsage('80')])),
  issuer_extended_key_usage: viaCa(client(), issuer([ca(), extKeyUsage(serverAuth)])),
  issuer_critical_extension_unknown: viaCa(client(), issuer([ca(), unknownCritical])),
  path_length_exceeded: certificate(
    made('Sub CA', 'partner 1', leafKeys, [forClients], { signer: otherKeys }),
    made('Example CA', 'Sub CA', otherKeys, [ca()]),
    issuer([ca(0)]),
  ),
  name_excluded: viaCa(
    client({}, [forClients, subjectAltName(dns('a.example.com'))]),
    issuer([ca(), nameConstraints([], [dns('example.com')])]),
  ),
  name_not_permitted: viaCa(
    client({}, [forClients, subjectAltName(dns('a.example.net'))]),
    issuer([ca(), nameConstraints([dns('example.com')])]),
  ),
  name_constraint_unsupported: viaCa(
    client({}, [forClients, subjectAltName(dns('a.example.com'))]),
    issuer([ca(), nameConstraints([dns('.example.com')])]),
  ),
  policy_mapping_invalid: viaCa(client(), issuer([ca(), mappings(['2.5.29.32.0', '1.2.3'])])),
  policy_not_acceptable: viaCa(client(), issuer([ca(), policyConstraints(0)])),
  path_not_through_issuer: {
    without: 'A client of another CA than the one that the alias names gets `certificate_not_bound`.',
  },

  name_constraints_too_many: viaCa(
    client({}, [forClients, subjectAltName(...many(600).map((i) => dns(`a${i}.example.com`)))]),
    issuer([
      ca(),
      nameConstraints(
        [],
        many(600).map((i) => dns(`b${i}.example.com`)),
      ),
    ]),
  ),
  path_search_exhausted: {
    world: { top: '[enforcer.security.mutualSSL]\nmaxCertificates = 100' },
    ...certificate(
      client(),
      ...many(90).map((i) =>
        made('Example Root', 'Example CA', keysFrom(100 + i), [ca()], { signer: rootKeys }),
      ),
    ),
  },
  certificate_search_limited: { without: 'It holds off a flood of certificates; `explain` asks about one.' },
  path_too_deep: {
    world: { top: '[enforcer.security.mutualSSL]\nmaxCertificates = 100' },
    ...certificate(client({ signer: keysFrom(50) }), ...deep, top),
  },
  signature_algorithm_weak: viaCa(client({ scheme: scheme('1.2.840.113549.1.1.5') })),
  signature_algorithm_unsupported: viaCa(client({ scheme: scheme('1.2.3') })),
  issuer_key_too_weak: viaCa(client(), issuer([ca()], { parts: { subjectPublicKeyInfo: weakRsa } })),
  issuer_key_unsupported: viaCa(client(), issuer([ca()], { parts: { subjectPublicKeyInfo: oddKey } })),
  signature_invalid: viaCa(client({ signer: otherKeys })),
  issuer_unknown: certificate(stranger),

  token_missing: { world: both },
  token_repeated: { world: both, told: { headers: [['authorization', 'Bearer a']], token: 'b' } },
  token_malformed: { world: both, told: { token: 'opaque' } },
  token_too_long: { world: both, told: { token: `a.${'a'.repeat(100_000)}.a` } },
  token_member_repeated: {
    world: both,
    told: {
      token: ['{"alg":"ES256"}', '{"iss":"a","iss":"b"}', 'x']
        .map((part) => Buffer.from(part).toString('base64url'))
        .join('.'),
    },
  },
  token_algorithm_refused: token({}, { alg: 'HS256' }),
  token_extension_refused: token({}, { crit: ['exp'] }),
  token_type_refused: token({}, { typ: 'JWT' }),
  token_issuer_unknown: token({ iss: 'https://other.test' }),
  token_key_unknown: token({}, { kid: 'key-2' }),
  token_keys_unavailable: {
    world: {
      ...both,
      top: `[[enforcer.security.tokenService]]
name = "far"
issuer = "https://far.test"
jwksURL = "https://far.test/jwks"
audiences = ["https://api.test"]`,
      api: `${both.api}\nissuers = ["far"]`,
    },
    told: { token: idp.token({ iss: 'https://far.test' }) },
  },
  token_signature_invalid: { world: both, told: { token: createTokenIssuer(at).token() } },
  token_checks_limited: { without: 'It holds off a flood of access tokens; `explain` asks about one.' },
  token_claims_malformed: token({ exp: 'tomorrow' }),
  token_expired: token({ exp: at / 1000 - 3600 }),
  token_not_yet_valid: token({ nbf: at / 1000 + 3600 }),
  token_audience_wrong: token({ aud: 'https://other.test' }),
  token_confirmation_malformed: bound({ 'x5t#S256': 'no hash' }),
  token_confirmation_unsupported: bound({ jkt: 'a' }),
  token_unbound: bound(undefined),
  token_certificate_missing: bound(elsewhere),
  token_certificate_mismatch: bound(elsewhere, sends(acme)),
  token_certificate_unusable: { ...bound(elsewhere), ...peer('-----BEGIN CERTIFICATE-----') },
  token_certificate_not_current: bound(
    { 'x5t#S256': Buffer.from(hash('sha256', client(dates(-400, -35)), 'base64url')).toString() },
    sends(client(dates(-400, -35))),
  ),
  token_client_refused: {
    world: { api: `${both.api}\nconsumerKeys = ["app-2"]` },
    told: { token: idp.token() },
  },
  token_scope_missing: token({ scope: 'orders:write' }),
};

const nothingTold: ToldRequest = {
  method: 'GET',
  path: '/orders',
  host: 'api.example.com',
  scheme: 'https',
  headers: [],
  from: undefined,
  certificate: undefined,
  token: undefined,
};

/** What `explain` prints of a request that gets the code, or why there is none. */
export async function exampleOf(
  code: DenialCode,
): Promise<{ readonly found: string; readonly text: string } | Without> {
  const example = examples[code];
  if ('without' in example) return example;
  const { world = {}, told, change = (one) => one, snapshot: changeSnapshot = (one) => one } = example;
  const snapshot = changeSnapshot(load(tomlOf(world), { 'jwks.json': idp.jwks }, at).snapshot);
  const attributes = change(attributesOf({ ...nothingTold, ...told }, snapshot, at));
  const explanation = await explain(attributes, snapshot, at);
  const { decision } = explanation;
  return {
    found: decision.outcome === 'deny' ? decision.code : 'admitted',
    text: explanationText(explanation, plainPaper(100)),
  };
}
