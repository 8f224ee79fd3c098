import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export type FetchOptions = {
  readonly accept: string;
  /** PEM; trusted in place of the system's CAs. */
  readonly caPem: string | undefined;
  readonly maxBytes: number;
  /** Bounds it in time. */
  readonly signal: AbortSignal;
};

/**
 * What is at a URL. Follows no redirect: it comes from where the configuration says.
 *
 * @throws Error: not reachable, another status than 200, too large, broken off, the signal
 */
export function fetchBytes(url: string, { accept, caPem, maxBytes, signal }: FetchOptions): Promise<Buffer> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { signal, agent: false, headers: { accept }, ...(caPem && { ca: caPem }) },
      (response) => {
        if (response.statusCode !== 200) {
          response.destroy();
          reject(new Error(`it answered ${response.statusCode}`));
          return;
        }
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          chunks.push(chunk);
          if (length <= maxBytes) return;
          reject(new Error(`it sent more than ${maxBytes} bytes`));
          response.destroy();
        });
        response.on('end', () => resolve(Buffer.concat(chunks)));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    // Without a listener, a 101 ends in `close` alone: neither an error nor a response.
    sent.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('it answered 101'));
    });
    sent.on('close', () => reject(new Error('socket hang up')));
    sent.end();
  });
}
