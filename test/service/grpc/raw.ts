import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** HTTP/2 frames by hand (RFC 9113 4.1), for what no library sends. */
export const types = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
};
export const flags = { endStream: 1, ack: 1, endHeaders: 4 };

export function rawFrame(
  type: number,
  flag: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Header fields as HPACK literals that are not indexed (RFC 7541 6.2.2). */
export const literals = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));

/** A string with its length in HPACK's integer of seven bits. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

export const grpcFields = (path: string): readonly (readonly [string, string])[] => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'localhost'],
  ['content-type', 'application/grpc'],
];

export type RawConnection = {
  readonly socket: Socket;
  /** Resolves when the server has hung up. */
  readonly closed: Promise<void>;
  /** Frames that came so far, as type and stream. */
  readonly received: () => readonly { readonly type: number; readonly stream: number }[];
  /** Waits for a frame of this type. */
  readonly frame: (type: number) => Promise<void>;
};

/** A connection that has sent the preface and its settings. */
export async function rawConnection(
  port: number,
  settings: Uint8Array = Buffer.alloc(0),
): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let buffer = Buffer.alloc(0);
  const frames: { type: number; stream: number }[] = [];
  const waiting: (() => void)[] = [];
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 9 && buffer.length >= 9 + buffer.readUIntBE(0, 3)) {
      frames.push({ type: buffer[3]!, stream: buffer.readUInt32BE(5) });
      buffer = buffer.subarray(9 + buffer.readUIntBE(0, 3));
    }
    for (const wake of waiting.splice(0)) wake();
  });
  await once(socket, 'connect');
  socket.write(Buffer.concat([preface, rawFrame(types.settings, 0, 0, settings)]));
  return {
    socket,
    closed,
    received: () => frames,
    frame: async (type) => {
      while (!frames.some((frame) => frame.type === type))
        await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}
