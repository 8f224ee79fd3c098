import { type ErrorFormat, errorFormats } from '../apis/api.ts';
import type { Config } from '../config/schema/config.ts';
import { denials } from '../decision.ts';
import { errorBody } from '../error-body.ts';
import type { Tier } from '../provision/tiers.ts';
import { decidedFilter } from './ext-authz-filter.ts';
import type { Message } from './extension.ts';
import { limitedTiers } from './tiers.ts';

const code = 'tier_limit_exceeded';

/**
 * What Envoy says beyond a limit, as the enforcer would: in the caller's own language, else in its API's format. The
 * enforcer says which that is (`errorFormat` in its metadata), for only it knows by which API it has decided.
 */
export function tierAnswers(tiers: readonly Tier[], { enforcer }: Config): Message {
  if (limitedTiers(tiers).length === 0) return {};
  const { errorFormat: usual, reasonHeader } = enforcer.answers;
  const mapper = (body: ReturnType<typeof errorBody>, ...filters: readonly Message[]): Message => ({
    filter: { and_filter: { filters: [...isBeyondLimit, ...filters] } },
    body_format_override: {
      text_format_source: { inline_string: body.text.replaceAll('%', '%%') },
      content_type: body.contentType,
    },
    ...(reasonHeader !== '' && {
      headers_to_add: [
        { header: { key: reasonHeader, value: code }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
  });
  const rest = (format: ErrorFormat) => errorBody(code, format, 'rest');
  return {
    local_reply_config: {
      mappers: [
        mapper(errorBody(code, usual, 'grpc'), hasType('application/grpc')),
        mapper(errorBody(code, usual, 'soap-1.2'), hasType('application/soap+xml')),
        mapper(errorBody(code, usual, 'soap-1.1'), hasType('text/xml'), {
          header_filter: { header: { name: 'soapaction', present_match: true } },
        }),
        // Whether an API has it or not: the listener is not to change with what foreign files publish.
        ...errorFormats
          .filter((format) => format !== usual)
          .map((format) => mapper(rest(format), decidedFilter('errorFormat', format))),
        mapper(rest(usual)),
      ],
    },
  };
}

/**
 * Where the enforcer has refused, it says no format, and its own 429 stays what it is. (Envoy sets its response flag RL
 * only when the answer is written: measured.)
 */
const isBeyondLimit: readonly Message[] = [
  {
    status_code_filter: {
      comparison: {
        op: 'EQ',
        value: { default_value: denials[code].status, runtime_key: 'mtls_enforcer.tier_status' },
      },
    },
  },
  decidedFilter('errorFormat'),
];

/** As `protocolOf` in error-body.ts has it. */
const hasType = (prefix: string): Message => ({
  header_filter: { header: { name: 'content-type', string_match: { prefix, ignore_case: true } } },
});
