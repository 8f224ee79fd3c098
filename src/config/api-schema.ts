import { z } from 'zod';
import { absoluteUrl, basePath, hostPattern, table, text } from './values.ts';

/** `[[apis]]`. */
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
