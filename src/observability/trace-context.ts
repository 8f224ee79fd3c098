import { type Attributes, headerValues } from '../attributes.ts';

/** Where a request stands in a trace, by whoever began it: Envoy, or a client in front of it. */
export type TraceContext = {
  readonly traceId: string;
  /** Of the span that asks us. */
  readonly parentId: string;
  /** Somebody records this trace. */
  readonly isSampled: boolean;
};

/** W3C Trace Context, section 3.2: a later version may say more behind it. */
const traceparent =
  /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:$|(?<!^00-.*)-)/;

/** Of a request whose trace is recorded. It is told by one letter, so that the others, nearly all, cost nearly nothing. */
export function recordedTrace(attributes: Attributes): TraceContext | undefined {
  const [value] = headerValues(attributes, 'traceparent');
  if (value === undefined || value.length < 55 || !'13579bdf'.includes(value[54]!)) return undefined;
  const trace = traceContext(attributes);
  return trace?.isSampled ? trace : undefined;
}

/** undefined: there is no such header, or not one, or none that is well written. Nothing of it is ever repeated as it came. */
export function traceContext(attributes: Attributes): TraceContext | undefined {
  const [value, another] = headerValues(attributes, 'traceparent');
  if (value === undefined || another !== undefined) return undefined;
  const [, , traceId, parentId, flags] = traceparent.exec(value) ?? [];
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
