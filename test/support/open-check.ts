import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectSocket, type NetConnectOpts } from 'node:net';

/** A Check whose message never comes to its end: a drain waits for it. */
export async function openCheck(
  to: { readonly socketPath: string } | { readonly port: number },
): Promise<ClientHttp2Session> {
  const target: NetConnectOpts = 'port' in to ? { ...to, host: '127.0.0.1' } : { path: to.socketPath };
  const session = connect('http://localhost', { createConnection: () => connectSocket(target) });
  session.on('error', () => {});
  await once(session, 'connect');
  const stream = session.request({
    ':method': 'POST',
    ':path': '/envoy.service.auth.v3.Authorization/Check',
    'content-type': 'application/grpc',
  });
  stream.on('error', () => {});
  stream.write(Buffer.alloc(3));
  // Answered once what was sent before it has arrived.
  await new Promise<void>((resolve) => session.ping(() => resolve()));
  return session;
}
