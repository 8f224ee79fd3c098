import { isIP } from 'node:net';
import { z } from 'zod';
import { errorFormats } from '../../apis/api.ts';
import { maxWorkers } from '../worker.ts';
import { certificates } from './certificates.ts';
import { mutualSSL } from './mutual-ssl.ts';
import { revocation } from './revocation.ts';
import { authHeader, jwtGenerator, tokenService } from './token-service.ts';
import { headerName, hostName, port, table, text } from './values.ts';

/** `[enforcer]`: where it listens, what it answers. */
export const authService = table({
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
  control: text('a path, for example "/run/mtls-enforcer/control.sock"')
    .optional()
    .describe(
      'Unix socket, mode 0600, on which `mtls-enforcer reload` and `status` ask the running service. Unset: there is none.',
    ),
  workers: z
    .int()
    .min(1)
    .max(maxWorkers)
    .default(1)
    .describe(
      'Processes that decide. The second listens on the next port, or at the path of `socket` with `.2` behind it, and so on; Envoy is configured to use all of them, so that none is missed when it ends or is renewed. See [operating](operating.md#several-processes).',
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
  reflection: z
    .boolean()
    .default(false)
    .describe(
      'gRPC server reflection, for grpcurl and the like: grpc-js then serves, and a Check costs three times as much.',
    ),
  maxMessageSize: z
    .int()
    .min(16_384)
    .max(1_000_000_000)
    .default(1_048_576)
    .describe(
      'Largest CheckRequest in bytes; a larger one gets RESOURCE_EXHAUSTED, and Envoy refuses the request. (Choreo Connect: 1000000000.)',
    ),
  drainDelayInSeconds: z
    .int()
    .min(0)
    .max(3_600)
    .default(2)
    .describe(
      'After SIGTERM: how long it says NOT_SERVING and goes on as before, so that whoever sends requests notices and asks another. The generated Envoy configuration looks once a second; where a Kubernetes Service is in between, write 10. With nobody connected it does not wait.',
    ),
  drainTimeoutInSeconds: z
    .int()
    .min(0)
    .max(3_600)
    .default(10)
    .describe('After that delay: longest wait for calls in flight.'),
});

/** `[enforcer.metrics]`: what is watched. */
const metrics = table({
  enabled: z
    .boolean()
    .default(true)
    .describe('false: as if the table were not there, as Choreo Connect has it in its own file.'),
  address: hostName()
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Beyond loopback, whoever reaches it reads the names of APIs and aliases and when their certificates end.',
    ),
  port: port()
    .default(9464)
    .describe(
      'TCP port. With `workers` the supervisor answers here for all of them; a `--worker N` alone listens N-1 ports further on.',
    ),
});

/** `[enforcer.audit]`: a record of decisions. */
const audit = table({
  decisions: z
    .enum(['denied', 'all', 'sampled'])
    .default('denied')
    .describe(
      'Which have a line. denied: each denial. all: each admission, too. sampled: each denial, and one admission in so many (`oneIn`).',
    ),
  oneIn: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(100)
    .describe('With `decisions = "sampled"`: of so many admissions one has a line.'),
  file: text('a path, for example "/var/log/mtls-enforcer/audit.log"')
    .optional()
    .describe(
      'File that lines are added to, mode 0640. Of several processes the second writes to the path with `-2` behind it, and so on. None of this and `syslog`: standard error.',
    ),
  maxMegabytes: z
    .int()
    .min(1)
    .max(100_000)
    .default(100)
    .describe('A file of that size is full: it becomes `FILE.1`, and a new one is begun.'),
  files: z.int().min(1).max(99).default(5).describe('So many full ones are kept, and the oldest goes.'),
  syslog: z
    .string()
    .refine(isAddressAndPort, {
      error: 'write an IP address and a UDP port, for example "127.0.0.1:514" or "[::1]:514"',
    })
    .optional()
    .describe('`"127.0.0.1:514"`: sent there by UDP (RFC 5424), facility authpriv.'),
}).refine(({ file, syslog }) => file === undefined || syslog === undefined, {
  error: 'file and syslog exclude each other; write one of them, or neither for standard error',
  path: ['syslog'],
});

