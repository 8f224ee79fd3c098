import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import type { Method } from '../../../src/grpc/call.ts';
import { frame } from '../../../src/grpc/message.ts';
import { codes } from '../../../src/grpc/status.ts';
import { flags, grpcFields, literals, type RawConnection, rawConnection, rawFrame, types } from './raw.ts';
import { echo, grpcHeaders, type Serving, send, serving, statusOf, textOf } from './serving.ts';

const hello = frame(Buffer.from('hello'));
const headers = literals(grpcFields(echo));

/** Others are served as if nothing were. */
async function stillServes({ port }: Serving): Promise<void> {
  assert.equal(textOf(await send(port, [hello])), 'HELLO');
}
const quick = { patience: 50 };

test('a call that is never sent to its end is ended', () =>
  serving({ limits: quick }, async (at) => {
    const session = connect(`http://127.0.0.1:${at.port}`);
    const stream = session.request(grpcHeaders);
    let status: unknown;
    stream.on('response', (head) => (status = head['grpc-status']));
    stream.on('error', () => {});
    stream.write(hello.subarray(0, 7));
    stream.resume();
    await once(stream, 'close');
    assert.equal(status, String(codes.deadlineExceeded));
    await stillServes(at);
    session.destroy();
  }));

test('a thousand calls of headers alone are ended, and leave nothing behind', () =>
  serving({ limits: quick }, async (at) => {
    const session = connect(`http://127.0.0.1:${at.port}`);
    const streams = Array.from({ length: 1000 }, () => session.request(grpcHeaders).resume());
    await Promise.all(
      streams.map((stream) =>
        once(
          stream.on('error', () => {}),
          'close',
        ),
      ),
    );
    await stillServes(at);
    session.destroy();
  }));

test('an answer that is never fetched is dropped', () =>
  serving({ limits: quick }, async (at) => {
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: nothing may be sent to us.
    const raw = await rawConnection(at.port, Buffer.from([0, 4, 0, 0, 0, 0]));
    raw.socket.write(
      Buffer.concat([
        rawFrame(types.headers, flags.endHeaders, 1, headers),
        rawFrame(types.data, flags.endStream, 1, hello),
      ]),
    );
    await raw.frame(types.reset);
    await stillServes(at);
    raw.socket.destroy();
  }));

const stuckMethods: ReadonlyMap<string, Method> = new Map([
  ['/test.T/Large', { kind: 'unary', handle: () => frame(Buffer.alloc(16_000_000)) }],
  ['/test.T/Open', { kind: 'server-stream', handle: () => () => {} }],
]);
const call = (path: string): Buffer =>
  Buffer.concat([
    rawFrame(types.headers, flags.endHeaders, 1, literals(grpcFields(path))),
    rawFrame(types.data, flags.endStream, 1, hello),
  ]);
const goaway = rawFrame(types.goaway, 0, 0, Buffer.alloc(8));
/** On a stream that was never opened. */
const broken = rawFrame(types.data, flags.endStream, 13, hello);
const stuck: readonly [string, (raw: RawConnection) => void][] = [
  [
    'a call whose answer nobody reads',
    ({ socket }) => {
      socket.pause();
      socket.write(rawFrame(types.window, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
      socket.write(call('/test.T/Large'));
    },
  ],
  [
    'a call on a connection that breaks off after its GOAWAY',
    ({ socket }) => {
      for (const bytes of [rawFrame(types.headers, flags.endHeaders, 1, headers), goaway, broken])
        socket.write(bytes);
    },
  ],
  [
    'a stream of answers on such a connection',
    ({ socket }) => {
      for (const bytes of [call('/test.T/Open'), goaway, broken]) socket.write(bytes);
    },
  ],
];
for (const [name, write] of stuck)
  test(`${name} is not in hand for ever`, { timeout: 10_000 }, () =>
    serving({ limits: { ...quick, calls: 1 }, methods: stuckMethods }, async ({ port }) => {
      const raw = await rawConnection(port, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]));
      await raw.frame(types.settings);
      write(raw);
      const isTaken = async (): Promise<boolean> => statusOf(await send(port, [hello])) === codes.ok;
      while (await isTaken());
      while (!(await isTaken()));
      raw.socket.destroy();
    }),
  );

test('more streams than a connection may have are refused', () =>
  serving({ limits: { streamsPerConnection: 4 } }, async (at) => {
    const raw = await rawConnection(at.port);
    await raw.frame(types.settings);
    for (let stream = 1; stream <= 11; stream += 2)
      raw.socket.write(rawFrame(types.headers, flags.endHeaders, stream, headers));
    await raw.frame(types.reset);
    const reset = raw.received().filter(({ type }) => type === types.reset);
    assert.equal(reset[0]?.stream, 9, 'the fifth is the first that is too many');
    await stillServes(at);
    raw.socket.destroy();
  }));

