import type { ClientRequest, IncomingMessage } from 'node:http';

/**
 * What a server may send besides what was asked for is bounded by no length, and each bit of it is an event, and an object,
 * on the thread that decides: whoever stands between, where it is HTTP without TLS, could take all of its time and memory.
 */
const most = { interim: 16, crumbs: 1_000 };
/** Bytes: less in a piece, on average, is no server's way. */
const crumb = 256;

/** Ends it at the latest after so many interim answers (RFC 9110 15.2). */
export function boundInterim(sent: ClientRequest): void {
  let count = 0;
  sent.on('information', () => {
    if (++count > most.interim)
      sent.destroy(new Error(`it sent more than ${most.interim} interim answers (1xx)`));
  });
}

/** Hands on the pieces of a body, and ends it where they are more than it takes. */
export function readPieces(response: IncomingMessage, take: (piece: Buffer) => void): void {
  let [count, length] = [0, 0];
  response.on('data', (piece: Buffer) => {
    if (response.destroyed) return;
    length += piece.length;
    if (++count > most.crumbs && length < crumb * count)
      response.destroy(new Error('it sent its answer in crumbs'));
    else take(piece);
  });
}
