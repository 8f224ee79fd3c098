import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Span } from '../../src/observability/span.ts';

type Batch = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
};

/** A receiver of OTLP over HTTP, as far as traces go: it answers what it is told to, and keeps what came. */
export async function startTraceReceiver(answer: () => number | 'nothing' = () => 200) {
  const spans: Span[] = [];
  const requests: { readonly path: string | undefined; readonly batch: Batch }[] = [];
  let wake = (): void => {};
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const batch = JSON.parse(Buffer.concat(chunks).toString()) as Batch;
    requests.push({ path: request.url, batch });
    const status = answer();
    if (status === 200)
      spans.push(
        ...batch.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      );
    if (status !== 'nothing')
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
    wake();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    /** @throws Error when nothing that fits has come in time */
    until: async (isThere: () => boolean): Promise<void> => {
      const late = setTimeout(() => wake(), 15_000);
      try {
        const end = performance.now() + 15_000;
        while (!isThere()) {
          if (performance.now() >= end) throw new Error(`not received; there are ${spans.length} spans`);
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        clearTimeout(late);
      }
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A span's attributes as plain values. */
export const valuesOf = ({
  attributes,
}: Pick<Span, 'attributes'>): Readonly<Record<string, string | number>> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      'intValue' in value ? Number(value.intValue) : value.stringValue,
    ]),
  );
