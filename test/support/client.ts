import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';

export type ClientCertificate = {
  /** Leaf first, then what it was issued by. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};

export type Call = {
  readonly port: number;
  /** CAs that the server's certificate must lead up to; unset: plain HTTP. */
  readonly ca: string | undefined;
  readonly path: string;
  readonly method?: string;
  readonly protocol?: 'http/1.1' | 'h2';
  /** Host or :authority; the TLS server name is always `localhost`. */
  readonly host?: string;
  /** Repeats stay apart and in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly certificate?: ClientCertificate | undefined;
  /** Address to come from, for example 127.0.0.2. */
  readonly localAddress?: string | undefined;
  readonly body?: Uint8Array | undefined;
};

export type Answer = {
  readonly status: number;
  /** Trailers are among them. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  readonly body: string;
};

const timeoutMs = 15_000;

/** One request on a connection of its own. Rejects where the connection, the handshake among it, fails. */
export const send = (call: Call): Promise<Answer> =>
  call.protocol === 'h2' ? sendHttp2(call) : sendHttp1(call);

/** A unary gRPC call with an empty message. Its status is in `headers['grpc-status']`, whichever way it came. */
export const callGrpc = (call: Call): Promise<Answer> =>
  send({
    ...call,
    protocol: 'h2',
    method: 'POST',
    headers: [['content-type', 'application/grpc'], ['te', 'trailers'], ...(call.headers ?? [])],
    body: Buffer.alloc(5),
  });

function sendHttp1(call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { path, method = 'GET', body } = call;
    const headers = [['host', authority(call)], ['connection', 'close'], ...(call.headers ?? [])];
    // A Connection header of the caller's own takes the place of ours.
    if (call.headers?.some(([name]) => name.toLowerCase() === 'connection')) headers.splice(1, 1);
    if (body !== undefined) headers.push(['content-length', String(body.byteLength)]);
    const request = (call.ca === undefined ? httpRequest : httpsRequest)(
      { ...connection(call), host: '127.0.0.1', path, method, agent: false, headers: headers.flat() },
      (response) => collect(response).then(resolve, reject),
    );
    request.on('error', reject).setTimeout(timeoutMs, () => request.destroy(new Error('no answer in time')));
    request.end(body);
  });
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const headers = { ...response.headers, ...response.trailers } as IncomingHttpHeaders;
  return { status: response.statusCode!, headers, body: Buffer.concat(chunks).toString('utf8') };
}

function sendHttp2(call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const scheme = call.ca === undefined ? 'http' : 'https';
    const session = connect(`${scheme}://127.0.0.1:${call.port}`, connection(call));
    const fail = (error: Error) => {
      session.destroy();
      reject(error);
    };
    session.on('error', fail);
    const stream = session.request(http2Headers(call), { endStream: call.body === undefined });
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    stream
      .on('error', fail)
      .on('response', (received) => {
        headers = { ...received };
      })
      .on('trailers', (received) => {
        headers = { ...headers, ...received };
      })
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        const status = Number((headers as Record<string, unknown>)[':status']);
        session.close(() => resolve({ status, headers, body: Buffer.concat(chunks).toString('utf8') }));
      })
      .setTimeout(timeoutMs, () => fail(new Error('no answer in time')));
    if (call.body !== undefined) stream.end(call.body);
  });
}

function http2Headers(call: Call): Record<string, string | string[]> {
  const byName = Map.groupBy(call.headers ?? [], ([name]) => name.toLowerCase());
  const headers = [...byName].map(([name, all]) => [
    name,
    all.length > 1 ? all.map(([, v]) => v) : all[0]![1],
  ]);
  return {
    ':method': call.method ?? 'GET',
    ':path': call.path,
    ':scheme': call.ca === undefined ? 'http' : 'https',
    ':authority': authority(call),
    ...(Object.fromEntries(headers) as Record<string, string | string[]>),
  };
}

const authority = ({ host, port }: Call): string => host ?? `localhost:${port}`;

const connection = ({ port, ca, certificate, localAddress }: Call) => ({
  port,
  ...(localAddress && { localAddress }),
  ...(ca && { ca, servername: 'localhost' }),
  ...(certificate && { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
});
