import { z } from 'zod';
import { type CertificateFormat, formats } from '../client-certificate/formats.ts';
import {
  absoluteUrl,
  basePath,
  headerName,
  hostName,
  hostPattern,
  port,
  sender,
  sha256,
  text,
} from './values.ts';

/**
 * config.toml, once: types, defaults and messages come from here, and so does docs/configuration.md.
 * Choreo Connect's keys keep its names and meanings; its defaults are kept except where they are unsafe.
 */

const tlsVersion = z.enum(['TLS1_0', 'TLS1_1', 'TLS1_2', 'TLS1_3']);
/** Of an optional table: its keys' defaults apply where it is not written out. */
const table = <T extends z.core.$ZodLooseShape>(shape: T) => z.strictObject(shape);

const downstreamTls = table({
  mTLSAPIsEnabled: z
    .boolean()
    .default(true)
    .describe(
      'Ask TLS clients for a certificate. false: the listener asks for none, so no API can use mutual TLS in peer mode.',
    ),
  trustedCertPath: text('a PEM file, for example "security/client-cas.pem"')
    .optional()
    .describe(
      'PEM bundle of CA certificates. Set: every client certificate must lead up to one of them, through a `caFile` too; only a self-signed `file` is exempt. Unset: each `file` and `caFile` is the trust anchor of its own alias.',
    ),
  intermediatesPath: text('a PEM file, for example "security/intermediates.pem"')
    .optional()
    .describe(
      'PEM bundle of intermediate CA certificates that clients may leave out. They help to build a path and are never trusted by themselves.',
    ),
  verifyInHandshake: z
    .boolean()
    .default(false)
    .describe(
      'true: Envoy refuses, in the TLS handshake, certificates that `trustedCertPath` did not issue; such clients see a broken connection and no reason. false: they get a 401 that says why.',
    ),
  minimumProtocolVersion: tlsVersion
    .default('TLS1_2')
    .describe(
      'Oldest TLS version that clients may use. TLS1_0 and TLS1_1 are read as TLS1_2 and warned about. (Choreo Connect: TLS1_1.)',
    ),
  maximumProtocolVersion: tlsVersion
    .default('TLS1_3')
    .describe('Newest TLS version offered to clients. (Choreo Connect: TLS1_2.)'),
  ciphers: text('cipher names in OpenSSL form, separated by commas')
    .optional()
    .describe('TLS 1.2 cipher suites, separated by commas. Unset: those of Envoy.'),
});

const upstreamTls = table({
  trustedCertPath: text('a PEM file, for example "/etc/ssl/certs/ca-certificates.crt"')
    .default('/etc/ssl/certs/ca-certificates.crt')
    .describe('PEM bundle of the CAs that backends must lead up to.'),
  verifyHostName: z.boolean().default(true).describe("The backend's certificate must name its host."),
  disableSslVerification: z
    .boolean()
    .default(false)
    .describe("true: backends' certificates are not checked at all. Warned about at each start."),
  minimumProtocolVersion: tlsVersion
    .default('TLS1_2')
    .describe('Oldest TLS version towards backends. (Choreo Connect: TLS1_1.)'),
  maximumProtocolVersion: tlsVersion
    .default('TLS1_3')
    .describe('Newest TLS version towards backends. (Choreo Connect: TLS1_2.)'),
  ciphers: text('cipher names in OpenSSL form, separated by commas')
    .optional()
    .describe('TLS 1.2 cipher suites towards backends, separated by commas. Unset: those of Envoy.'),
});

const seconds = (what: number) => z.int().min(0).max(86_400).default(what);

