import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import type { Method } from '../../../src/grpc/call.ts';
import { frame } from '../../../src/grpc/message.ts';
import { GrpcServer, type GrpcServerOptions } from '../../../src/grpc/server.ts';

export const echo = '/test.T/Echo';
/** Answers with the message, in capitals. */
const echoing: Method = {
  kind: 'unary',
  handle: (message) => frame(Buffer.from(message.toString('latin1').toUpperCase(), 'latin1')),
};

export type Serving = {
  readonly server: GrpcServer;
  readonly port: number;
  readonly errors: readonly Error[];
};

/** A server of `echo` and of these methods, for as long as `use` takes. */
export async function serving(
  options: Partial<GrpcServerOptions>,
  use: (serving: Serving) => Promise<void>,
): Promise<void> {
  const errors: Error[] = [];
  const server = new GrpcServer({
    maxMessageBytes: 65_536,
    onError: (error) => errors.push(error),
    ...options,
    methods: new Map([[echo, echoing], ...(options.methods ?? [])]),
  });
  try {
    const port = await server.listen({ host: '127.0.0.1', port: 0 });
    await use({ server, port, errors });
  } finally {
    await server.close();
  }
}

export type Answer = {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Code of RST_STREAM; 0: none, or NO_ERROR. */
  readonly reset: number;
};

export const grpcHeaders = {
  ':method': 'POST',
  ':path': echo,
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** One call on a session of its own or a given one, its chunks each in a DATA frame of their own. */
export async function send(
  port: number | ClientHttp2Session,
  chunks: readonly Uint8Array[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const session = typeof port === 'number' ? connect(`http://127.0.0.1:${port}`) : port;
  try {
    return await new Promise<Answer>((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ...grpcHeaders, ...headers });
      let received: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      const body: Buffer[] = [];
      stream.on('response', (head) => (received = head));
      stream.on('trailers', (tail) => (trailers = tail));
      stream.on('data', (chunk: Buffer) => body.push(chunk));
      stream.on('error', () => {});
      stream.on('close', () =>
        resolve({ headers: received, trailers, body: Buffer.concat(body), reset: stream.rstCode ?? 0 }),
      );
      for (const chunk of chunks) stream.write(chunk);
      stream.end();
    });
  } finally {
    if (typeof port === 'number') session.destroy();
  }
}

/** Status of a call, in its trailers or, where there is no message, in its headers. */
export const statusOf = ({ headers, trailers }: Answer): number =>
  Number(trailers['grpc-status'] ?? headers['grpc-status'] ?? NaN);

export const messageOf = ({ headers, trailers }: Answer): string | undefined =>
  decodeURIComponent(String(trailers['grpc-message'] ?? headers['grpc-message'] ?? ''));

export const textOf = ({ body }: Answer): string => body.subarray(5).toString('latin1');
