import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Settings } from 'node:http2';
import { connect as connectSocket, createServer, Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ChannelCredentials, Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import type { Attributes } from '../../src/attributes.ts';
import type { ApiName, Decision } from '../../src/decision.ts';
import { type ExtAuthzServer, type Listener, startServer } from '../../src/ext-authz/server.ts';
import { type Soon, after as then } from '../../src/soon.ts';
import { plainAnswers } from '../support/apis.ts';
import { plain } from '../support/attributes.ts';
import { createAuthority } from '../support/certificate-authority.ts';

const allow: Decision = {
  outcome: 'allow',
  api: { name: 'a', version: '1', basePath: '/a', errorFormat: 'choreo-connect', hasOperations: false },
  tokenHeader: 'untouched',
};
const folder = mkdtempSync(join(tmpdir(), 'ext-authz-'));
after(() => rmSync(folder, { recursive: true }));

type Setup = {
  check?: (attributes: Attributes) => Soon<Decision>;
  listeners?: readonly Listener[];
  reflection?: boolean;
  maxMessageBytes?: number;
};
const loopback: Listener = { address: '127.0.0.1', port: 0, tls: undefined };
const errors: Error[] = [];

async function withServer(
  setup: Setup,
  use: (server: ExtAuthzServer, address: string) => Promise<void>,
): Promise<void> {
  errors.length = 0;
  const server = await startServer({
    listeners: setup.listeners ?? [loopback],
    check: (attributes) =>
      then((setup.check ?? (() => allow))(attributes), (decision) => ({
        decision,
        answers: plainAnswers,
        backendJwt: undefined,
      })),
    answers: () => plainAnswers,
    maxMessageBytes: setup.maxMessageBytes ?? 65_536,
    reflection: setup.reflection ?? false,
    onError: (error) => errors.push(error),
  });
  try {
    await use(server, server.addresses[0]!);
  } finally {
    await server.close();
  }
}

const checkPath = '/envoy.service.auth.v3.Authorization/Check';

/** One call over real gRPC with bytes as they are on the wire, so that no proto of ours is on the client's side. */
function call(
  address: string,
  message: Uint8Array,
  secured: ChannelCredentials = credentials.createInsecure(),
  method = checkPath,
): Promise<Buffer> {
  const client = new Client(address, secured, { 'grpc.ssl_target_name_override': 'localhost' });
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      method,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      message,
      { deadline: Date.now() + 5000 },
      (error, value) => (error ? reject(error) : resolve(value!)),
    );
  }).finally(() => client.close());
}

// Protobuf by hand: field numbers and types as docs of Envoy's messages have them.
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
const field = (number: number, ...content: (string | Uint8Array | number[])[]): Buffer => {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part as Uint8Array)));
  return Buffer.concat([Buffer.from(varint((number << 3) | 2)), Buffer.from(varint(bytes.length)), bytes]);
};
const number = (at: number, value: number): Buffer => Buffer.from([...varint(at << 3), ...varint(value)]);
const text = (at: number, value: string): Buffer => field(at, Buffer.from(value, 'utf8'));

const address = field(1, field(1, number(1, 0), text(2, '192.0.2.7'), number(3, 4711)));
const source = field(
  1,
  address,
  text(2, 'a service that the client names'),
  text(4, 'a principal'),
  text(5, '%2D%2D'),
);
const headerMap = field(
  13,
  field(1, text(1, 'X-Name'), field(3, Buffer.from([0xff, 0x61]))),
  field(1, text(1, 'x-name'), field(3, Buffer.from('b'))),
);
const http = field(
  2,
  text(2, 'GET'),
  text(4, '/path?query'),
  text(5, 'host:8443'),
  text(6, 'https'),
  text(10, 'HTTP/2'),
  headerMap,
  field(99, Buffer.from('unknown')),
);
const extension = field(10, text(1, 'vHost'), text(2, '*'));
const checkRequest = field(1, source, field(4, http), extension, field(77, Buffer.from('unknown')));

