import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A request as the backend got it. */
export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly httpVersion: string;
  /** Names in lower case, in the order they came in, repeats apart; no pseudo headers. */
  readonly headers: readonly (readonly [name: string, value: string])[];
};

export type Backend = {
  readonly port: number;
  readonly seen: SeenRequest[];
  stop(): Promise<void>;
};

/**
 * An HTTPS backend on 127.0.0.1, HTTP/2 and HTTP/1.1, which answers each request with what it saw, as JSON.
 * A gRPC call gets an empty message, grpc-status 0, and the same JSON in the header `x-seen`, base64.
 */
export async function startBackend(tls: {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly port?: number;
}): Promise<Backend> {
  const seen: SeenRequest[] = [];
  const server = createSecureServer(
    { cert: tls.certificatePem, key: tls.privateKeyPem, allowHTTP1: true },
    (request, response) => {
      request.on('error', () => {}).resume();
      request.on('end', () => {
        const what = describe(request);
        seen.push(what);
        if (request.headers['content-type']?.startsWith('application/grpc')) answerGrpc(response, what);
        else {
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify(what));
        }
      });
    },
  );
  const sockets = new Set<{ destroy(): void }>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => {});
  });
  server.on('sessionError', () => {}); // Envoy goes away without a goodbye
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(tls.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const describe = ({ method, url, httpVersion, rawHeaders }: Http2ServerRequest): SeenRequest => {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!name.startsWith(':')) headers.push([name, rawHeaders[i + 1]!]);
  }
  return { method, path: url, httpVersion, headers };
};

function answerGrpc(response: Http2ServerResponse, what: SeenRequest): void {
  response.setHeader('content-type', 'application/grpc');
  response.setHeader('x-seen', Buffer.from(JSON.stringify(what)).toString('base64'));
  response.addTrailers({ 'grpc-status': '0' });
  response.end(Buffer.alloc(5)); // not compressed, length 0: an empty message
}