const router = table({
  listenerHost: hostName()
    .default('0.0.0.0')
    .describe('Address of the plain-HTTP listener, if there is one.'),
  listenerPort: port({ zero: true })
    .default(0)
    .describe(
      'Port of the plain-HTTP listener. 0: there is none. It never serves an API whose mutual TLS is mandatory. (Choreo Connect: 9090.)',
    ),
  securedListenerHost: hostName().default('0.0.0.0').describe('Address of the TLS listener.'),
  securedListenerPort: port().default(9095).describe('Port of the TLS listener.'),
  adminPort: port({ zero: true })
    .default(9901)
    .describe("Port of Envoy's admin interface, on 127.0.0.1 only. 0: any free one."),
  maxConnections: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(10_000)
    .describe('Most client connections at a time; further ones are refused.'),
  keystore: table({
    certPath: text('a PEM file, for example "security/router.pem"')
      .default('/home/wso2/security/keystore/mg.pem')
      .describe("The router's own certificate chain, PEM, leaf first."),
    keyPath: text('a PEM file, for example "security/router.key"')
      .default('/home/wso2/security/keystore/mg.key')
      .describe('Its private key, PEM.'),
  })
    .prefault({})
    .describe("The router's own certificate."),
  enforcer: table({
    address: hostName()
      .optional()
      .describe(
        'Host of the enforcer as Envoy sees it, where it is not the one it listens on (another container).',
      ),
    trustedCertPath: text('a PEM file')
      .optional()
      .describe(
        "PEM bundle that the enforcer's certificate must lead up to. Unset: exactly `enforcer.authService.certPath` is trusted.",
      ),
    certPath: text('a PEM file')
      .optional()
      .describe("Envoy's own certificate towards the enforcer, where that asks for one (`clientCaPath`)."),
    keyPath: text('a PEM file').optional().describe('Its private key, PEM.'),
  })
    .prefault({})
    .describe('How Envoy reaches the enforcer over TCP.'),
  cors: table({
    enabled: z
      .boolean()
      .default(true)
      .describe('Answer CORS pre-flights in the router, ahead of the enforcer.'),
    allowOrigins: z.array(z.string()).default(['*']).describe('Allowed origins; `*` for all.'),
    allowMethods: z
      .array(z.string())
      .default(['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'])
      .describe('Content of `access-control-allow-methods`.'),
    allowHeaders: z
      .array(z.string())
      .default([
        'authorization',
        'Access-Control-Allow-Origin',
        'Content-Type',
        'SOAPAction',
        'apikey',
        'testKey',
        'Internal-Key',
      ])
      .describe('Content of `access-control-allow-headers`.'),
    exposeHeaders: z.array(z.string()).default([]).describe('Content of `access-control-expose-headers`.'),
    allowCredentials: z.boolean().default(false).describe('Content of `access-control-allow-credentials`.'),
  })
    .prefault({})
    .describe('CORS for all APIs.'),
  downstream: table({ tls: downstreamTls.prefault({}).describe('TLS towards clients.') })
    .prefault({})
    .describe('Towards clients.'),
  upstream: table({
    tls: upstreamTls.prefault({}).describe('TLS towards backends.'),
    timeouts: table({
      routeTimeoutInSeconds: seconds(60).describe(
        'Longest time for a whole answer of a backend. 0: no limit.',
      ),
      routeIdleTimeoutInSeconds: seconds(300).describe('Longest silence on a request. 0: no limit.'),
    })
      .prefault({})
      .describe('Timeouts towards backends.'),
  })
    .prefault({})
    .describe('Towards backends.'),
});

const authService = table({
  port: port({ zero: true })
    .default(8081)
    .describe('TCP port of the ext_authz service. 0: none (a `socket` is then needed).'),
  address: hostName()
    .default('127.0.0.1')
    .describe('Address to listen on. Beyond loopback TLS is asked for, or `plaintext = true`.'),
  socket: text('a path, for example "/run/mtls-enforcer/authz.sock"')
    .optional()
    .describe(
      'Unix socket to listen on, mode 0660. Envoy is then configured to use it in place of the port.',
    ),
  certPath: text('a PEM file')
    .optional()
    .describe("The service's own certificate chain, PEM: turns TLS on for the TCP port."),
  keyPath: text('a PEM file').optional().describe('Its private key, PEM.'),
  clientCaPath: text('a PEM file')
    .optional()
    .describe('PEM bundle: Envoy must then present a certificate that one of these CAs issued (mutual TLS).'),
  plaintext: z
    .boolean()
    .default(false)
    .describe(
      'true: listen beyond loopback without TLS. Whoever reads this network can read and forge decisions. Warned about at each start.',
    ),
  reflection: z.boolean().default(false).describe('gRPC server reflection, for grpcurl and the like.'),
  maxMessageSize: z
    .int()
    .min(16_384)
    .max(1_000_000_000)
    .default(1_048_576)
    .describe(
      'Largest CheckRequest in bytes; a larger one gets RESOURCE_EXHAUSTED, and Envoy refuses the request. (Choreo Connect: 1000000000.)',
    ),
  drainTimeoutInSeconds: z
    .int()
    .min(0)
    .max(3_600)
    .default(10)
    .describe('After SIGTERM: longest wait for calls in flight.'),
});

