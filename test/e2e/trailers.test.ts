import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

test('what a client sends behind the body is no identity either: trailers of those names go no further', {
  skip,
}, async (t) => {
  const gateway = await Gateway.start(envoy!);
  t.after(() => gateway.stop());
  // In the backend's place, one that shows its trailers.
  await gateway.stack.backend.stop();
  const { certificatePem: cert, privateKeyPem: key } = gateway.pki.backend;
  const backend = createSecureServer({ cert, key });
  t.after(() => backend.close());
  let seen: IncomingHttpHeaders = {};
  backend.on('stream', (stream) => {
    stream.on('trailers', (trailers) => {
      seen = trailers;
    });
    stream.resume().on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end();
    });
  });
  backend.listen(gateway.stack.ports.backend, '127.0.0.1');
  await once(backend, 'listening');

  const session = connect(`https://127.0.0.1:${gateway.stack.ports.router}`, {
    ca: gateway.pki.routerCaPem,
    servername: 'localhost',
  });
  t.after(() => session.destroy());
  const stream = session.request(
    { ':path': status, ':method': 'POST', ':authority': 'localhost' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () =>
    stream.sendTrailers({
      'x-client-cert-alias': 'forged',
      'x-token-client-id': 'forged',
      'x-jwt-assertion': 'forged',
      'x-wso2-client-certificate': 'forged',
      'x-checksum': 'kept',
    }),
  );
  stream.end('x');
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  stream.resume();
  await once(stream, 'end');
  assert.equal(answer[':status'], 200);
  assert.deepEqual(Object.entries(seen), [['x-checksum', 'kept']]);
});