/** What the service made of one message. */
async function read(message: Uint8Array) {
  let seen: ReturnType<typeof plain> | undefined;
  const check = (attributes: Attributes): Decision => {
    seen = plain(attributes);
    return allow;
  };
  await withServer({ check }, async (_, at) => void (await call(at, message)));
  return seen;
}

test('a CheckRequest as Envoy writes it is read by its field numbers, unknown fields skipped', async () => {
  const seen = await read(checkRequest);
  assert.deepEqual(seen, {
    source: { address: '192.0.2.7', certificate: '%2D%2D' },
    http: {
      method: 'GET',
      path: '/path?query',
      host: 'host:8443',
      scheme: 'https',
      protocol: 'HTTP/2',
      headers: [
        ['x-name', '\u00ffa'],
        ['x-name', 'b'],
      ],
      headersAreRaw: true,
    },
    contextExtensions: new Map([['vHost', '*']]),
  });
});

test('headers that Envoy joined are read too, and told apart', async () => {
  const joined = field(1, field(4, field(2, field(3, text(1, 'x-name'), text(2, 'a,b')))));
  const seen = await read(joined);
  assert.deepEqual([seen?.http.headers, seen?.http.headersAreRaw], [[['x-name', 'a,b']], false]);
});

test('a pipe has no address', async () => {
  const pipe = field(1, field(1, field(1, field(2, text(1, '/run/x.sock')))));
  const seen = await read(pipe);
  assert.equal(seen?.source.address, undefined);
});

test('an empty CheckRequest is answered', async () => {
  await withServer(
    { check: () => ({ outcome: 'deny', code: 'api_not_found', detail: '' }) },
    async (_, at) => {
      const answer = await call(at, Buffer.alloc(0));
      assert.ok(answer.includes('api_not_found'));
    },
  );
});

test('an admission is written by its field numbers: status without a code, an ok_response', async () => {
  await withServer({}, async (_, at) => {
    const answer = await call(at, checkRequest);
    assert.deepEqual([...answer.subarray(0, 4)], [0x0a, 2, 1 << 3, 0], 'status = 1: code = 1 is 0');
    assert.equal(answer[4], (3 << 3) | 2, 'ok_response = 3');
  });
});

test('a denial is written by its field numbers: status.code 16, denied_response.status 401', async () => {
  await withServer(
    { check: () => ({ outcome: 'deny', code: 'certificate_missing', detail: '' }) },
    async (_, at) => {
      const answer = await call(at, checkRequest);
      assert.equal(answer[0], (1 << 3) | 2, 'status = 1');
      assert.deepEqual([...answer.subarray(2, 4)], [1 << 3, 16], 'code = 1');
      const denied = answer.subarray(2 + answer[1]!);
      assert.equal(denied[0], (2 << 3) | 2, 'denied_response = 2');
      assert.ok(
        denied.includes(Buffer.from([(1 << 3) | 2, 3, 1 << 3, ...varint(401)])),
        'status = 1, code = 1: 401',
      );
    },
  );
});

test('a fault of ours is one error and a denial internal_error, never a gRPC error, never an admission', async () => {
  const broken: Readonly<Record<string, () => Soon<Decision>>> = {
    'at once': () => {
      throw new Error('broken');
    },
    later: () => Promise.reject(new Error('broken')),
    'not an Error': () => Promise.reject('broken'),
    'in writing, at once': () => ({ ...allow, api: undefined as unknown as ApiName }),
    'in writing, later': async () => ({ ...allow, api: undefined as unknown as ApiName }),
  };
  for (const [when, check] of Object.entries(broken))
    for (const reflection of [false, true])
      await withServer({ check, reflection }, async (_, at) => {
        const answer = await call(at, checkRequest);
        assert.ok(answer.includes('internal_error') && answer.includes('900900'), when);
        assert.equal(errors.length, 1, when);
        if (!when.startsWith('in writing')) assert.equal(errors[0]!.message, 'broken', when);
      });
});