/** What an alias is known by. */
const known = {
  alias: text('a name, for example "acme"').describe(
    'Its name. Several entries may have the same one (old and new certificate together); two that differ by case only are an error.',
  ),
  file: text('a PEM file, for example "clients/acme.pem"')
    .optional()
    .describe('Exactly this certificate; it is never taken for an issuer.'),
  caFile: text('a PEM file, for example "clients/partner-ca.pem"')
    .optional()
    .describe('Every certificate that this CA issued.'),
};

const patterns = (what: string) =>
  z
    .array(text(what))
    .min(1, { error: `write at least one: ${what}` })
    .optional();

const client = table({
  ...known,
  tier: text('a name, for example "Gold"')
    .optional()
    .describe('Throttling tier, passed on to Envoy and the backend.'),
  fingerprints: z
    .array(sha256())
    .min(1, { error: 'write at least one SHA-256 fingerprint' })
    .optional()
    .describe('Exactly the certificates with these SHA-256 fingerprints, hex with or without colons.'),
  issuer: text('a name, for example "CN=Issuing CA,O=Acme"')
    .optional()
    .describe(
      'Subject (RFC 4514) of a CA of `trustedCertPath` or `intermediatesPath` that must have issued the certificate, in place of a `caFile`.',
    ),
  spki: z
    .array(sha256())
    .min(1, { error: 'write at least one SHA-256 of a public key' })
    .optional()
    .describe(
      'Certificates with these keys: SHA-256 of the SubjectPublicKeyInfo, hex or base64. With a path to a trusted CA, since the holder of a key can sign himself any certificate.',
    ),
  subject: z
    .union([text('a name, for example "CN=acme,O=Acme Inc"'), z.record(z.string(), z.string())], {
      error:
        'write a name, for example "CN=acme,O=Acme Inc", or some of its attributes, as in { CN = "acme" }',
    })
    .optional()
    .describe(
      'With `caFile` or `issuer`: the whole subject (RFC 4514), or some of its attributes, each there exactly once.',
    ),
  dns: patterns('a DNS name, for example "*.clients.example.com"').describe(
    'With `caFile` or `issuer`: a DNS name in the subjectAltName; `*` stands for one whole label.',
  ),
  email: patterns('an e-mail address, for example "*@example.com"').describe(
    'The same for e-mail addresses; `*` for the whole local part or one label of the domain.',
  ),
  uri: patterns('a URI, for example "https://example.com/tenants/*"').describe(
    'The same for URIs; `*` for one label of the host or one segment of the path.',
  ),
  spiffe: table({
    trustDomain: text('a trust domain, for example "prod.example.com"').describe('The trust domain.'),
    paths: patterns('a path, for example "/ns/*/sa/web"').describe(
      'The path; `*` for one segment. Unset: any.',
    ),
  })
    .optional()
    .describe('With `caFile` or `issuer`: a SPIFFE ID (X.509-SVID: the only URI in the certificate).'),
  notBefore: z
    .date({ error: 'write a date, for example 2026-01-31T00:00:00Z' })
    .optional()
    .describe('From when on this entry counts.'),
  notAfter: z
    .date({ error: 'write a date, for example 2026-12-31T23:59:59Z' })
    .optional()
    .describe('Until when this entry counts.'),
  disabled: z
    .boolean()
    .default(false)
    .describe('true: certificates of this entry are refused, whatever else would admit them.'),
});

const headerFormats = Object.keys(formats) as [CertificateFormat, ...CertificateFormat[]];
const senders = () => z.array(sender());

