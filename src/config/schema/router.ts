import { z } from 'zod';
import { nearest } from '../problem.ts';
import { cipherNames, envoyCiphers, unknownCipher } from './ciphers.ts';
import { headerText, hostAndPort, hostName, listenerHost, port, table, text, token } from './values.ts';

/** `[router]`: Envoy, towards clients and backends. */
const tlsVersion = z.enum(['TLS1_0', 'TLS1_1', 'TLS1_2', 'TLS1_3']);

const ciphers = (where: string) =>
  text('cipher names in OpenSSL form, separated by commas')
    .superRefine((value, context) => {
      const unknown = unknownCipher(value);
      if (cipherNames(value).length > 0 && unknown === undefined) return;
      const near = nearest(unknown ?? '', envoyCiphers);
      const message = /^TLS_(AES|CHACHA)/.test(unknown ?? '')
        ? `write suites of TLS 1.2 only, those of TLS 1.3 are always on; take "${unknown}" out`
        : `write cipher suites that Envoy knows, by OpenSSL's names, for example "${near ?? envoyCiphers[0]}"${unknown === undefined ? '' : `; it does not know "${unknown}"`}`;
      context.addIssue({ code: 'custom', message });
    })
    .optional()
    .describe(`TLS 1.2 cipher suites${where}, separated by commas. Unset: those of Envoy.`);

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
      'PEM bundle of intermediate CA certificates that clients and `senders` may leave out. They help to build a path and are never trusted by themselves.',
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
  ciphers: ciphers(''),
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
  ciphers: ciphers(' towards backends'),
});

const seconds = (what: number) => z.int().min(0).max(86_400).default(what);

export const router = table({
  listenerHost: listenerHost()
    .default('0.0.0.0')
    .describe('Address of the plain-HTTP listener, if there is one.'),
  dynamicFolder: text('a folder, for example "/etc/envoy/mtls-enforcer"')
    .optional()
    .describe(
      "Folder that the service keeps Envoy's listeners, routes, backends and certificates in, as files that Envoy watches: a change here is in force there without touching Envoy. `mtls-enforcer envoy-config --dynamic` writes the same. See [envoy](envoy.md#without-touching-envoy).",
    ),
  listenerPort: port({ zero: true })
    .default(0)
    .describe(
      'Port of the plain-HTTP listener. 0: there is none. It never serves an API whose mutual TLS is mandatory. (Choreo Connect: 9090.)',
    ),
  securedListenerHost: listenerHost().default('0.0.0.0').describe('Address of the TLS listener.'),
  securedListenerPort: port().default(9095).describe('Port of the TLS listener.'),
  adminPort: port({ zero: true })
    .default(9901)
    .describe(
      "Port of Envoy's admin interface, on 127.0.0.1 only. 0: any free one. Better on a unix socket where others publish APIs: see [envoy](envoy.md#the-admin-interface).",
    ),
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
      .describe(
        "Envoy's own certificate towards the enforcer, where that asks for one (`clientCaPath`). `health` shows it as well.",
      ),
    keyPath: text('a PEM file').optional().describe('Its private key, PEM.'),
  })
    .prefault({})
    .describe('How Envoy reaches the enforcer over TCP.'),
  cors: table({
    enabled: z
      .boolean()
      .default(true)
      .describe('Answer CORS pre-flights in the router, ahead of the enforcer.'),
    allowOrigins: z
      .array(headerText('an origin, for example "https://app.example.com", or "*"'))
      .default(['*'])
      .describe('Allowed origins; `*` for all.'),
    allowMethods: z
      .array(token('a method, for example "GET"'))
      .default(['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'])
      .describe('Content of `access-control-allow-methods`.'),
    allowHeaders: z
      .array(token('a header name, for example "Content-Type"'))
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
    exposeHeaders: z
      .array(token('a header name, for example "x-mtls-reason"'))
      .default([])
      .describe(
        'Content of `access-control-expose-headers`, beside `reasonHeader` and `x-request-id`, which are always there.',
      ),
    allowCredentials: z.boolean().default(false).describe('Content of `access-control-allow-credentials`.'),
  })
    .prefault({})
    .describe('CORS for all APIs.'),
  rateLimit: table({
    service: hostAndPort().describe(
      'Where the service listens, host and port: `mtls-enforcer ratelimit-config` writes its configuration.',
    ),
    trustedCertPath: text('a PEM file, for example "security/limits-ca.pem"')
      .optional()
      .describe(
        "PEM bundle of the CAs that the service's certificate must lead up to; it must name the host of `service`. Unset: clear text.",
      ),
    certPath: text('a PEM file')
      .optional()
      .describe("Envoy's own certificate towards the service, where that asks for one."),
    keyPath: text('a PEM file').optional().describe('Its private key, PEM.'),
    failureMode: z
      .enum(['allow', 'deny'])
      .default('allow')
      .describe(
        'Where the service gives no answer: allow: requests go on, counted by nobody. deny: those of clients with a tier get 503.',
      ),
  })
    .optional()
    .describe(
      'Several Envoys that share their limits: `[[tiers]]` are counted by Envoy’s global rate limit service (envoyproxy/ratelimit, with Redis) in place of each Envoy by itself. See [tiers](tiers.md).',
    ),
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
