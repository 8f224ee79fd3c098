import { Client, credentials } from '@grpc/grpc-js';
import type { Listener } from './server.ts';

/**
 * Asks a running service over grpc.health.v1, as Envoy's health check does.
 *
 * @returns undefined if it says SERVING, else why not
 */
export function askHealth(listener: Listener, milliseconds: number): Promise<string | undefined> {
  const client =
    'socket' in listener
      ? new Client(`unix:${listener.socket}`, credentials.createInsecure())
      : new Client(`${connectTo(listener.address)}:${listener.port}`, credentialsFor(listener.tls));
  return new Promise<string | undefined>((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      Buffer.alloc(0), // the server as a whole
      { deadline: Date.now() + milliseconds },
      (error, answer) => {
        // HealthCheckResponse: status = 1, and SERVING is 1.
        if (error) resolve(error.message);
        else resolve(answer?.[0] === 8 && answer[1] === 1 ? undefined : 'NOT_SERVING');
      },
    );
  }).finally(() => client.close());
}

/** Its own certificate is what we were configured with, so that nothing else needs to vouch for it. */
const credentialsFor = (tls: Extract<Listener, { port: number }>['tls']) =>
  tls
    ? credentials.createSsl(
        Buffer.from(tls.certificatePem),
        Buffer.from(tls.privateKeyPem),
        Buffer.from(tls.certificatePem),
        {
          checkServerIdentity: () => undefined,
        },
      )
    : credentials.createInsecure();

/** "Any address" is for listening; from here it is this machine. */
const connectTo = (address: string): string => {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address;
  return host.includes(':') ? `[${host}]` : host;
};
