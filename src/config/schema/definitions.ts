import { z } from 'zod';
import { backendUrl, sender, table, text } from './values.ts';

/** The systems whose files are read: one folder each in `definitions/`. */
export const kinds = ['microgateway', 'choreo-connect', 'apk', 'api-manager', 'bijira'] as const;

/** `[[definitions]]`: files of the systems that a team comes from. */
export const definition = table({
  kind: z.enum(kinds).describe('Whose files they are.'),
  path: text('a path, for example "projects/"').describe(
    'A file, a folder or a glob; relative to this file. Read at the start, when they change, and at each reload.',
  ),
  trustedSenders: z
    .array(sender())
    .optional()
    .describe(
      'Who may send the certificate header: the files don’t say. Unset: `[enforcer.security.mutualSSL]` `trustedSenders`; without either no header is read.',
    ),
  backend: backendUrl()
    .optional()
    .describe('Backend of all its APIs, in place of those that the files name.'),
  database: z
    .string()
    .regex(/^postgres(ql)?:\/\//, {
      error: 'write a URL, for example "postgres://reader:$env{DB_PASSWORD}@db/apim_db"',
    })
    .optional()
    .describe(
      "API Manager's database (PostgreSQL), for its table of client certificates. Read at the start, then as `pollIntervalInSeconds` says, and at each NOTIFY am_api_client_certificate.",
    ),
  pollIntervalInSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe('How often the database is read. (API Manager itself: 600.)'),
  tenant: z
    .int()
    .min(-1_000_000)
    .max(1_000_000)
    .optional()
    .describe('TENANT_ID whose certificates count. Unset: PRODUCTION.'),
  keyType: z
    .enum(['PRODUCTION', 'SANDBOX'])
    .optional()
    .describe('KEY_TYPE that counts, where the table has it. Unset: any.'),
  home: text('a folder, for example "/opt/wso2mgw"')
    .optional()
    .describe(
      "Folder of the product itself, where the files' own paths begin (Microgateway: `mgw-runtime.home`).",
    ),
  issuers: z
    .array(text('the name of a token service, or its issuer'))
    .min(1, { error: 'write at least one, or leave it out' })
    .optional()
    .describe(
      'Whose access tokens its APIs take: names (or issuers) of `[[enforcer.security.tokenService]]`, or of those that its own files name, which count nowhere else and only if they are named here. Unset: all of `[[enforcer.security.tokenService]]`, and none of its files’.',
    ),
  optionalCertificate: z
    .enum(['reject-wrong', 'ignore-wrong'])
    .optional()
    .describe('In place of what the system itself does.'),
});
