import { z } from 'zod';
import { errorFormats } from '../../apis/api.ts';
import { client } from './client.ts';
import { source } from './mutual-ssl.ts';
import { audiences, boundTokens } from './token-service.ts';
import { backendUrl, basePath, hostPattern, table, text } from './values.ts';

const requirement = () => z.enum(['mandatory', 'optional', 'off']);

/** What an API and each of its operations can ask for; an operation's own counts, else the API's. */
const security = {
  mutualSSL: requirement()
    .optional()
    .describe(
      'mandatory: no admission without a bound certificate. optional: none is fine, a wrong one as `optionalCertificate` says. off: not looked at. Unset: mandatory.',
    ),
  aliases: z
    .array(text('an alias of [[clients]]'))
    .optional()
    .describe('Aliases of `[[clients]]`, or of its own `clients`, that may call it. Unset: all of its own.'),
  optionalCertificate: z
    .enum(['reject-wrong', 'ignore-wrong'])
    .optional()
    .describe("Unset: `[enforcer.security]`'s."),
  applicationSecurity: requirement()
    .optional()
    .describe(
      'The same for an access token (OAuth2). With both optional, one of them must be right. off: the Authorization header is left as it is. Unset: off.',
    ),
  scopes: z
    .array(text('a scope, for example "orders:read"'))
    .optional()
    .describe('Scopes that the token must have. Missing: 403.'),
  scopesMatch: z
    .enum(['all', 'any'])
    .optional()
    .describe('Whether it needs all of them, or one (as WSO2 has it). Unset: all.'),
  issuers: z
    .array(text('the name of a tokenService'))
    .min(1, { error: 'write at least one name of a tokenService' })
    .optional()
    .describe(
      'Names of the `tokenService` entries whose tokens count. May be left out where there is but one.',
    ),
  audiences: audiences().optional().describe("One of these must be in `aud`. Unset: the issuer's."),
  consumerKeys: z
    .array(text('a client id'))
    .optional()
    .describe('Clients (by `consumerKeyClaim`) whose tokens count. Unset: any.'),
  certificateBoundTokens: boundTokens()
    .optional()
    .describe('RFC 8705; as at the issuer. The strictest of issuer, API and operation counts.'),
};

const operation = table({
  path: z
    .string()
    .regex(
      /^\/(([A-Za-z0-9\-._~!$&'()+,=:@]*\{[^{}/]+\}[A-Za-z0-9\-._~!$&'()+,=:@]*|[A-Za-z0-9\-._~!$&'()+,=:@]+)(\/|$))*\*?$/,
      {
        error:
          'write a path below the base path, unencoded, with one {name} a segment at most, for example "/orders/{id}", "/reports/{id}.pdf" or "/files/*"',
      },
    )
    .describe('Path below the base path; `{name}` for one segment, `*` at the end for whatever follows.'),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, { error: 'write a method in capitals, for example "GET"' }))
    .min(1, { error: 'write at least one method, or leave methods out for all' })
    .optional()
    .describe('Methods; unset: all. HEAD counts as GET where it is not listed itself.'),
  ...security,
  secured: z
    .boolean()
    .default(true)
    .describe('false: no access token is asked for here. Mandatory mutual TLS stays.'),
  clients: z.array(client).optional().describe('Clients of this operation alone, as `[[clients]]`.'),
  sources: z.array(source).optional().describe("Unset: the API's."),
});

export const api = table({
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
  ...security,
  clients: z
    .array(client)
    .default([])
    .describe('Clients of this API alone, as `[[clients]]`: their aliases are no other API’s.'),
  sources: z
    .array(source)
    .optional()
    .describe(
      'Where its clients’ certificates come from, in place of `[[enforcer.security.mutualSSL.sources]]`.',
    ),
  errorFormat: z.enum(errorFormats).optional().describe("Unset: `[enforcer.answers]`'s."),
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
  backend: backendUrl()
    .optional()
    .describe(
      "URL of the backend, for the generated Envoy configuration; its path takes the base path's place. `ws://` and `wss://`: upgrades to WebSocket are passed on, too.",
    ),
});

/** As it is written, before defaults. */
export type ApiInput = z.input<typeof api>;
