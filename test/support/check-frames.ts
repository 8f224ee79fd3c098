import type { ClientHttp2Session } from 'node:http2';
import { checkPath } from './check-services.ts';
import { codec } from './plain-codec.ts';

/** A Check as it goes over the wire, written once: whoever measures has no time for writing it anew. */
export function checkFrame(path: string, pem: string): Buffer {
  const message = codec.requestSerialize({
    attributes: {
      source: { address: { socket_address: { address: '10.1.2.3' } }, certificate: encodeURIComponent(pem) },
      request: { http: { method: 'GET', path, host: 'localhost', scheme: 'https', protocol: 'HTTP/2' } },
    },
  });
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  return frame;
}

export async function isAdmitted(session: ClientHttp2Session, frame: Buffer): Promise<boolean> {
  const stream = session.request({
    ':method': 'POST',
    ':path': checkPath,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end(frame);
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return isAdmission(Buffer.concat(parts));
}

/** Behind the status stands `ok_response`, or `denied_response`. */
export const isAdmission = (frame: Buffer): boolean =>
  frame[5 + (frame[5] === 0x0a ? 2 + frame[6]! : 0)] === 0x1a;
