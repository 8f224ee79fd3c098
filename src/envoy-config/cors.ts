import type { Config } from '../config/schema/config.ts';
import type { Tier } from '../provision/tiers.ts';
import { extension, type Message, typed } from './extension.ts';
import { escapeRegex, unique } from './request-headers.ts';
import { limitedTiers } from './tiers.ts';

const name = 'envoy.filters.http.cors';

/** Ahead of ext_authz: a browser sends pre-flights without a certificate. They are answered here, no backend sees them. */
export const corsFilters = ({ router }: Config): readonly Message[] =>
  router.cors.enabled ? [extension(name, 'envoy.extensions.filters.http.cors.v3.Cors')] : [];

/** `router.cors`, for all routes. */
export function corsPolicy({ router: { cors }, enforcer }: Config, tiers: readonly Tier[]): Message {
  if (!cors.enabled) return {};
  // Else a browser's script reads a 401, and neither why nor what to quote.
  const exposed = unique([
    ...cors.exposeHeaders,
    enforcer.answers.reasonHeader,
    'x-request-id',
    ...(limitedTiers(tiers).length === 0 ? [] : limitHeaders),
  ]);
  return {
    [name]: typed('envoy.extensions.filters.http.cors.v3.CorsPolicy', {
      allow_origin_string_match: cors.allowOrigins.map(originMatch),
      allow_methods: cors.allowMethods.join(','),
      allow_headers: cors.allowHeaders.join(','),
      expose_headers: exposed.join(','),
      // Envoy answers with the caller's own origin: for `*` and credentials, which the Fetch standard forbids together,
      // any page could have a browser use its user's client certificate, and read the answer.
      allow_credentials: cors.allowCredentials && !cors.allowOrigins.includes('*'),
    }),
  };
}

const limitHeaders = ['retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'];

/** A star stands for part of a host name, alone for everything. */
const originMatch = (origin: string): Message => {
  if (!origin.includes('*')) return { exact: origin };
  if (origin === '*') return { safe_regex: { regex: '.*' } };
  return { safe_regex: { regex: origin.split('*').map(escapeRegex).join('[A-Za-z0-9.-]+') } };
};
