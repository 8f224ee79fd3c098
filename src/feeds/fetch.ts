import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import '../server-certificate.ts';
import { boundInterim, readPieces } from './crumbs.ts';
import { isPublicAddress, literalAddress, lookupPublic, notPublic } from './public-address.ts';

export type FetchOptions = {
  readonly accept: string;
  /** PEM; trusted in place of the system's CAs. */
  readonly caPem?: string | undefined;
  readonly maxBytes: number;
  /** Bounds it in time. */
  readonly signal: AbortSignal;
  /** Sent by POST. */
  readonly body?: { readonly type: string; readonly bytes: Uint8Array };
  /** What came with the last answer: only another one is wanted. */
  readonly validators?: Validators | undefined;
  /**
   * `public`: not to this machine, nor to its networks. For URLs that strangers wrote; those of the configuration are the
   * operator's word.
   */
  readonly reach?: 'anywhere' | 'public';
  /** The usual variables: http_proxy, https_proxy, no_proxy. undefined: no proxy, whatever they say. */
  readonly proxies?: Readonly<Record<string, string | undefined>> | undefined;
};

/** How a server knows what it sent (RFC 9110 8.8). */
export type Validators = { readonly etag?: string | undefined; readonly lastModified?: string | undefined };

type Fetched = { readonly bytes: Buffer; readonly validators: Validators };

/**
 * What is at a URL. Follows no redirect: it comes from where the configuration says.
 *
 * @throws Error: not reachable, another status than 200, too large, broken off, the signal
 */
export async function fetchBytes(url: string, options: Omit<FetchOptions, 'validators'>): Promise<Buffer> {
  const { bytes } = (await fetchChanged(url, options))!;
  return bytes;
}

/**
 * @returns undefined: what it sent before, with these validators, is what is still there
 * @throws Error: as `fetchBytes`, or an address that is out of reach
 */
export function fetchChanged(url: string, options: FetchOptions): Promise<Fetched | undefined> {
  const { maxBytes, signal, body, validators, reach = 'anywhere' } = options;
  const isConditional = validators?.etag !== undefined || validators?.lastModified !== undefined;
  const literal = literalAddress(url);
  // No name, no look-up. A proxy makes its own: of names behind one, nobody here knows the address.
  if (reach === 'public' && literal !== undefined && !isPublicAddress(literal))
    return Promise.reject(notPublic(literal, [literal]));
  return new Promise((resolve, reject) => {
    const sent = (url.startsWith('https:') ? requestHttps : requestHttp)(
      url,
      { signal, ...connectionOf(url, options), method: body ? 'POST' : 'GET', headers: headersOf(options) },
      (response) => {
        const { statusCode } = response;
        if (statusCode === 304 && isConditional) {
          response.destroy();
          resolve(undefined);
        } else if (statusCode !== 200) {
          response.destroy();
          reject(new Error(`it answered ${statusCode}`));
        } else {
          const { etag, 'last-modified': lastModified } = response.headers;
          const made = (bytes: Buffer): Fetched => ({ bytes, validators: { etag, lastModified } });
          resolve(readBody(response, maxBytes).then(made));
        }
      },
    );
    sent.on('error', (error) => reject(withoutNumbers(error)));
    boundInterim(sent);
    // Without a listener, a 101 ends in `close` alone: neither an error nor a response.
    sent.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('it answered 101'));
    });
    sent.on('close', () => reject(new Error('socket hang up')));
    sent.end(body?.bytes);
  });
}

/** OpenSSL's own words without its numbers and places; of its commonest what it means. */
function withoutNumbers(error: NodeJS.ErrnoException): Error {
  const [, why] = /:SSL routines:[^:]*:([^:]+)/.exec(error.message) ?? [];
  if (why === undefined) return error;
  return new Error(
    why === 'wrong version number'
      ? 'no TLS is spoken there; write the port that has https'
      : `no TLS connection: ${why}`,
  );
}

function headersOf({ accept, body, validators }: FetchOptions): Record<string, string | number> {
  return {
    accept,
    ...(body && { 'content-type': body.type, 'content-length': body.bytes.length }),
    ...(validators?.etag !== undefined && { 'if-none-match': validators.etag }),
    ...(validators?.lastModified !== undefined && { 'if-modified-since': validators.lastModified }),
  };
}

/** A connection of its own: one that is kept alive would be used without looking where it leads. */
function connectionOf(
  url: string,
  { caPem, reach = 'anywhere', proxies }: FetchOptions,
): Pick<RequestOptions, 'agent' | 'lookup'> & { readonly ca?: string } {
  return {
    agent: proxies === undefined ? false : agentOf(url, proxies),
    ...(reach === 'public' && { lookup: lookupPublic }),
    ...(caPem && { ca: caPem }),
  };
}

function agentOf(url: string, proxies: NonNullable<FetchOptions['proxies']>): HttpAgent {
  const [Agent, name] = url.startsWith('https:')
    ? ([HttpsAgent, 'https_proxy'] as const)
    : ([HttpAgent, 'http_proxy'] as const);
  try {
    return new Agent({ proxyEnv: proxies as NodeJS.ProcessEnv });
  } catch {
    // What Node says of it has its password in it.
    throw new Error(`the environment variable ${name} is no URL of a proxy; write "http://HOST:PORT"`);
  }
}

function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    readPieces(response, (chunk) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= maxBytes) return;
      reject(new Error(`it sent more than ${maxBytes} bytes`));
      response.destroy();
    });
    response.on('end', () => resolve(joined(chunks, length)));
    response.on('error', reject);
    response.on('close', () => reject(new Error('socket hang up')));
  });
}

/** Bytes that are copied in one turn of the thread that decides. */
const atOnce = 1024 * 1024;

async function joined(chunks: readonly Buffer[], length: number): Promise<Buffer> {
  const all = Buffer.allocUnsafeSlow(length);
  let [at, copied] = [0, 0];
  for (const chunk of chunks) {
    at += chunk.copy(all, at);
    if (at - copied < atOnce) continue;
    copied = at;
    await new Promise(setImmediate);
  }
  return all;
}