test('bytes that are no CheckRequest are never admitted, and the next call is answered', async () => {
  await withServer({}, async (_, at) => {
    for (const junk of [
      Buffer.from([0xff, 0xff]),
      Buffer.from([0x0a, 0x7f, 0x01]),
      field(1, field(4, Buffer.from([7]))),
    ]) {
      await assert.rejects(call(at, junk));
    }
    assert.ok((await call(at, checkRequest)).length > 0);
  });
});

test('a message over the cap gets RESOURCE_EXHAUSTED', async () => {
  await withServer({ maxMessageBytes: 16_384 }, async (_, at) => {
    await assert.rejects(
      call(at, field(1, Buffer.alloc(20_000))),
      (error: ServiceError) => error.code === status.RESOURCE_EXHAUSTED,
    );
  });
});

const health = '/grpc.health.v1.Health/Check';
const serving = async (at: string, service = ''): Promise<number> =>
  (await call(at, text(1, service), undefined, health))[1] ?? 0;

test('a caller has 100 calls open on one connection, no more, and another connection is answered', async () => {
  await withServer({}, async (_, address) => {
    const session = connect(`http://${address}`).on('error', () => {});
    const [settings] = (await once(session, 'remoteSettings')) as [Settings];
    assert.equal(settings.maxConcurrentStreams, 100);
    const halfSent = Buffer.concat([Buffer.from([0, 0, 0, 255, 255]), Buffer.alloc(1000)]);
    for (let i = 0; i < 300; i++)
      session
        .request({
          ':method': 'POST',
          ':path': checkPath,
          'content-type': 'application/grpc',
          te: 'trailers',
        })
        .on('error', () => {})
        .write(halfSent);
    assert.deepEqual(await call(address, checkRequest), await call(address, checkRequest));
    session.destroy();
  });
});

test('health is SERVING only once said so, for the server and for the service', async () => {
  await withServer({}, async (server, at) => {
    for (const service of ['', 'envoy.service.auth.v3.Authorization']) {
      assert.equal(await serving(at, service), 2, 'NOT_SERVING');
      server.setServing(true);
      assert.equal(await serving(at, service), 1, 'SERVING');
      server.setServing(false);
    }
  });
});

test('reflection only where it is switched on', async () => {
  const list = field(7, Buffer.from('*'));
  const reflect = async (at: string): Promise<Buffer> => {
    const client = new Client(at, credentials.createInsecure());
    try {
      const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
      const stream = client.makeBidiStreamRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
      );
      stream.end(list);
      const [answer] = (await once(stream, 'data')) as [Buffer];
      return answer;
    } finally {
      client.close();
    }
  };
  await withServer({ reflection: false }, async (_, at) =>
    assert.rejects(reflect(at), (error: ServiceError) => error.code === status.UNIMPLEMENTED),
  );
  await withServer({ reflection: true }, async (_, at) =>
    assert.ok((await reflect(at)).includes('envoy.service.auth.v3.Authorization')),
  );
});

test('a drain with an open health Watch ends within its time', async () => {
  await withServer({}, async (server, at) => {
    server.setServing(true);
    const client = new Client(at, credentials.createInsecure());
    const watch = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      text(1, ''),
    );
    watch.on('error', () => {});
    const [first] = (await once(watch, 'data')) as [Buffer];
    assert.equal(first[1], 1, 'SERVING');
    const next = once(watch, 'data') as Promise<[Buffer]>;
    const started = Date.now();
    await server.drain(300, 100);
    assert.equal((await next)[0][1], 2, 'NOT_SERVING while draining');
    assert.ok(Date.now() - started < 5000);
    client.close();
  });
});

