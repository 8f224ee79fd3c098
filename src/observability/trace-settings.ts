type Env = Readonly<Record<string, string | undefined>>;

export type TraceSettings = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for one batch. */
  readonly timeout: number;
  /** Of the process: `service.name` and what else it is told. */
  readonly resource: Readonly<Record<string, string>>;
};

/**
 * By OpenTelemetry's own environment variables, as every exporter reads them.
 *
 * @returns undefined: nobody asks for traces; problem: somebody does, and it can't be done so. No value of a header in it
 */
export function traceSettings(env: Env): { ok: TraceSettings } | { problem: string } | undefined {
  const exporter = env.OTEL_TRACES_EXPORTER?.trim();
  const own = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const general = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || exporter === 'none') return undefined;
  if (!exporter && !own && !general) return undefined;
  if (exporter && exporter !== 'otlp')
    return { problem: `OTEL_TRACES_EXPORTER is ${JSON.stringify(exporter)}; write otlp, or none` };
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (protocol === 'grpc')
    return {
      problem:
        'OTEL_EXPORTER_OTLP_PROTOCOL is grpc; write http/json, and the port for OTLP over HTTP (4318) into the endpoint',
    };
  const name = own ? 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' : 'OTEL_EXPORTER_OTLP_ENDPOINT';
  const url = URL.parse(
    own || `${(general || 'http://localhost:4318').replace(/(?<!\/)\/+$/, '')}/v1/traces`,
  );
  if (url === null || !/^https?:$/.test(url.protocol))
    return { problem: `${name} is no URL of http or https; write one, such as http://localhost:4318` };
  const headers = pairs(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS || env.OTEL_EXPORTER_OTLP_HEADERS);
  const resource = pairs(env.OTEL_RESOURCE_ATTRIBUTES);
  if (headers === undefined || Object.entries(headers).some(([name, value]) => !isHeader(name, value)))
    return { problem: 'OTEL_EXPORTER_OTLP_HEADERS: write name=value, separated by commas, percent-encoded' };
  if (resource === undefined)
    return { problem: 'OTEL_RESOURCE_ATTRIBUTES: write key=value, separated by commas, percent-encoded' };
  const timeout = Number(env.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT || env.OTEL_EXPORTER_OTLP_TIMEOUT || 10_000);
  if (!Number.isSafeInteger(timeout) || timeout < 1 || timeout > 600_000)
    return { problem: 'OTEL_EXPORTER_OTLP_TIMEOUT: write milliseconds, from 1 to 600000' };
  const service = env.OTEL_SERVICE_NAME || resource['service.name'] || 'mtls-enforcer';
  return { ok: { url, headers, timeout, resource: { ...resource, 'service.name': service } } };
}

/** RFC 9110 section 5.1 and 5.5. */
const isHeader = (name: string, value: string): boolean =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value);

/** As W3C Baggage is written. undefined: it is not */
function pairs(text = ''): Readonly<Record<string, string>> | undefined {
  const found: [string, string][] = [];
  for (const pair of text.split(',').filter((pair) => pair.trim() !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) return undefined;
    try {
      found.push([
        decodeURIComponent(pair.slice(0, at).trim()),
        decodeURIComponent(pair.slice(at + 1).trim()),
      ]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(found);
}
