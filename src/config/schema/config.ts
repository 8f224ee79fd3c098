import { z } from 'zod';
import { api } from './api.ts';
import { client } from './client.ts';
import { definition } from './definitions.ts';
import { enforcer } from './enforcer.ts';
import { router } from './router.ts';
import { tier } from './tier.ts';
import { table } from './values.ts';

/**
 * config.toml, once: types, defaults and messages come from here, and so does docs/configuration.md.
 * Choreo Connect's keys keep its names and meanings; its defaults are kept except where they are unsafe.
 */
export const configSchema = table({
  router: router
    .prefault({})
    .describe('The Envoy router: `mtls-enforcer envoy-config` writes its configuration from here.'),
  enforcer: enforcer.prefault({}).describe('The enforcer.'),
  clients: z.array(client).default([]).describe('Who may call: one entry an alias.'),
  tiers: z
    .array(tier)
    .default([])
    .describe(
      'What the `tier` of a client allows it. Envoy counts: see [tiers](tiers.md). None: nobody counts.',
    ),
  definitions: z
    .array(definition)
    .default([])
    .describe('APIs and their clients in the files of WSO2’s systems, as they are. More in docs/migrating/.'),
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