const source = table({
  format: z
    .enum(['peer', ...headerFormats])
    .describe(
      '`peer`: the TLS client itself, for everyone who is no sender of another source. Else the format of the header.',
    ),
  header: headerName()
    .optional()
    .describe("Its name, where it is not the format's own (docs/certificate-sources.md)."),
  chainHeader: headerName()
    .optional()
    .describe("Name of the header with the chain, where it is not the format's own."),
  trustedSenders: senders().optional().describe('Who may send it; needed for all but `peer`.'),
  elements: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe('`xfcc` only: how many elements the header has, one a hop. 1 behind SANITIZE_SET.'),
});

const mutualSSL = table({
  certificateHeader: headerName()
    .default('X-WSO2-CLIENT-CERTIFICATE')
    .describe(
      "Header in which a load balancer passes the client's certificate. Where only `certificateFormat` is written, the header of that format.",
    ),
  enableClientValidation: z
    .boolean()
    .default(true)
    .describe("true: take the TLS peer's certificate. false: take the header's, from `trustedSenders` only."),
  clientCertificateEncode: z
    .boolean()
    .default(false)
    .describe(
      "true: the header's value is percent-encoded PEM, and nothing else is read. false: as `certificateFormat` says.",
    ),
  enableOutboundCertificateHeader: z
    .boolean()
    .default(false)
    .describe(
      'true: the backend gets the verified certificate, in `outboundHeader`. false: it never sees a certificate header.',
    ),
  trustedSenders: senders()
    .optional()
    .describe(
      'Who may send the header: addresses or CIDR ranges of the direct TCP peer, for example `["10.20.0.0/16"]`, or `alias:NAME` for one of `senders`. Needed when `enableClientValidation = false`: a certificate is public, so a header proves nothing by itself.',
    ),
  allowHeaderOverPlaintext: z
    .boolean()
    .default(false)
    .describe(
      'true: believe the header on the plain-HTTP listener too, for load balancers that speak plain HTTP to Envoy.',
    ),
  rejectUntrustedHeader: z
    .boolean()
    .default(false)
    .describe(
      'An untrusted sender’s header is refused where a certificate is mandatory. true: where it is optional, too, instead of being ignored.',
    ),
  certificateFormat: z
    .enum(headerFormats)
    .default('auto')
    .describe("How the header is written. `auto`: any of WSO2's three codings, told apart by what they are."),
  senderCaPath: text('a PEM file, for example "security/load-balancer-ca.pem"')
    .optional()
    .describe(
      "PEM bundle of the CAs that the load balancers' own certificates must lead up to, as `trustedCertPath` for clients. Trusted for nothing else.",
    ),
  maxCertificates: z
    .int()
    .min(1)
    .max(100)
    .default(10)
    .describe('Most certificates that a client or header may present, the leaf included.'),
  outboundFormat: z
    .enum(headerFormats)
    .default('percent-pem')
    .describe('How the verified certificate is written for the backend.'),
  outboundHeader: headerName()
    .optional()
    .describe(
      'Under which name. Unset: `certificateHeader`, or the header of `outboundFormat` where that is written.',
    ),
  outboundChainHeader: headerName()
    .optional()
    .describe("Name of the outbound chain's header, for formats that have one."),
  senders: z
    .array(table(known))
    .default([])
    .describe(
      "Load balancers known by their own client certificate: what `alias:NAME` stands for. Never usable as a client's.",
    ),
  sources: z
    .array(source)
    .default([])
    .describe('Several sources, each with its own senders, in place of the plain keys above.'),
});

const headerOrOff = (name: string) => z.union([z.literal(''), headerName()]).default(name);

const answers = table({
  reasonHeader: headerOrOff('x-mtls-reason').describe(
    'Response header with the reason code of a denial. `""`: none.',
  ),
  aliasHeader: headerOrOff('x-client-cert-alias').describe(
    'Tells the backend the client\'s alias. `""`: not told.',
  ),
  tierHeader: headerOrOff('x-client-cert-tier').describe(
    'Tells the backend the client\'s tier. `""`: not told.',
  ),
  sha256Header: headerOrOff('x-client-cert-sha256').describe(
    'Tells the backend the certificate\'s SHA-256, lower-case hex. `""`: not told.',
  ),
  subjectHeader: headerOrOff('x-client-cert-subject').describe(
    'Tells the backend the certificate\'s subject (RFC 4514; all but printable ASCII escaped). `""`: not told.',
  ),
});

