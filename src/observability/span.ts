import { type Attributes, requestId } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import { type Decided, identityFields, outcomeFields } from './audit.ts';
import type { TraceContext } from './trace-context.ts';

type Value = string | number | undefined;
type Attribute = {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
};

/** As OTLP writes it in JSON (opentelemetry.proto.trace.v1.Span): identifiers in hexadecimal, 64 bits as text. */
export type Span = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number };
};

const method = 'envoy.service.auth.v3.Authorization/Check';
const kindServer = 2;
const statusError = 2;

/**
 * One decision, under the span of Envoy that asked for it. Names are those of OpenTelemetry's semantic conventions, and
 * ours of the record of decisions. No header's value, no token, no path.
 */
export function decisionSpan(
  attributes: Attributes,
  decision: Decision,
  { now, microseconds, generation }: Decided,
  { spanId, traceId, parentId }: Omit<TraceContext, 'isSampled'> & { readonly spanId: string },
): Span {
  const { outcome, reason } = outcomeFields(decision);
  const { alias, tier, subject, issuer, notBefore, notAfter, sha256 } = identityFields(decision);
  const nanoseconds = BigInt(now) * 1_000_000n;
  return {
    traceId,
    spanId,
    parentSpanId: parentId,
    name: method,
    kind: kindServer,
    startTimeUnixNano: String(nanoseconds),
    endTimeUnixNano: String(nanoseconds + BigInt(Math.round(microseconds * 1000))),
    attributes: attributesOf({
      'rpc.system.name': 'grpc',
      'rpc.method': method,
      // Of the call itself: a denial is an answer.
      'rpc.response.status_code': 'OK',
      'tls.client.subject': subject,
      'tls.client.issuer': issuer,
      'tls.client.not_before': notBefore,
      'tls.client.not_after': notAfter,
      'tls.client.hash.sha256': sha256?.toUpperCase(),
      'mtls_enforcer.outcome': outcome,
      'mtls_enforcer.reason': reason,
      'mtls_enforcer.api': decision.api?.name,
      'mtls_enforcer.api_version': decision.api?.version,
      'mtls_enforcer.operation': decision.operation,
      'mtls_enforcer.alias': alias,
      'mtls_enforcer.tier': tier,
      'mtls_enforcer.source': decision.certificateFrom,
      'mtls_enforcer.generation': generation,
      'mtls_enforcer.request_id': requestId(attributes),
    }),
    status: reason === 'internal_error' ? { code: statusError } : {},
  };
}

/** Without those that there is nothing to say of. */
export const attributesOf = (values: Readonly<Record<string, Value>>): readonly Attribute[] =>
  Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }];
  });
