import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, petstore, status } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** Each with why it must not arrive. */
const forged: Readonly<Record<string, string>> = {
  'x-client-cert-alias': 'says who the client is',
  'x-token-client-id': 'says who the client is',
  'x-token-subject': 'says who the client is',
  'x-jwt-assertion': 'says who the client is',
  'x-wso2-client-certificate': 'a certificate',
  'x-received-client-cert': 'a certificate',
  x_client_cert_alias: 'the same to CGI',
  'x_client-cert-tier': 'the same to CGI',
  'x-client_cert_subject': 'the same to CGI',
  x_jwt_assertion: 'the same to CGI',
  x_wso2_client_certificate: 'the same to CGI',
  'ssl-client_cert': 'the same to CGI',
  'x.client.cert.alias': 'the same to PHP',
  authorization: 'a token that nobody looked at',
  'proxy-authorization': 'credentials (RFC 9110 section 6.5.1)',
  cookie: 'a session',
  'x-forwarded-for': 'an address that Envoy did not see',
  x_forwarded_proto: 'the same to CGI',
  forwarded: 'the same by RFC 7239',
  'x-real-ip': 'an address that Envoy did not see',
  'x-envoy-original-path': 'not said by Envoy',
  'x-http-method-override': 'a method that nobody judged',
  'x-original-url': 'a path that nobody judged',
  x_rewrite_url: 'the same to CGI',
  script_name: 'a part of the path that is to be none',
};

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
    cert: gateway.pki.clients.acme.certificatePem,
    key: gateway.pki.clients.acme.privateKeyPem,
  });
  t.after(() => session.destroy());
  for (const path of [status, petstore]) {
    const stream = session.request(
      { ':path': path, ':method': 'POST', ':authority': 'localhost' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => {
      const names = Object.keys(forged);
      stream.sendTrailers({
        ...Object.fromEntries(names.map((name) => [name, 'forged'])),
        'x-checksum': 'kept',
      });
    });
    seen = {};
    stream.end('x');
    const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    stream.resume();
    await once(stream, 'end');
    assert.equal(answer[':status'], 200);
    assert.deepEqual(Object.entries(seen), [['x-checksum', 'kept']], path);
  }
});