const floods: readonly [string, (write: (bytes: Buffer) => void) => void][] = [
  [
    'settings',
    (write) => write(Buffer.concat(Array.from({ length: 20_000 }, () => rawFrame(types.settings, 0, 0)))),
  ],
  [
    'pings',
    (write) =>
      write(Buffer.concat(Array.from({ length: 20_000 }, () => rawFrame(types.ping, 0, 0, Buffer.alloc(8))))),
  ],
  [
    'CONTINUATION frames (CVE-2024-28182)',
    (write) => {
      write(rawFrame(types.headers, 0, 1, headers));
      const more = rawFrame(types.continuation, 0, 1, literals([['x-more', 'a'.repeat(8000)]]));
      for (let i = 0; i < 1000; i++) write(more);
    },
  ],
  [
    'streams that are reset at once (CVE-2023-44487)',
    (write) => {
      for (let stream = 1; stream < 40_000; stream += 2)
        write(
          Buffer.concat([
            rawFrame(types.headers, flags.endHeaders, stream, headers),
            rawFrame(types.reset, 0, stream, Buffer.from([0, 0, 0, 8])),
          ]),
        );
    },
  ],
];
for (const [name, flood] of floods)
  test(`a flood of ${name} ends its connection`, { timeout: 30_000 }, () =>
    serving({}, async (at) => {
      const raw = await rawConnection(at.port);
      // Answers are not read: they pile up on our side.
      if (name === 'settings' || name === 'pings') raw.socket.pause();
      let writing = true;
      raw.socket.once('close', () => {
        writing = false;
      });
      flood((bytes) => {
        if (writing) raw.socket.write(bytes);
      });
      raw.socket.resume();
      await raw.closed;
      await stillServes(at);
    }),
  );

const heavy: readonly [string, Readonly<Record<string, string>>][] = [
  ['headers larger than the bound', { 'x-large': 'a'.repeat(20_000) }],
  [
    'more header fields than the bound',
    Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-${i}`, 'a'])),
  ],
];
for (const [name, more] of heavy)
  test(`${name} are refused`, () =>
    serving({}, async (at) => {
      const session = connect(`http://127.0.0.1:${at.port}`);
      session.on('error', () => {});
      // The bound counts once the client has heard of it; before, it is nghttp2's own, 64 KiB.
      await once(session, 'remoteSettings');
      await new Promise<void>((resolve) => session.ping(() => resolve()));
      const answer = await send(session, [hello], more);
      assert.equal(answer.headers[':status'], undefined);
      assert.notEqual(answer.reset, 0);
      await stillServes(at);
      session.destroy();
    }));

const strangers: readonly [string, Buffer][] = [
  ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['TLS', Buffer.from('1603010200010001fc0303', 'hex')],
  ['junk', Buffer.alloc(4096, 0xff)],
];
for (const [name, bytes] of strangers)
  test(`who speaks ${name} is hung up on`, () =>
    serving({}, async (at) => {
      const socket = connectTcp(at.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      socket.resume();
      await once(socket, 'close');
      await stillServes(at);
    }));

test('a connection that says nothing, or is idle, is ended in time', () =>
  serving({ limits: { idle: 50 } }, async (at) => {
    const silent = connectTcp(at.port, '127.0.0.1');
    silent.on('error', () => {});
    silent.resume();
    const session = connect(`http://127.0.0.1:${at.port}`);
    session.on('error', () => {});
    assert.equal(textOf(await send(session, [hello])), 'HELLO');
    await Promise.all([once(silent, 'close'), once(session, 'close')]);
    await stillServes(at);
  }));

test('a connection with a call in hand is not idle', async () => {
  let answer = (_: Buffer): void => {};
  const waiting: Method = {
    kind: 'unary',
    handle: () =>
      new Promise<Buffer>((resolve) => {
        answer = resolve;
      }),
  };
  await serving({ limits: { idle: 20 }, methods: new Map([['/test.T/Wait', waiting]]) }, async (at) => {
    const session = connect(`http://127.0.0.1:${at.port}`);
    const pending = send(session, [hello], { ':path': '/test.T/Wait' });
    const other = connect(`http://127.0.0.1:${at.port}`);
    other.on('error', () => {});
    await once(other, 'close');
    answer(hello);
    assert.equal(statusOf(await pending), codes.ok);
    session.destroy();
  });
});

test('more calls in hand than the bound are told so at once, and the others are answered', () =>
  serving({ limits: { calls: 2 } }, async (at) => {
    const session = connect(`http://127.0.0.1:${at.port}`);
    session.on('error', () => {});
    const held = [session.request(grpcHeaders), session.request(grpcHeaders)];
    for (const stream of held) stream.on('error', () => {});
    // Once both are in hand.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    const beyond = await send(at.port, [hello]);
    assert.equal(statusOf(beyond), codes.resourceExhausted);
    const [first] = held;
    first!.resume().end(hello);
    await once(first!, 'close');
    await stillServes(at);
    session.destroy();
  }));

test('more connections than the bound are hung up on, and later ones are taken again', () =>
  serving({ limits: { connections: 2 } }, async (at) => {
    const held = [connect(`http://127.0.0.1:${at.port}`), connect(`http://127.0.0.1:${at.port}`)];
    for (const session of held) assert.equal(textOf(await send(session, [hello])), 'HELLO');
    const third = connectTcp(at.port, '127.0.0.1');
    third.on('error', () => {});
    third.resume();
    await once(third, 'close');
    held[0]!.destroy();
    await once(held[0]!, 'close');
    while (true) {
      const answer = await send(at.port, [hello]).catch(() => undefined);
      if (answer !== undefined && textOf(answer) === 'HELLO') break;
    }
    held[1]!.destroy();
  }));

test('a message announced as large costs nothing until it is sent', () =>
  serving({ maxMessageBytes: 1 << 20, limits: { patience: 60_000 } }, async (at) => {
    const announced = Buffer.alloc(6);
    announced.writeUInt32BE(1 << 20, 1);
    const before = process.memoryUsage().arrayBuffers;
    const session = connect(`http://127.0.0.1:${at.port}`);
    const streams = Array.from({ length: 500 }, () => session.request(grpcHeaders));
    for (const stream of streams) stream.on('error', () => {}).write(announced);
    await stillServes(at);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
    session.destroy();
  }));