function isAddressAndPort(text: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const isAddress = bracketed === undefined ? isIP(plain ?? '') === 4 : isIP(bracketed) === 6;
  return isAddress && Number(port) >= 1 && Number(port) <= 65_535;
}

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
  clientIdHeader: headerOrOff('x-token-client-id').describe(
    'Tells the backend the client of the verified access token. `""`: not told.',
  ),
  scopesHeader: headerOrOff('x-token-scopes').describe(
    'Tells the backend the scopes of the verified access token, with spaces between. `""`: not told.',
  ),
  tokenSubjectHeader: headerOrOff('x-token-subject').describe(
    'Tells the backend the subject (`sub`) of the verified access token. `""`: not told.',
  ),
  errorFormat: z
    .enum(errorFormats)
    .default('choreo-connect')
    .describe(
      'Whose error bodies denials have; `problem+json` is RFC 9457, and its challenges (`WWW-Authenticate`) name the reason in place of Choreo Connect’s words. SOAP callers get a SOAP fault, gRPC callers a grpc-status.',
    ),
  subjectHeader: headerOrOff('x-client-cert-subject').describe(
    'Tells the backend the certificate\'s subject (RFC 4514; all but printable ASCII escaped), whole, however long it is. `""`: not told.',
  ),
});

const reload = table({
  watch: z
    .boolean()
    .default(true)
    .describe(
      'true: config.toml and all files that it names are watched, and what changes is in force within a second (two where the file system tells nothing). false: only SIGHUP and `mtls-enforcer reload` read them again.',
    ),
});

const shadow = table({
  config: text('a path, for example "next.toml"').describe(
    'The next config.toml, whole, with whatever it names beside it. What is wrong with it is told in the log, and changes nothing. Needs `[enforcer.metrics]`, `[enforcer.audit]` or both, where what differs can be seen.',
  ),
});

export const enforcer = table({
  authService: authService.prefault({}).describe('Where the ext_authz service listens.'),
  reload: reload.prefault({}).describe('When a changed configuration is read again.'),
  security: table({
    mutualSSL: mutualSSL.prefault({}).describe('How the client certificate reaches us.'),
    certificates: certificates
      .prefault({})
      .describe(
        'What certificates may be that is weaker or rarer than what is taken unasked: for old estates.',
      ),
    revocation: revocation
      .prefault({})
      .describe(
        'CRLs and OCSP: what becomes of certificates that their CA has revoked (docs/revocation.md).',
      ),
    optionalCertificate: z
      .enum(['reject-wrong', 'ignore-wrong'])
      .default('reject-wrong')
      .describe(
        'Where a certificate is optional and the one sent is wrong. reject-wrong: refused (as APK does). ignore-wrong: as if none had come (as Choreo Connect does).',
      ),
    authHeader: authHeader.prefault({}).describe('Where access tokens come.'),
    tokenService: z.array(tokenService).default([]).describe('Who issues access tokens (JWT, RFC 9068).'),
  })
    .prefault({})
    .describe('What requests are weighed by.'),
  answers: answers
    .prefault({})
    .describe(
      'Headers of our answers. Those for the backend are overwritten or removed on every route, so that no client can forge them.',
    ),
  jwtGenerator: jwtGenerator
    .prefault({})
    .describe('A JWT for the backend that tells who the client is, signed by us.'),
  metrics: metrics
    .optional()
    .describe(
      'A port for `GET /metrics` (Prometheus), `/healthz` and `/readyz`, open only where this table is written, be it empty. Read at start only. See [watching it](monitoring.md).',
    ),
  audit: audit
    .optional()
    .describe(
      'A record of decisions, a line of JSON each, kept only where this table is written. Beside the log, which has a line for each denial as well, unless its `level` is `error`. See [the record](audit.md).',
    ),
  shadow: shadow
    .optional()
    .describe(
      'Live requests are decided by another configuration as well, and what differs is counted and recorded: nothing of it counts. Only where this table is written. See [asking](asking.md#what-would-it-have-changed).',
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
