import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

/** What a JWKS of 200 keys needs, several times over. */
const maxBytes = 1_048_576;
const maxMilliseconds = 10_000;

/**
 * The text at a URL. Follows no redirect: the issuer's keys come from where the configuration says.
 *
 * @param caPem trusted in place of the system's CAs
 * @throws Error: not reachable, another status than 200, too large, too slow, the signal
 */
export async function fetchJwks(
  url: string,
  caPem: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(maxMilliseconds)]);
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        limit.aborted && !signal.aborted ? new Error(`no answer within ${maxMilliseconds / 1000} s`) : error,
      );
    const sent = request(
      url,
      { signal: limit, agent: false, headers: { accept: 'application/json' }, ...(caPem && { ca: caPem }) },
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
          if (length > maxBytes) response.destroy(new Error(`it sent more than ${maxBytes} bytes`));
        });
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        response.on('error', fail);
      },
    );
    sent.on('error', fail);
    sent.end();
  });
}
