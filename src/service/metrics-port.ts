import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { contentTypes, type Format, formatFor } from '../observability/exposition.ts';

export type MetricsAddress = { readonly address: string; readonly port: number };

export type MetricsSource = {
  readonly page: (format: Format) => AsyncIterable<string>;
  /** undefined: ready. Else why not. */
  readonly unready: () => string | undefined;
};

export type MetricsPort = {
  /** `host:port` */
  readonly address: string;
  readonly close: () => Promise<void>;
};

/** Milliseconds. */
const patience = { headers: 5_000, scrape: 30_000 };
/** Two Prometheus, and a person who looks. */
const maxScrapes = 4;
const maxConnections = 32;
const maxHeaderSize = 8_192;

/**
 * The port that is watched: three pages, to read only. Whoever reaches it can't make it hold much, nor keep a Check
 * waiting.
 *
 * @throws Error: an address in use, or one that this machine has not
 */
export async function openMetricsPort(
  { address, port }: MetricsAddress,
  source: MetricsSource,
): Promise<MetricsPort> {
  const http = createHttp({ maxHeaderSize });
  let scrapes = 0;
  http.on('request', (request, response) => {
    response.shouldKeepAlive = false;
    const path = pathOf(request);
    const refusal = refusalOf(request) ?? (path === undefined ? notFound : undefined);
    if (refusal !== undefined) return answer(response, refusal);
    if (path === '/healthz') return answer(response, { status: 200, text: 'ok' });
    if (path === '/readyz') {
      const why = source.unready();
      return answer(response, { status: why === undefined ? 200 : 503, text: why ?? 'ok' });
    }
    if (scrapes >= maxScrapes)
      return answer(response, { status: 503, text: 'others are being answered; ask again later' });
    const format = formatFor(request.headers.accept);
    response.writeHead(200, { 'content-type': contentTypes[format], 'cache-control': 'no-store' });
    if (request.method === 'HEAD') return void response.end();
    scrapes++;
    void send(source.page(format), response).finally(() => scrapes--);
  });
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    http.emit('connection', firstRequestOf(socket));
  });
  server.maxConnections = maxConnections;
  await listen(server, address, port);
  const bound = server.address() as AddressInfo;
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/**
 * The connection up to the end of the first request's headers, and the way back: what is sent behind that unasked is read
 * by nobody. Node parses all of it at once, thousands of requests in one turn of the loop.
 */
function firstRequestOf(socket: Socket): Duplex {
  const [near, far] = duplexPair();
  let head: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer): void => {
    const before = head.length;
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    far.write(head.subarray(before, end === -1 ? head.length : end + 4));
    if (end === -1 && head.length <= 2 * maxHeaderSize) return;
    clearTimeout(timer);
    socket.off('data', take).resume();
  };
  const timer = setTimeout(() => socket.destroy(), patience.headers);
  socket.setTimeout(patience.scrape, () => socket.destroy());
  socket.on('data', take);
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    clearTimeout(timer);
    near.destroy();
  });
  far.pipe(socket, { end: false });
  far.once('end', () => socket.destroySoon());
  near.once('close', () => socket.destroy());
  return near;
}

/** What to look at, in an operator's words. */
export function metricsTrouble(error: NodeJS.ErrnoException, { address, port }: MetricsAddress): string {
  const at = `${address}:${port}`;
  if (error.code === 'EADDRINUSE')
    return `enforcer.metrics.port: another process listens on ${at} already; stop it, or write another port`;
  if (error.code === 'EACCES')
    return `enforcer.metrics.port: this user may not listen on ${at}; write a port of 1024 or more`;
  if (error.code === 'EADDRNOTAVAIL' || error.syscall === 'getaddrinfo')
    return `enforcer.metrics.address: this machine has no address ${address}; write one that it has, or 127.0.0.1`;
  return `enforcer.metrics.port: can't listen on ${at}: ${error.message}`;
}

type Answer = {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
};

const pages = ['/metrics', '/healthz', '/readyz'];
const notFound: Answer = { status: 404, text: `there are ${pages.join(', ')}` };

const pathOf = ({ url = '' }: IncomingMessage): string | undefined => {
  const path = url.split('?', 1)[0]!;
  return pages.includes(path) ? path : undefined;
};

function refusalOf({ method, headers }: IncomingMessage): Answer | undefined {
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, text: 'GET only', headers: { allow: 'GET, HEAD' } };
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
  return hasBody ? { status: 400, text: 'no body' } : undefined;
}

function answer(response: ServerResponse, { status, text, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(`${text}\n`);
}

/** At the pace of who reads it, and no longer than somebody may wait who reads. */
async function send(page: AsyncIterable<string>, response: ServerResponse): Promise<void> {
  try {
    await pipeline(Readable.from(page), response, { signal: AbortSignal.timeout(patience.scrape) });
  } catch {
    // Who asked has gone, or reads too slowly: half a page is no page.
    response.destroy();
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Later ones are of one connection that could not be taken, and no reason to end.
    server.on('error', reject);
    server.listen(port, host, resolve);
  });
}