const enforcer = table({
  authService: authService.prefault({}).describe('Where the ext_authz service listens.'),
  security: table({ mutualSSL: mutualSSL.prefault({}).describe('How the client certificate reaches us.') })
    .prefault({})
    .describe('What requests are weighed by.'),
  answers: answers
    .prefault({})
    .describe(
      'Headers of our answers. Those for the backend are overwritten or removed on every route, so that no client can forge them.',
    ),
  log: table({
    level: z
      .enum(['error', 'warn', 'info', 'debug'])
      .default('info')
      .describe('Least important level that is written.'),
    format: z.enum(['text', 'json']).default('text').describe('text: for people. json: one object a line.'),
  })
    .prefault({})
    .describe('The log, on standard error.'),
});

const aliasList = () => z.array(text('an alias of [[clients]]'));
const mutualSslMode = () => z.enum(['mandatory', 'optional', 'off']);

const operation = table({
  path: z
    .string()
    .regex(/^\/([A-Za-z0-9\-._~!$&'()+,=:@{}]+(\/|$))*\*?$/, {
      error: 'write a path below the base path, unencoded, for example "/orders/{id}" or "/files/*"',
    })
    .describe('Path below the base path; `{name}` for one segment, `*` at the end for whatever follows.'),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, { error: 'write a method in capitals, for example "GET"' }))
    .min(1, { error: 'write at least one method, or leave methods out for all' })
    .optional()
    .describe('Methods; unset: all. HEAD counts as GET.'),
  mutualSSL: mutualSslMode().optional().describe("As the API's, which counts where this is unset."),
  aliases: aliasList().optional().describe("Aliases that may call it; unset: the API's."),
});

const api = table({
  name: text('a name, for example "Swagger Petstore"').describe('Name of the API.'),
  version: text('a version, for example "1.0.5"').describe('Version of the API.'),
  basePath: basePath().describe(
    'Leading part of the path, in whole segments, for example `/petstore/1.0.5`.',
  ),
  hosts: z
    .array(hostPattern())
    .min(1, { error: 'write at least one host, or ["*"]' })
    .default(['*'])
    .describe('Hosts it answers on: names, `*.example.com`, or `*`.'),
  mutualSSL: mutualSslMode()
    .default('mandatory')
    .describe(
      'mandatory: no admission without a bound certificate. optional: none is fine, a wrong one is refused. off: not looked at.',
    ),
  aliases: aliasList().default([]).describe('Aliases of `[[clients]]` that may call it.'),
  operations: z
    .array(operation)
    .default([])
    .describe(
      'What the API does, each with its own security. The most specific path decides. With any listed, other paths are 404 and other methods 405.',
    ),
  unlistedOperations: z
    .enum(['deny', 'api'])
    .default('deny')
    .describe('`api`: paths that no operation has are served under the security of the API itself.'),
  backend: absoluteUrl()
    .optional()
    .describe(
      "URL of the backend, for the generated Envoy configuration; its path takes the base path's place.",
    ),
});

export const configSchema = table({
  router: router
    .prefault({})
    .describe('The Envoy router: `mtls-enforcer envoy-config` writes its configuration from here.'),
  enforcer: enforcer.prefault({}).describe('The enforcer.'),
  clients: z.array(client).default([]).describe('Who may call: one entry an alias.'),
  apis: z.array(api).default([]).describe('What they may call.'),
});

/** config.toml with all defaults filled in; paths still as written. */
export type Config = z.output<typeof configSchema>;

/** The keys and their descriptions as JSON Schema: for the documentation, and to find the nearest known key. */
export const configShape = z.toJSONSchema(configSchema, {
  io: 'input',
  unrepresentable: 'any',
  override: ({ zodSchema, jsonSchema }) => {
    if (zodSchema._zod.def.type === 'date') jsonSchema.format = 'date-time';
  },
});