test('a close ends the connections of callers who never hang up, at their TLS handshake too', async (t) => {
  const { pem, privateKeyPem } = await (await createAuthority()).issue({ subject: 'CN=a' });
  const tls = { certificatePem: pem, privateKeyPem, clientCaPem: undefined };
  for (const reflection of [false, true])
    for (const listener of [loopback, { ...loopback, tls }]) {
      const { mock } = t.mock.method(Server.prototype, 'listen');
      let accepted: Socket | undefined;
      await withServer({ reflection, listeners: [listener] }, async (_, at) => {
        const connected = once(mock.calls.at(-1)!.this as Server, 'connection');
        const caller = connectSocket({
          port: Number(at.split(':')[1]),
          host: '127.0.0.1',
          allowHalfOpen: true,
        });
        t.after(() => caller.destroy());
        caller.on('error', () => {});
        accepted = (await connected)[0];
      });
      assert.equal(accepted?.destroyed, true, JSON.stringify({ reflection, tls: 'tls' in listener }));
      mock.restore();
    }
});

test('over TLS, and over mutual TLS only with a certificate', async () => {
  const authority = await createAuthority();
  const own = await authority.issue({
    subject: 'CN=localhost',
    extendedKeyUsage: 'both',
    subjectAltNames: ['localhost'],
  });
  const tls = { certificatePem: own.pem, privateKeyPem: own.privateKeyPem, clientCaPem: undefined };
  const ca = Buffer.from(authority.pem);
  await withServer({ listeners: [{ ...loopback, tls }] }, async (_, at) => {
    assert.ok((await call(at, checkRequest, credentials.createSsl(ca))).length > 0);
  });
  await withServer(
    { listeners: [{ ...loopback, tls: { ...tls, clientCaPem: authority.pem } }] },
    async (_, at) => {
      await assert.rejects(call(at, checkRequest, credentials.createSsl(ca)));
      const both = credentials.createSsl(ca, Buffer.from(own.privateKeyPem), Buffer.from(own.pem));
      assert.ok((await call(at, checkRequest, both)).length > 0);
    },
  );
});

test('a unix socket: mode 0660, a stale one taken over, removed at the end', async () => {
  const socket = join(folder, 'authz.sock');
  const stale = createServer().listen(socket);
  await once(stale, 'listening');
  // Unreferenced and forgotten, as after kill -9: the file stays, nobody answers.
  const kept = join(folder, 'kept.sock');
  linkSync(socket, kept);
  stale.close();
  await once(stale, 'close');
  renameSync(kept, socket);
  await withServer({ listeners: [{ socket }] }, async (server) => {
    assert.equal(server.addresses[0], `unix:${socket}`);
    assert.equal(statSync(socket).mode & 0o777, 0o660);
    assert.ok((await call(`unix:${socket}`, checkRequest)).length > 0);
  });
  assert.equal(existsSync(socket), false);
});

for (const reflection of [false, true])
  test(`what another has put in the place of a socket stays when this one ends${reflection ? ', on grpc-js too' : ''}`, async () => {
    const socket = join(folder, 'replaced.sock');
    await withServer({ listeners: [{ socket }], reflection }, async (first) => {
      rmSync(socket);
      await withServer({ listeners: [{ socket }], reflection }, async () => {
        await first.close();
        assert.ok((await call(`unix:${socket}`, checkRequest)).length > 0);
      });
    });
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('replaced')),
      [],
    );
  });

test('a socket that another process answers on, and a file that is no socket, are left alone', async () => {
  const socket = join(folder, 'live.sock');
  await withServer({ listeners: [{ socket }] }, async () => {
    await assert.rejects(
      withServer({ listeners: [{ socket }] }, async () => {}),
      /another process answers/,
    );
    assert.ok((await call(`unix:${socket}`, checkRequest)).length > 0);
  });
  await assert.rejects(
    withServer({ listeners: [{ socket: join(folder, 'none', 'authz.sock') }] }, async () => {}),
    /the folder of the socket .* does not exist/,
  );
  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  await assert.rejects(
    withServer({ listeners: [{ socket: file }] }, async () => {}),
    /is no socket/,
  );
  assert.ok(existsSync(file));
});

test('a port that is taken is an error at the start', async () => {
  await withServer({}, async (_, at) => {
    const port = Number(at.split(':').at(-1));
    await assert.rejects(
      withServer({ listeners: [{ ...loopback, port }] }, async () => {}),
      /EADDRINUSE/,
    );
  });
});
