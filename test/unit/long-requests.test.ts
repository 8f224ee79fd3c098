import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Format, formats } from '../../src/client-certificate/formats/table.ts';
import { decide } from '../../src/enforcer.ts';
import { writeAnswer } from '../../src/ext-authz/answer.ts';
import { auditDenial, auditLine } from '../../src/observability/audit.ts';
import { request } from '../support/attributes.ts';
import { createAuthority, now } from '../support/certificate-authority.ts';
import { load } from '../support/enforcer.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';

/**
 * Envoy passes on 60 KB of a stranger's headers, and all that is done with them is done on the thread that answers
 * everybody: whatever they are full of, it takes no more than a moment.
 */
const length = 60_000;
/** Milliseconds: what takes the square of the length takes several times that. */
const longest = 50;

const fillings = [
  ...`aA0%/.,;="'\\{}[]()<> -_:@?&+*\t~|#!`,
  ...[
    '%2',
    '%2F',
    '//',
    '/.',
    '/..',
    'a.',
    'a,',
    'a;',
    'a=',
    '"\\',
    '\\"',
    '{"a":',
    '[[',
    '{"',
    'MII',
    '==',
    '%0A',
  ],
  ...[
    '-----BEGIN CERTIFICATE-----',
    'Cert="',
    'By=a;',
    'Hash=',
    'Chain="',
    ';Cert=',
    ',By=a',
    'Bearer ',
    'a.b',
    '\u00ff',
  ],
];
const frames: readonly (readonly [string, string])[] = [
  ['', ''],
  ['/p/', ''],
  ['', '!'],
  ['Bearer ', ''],
  ['Bearer a.', '.c'],
  ['Cert="', '"'],
  ['By=x;Cert="', ''],
  ['-----BEGIN CERTIFICATE-----\n', '\n-----END CERTIFICATE-----'],
  [':', ':'],
  ['[{"cert":"', '"}]'],
  ['"', '"'],
];
/** Of every request, whatever the format of certificates. */
const everywhere = ['authorization', 'accept', 'accept-language', 'origin', 'traceparent', 'x-request-id'];

const ca = await createAuthority();
const { jwks } = createTokenIssuer(0, { kid: 'k' });
const config = (format: string): string => `[enforcer.security.mutualSSL]
enableClientValidation = false
trustedSenders = ["127.0.0.1"]
certificateFormat = "${format}"
[[enforcer.security.tokenService]]
name = "i"
issuer = "https://i"
jwksPath = "jwks.json"
[[clients]]
alias = "c"
caFile = "ca.pem"
subject = { CN = "a" }
[[apis]]
name = "a"
version = "1"
basePath = "/p"
hosts = ["*", "*.example.com"]
aliases = ["c"]
mutualSSL = "optional"
optionalCertificate = "reject-wrong"
applicationSecurity = "optional"
[[apis.operations]]
path = "/{x}/{y}"
[[apis.operations]]
path = "/*"
`;

for (const [format, { header, chainHeader }] of Object.entries<Format>(formats))
  test(`long requests take a moment: ${format}`, async () => {
    const { snapshot } = load(config(format), { 'ca.pem': ca.pem, 'jwks.json': jwks });
    const timeOf = async (parts: Parameters<typeof request>[0]): Promise<number> => {
      const attributes = request(parts);
      // What other processes take is none of the request's.
      const began = process.threadCpuUsage();
      const decision = await decide(attributes, snapshot, now);
      if (decision.outcome === 'deny') JSON.stringify(auditDenial(attributes, decision));
      auditLine(attributes, decision, { now, microseconds: 1, generation: 1 });
      writeAnswer(decision, snapshot.answers, attributes.http.headers);
      const { user, system } = process.threadCpuUsage(began);
      return (user + system) / 1000;
    };
    const headers = [
      header,
      ...(chainHeader === undefined ? [] : [chainHeader]),
      ...(format === 'auto' ? everywhere : []),
    ];
    for (const filling of fillings)
      for (const [before, after] of frames) {
        const text = before + filling.repeat(length / filling.length) + after;
        const all = [
          ...headers.map((name) => ({ path: '/p/x/y', headers: [[name, text]] as const })),
          ...(format === 'auto'
            ? [{ path: `/p/${text}` }, { path: '/p/x/y', host: text }, { path: '/p', method: text }]
            : []),
        ];
        for (const parts of all) {
          // Nor is what a first one has compiled.
          const times = [await timeOf(parts)];
          while (Math.min(...times) > longest && times.length < 3) times.push(await timeOf(parts));
          assert.ok(
            Math.min(...times) <= longest,
            `${JSON.stringify(parts).slice(0, 120)}: ${times.map(Math.round)} ms`,
          );
        }
      }
  });
